"""Designs in streams in our own Verilog: equal to the emulator, whoever pauses, and at the pace that was said."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.emit.stream_rtl import stream_rtl
from nn2hls.emit.stream_verilog import process_module
from nn2hls.errors import LimitError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Elementwise, Input, Merge, Move, Relu
from nn2hls.size.solver import Limits
from nn2hls.size.stream_solver import StreamSolver
from nn2hls.streams.build import build
from nn2hls.streams.clocked import clocked
from tests.kit.cnn import cnn, convolution
from tests.kit.rtl import declared
from tests.kit.streams import PART, PERIOD, drawn, random_design, simulated, streamed
from tests.kit.tools import require_tool


def agrees(made, folder, events=3, simulator="iverilog"):
    """Simulate; the simulation's figures."""
    found = simulated(made.project, folder, events, simulator)
    assert (found.check.events, found.check.differ, found.first) == (events, 0, "")
    assert (found.check.latency, found.check.interval) == (made.pace.latency, made.pace.interval or None)
    return found.check


@pytest.mark.parametrize("simulator", ["iverilog", "verilator"])
@pytest.mark.long
def test_a_cnn_at_one_pixel_a_clock(simulator, tmp_path):
    made = streamed(cnn(np.random.default_rng(0), (6, 6, 2)))
    assert agrees(made, tmp_path, simulator=simulator).interval == 36  # although the windows reach beyond the image


@pytest.mark.parametrize("seed", range(10))
def test_random_networks(seed, tmp_path):
    agrees(random_design(seed), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 150))
def test_more_random_networks(seed, tmp_path):
    agrees(random_design(seed), tmp_path)


def residual(rng, size=(5, 7, 2)):
    """A convolution beside a way around it, and a second input that is added; two outputs."""
    b = Builder()
    x, z = b.add("x", Input(size)), b.add("z", Input(size))
    y = convolution(b, "a", x, rng.normal(size=(3, 3, 2, 2)), rng.normal(size=2), pad=1)
    y = b.add("sum", Elementwise(Merge.ADD), [y, x])
    r = b.add("relu", Relu(), [y])
    return b.build([b.add("more", Elementwise(Merge.ADD), [r, z]), r])


def test_ways_that_part_and_meet(tmp_path):
    made = streamed(residual(np.random.default_rng(1)))
    assert agrees(made, tmp_path).interval == 35


@pytest.mark.long
def test_a_way_around_that_is_too_short_is_a_deadlock_that_is_seen(tmp_path):
    """The simulation ends, and says that tokens are left."""
    graph = residual(np.random.default_rng(1))
    made = streamed(graph)
    depths = dict.fromkeys(made.network.edges, 2)
    short = streamed(graph, depths=depths)
    assert not short.pace.complete
    found = simulated(short.project, tmp_path)
    assert found.check.differ > 0
    assert "left over" in found.first


@pytest.mark.parametrize("parts", [1, 6, 12])
def test_positions_side_by_side(parts, tmp_path):
    rng = np.random.default_rng(2)
    b = Builder()
    x = b.add("x", Input((4, 12, 2)))
    y = convolution(b, "a", x, rng.normal(size=(3, 3, 2, 3)), rng.normal(size=3), pad=1)
    made = streamed(b.build([y]), events=4, positions={"a": parts})
    assert agrees(made, tmp_path, events=4).interval == 48 // parts


@pytest.mark.parametrize("reuse", [2, 5])
def test_shared_multipliers_set_the_pace(reuse, tmp_path):
    rng = np.random.default_rng(3)
    b = Builder()
    x = b.add("x", Input((4, 5, 2)))
    y = convolution(b, "a", x, rng.normal(size=(3, 3, 2, 3)), rng.normal(size=3), pad=1)
    made = streamed(b.build([y]), events=4, layers={"a": {"ReuseFactor": reuse}})
    (process,) = (p for p in made.network.processes if p.name == "a")
    assert process.interval > 1
    assert agrees(made, tmp_path, events=4).interval == 20 * process.interval


def test_what_travels_in_another_order_is_collected(tmp_path):
    rng = np.random.default_rng(4)
    b = Builder()
    x = b.add("x", Input((4, 5, 2)))
    x = b.add("t", Move.of(lambda a: a[::-1].transpose(1, 0, 2), (4, 5, 2)), [x])
    y = b.add("d", Dense(Const(rng.normal(size=(2, 3))), Const(rng.normal(size=3))), [x])
    made = streamed(b.build([y]))
    assert any(p.front.address is not None for p in made.network.processes)
    agrees(made, tmp_path)


def test_the_last_rows_of_an_event_need_no_further_event(tmp_path):
    """What is left in the chain of a padded convolution goes out with bubbles; one event alone is complete."""
    made = streamed(residual(np.random.default_rng(5)), events=1)
    assert build(made.network, PART.bit_delay, PERIOD)[0].turn < made.network.processes[0].front.steps
    agrees(made, tmp_path, events=1)


def swapped(made, *changes):
    """The same design with other Verilog: (what stands there, what stands there instead)."""
    files = dict(made.project.files)
    text = files["rtl/streamed.v"]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return dataclasses.replace(made.project, files={**files, "rtl/streamed.v": text})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("assign absent = absent_row(row) | absent_column(column)", "assign absent = absent_row(row)"),
        ("place == WORDS - 1 ?", "place >= WORDS - 2 ?"),
        (".in_valid(v__0_valid && v__0_1_free)", ".in_valid(v__0_valid)"),
        ("assign may = credit", "assign may = 1'b1 || credit"),
        ("!trailing ||", ""),
        ("bubble ? 6'd0 : ahead", "ahead"),
    ],
)
@pytest.mark.long
def test_the_bench_sees_a_defect(old, new, tmp_path):
    made = streamed(residual(np.random.default_rng(1), (5, 7, 2)))
    found = simulated(swapped(made, (old, new)), tmp_path)
    assert found.check.differ > 0


@pytest.mark.parametrize("seed", range(20))
def test_the_registers_of_every_process_are_those_of_the_estimate(seed):
    made = random_design(seed)
    for k, built in enumerate(build(made.network, PART.bit_delay, PERIOD)):
        assert declared(process_module(f"p{k}", built)) == built.registers


@pytest.mark.long
def test_a_design_says_what_its_verilog_measures():
    graph = cnn(np.random.default_rng(0), (6, 6, 2))
    design = convert(
        graph, {"Backend": "Verilog", "IOType": "io_stream", "HLSConfig": {"Model": {"Precision": "ap_fixed<10,4>"}}}
    )
    require_tool("verilator", shutil.which("verilator"))
    verdict, estimate = design.verify(tool="rtl"), design.estimate()
    assert verdict.equal
    assert (verdict.latency, verdict.interval) == (estimate.latency_cycles, estimate.ii)
    assert estimate.to_dict()["streams"]["interval"] == estimate.ii == 36


def image_convolution(settings):
    """3 x 3 on an image of 32 x 32 with three channels, 12 filters, 16 bit."""
    rng, b = np.random.default_rng(0), Builder()
    x = b.add("x", Input((32, 32, 3)))
    y = convolution(b, "conv", x, rng.normal(size=(3, 3, 3, 12)) / 5, rng.normal(size=12), pad=1)
    levels = {"Model": {"Precision": "ap_fixed<16,6>"}, "LayerName": settings}
    return convert(b.build([y]), {"Backend": "Verilog", "IOType": "io_stream", "ClockPeriod": 5, "HLSConfig": levels})


@pytest.mark.long
@pytest.mark.parametrize("simulator", ["iverilog", "verilator"])
def test_a_convolution_of_an_image_every_64_clocks(simulator, tmp_path):
    """Planned for that, it is simulated at the pace that was planned, with pauses at random; its latency is hardly more."""
    design = image_convolution({})
    assert design.estimate().ii == 32 * 32  # one pixel a clock, as it is
    found = StreamSolver(design.streams).solve(Limits(ii=64))
    design = image_convolution({n: {"ParallelizationFactor": s["positions"]} for n, s in found.settings().items()})
    images = drawn(design.graph.inputs[0], 4, np.random.default_rng(1))
    project, order = design._verilog([images])
    check = simulated(project, tmp_path, 4, simulator).check
    assert (check.events, check.differ) == (4, 0)
    assert (check.latency, check.interval) == (order.latency, order.interval)
    assert check.interval == found.estimate.ii <= 64
    assert check.latency == found.estimate.latency_cycles <= 1.2 * check.interval


def test_the_same_design_has_the_same_text():
    made = streamed(residual(np.random.default_rng(1)))
    texts = {
        stream_rtl(made.network, made.design.graph, "n", build(made.network, PART.bit_delay, PERIOD), made.fifos.depths)
        for _ in range(2)
    }
    assert len(texts) == 1


def test_a_clock_that_is_too_fast_is_refused():
    graph = cnn(np.random.default_rng(0), (4, 4, 1))
    with pytest.raises(LimitError, match=r"takes .* ns, and the clock leaves"):
        streamed(graph, period=0.01)


def test_pace_of_fifos_that_are_too_short():
    made = streamed(residual(np.random.default_rng(1)))
    built = build(made.network, PART.bit_delay, PERIOD)
    deep = clocked(made.network, built, dict.fromkeys(made.network.edges, 100))
    assert (deep.interval, deep.complete) == (35, True)


_DECLARED = re.compile(r"^    (?:wire|reg) (?:\[\d+:0\] )?([\w, ]+)|^    \w+ (?:#\(.*?\) )?(\w+) \(", re.M)


@pytest.mark.parametrize("axis", [False, True])
def test_no_port_is_called_as_what_is_inside(axis):
    """Ports have the layers' names, in which no two underscores follow each other; all else does."""
    made = streamed(residual(np.random.default_rng(1)), positions={"a": 7})
    target = "p", build(made.network, PART.bit_delay, PERIOD), made.fifos.depths
    text = stream_rtl(made.network, made.design.graph, *target, axis=axis)
    found = {w for pair in _DECLARED.findall(text[text.index("module p" + "__streams" * axis + " (") :]) for w in pair}
    inside = {w for words in found for w in words.replace(",", " ").split()} - {"out0", "out1", "misplaced"}
    assert len(inside) > 30
    assert [w for w in inside if "__" not in w] == []
