"""Sums and extremes of positions accumulate as tokens come: equal to the emulator, in a register for each channel."""

import math

import numpy as np
import pytest

import nn2hls
from nn2hls.arith.fixed import FixedType
from nn2hls.emit.stream_verilog import process_module
from nn2hls.errors import LimitError
from nn2hls.estimate.stream_verilog import process_figures
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.hardware.join import Join, joined
from nn2hls.hardware.witness import run
from nn2hls.ops import Dense, Elementwise, Input, Merge, Move, Reduce, Reduction, Relu
from nn2hls.streams.build import build
from nn2hls.targets.family import ram_blocks
from tests.kit.cnn import convolution
from tests.kit.rtl import declared
from tests.kit.streams import PART, PERIOD, simulated, streamed

KINDS = (Reduction.SUM, Reduction.MEAN, Reduction.MAX, Reduction.MIN)


def statistics(size=(3, 5, 2)):
    """All kinds over all positions, over rows alone, and over positions and channels."""
    b = Builder()
    x = b.add("x", Input(size))
    found = [b.add(k.value, Reduce(k, (0, 1), keepdims=k is Reduction.MAX), [x]) for k in KINDS]
    found.append(b.add("rows", Reduce(Reduction.MEAN, (0,)), [x]))
    return b.build([*found, b.add("all", Reduce(Reduction.SUM, (0, 1, 2)), [x])])


def converted(graph, **changes):
    level = {"Model": {"Precision": "ap_fixed<10,4>"}}
    return nn2hls.convert(graph, {"IOType": "io_stream", "HLSConfig": level, **changes})


def test_in_c():
    design = converted(statistics())
    sums = {p.name: p for p in design.streams.network.processes if p.join is not None}
    assert {n: p.join for n, p in sums.items()} == {
        "sum_accumulated": Join.ADD,
        "mean_accumulated": Join.ADD,
        "max_accumulated": Join.MAX,
        "min_accumulated": Join.MIN,
        "rows_accumulated": Join.ADD,
        "all_accumulated": Join.ADD,
    }
    assert str(sums["sum_accumulated"].type) == "ap_fixed<14,8>"  # fifteen times all of ten bits
    assert not any(p.front.address is not None for p in sums.values())
    x = np.random.default_rng(0).normal(size=(6, 3, 5, 2)) * 6
    for one, other in zip(design.predict_raw(x), design.csim_raw(x), strict=True):
        assert np.array_equal(one.mantissas, other.mantissas)


def test_in_verilog(tmp_path):
    made = streamed(statistics(), events=5)
    found = simulated(made.project, tmp_path, 5)
    assert found.check.differ == 0
    assert (found.check.latency, found.check.interval) == (made.pace.latency, made.pace.interval)
    assert made.pace.interval == 15


def gated(size):
    """A convolution whose channels are scaled by their mean: the image waits for it."""
    rng, b = np.random.default_rng(2), Builder()
    x = b.add("x", Input(size))
    y = convolution(b, "a", x, rng.normal(size=(3, 3, 2, 3)), rng.normal(size=3), pad=1)
    mean = b.add("mean", Reduce(Reduction.MEAN, (0, 1), keepdims=True), [b.add("relu", Relu(), [y])])
    return b.build([b.add("scaled", Elementwise(Merge.MUL), [y, mean])])


@pytest.mark.parametrize("parts", [1, 3])
def test_the_mean_of_several_positions_at_once_scales_the_image(parts, tmp_path):
    made = streamed(gated((3, 6, 2)), positions={"a": parts})
    (sums,) = (p for p in made.network.processes if p.join is not None)
    assert sums.positions == parts
    found = simulated(made.project, tmp_path)
    assert found.check.differ == 0
    assert (found.check.latency, found.check.interval) == (made.pace.latency, made.pace.interval)


@pytest.mark.parametrize("backend", ["Vitis", "Verilog"])
def test_its_registers_do_not_grow_with_the_image(backend):
    def figures(size):
        b = Builder()
        graph = b.build([b.add("mean", Reduce(Reduction.MEAN, (0, 1)), [b.add("x", Input((size, size, 8)))])])
        layers = converted(graph, Backend=backend).estimate().layers
        return sum(layer.report.ff for layer in layers)

    assert figures(32) - figures(4) < 8 * 8 * 12 < 32 * 32 * 8 * 10


def test_what_is_kept_is_of_the_accumulators_type():
    kind = FixedType(5, 5)
    a, b = np.array([-16, 15, 3, -7], dtype=object), np.array([15, -16, -7, -7], dtype=object)
    want = {Join.ADD: [-1, -1, -4, -14], Join.MAX: [15, 15, 3, -7], Join.MIN: [-16, -16, -7, -7]}
    for join, expected in want.items():
        net = joined(join, kind)
        assert run(net, [a, b])[0].tolist() == expected
        assert net.cells[net.outputs[0]].width <= 5


def flattened(size=(2, 3, 4), classes=5, density=1.0, channels_first=False):
    """A dense layer behind Flatten; ``channels_first``: as PyTorch flattens an image."""
    rng, b = np.random.default_rng(3), Builder()
    x = b.add("relu", Relu(), [b.add("x", Input(size))])
    x = b.add("flat", Move.of(lambda a: np.ravel(a.transpose(2, 0, 1) if channels_first else a), size), [x])
    weight = rng.normal(size=(math.prod(size), classes)) * (rng.random((math.prod(size), classes)) < density)
    return b.build([b.add("fc", Dense(Const(weight), Const(rng.normal(size=classes))), [x])])


def levels(reuse, more=None):
    return {"Model": {"Precision": "ap_fixed<10,4>"}, "LayerName": {"fc": {"ReuseFactor": reuse, **(more or {})}}}


def sums_of(design):
    return [p for p in design.streams.network.processes if p.join is not None]


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_dense_layer_behind_flatten_adds_up_what_comes(channels_first):
    """With every way to deal six tokens of four elements out: as many products at a time as its reuse factor says, and no
    place for the tensor."""
    x = np.random.default_rng(0).normal(size=(6, 2, 3, 4)) * 6
    for reuse in (2, 6, 12):
        design = converted(flattened(channels_first=channels_first), HLSConfig=levels(reuse))
        (sums,) = sums_of(design)
        assert (sums.front.firings, sums.front.address, sums.sizes) == (reuse, None, (24 // reuse, 24 // reuse * 5))
        assert design.predict_raw(x).mantissas.tolist() == design.csim_raw(x).mantissas.tolist()


@pytest.mark.parametrize("reuse", [3, 24])
def test_a_dense_layer_behind_flatten_in_verilog(reuse, tmp_path):
    made = streamed(flattened(), layers={"fc": {"ReuseFactor": reuse}})
    assert [p.name for p in made.network.processes] == ["relu", "fc_accumulated", "fc"]
    found = simulated(made.project, tmp_path)
    assert found.check.differ == 0
    assert (found.check.latency, found.check.interval) == (made.pace.latency, made.pace.interval)
    assert made.pace.interval == max(reuse, 6)


@pytest.mark.parametrize(
    ("graph", "reuse"),
    [
        ({}, 1),  # every weight has a multiplier, which is made for it
        ({}, 4),  # firings of one and a half tokens
        ({}, 5),
        ({}, 48),  # fewer multipliers than outputs
        ({"density": 0.3}, 6),  # multipliers that are shared pass over zeros
        ({"size": (24,)}, 6),  # all comes at once
    ],
)
def test_what_is_collected(graph, reuse):
    assert not sums_of(converted(flattened(**graph), HLSConfig=levels(reuse)))


def test_sums_that_are_rounded_each_keep_their_order():
    design = converted(flattened(), HLSConfig=levels(6, {"Precision": {"accum": "ap_fixed<12,6,AP_RND>"}}))
    with pytest.raises(LimitError, match="in an order that reuse does not keep"):
        design.estimate()


def test_many_weights_lie_in_block_ram(tmp_path):
    made = streamed(flattened((4, 4, 8), 9), precision="ap_fixed<16,6>", layers={"fc": {"ReuseFactor": 128}})
    text = made.project.files["rtl/streamed.v"]
    assert 'rom_style = "block" *) reg [143:0] table1 [0:127];' in text
    built = build(made.network, PART.bit_delay, PERIOD)[1]
    assert declared(process_module("p", built)) == built.registers + 144  # which the memory has of its own
    figures = process_figures(built, PART)
    assert (figures.dsp, figures.bram) == (9, ram_blocks(128, 144))
    found = simulated(made.project, tmp_path)
    assert found.check.differ == 0
    assert found.check.interval == made.pace.interval == 128
