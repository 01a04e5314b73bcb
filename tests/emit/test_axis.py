"""``Interface: axis``: AXI4-Stream ports in the C simulation and in Verilog, and TLAST with the last token of each event."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import nn2hls
from nn2hls.design.bench import mantissas_of
from nn2hls.errors import ConfigError, LimitError, ToolError
from nn2hls.graph.builder import Builder
from nn2hls.ops import Elementwise, Input, Merge, Relu
from nn2hls.tools.gxx import compile_project
from nn2hls.tools.rtl.run import simulate_rtl
from tests.kit.cnn import cnn, convolution
from tests.kit.paths import ROOT
from tests.kit.tools import require_tool

EVENTS = 4


def two_ports(rng, channels=2):
    """Two inputs, one of which is read twice, and two outputs of different lengths; one is an input as it is."""
    b = Builder()
    x, y = b.add("x", Input((4, 5, channels))), b.add("y", Input((4, 5, channels)))
    near = convolution(b, "a", x, rng.normal(size=(3, 3, channels, 3)), rng.normal(size=3), pad=1, stride=2)
    return b.build([b.add("sum", Elementwise(Merge.ADD), [x, y]), b.add("relu", Relu(), [near]), y])


def converted(graph, precision="ap_fixed<11,4>", **changes):
    level = {"Model": {"Precision": precision}}
    return nn2hls.convert(graph, {"IOType": "io_stream", "Interface": "axis", "HLSConfig": level, **changes})


def data(design):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(EVENTS, *n.shape)) * 3 for n in design.graph.inputs]


@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_the_c_simulation_answers_as_the_emulator_does(backend):
    design = converted(two_ports(np.random.default_rng(1)), Backend=backend)
    files = design.project.files
    sides = "0, 0, 0" if backend == "Vitis" else "1, 1, 1"
    assert f"typedef ap_axiu<24, {sides}> nn2hls_x_beat;" in files["firmware/defines.h"]  # 22 bits in whole bytes
    assert "#pragma HLS INTERFACE axis port=x" in files["firmware/myproject.cpp"]
    x = data(design)
    for one, other in zip(design.predict_raw(x), design.csim_raw(x), strict=True):
        assert np.array_equal(one.mantissas, other.mantissas)


@pytest.mark.long
def test_beats_of_more_than_1024_bits():
    design = converted(two_ports(np.random.default_rng(1), channels=80), "ap_fixed<16,4>")
    assert "#define AP_INT_MAX_W 4096" in design.project.files["firmware/defines.h"]
    x = data(design)
    assert np.array_equal(design.predict_raw(x)[0].mantissas, design.csim_raw(x)[0].mantissas)
    with pytest.raises(LimitError, match="TDATA"):
        converted(two_ports(np.random.default_rng(1), channels=300), "ap_fixed<16,4>").project  # noqa: B018


def test_tlast_in_a_wrong_place_is_seen():
    design = converted(cnn(np.random.default_rng(0), (4, 4, 1), channels=(2,)), "ap_fixed<8,3>")
    name = "firmware/myproject.cpp"
    project, text = design.project, design.project.files["firmware/myproject.cpp"]
    early = text.replace("x.read(), n == 0)", "x.read(), n == 1)")
    assert early != text
    mantissas = [m.reshape(EVENTS, -1) for m in mantissas_of(design.graph, data(design))]
    with pytest.raises(ToolError, match="TLAST is not with the last token"):
        compile_project(replace(project, files={**project.files, name: early}))(mantissas, [2])


def test_it_compiles_as_hls_tools_do_without_warnings(tmp_path):
    require_tool("clang++", shutil.which("clang++"))
    design = converted(two_ports(np.random.default_rng(1)), Backend="Vivado")
    design.project.fill(tmp_path)
    words = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-fsyntax-only", "-I", str(ROOT / "firmware_lib/ap_types")]
    command = ["clang++", "-std=c++11", *words, "-I", str(tmp_path), str(tmp_path / "firmware/myproject.cpp")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[:2000]


def simulated(design, folder, change=lambda text: text):
    """What Icarus says of the project's bench, changed."""
    require_tool("iverilog", shutil.which("iverilog"))
    project, order = design._rtl
    name = "rtl/myproject_bench.v"
    replace(project, files={**project.files, name: change(project.files[name])}).write(folder)
    return simulate_rtl(folder, project.name, order.events, 600, "iverilog"), order


def test_verilog(tmp_path):
    """Ports of AXI4-Stream; every TLAST is compared; latency and interval are those of the estimate."""
    design = converted(two_ports(np.random.default_rng(1)), Backend="Verilog")
    top = design.project.files["rtl/myproject.v"]
    for port in ("input wire aclk", "input wire aresetn", "input wire [23:0] x_tdata", "output wire out0_tlast"):
        assert port in top
    found, order = simulated(design, tmp_path / "right")
    check = found.check
    assert (check.differ, check.latency, check.interval) == (0, order.latency, order.interval)


@pytest.mark.long
def test_tlast_of_an_input_is_not_obeyed_and_a_wrong_one_is_told(tmp_path):
    design = converted(two_ports(np.random.default_rng(1)), Backend="Verilog")
    expected = r"in_0_last = sent_0 % 20 == 19"
    wrong = r"in_0_last = sent_0 % 20 == 18"
    assert expected in design.project.files["rtl/myproject_bench.v"]
    found, _ = simulated(design, tmp_path / "wrong", lambda text: text.replace(expected, wrong))
    assert found.check.differ > 0
    assert "TLAST of an input" in found.first

    def told(text):
        """The same, where the bench expects to be told."""
        return re.sub(r"if \(misplaced\)", "if (!misplaced)", text.replace(expected, wrong))

    assert simulated(design, tmp_path / "told", told)[0].check.differ == 0


def test_without_streams_it_is_refused():
    with pytest.raises(ConfigError, match="axis is for designs in streams"):
        converted(cnn(np.random.default_rng(0), (4, 4, 1), channels=(2,)), IOType="io_parallel")
