"""Convolutions as patches and Dense: the numbers of fractions, compact hardware, the same in Verilog, what pruning saves."""

import dataclasses
import shutil

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.emulate.emulator import Emulator
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.reference import run_float
from nn2hls.hardware.operators import operators
from nn2hls.ops import Dense, Input, Move, Reduction
from nn2hls.tools.rtl.run import simulate_rtl
from tests.kit.cnn import cnn, convolution, convolved
from tests.kit.tools import require_tool
from tests.slow.graph import graph_slow

PART = "xc7vx690tffg1930-3"


def verilog(graph, model=None, layers=None):
    return convert(graph, {"Backend": "Verilog", "Part": PART, "HLSConfig": {"Model": model or {}, "LayerName": layers or {}}})


@pytest.mark.parametrize(("pad", "stride"), [(0, 1), (1, 1), (1, 2), (2, 3)])
def test_patches_and_dense_are_a_convolution(pad, stride):
    rng = np.random.default_rng(pad + stride)
    weight, bias = rng.normal(size=(3, 2, 2, 4)), rng.normal(size=4)
    b = Builder()
    y = convolution(b, "c", b.add("x", Input((5, 6, 2))), weight, bias, pad, stride)
    x = rng.normal(size=(3, 5, 6, 2))
    found = run_float(b.build([y]), [x])[y]
    assert np.allclose(found, [convolved(one, weight, bias, pad, stride) for one in x])


@pytest.mark.parametrize("kind", [Reduction.MAX, Reduction.MEAN])
def test_every_value_is_that_of_fractions(kind):
    design = convert(cnn(np.random.default_rng(1), (4, 4, 1), (2, 2), kind=kind), {"Model": {"Precision": "ap_fixed<9,4>"}})
    x = np.random.default_rng(2).integers(-256, 256, size=(3, 4, 4, 1))
    graph, found = design.graph, {}
    Emulator(graph).run([x], lambda name, start, v: found.setdefault(name, v.copy()), keep=graph.by_name, raw=True)
    for event in range(3):
        for name, want in graph_slow(graph, [x[event].astype(object)]).items():
            assert found[name][event].astype(object).tolist() == want.tolist(), name


@pytest.mark.parametrize("reuse", [1, 5])
@pytest.mark.parametrize("kind", [Reduction.MAX, Reduction.MEAN])
def test_in_verilog(reuse, kind, tmp_path):
    require_tool("iverilog", shutil.which("iverilog"))
    graph = cnn(np.random.default_rng(1), (2, 4, 1), (2,), density=0.6, kind=kind)
    design = verilog(graph, {"Precision": "ap_fixed<6,3>", "ReuseFactor": reuse})
    project, order = design._rtl
    project.write(tmp_path / "p")
    found = simulate_rtl(tmp_path / "p", project.name, 20, 600, "iverilog")
    assert (found.check.differ, found.first) == (0, "")
    assert (found.check.latency, found.check.interval) == (order.latency, order.interval)


def test_all_positions_share_one_body():
    design = verilog(cnn(np.random.default_rng(1), (8, 8, 2), (3,)))
    graph, ranges = design.graph, Emulator(design.graph).ranges
    for name, lanes in (("conv0", 64), ("pool0", 48)):
        node = graph[name]
        (loop,) = node.op.hardware([ranges[i] for i in node.inputs], node.type).loops
        assert loop.lanes == lanes


@pytest.mark.parametrize("reuse", [1, 4])
def test_zeros_of_a_kernel_cost_nothing(reuse):
    rng = np.random.default_rng(3)
    full, pruned = (cnn(rng, (6, 6, 2), (8,), density=d) for d in (1.0, 0.25))
    model = {"Precision": "ap_fixed<10,4>", "ReuseFactor": reuse}
    whole, left = (
        next(layer for layer in verilog(g, model).estimate().layers if layer.name == "conv0") for g in (full, pruned)
    )
    share = np.count_nonzero(pruned["conv0"].op.weight.array) / full["conv0"].op.weight.array.size
    assert left.report.lut < (share + 0.15) * whole.report.lut


def test_matrices_of_zeros_and_ones_are_wires_and_additions():
    """The receivers of an interaction network: which of three particles each of six edges ends in, and their sums back."""
    receivers = np.zeros((3, 6))
    receivers[[0, 0, 1, 1, 2, 2], range(6)] = 1
    b = Builder()
    x, e = b.add("x", Input((3, 4))), b.add("e", Input((4, 6)))
    turned = b.add("turned", Move.of(np.transpose, (3, 4)), [x])
    edges = b.add("edges", Dense(Const(receivers), Const(np.zeros(6))), [turned])
    sums = b.add("sums", Dense(Const(receivers.T), Const(np.zeros(3))), [e])
    design = verilog(b.build([edges, sums]), {"Precision": "ap_fixed<12,5>"})
    graph, ranges = design.graph, Emulator(design.graph).ranges
    found = {}
    for name in ("turned", "edges", "sums"):
        node = graph[name]
        loops = node.op.hardware([ranges[i] for i in node.inputs], node.type).loops
        found[name] = {op.kind.name: n * loop.lanes for loop in loops for op, n in operators(loop.body).items()}
    assert found == {"turned": {}, "edges": {}, "sums": {"ADD": 3 * 4}}


def test_removed_channels_shrink_through_the_network():
    """Half of the first convolution's channels have no weights: pooling, patches, the next kernel and flatten lose them."""
    rng = np.random.default_rng(4)
    graph = cnn(rng, (4, 4, 1), (6, 4))
    dead = graph.map(lambda n: n if n.name != "conv0" else _without(n, [1, 3, 5]))
    design = verilog(dead, {"Precision": "ap_fixed<10,4>"})
    shapes = {n.name: n.shape for n in design.graph}
    assert shapes["conv0"] == shapes["conv0_relu"] == (4, 4, 3)
    assert shapes["pool0_patches"] == (2, 2, 2, 2, 3)
    assert (shapes["pool0"], shapes["conv1_patches"]) == ((2, 2, 3), (2, 2, 27))
    x = rng.normal(size=(20, 4, 4, 1))
    trace, wide = design.trace(x), design.trace_float(x)
    assert {k: v.shape for k, v in trace.items()} == {k: v.shape for k, v in wide.items()}
    assert np.abs(trace["fc"] - wide["fc"]).max() < 0.5


def _without(node, channels):
    weight, bias = node.op.weight.array.copy(), node.op.bias.array.copy()
    weight[:, channels] = bias[channels] = 0
    return dataclasses.replace(node, op=node.op.replace(weight=Const(weight), bias=Const(bias)))


@pytest.mark.parametrize(
    ("reuse", "at_once", "io_type"), [(9, 2, "io_stream"), (9, 1, "io_stream"), (1, 2, "io_stream"), (9, 2, "io_parallel")]
)
def test_positions_at_once_that_share_multipliers_are_told(reuse, at_once, io_type):
    """And only they; the pace says that the note is true."""
    graph = cnn(np.random.default_rng(0), size=(4, 4, 1), channels=(2,))

    def design(positions):
        layers = {"conv0": {"ReuseFactor": reuse, "ParallelizationFactor": positions}}
        return convert(graph, {"Backend": "Verilog", "IOType": io_type, "HLSConfig": {"LayerName": layers}})

    found = design(at_once)
    told = [note for note in found.notes if "take turns at the multipliers that ReuseFactor 9 shares" in note]
    assert [note.split(":")[0] for note in told] == ["conv0"] * (reuse > 1 and at_once > 1 and io_type == "io_stream")
    if at_once > 1 and io_type == "io_stream":
        assert bool(told) == (found.estimate().ii == design(1).estimate().ii)
