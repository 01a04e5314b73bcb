"""Products that are too slow for a clock: the same values from narrower ones, each within a period."""

import math
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn2hls
from nn2hls.arith.ranges import width_of
from nn2hls.emit.rtl_project import check_clock
from nn2hls.errors import LimitError
from nn2hls.graph.builder import Builder
from nn2hls.hardware.net import Code, Net
from nn2hls.hardware.schedule import Kind, Operator
from nn2hls.hardware.split import split_products
from nn2hls.hardware.stages import slowest
from nn2hls.hardware.witness import run
from nn2hls.ops import Elementwise, Input, Merge
from nn2hls.tools.rtl.run import simulate_rtl
from tests.kit.networks import mlp
from tests.kit.rtl import registers_in
from tests.kit.streams import PART, simulated, streamed
from tests.kit.tools import require_tool


def delay(op: Operator) -> tuple[float, float]:
    """A product takes as long as its tiles of 6 x 4 bits."""
    if op.kind is not Kind.MUL:
        return 0.2, 0.0
    a, b = op.widths
    return 0.5 * min(math.ceil(x / 6) * math.ceil(y / 4) for x, y in ((a, b), (b, a))), 0.0


def bounds(rng):
    low = int(rng.integers(-(1 << int(rng.integers(1, 30))), 1 << 12))
    return low, low + int(rng.integers(1, 1 << int(rng.integers(2, 30))))


@given(st.integers(0, 10_000), st.sampled_from([0.5, 1.0, 3.0]))
def test_it_computes_the_same_within_the_period(seed, period):
    rng = np.random.default_rng(seed)
    net, ends = Net(), [bounds(rng) for _ in range(3)]
    a, b, c = (net.input(k, *e) for k, e in enumerate(ends))
    table = net.lookup(net.wrap(a, 4, signed=False), range(3, 3 + 16 * 5, 5))
    net.outputs = [net.mul(a, b), net.mul(c, c), net.mul(net.mul(a, c), table)]
    xs = [np.array([*e, *rng.integers(*e, 6, endpoint=True)], dtype=object) for e in ends]
    split = split_products(net, delay, period)
    if split is None:
        assert slowest(net, delay)[0] <= period
        return
    assert slowest(net, delay)[0] > period >= slowest(split, delay)[0]
    for one, other in zip(run(net, xs), run(split, xs), strict=True):
        assert one.tolist() == other.tolist()


def test_what_fits_stays_and_a_clock_that_is_too_fast_is_left_alone():
    net = Net()
    net.outputs = [net.mul(net.input(0, -999, 999), net.input(1, 0, 999))]
    assert split_products(net, delay, 100.0) is None
    split = split_products(net, delay, 0.1)
    assert split is not None  # as it was: not even its sums fit
    assert sum(c.code is Code.MUL for c in split.cells) == 1


def product(size):
    b = Builder()
    x, y = b.add("x", Input(size)), b.add("y", Input(size))
    return b.build([b.add("product", Elementwise(Merge.MUL), [x, y])])


WIDE = "ap_fixed<40,20>"


@pytest.mark.parametrize("period", [3.2, 9.0])
def test_a_stream_with_a_wide_product_in_verilog(period, tmp_path):
    made = streamed(product((4, 2)), precision=WIDE, period=period)
    assert slowest(made.network.processes[0].core.loops[0].body, PART.bit_delay)[0] > 3.2
    assert simulated(made.project, tmp_path).check.differ == 0


def test_a_design_side_by_side_with_a_wide_product_in_verilog(tmp_path):
    config = {"Backend": "Verilog", "ClockPeriod": 3.2, "Part": "xc7vx690tffg1930-3"}
    design = nn2hls.convert(product((3,)), {**config, "HLSConfig": {"Model": {"Precision": WIDE}}})
    slow = nn2hls.convert(product((3,)), {**config, "ClockPeriod": 20, "HLSConfig": {"Model": {"Precision": WIDE}}})
    assert design.estimate().latency_cycles > slow.estimate().latency_cycles
    assert sum(layer.report.dsp for layer in design.estimate().layers) > 0
    require_tool("iverilog", shutil.which("iverilog"))
    project, order = design._rtl
    project.write(tmp_path / "p")
    found = simulate_rtl(tmp_path / "p", project.name, order.events, 600, "iverilog")
    assert found.check.differ == 0
    assert found.check.latency == order.latency


# ---- multipliers that are shared -------------------------------------------------------------------------------------------


def shared(period, precision="ap_fixed<28,10>", reuse=4):
    graph = mlp(np.random.default_rng(3), (6, 5, 4), density=0.8)
    model = {"Precision": precision, "ReuseFactor": reuse, "Strategy": "Resource"}
    config = {"Backend": "Verilog", "ClockPeriod": period, "Part": "xc7vx690tffg1930-3", "HLSConfig": {"Model": model}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn2hls.convert(graph, config)


def further(design):
    return [layer.steps.further for layer in design.sizer.placed().layers if layer.steps]


@pytest.mark.parametrize("reuse", [2, 7])
def test_shared_multipliers_take_more_clocks_and_the_interval_stays(reuse, tmp_path):
    fast, slow = shared(3.2, reuse=reuse), shared(12.0, reuse=reuse)
    assert further(slow) == [0, 0]
    assert min(further(fast)) > 0
    found, before = fast.estimate(), slow.estimate()
    assert found.ii == before.ii
    assert found.latency_cycles > before.latency_cycles
    require_tool("iverilog", shutil.which("iverilog"))
    project, order = fast._rtl
    assert registers_in(project.files["rtl/myproject.v"]) == order.registers == found.ff
    project.write(tmp_path / "p")
    check = simulate_rtl(tmp_path / "p", project.name, order.events, 600, "iverilog").check
    assert (check.differ, check.latency, check.interval) == (0, found.latency_cycles, found.ii)


def test_every_lane_has_a_multiplier_of_its_own():
    design = shared(3.2)
    text = design._rtl[0].files["rtl/myproject.v"]
    lanes = [len(layer.steps.lanes) for layer in design.sizer.placed().layers if layer.steps]
    assert text.count("_product multiply") == sum(lanes)
    assert "_product multiply" not in shared(12.0)._rtl[0].files["rtl/myproject.v"]


def test_a_stream_with_shared_multipliers_that_are_split(tmp_path):
    graph = mlp(np.random.default_rng(5), (4, 3))
    made = streamed(graph, precision="ap_fixed<30,12>", period=3.2, layers={"fc0": {"ReuseFactor": 3}})
    assert simulated(made.project, tmp_path).check.differ == 0
    assert "_product multiply" in "".join(made.project.files.values())


def test_a_sum_that_no_clock_holds_is_named_with_the_period_that_works():
    (layer, *_) = shared(12.0).sizer.placed().layers
    widest = max(width_of(*ends) for ends in layer.steps.sums.values())

    def slow_sums(op: Operator) -> tuple[float, float]:
        return (0.5, 0.1 * op.widths[0]) if op.kind is Kind.ADD and op.widths[0] >= widest else (0.1, 0.0)

    steps = replace(layer.hardware, loops=tuple(loop for loop in layer.hardware.loops if loop.sums))
    check_clock("fc0", steps, slow_sums, 0.5 + 0.1 * widest + 1e-9, 10.0)
    with pytest.raises(LimitError, match=rf"fc0: A add of {widest} bits takes .* Set ClockPeriod"):
        check_clock("fc0", steps, slow_sums, 0.4 + 0.1 * widest, 10.0)
