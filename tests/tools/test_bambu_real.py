"""Real Bambu, where it is installed: the RTL equals the emulator on 1,000 events, and parallel designs take one every clock."""

import shutil

import numpy as np
import pytest

from nn2hls.errors import ToolError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Elementwise, Input, Merge, Relu, Softmax
from nn2hls.tools.find import find
from tests.kit.bambu import bambu
from tests.kit.networks import mlp, two_in_two_out
from tests.kit.tools import require_tool


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    """Bambu on the PATH or in NN2HLS_BAMBU, its compiler, and Verilator; else the test is skipped with what is missing."""
    for name in ("bambu", "clang-16"):
        try:
            find(name)
        except ToolError as error:
            require_tool("bambu", None) if name == "bambu" else pytest.skip(str(error))
    require_tool("verilator", shutil.which("verilator"))


def with_softmax(rng):
    b = Builder()
    x = b.add("x", Input((4,)))
    h = b.add("h", Dense(Const(rng.normal(size=(4, 5))), Const(rng.normal(size=5))), [x])
    d = b.add("d", Dense(Const(rng.normal(size=(5, 3))), Const(rng.normal(size=3))), [b.add("r", Relu(), [h])])
    return b.build([b.add("p", Softmax(0), [d])])


def hostile(rng):
    """Layers with names of Verilog, of C++, of the core's own ports, and of no alphabet that either knows."""
    b = Builder()
    x, z = b.add("clock", Input((2,))), b.add("reg", Input((2,)))
    h = b.add("x0_0", Elementwise(Merge.ADD), [x, z])
    h = b.add("always @(posedge clock)", Relu(), [h])
    h = b.add("start_port", Dense(Const(rng.normal(size=(2, 2))), Const(rng.normal(size=2))), [h])
    h = b.add("y0_1", Relu(), [h])
    h = b.add("层" * 200, Elementwise(Merge.MUL), [h, z])
    return b.build([b.add("endmodule", Relu(), [h]), b.add("nn2hls_add", Relu(), [z])])


NETS = {
    "softmax": (with_softmax, "ap_fixed<10,4>", 1, {}),
    "two inputs, two outputs": (two_in_two_out, "ap_fixed<8,4>", 1, {}),
    "reused": (lambda rng: mlp(rng, (4, 6, 3)), "ap_fixed<10,4>", 4, {}),
    "hostile names": (hostile, "ap_fixed<8,4>", 1, {"ProjectName": "module_1"}),
}


@pytest.mark.long
@pytest.mark.parametrize("name", NETS)
def test_the_rtl_equals_the_emulator(name, tmp_path):
    make, precision, reuse, more = NETS[name]
    design = bambu(make(np.random.default_rng(1)), model={"Precision": precision, "ReuseFactor": reuse}, **more)
    report = design.build("bambu", tmp_path / "out", steps=("hls", "simulate"), timeout=300)
    assert [(s.name, s.ok) for s in report.steps] == [("hls", True), ("simulate", True)], report.steps
    (check,) = report.checks
    assert (check.events, check.differ) == (1000, 0)
    if reuse == 1:
        assert check.interval == 1
    else:
        assert check.interval > 1
