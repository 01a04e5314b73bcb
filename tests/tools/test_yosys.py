"""Yosys on designs whose cells are known."""

import random
import re
import shutil

import numpy as np
import pytest

from nn2hls.cli import main
from nn2hls.design.design import convert
from nn2hls.errors import ToolError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.hardware.operators import adder_bits
from nn2hls.ops import Dense, Input
from nn2hls.tools.report import BuildReport, Resources
from nn2hls.tools.rtl.yosys import command_for, count_cells, synthesise
from tests.kit.paths import ROOT
from tests.kit.tools import require_tool

# An 8 bit register, an 18 x 18 bit product, a ROM of 1,024 x 18 bits, a 2,048 x 18 one, a RAM of 32 x 6, 32 registers in a row.
DESIGNS = {
    "register": ("input c, input [7:0] x, output reg [7:0] y", "always @(posedge c) y <= x;"),
    "product": ("input c, input signed [17:0] a, b, output reg signed [35:0] y", "always @(posedge c) y <= a * b;"),
    "rom": (
        "input c, input [9:0] a, output reg [17:0] y",
        'reg [17:0] m[0:1023]; initial $readmemb("rom.mem", m, 0, 1023); always @(posedge c) y <= m[a];',
    ),
    "rom2": (
        "input c, input [10:0] a, output reg [17:0] y",
        'reg [17:0] m[0:2047]; initial $readmemb("rom2.mem", m, 0, 2047); always @(posedge c) y <= m[a];',
    ),
    "ram": (
        "input c, w, input [4:0] a, input [5:0] x, output [5:0] y",
        "reg [5:0] m[0:31]; always @(posedge c) if (w) m[a] <= x; assign y = m[a];",
    ),
    "delay": ("input c, x, output y", "reg [31:0] s; always @(posedge c) s <= {s, x}; assign y = s[31];"),
    "choice": ("input s, a, b, output y", "assign y = s ? a : b;"),
    "parity": ("input [5:0] x, output y", "assign y = ^x;"),
}


@pytest.fixture
def yosys():
    require_tool("yosys", shutil.which("yosys"))


def design(folder, name):
    ports, body = DESIGNS[name]
    rng = random.Random(1)
    for words in (1024, 2048):
        memory = "\n".join(f"{rng.getrandbits(18):018b}" for _ in range(words))
        (folder / ("rom.mem" if words == 1024 else "rom2.mem")).write_text(memory)
    (folder / f"{name}.v").write_text(f"module {name}({ports}); {body} endmodule\n")
    return folder


def together(folder, names):
    """The designs as one module 'known': each has a kind of cell of its own, or adds to one."""
    ports, parts = [], []
    for name in names:
        design(folder, name)
        declared = DESIGNS[name][0].replace(" reg", "")
        ports.append(re.sub(r"\b([a-z])\b", rf"{name}_\1", declared))
        wires = ", ".join(f".{p}({name}_{p})" for p in re.findall(r"\b[a-z]\b", declared))
        parts.append(f"{name} i_{name}({wires});")
    (folder / "known.v").write_text(f"module known({', '.join(ports)}); {' '.join(parts)} endmodule\n")
    return [f"{name}.v" for name in ("known", *names)]


@pytest.mark.long
def test_known_designs_on_7_series(yosys, tmp_path):
    """A product is a DSP, the ROMs three halves of block RAMs, the RAM four LUTs, the delay and the parity one each."""
    sources = together(tmp_path, ["register", "product", "rom", "rom2", "ram", "delay", "parity"])
    found = synthesise(tmp_path, "known", "xc7vx690t-3ffg1930", sources)
    assert found.figures.resources == Resources(dsp=1, lut=4 + 1 + 1, ff=8, bram=1 + 2, uram=0)
    assert found.figures.source == "synthesis"
    assert found.figures.tool.endswith(" synth_xilinx -family xc7")
    assert found.figures.tool.startswith("yosys 0.")
    assert not found.unknown
    assert found.run.log.name == "yosys.log"


def test_known_designs_on_ecp5(yosys, tmp_path):
    """The registers behind a product stay flip-flops."""
    found = synthesise(tmp_path, "known", "LFE5U85F8BG756C", together(tmp_path, ["register", "rom", "product"]))
    assert found.figures.resources == Resources(dsp=1, lut=0, ff=8 + 36, bram=1, uram=0)
    assert found.figures.tool.endswith(" synth_ecp5")


def test_cells_beside_and_unknown_ones_are_listed():
    cells = {"LUT6": 7, "INV": 1, "RAMB36E2": 2, "RAMB18E1": 1, "CARRY8": 3, "CCU2C": 2, "MYSTERY": 4, "FDSE": 9, "URAM288": 1}
    found, beside, unknown = count_cells(cells)
    assert found == Resources(dsp=0, lut=12, ff=9, bram=5, uram=1)
    assert beside == {"CARRY8": 3}
    assert unknown == {"MYSTERY": 4}


@pytest.mark.long
def test_a_black_box_is_no_silent_zero(yosys, tmp_path):
    text = "(* blackbox *) module box(input x, output y); endmodule\nmodule top(input x, output y); box b(x, y); endmodule"
    (tmp_path / "top.v").write_text(text)
    found = synthesise(tmp_path, "top", "xcku115")
    assert found.unknown == {"box": 1}
    assert found.note == "NOT COUNTED: 1 box"


@pytest.mark.parametrize(
    ("part", "command"),
    [
        ("xc7z020-1clg484", "xc7"),
        ("XC7A35T", "xc7"),
        ("xcku115-flvb2104-2-i", "xcu"),
        ("xcvu095", "xcu"),
        ("xcku5p", "xcup"),
        ("xcvu13p-flga2577-2-e", "xcup"),
        ("xcvu37p", "xcup"),
        ("xczu9eg", "xcup"),
        ("xczu48dr", "xcup"),
        ("xcau25p", "xcup"),
        ("xcu280-2Lfsvh2892", "xcup"),
        ("xcu55c", "xcup"),
        ("xck26", "xcup"),
        ("LFE5UM85F8BG756C", "synth_ecp5"),
    ],
)
def test_the_command_for_a_part(part, command):
    assert command_for(part).split(" -flatten")[0].split()[-1] == command


@pytest.mark.parametrize("part", ["xcvc1902", "EP2C70F896C6", "", "nx1h35S"])
def test_parts_that_yosys_does_not_know(part):
    with pytest.raises(ToolError, match=f"Yosys cannot synthesise for the part '{part}'"):
        command_for(part)


def test_failures_are_said(yosys, tmp_path):
    design(tmp_path, "rom")
    with pytest.raises(ToolError, match="'a;b' cannot be given to yosys"):
        synthesise(tmp_path, "a;b", "xc7z020")
    with pytest.raises(ToolError, match=r"took longer than 0.01 s and was ended"):
        synthesise(tmp_path, "rom", "xc7z020", seconds=0.01)
    (tmp_path / "rom.mem").unlink()
    with pytest.raises(ToolError, match=r"(?s)Yosys refuses the Verilog.*rom.mem"):
        synthesise(tmp_path, "rom", "xc7z020")
    (tmp_path / "bad.v").write_text("module bad(; endmodule")
    with pytest.raises(ToolError, match=r"(?s)bad.v: Yosys refuses the Verilog:.*syntax error"):
        synthesise(tmp_path, "bad", "xc7z020")


@pytest.mark.long
def test_sums_stay_carry_chains(yosys, tmp_path):
    """A LUT for each bit that a sum adds, none for the bits written beside it: no carry-save sum of several operands."""
    builder = Builder()
    x = builder.add("x", Input((16,)))
    graph = builder.build([builder.add("y", Dense(Const(np.ones((16, 1))), Const(np.zeros(1))), [x])])
    model = {"Precision": {"input": "ap_fixed<8,8>", "weight": "ap_uint<1>", "result": "ap_fixed<12,12>"}}
    design = convert(graph, {"Backend": "Verilog", "HLSConfig": {"Model": model}})
    (layer,) = design.sizer.placed().layers
    bits = sum(adder_bits(loop.body) for loop in layer.hardware.loops)
    assert bits == 8 * 8 + 4 * 9 + 2 * 10 + 11
    assert design.build("rtl", tmp_path, steps=["yosys"]).total[-1].resources.lut == bits


@pytest.mark.parametrize(
    ("name", "gates", "flip_flops"), [("register", 0, 8), ("parity", 5, 0), ("delay", 0, 32), ("choice", 3, 0)]
)
def test_known_designs_in_gates(yosys, tmp_path, name, gates, flip_flops):
    found = synthesise(design(tmp_path, name), name, "a part of no family", synth="gates")
    assert (found.figures.gates, found.figures.resources) == (gates, Resources(ff=flip_flops))
    assert found.figures.tool.endswith(" synth, gates")
    assert not found.unknown
    assert found.run.log.name == "yosys_gates.log"


@pytest.mark.parametrize(
    ("part", "command"),
    [
        ("LFE5U-25F-6BG381C", "synth_ecp5"),
        ("iCE40HX8K-CT256", "synth_ice40"),
        ("GW1NR-LV9QN88PC6/I5", "synth_gowin"),
        ("CCGM1A1", "synth_gatemate"),
    ],
)
def test_each_vendor_has_its_synthesis(part, command):
    assert command_for(part).split()[0] == command


@pytest.mark.parametrize(
    ("cells", "lut", "ff", "dsp"),
    [
        ({"SB_LUT4": 5, "SB_DFF": 1, "SB_DFFE": 2, "SB_DFFESR": 3, "SB_DFFNESS": 1, "SB_CARRY": 9, "SB_MAC16": 2}, 5, 7, 2),
        ({"LUT1": 1, "LUT4": 2, "ALU": 3, "DFF": 1, "DFFRE": 2, "DFFCE": 4, "DFFNP": 1, "MUX2_LUT5": 2, "MULT9X9": 1}, 6, 8, 1),
        ({"CC_LUT2": 1, "CC_L2T4": 2, "CC_L2T5": 1, "CC_ADDF": 4, "CC_DFF": 6, "CC_BUFG": 1}, 8, 6, 0),
    ],
)
def test_cells_of_other_vendors(cells, lut, ff, dsp):
    found, _, unknown = count_cells(cells | {"$scopeinfo": 3})
    assert (found.lut, found.ff, found.dsp, unknown) == (lut, ff, dsp, {})


def test_a_synthesis_is_chosen_or_refused_by_name(yosys, tmp_path):
    assert command_for("xc7z020", "ecp5") == command_for("LFE5U85F8BG756C")
    assert command_for("xcku115", "xilinx") == command_for("xcku115")
    for part, synth, words in (
        ("LFE5U85F8BG756C", "xilinx", "for the part 'LFE5U85F8BG756C'"),
        ("EP2C70F896C6", "xilinx", "--synth gates"),
        ("xc7z020", "intel", "no synthesis 'intel'.*xilinx, ecp5, gates"),
    ):
        with pytest.raises(ToolError, match=words):
            command_for(part, synth)


@pytest.mark.long
def test_a_build_counts_for_what_was_asked(yosys, tmp_path, capsys):
    builder = Builder()
    x = builder.add("x", Input((3,)))
    graph = builder.build([builder.add("y", Dense(Const(np.ones((3, 2)) * 0.75), Const(np.zeros(2))), [x])])
    built = convert(graph, {"Backend": "Verilog", "HLSConfig": {"Model": {"Precision": "ap_fixed<8,4>"}}})
    report = built.build("rtl", tmp_path, steps=["yosys"], synths=["gates", "ecp5", "xilinx", "gates"])
    assert report.ok
    assert [f.tool.split(" ", 2)[2] for f in report.total if f.source == "synthesis"] == [
        "synth, gates",
        "synth_ecp5",
        "synth_xilinx -family xcup",
    ]
    gates, ecp5, xilinx = (f for f in report.total if f.source == "synthesis")
    assert gates.gates > ecp5.resources.lut > 0
    assert xilinx.resources.lut > 0
    shown = str(report)
    assert "gates" in shown
    assert f"{gates.gates:,}" in shown
    assert BuildReport.read(tmp_path / "reports" / "rtl.json") == report
    with pytest.raises(ToolError, match="no synthesis 'zynq'"):
        built.build("rtl", tmp_path, synths=["zynq"])
    with pytest.raises(ToolError, match="csim has no choice of syntheses"):
        built.build("csim", tmp_path, synths=["gates"])
    assert main(["build", str(ROOT / "example-configs/jet_tagger_verilog.yml"), "--synth", "gates", "-o", str(tmp_path)]) == 1
    assert "--tool rtl" in capsys.readouterr().err
