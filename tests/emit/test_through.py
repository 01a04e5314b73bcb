"""Layers that only rearrange are read through: what reads them reads what they read, in C++ and in Verilog, bit for bit."""

import re

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.design.projects import RTL_EVENTS
from nn2hls.emit.through import wires
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.ops import Dense, Elementwise, Input, Merge, Move, Relu, Reshape
from tests.kit.cnn import cnn, convolution
from tests.kit.rtl import simulate

pytestmark = pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning", "ignore::nn2hls.errors.OverflowWarning")
SMALL = {"Model": {"Precision": "ap_fixed<6,3>"}}


def settings(backend="Vitis", **layers):
    return {"Backend": backend, "ClockPeriod": 12.0, "HLSConfig": {**SMALL, "LayerName": layers}}


def move(rng, shape, result, empty=0.2):
    index = rng.integers(0, int(np.prod(shape)), result)
    return Move(Places(np.where(rng.random(result) < empty, -1, index)), (shape,))


def drawn(rng, rows=20, size=(6, 5)):
    """Moves and reshapes in a row, read by products, additions and functions of elements, some of them outputs."""
    b, n = Builder(), size[0] * size[1]
    x = b.add("x", Input((3, 4)))
    y = b.add("y", Input(size))
    one = b.add("one", move(rng, (3, 4), (rows, 4)), [x])
    two = b.add("two", move(rng, (rows, 4), size), [one])
    three = b.add("three", Reshape((n,)), [two])
    added = b.add("added", Elementwise(Merge.ADD), [two, b.add("turned", move(rng, size, size, 0.0), [y])])
    dense = b.add("dense", Dense(Const(rng.normal(size=(4, 3))), Const(rng.normal(size=3))), [one])
    flat = b.add("flat", Dense(Const(rng.normal(size=(n, 2))), Const(rng.normal(size=2))), [three])
    relu = b.add("relu", Relu(), [three])
    return b.build([added, dense, flat, relu, b.add("shown", move(rng, (rows, 4), (3,)), [one])])


def answers(design, rng, events=30):
    x = [rng.normal(size=(events, *n.shape)) * 2 for n in design.graph.inputs]
    return x, [r.mantissas for r in design.predict_raw(x)]


def equal_in_icarus(design, folder):
    """Whether the project's bench finds every mantissa, at the latency and the interval of the estimate."""
    project, found = design.project, design.estimate()
    check = simulate(project, folder, RTL_EVENTS).check
    assert (check.events, check.latency, check.interval) == (RTL_EVENTS, found.latency_cycles, found.ii)
    return check.differ == 0


@pytest.mark.parametrize("seed", range(6))
def test_the_cpp_of_any_moves_equals_the_emulator(seed):
    rng = np.random.default_rng(seed)
    design = convert(drawn(rng), settings(**({"dense": {"ReuseFactor": 4}} if seed % 2 else {})))
    x, expected = answers(design, rng)
    found = [r.mantissas for r in design.csim_raw(x)]
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize("reuse", [1, 4])
def test_the_verilog_of_any_moves_equals_the_emulator(reuse, tmp_path):
    design = convert(drawn(np.random.default_rng(reuse), 4, (3, 2)), settings("Verilog", dense={"ReuseFactor": reuse}))
    assert equal_in_icarus(design, tmp_path)


def test_who_is_read_through():
    graph = convert(drawn(np.random.default_rng(0)), settings()).graph
    found = wires(graph)
    moved = {n.name for n in graph if n.op.moves and len(n.inputs) == 1}
    assert set(found) == moved - {*graph.outputs}
    assert {w.source for w in found.values()} <= {n.name for n in graph} - set(found)
    shared = wires(graph, lambda n: 4 if n.name == "dense" else 1)
    assert {n for n in found if n not in shared} == {"one"} & set(found)


def test_moves_in_a_row_are_read_through_at_once():
    b = Builder()
    x = b.add("x", Input((3,)))
    one = b.add("one", Move(Places(np.array([2, -1, 0, 1])), ((3,),)), [x])
    two = b.add("two", Move(Places(np.array([[0, 1], [-1, 3]])), ((4,),)), [one])
    found = wires(b.build([b.add("relu", Relu(), [two])]))
    assert found["two"].source == "x"
    assert found["two"].index.tolist() == [2, -1, -1, 1]


def test_lanes_share_an_order_only_where_all_of_them_lie_alike():
    """The first two columns are alike but for a zero, the third lies two further, the last in another order."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 20, 20)
    first[:2] = first[0]
    gap, other = first.copy(), rng.integers(0, 22, 20)
    gap[1] = -1
    b = Builder()
    columns = np.stack([first, gap, first + 2, other], axis=-1)
    moved = b.add("moved", Move(Places(columns), ((22,),)), [b.add("x", Input((22,)))])
    dense = b.add("dense", Dense(Const(rng.normal(size=(4, 3))), Const(np.zeros(3))), [moved])
    design = convert(b.build([dense]), settings())
    x = rng.normal(size=(30, 22))
    assert np.array_equal(design.csim_raw(x).mantissas, design.predict_raw(x).mantissas)
    orders = set(re.findall(r"const int \w+_(order0_\d)\[20\]", "".join(design.project.files.values())))
    assert orders == {"order0_0", "order0_1", "order0_2"}


def test_a_layer_of_another_type_is_a_cast_and_stays():
    b = Builder()
    x = b.add("x", Input((4,)))
    turned = b.add("turned", Move(Places(np.array([3, -1, 1])), ((4,),)), [x])
    graph = b.build([b.add("relu", Relu(), [turned])])
    narrow = {"turned": {"Precision": "ap_fixed<4,2>"}}
    assert set(wires(convert(graph, settings(**narrow)).graph)) == set()
    assert set(wires(convert(graph, settings()).graph)) == {"turned"}


def test_patches_are_neither_arrays_nor_refused():
    """16 x 16 patches of 3 x 3 x 8 are 18,432 values, of an image of 2,048."""
    rng = np.random.default_rng(0)
    b = Builder()
    weight = rng.normal(size=(3, 3, 8, 2)) * (rng.random((3, 3, 8, 2)) < 0.1)
    graph = b.build([convolution(b, "conv", b.add("x", Input((16, 16, 8))), weight, np.zeros(2), pad=1)])
    design = convert(graph, settings())
    text = "".join(design.project.files.values())
    sizes = [int(n) for n in re.findall(r"_t \w+\[(\d+)\];", text)]
    assert max([*sizes, 0]) <= 2048
    assert "conv_patches" not in text
    x = rng.normal(size=(20, 16, 16, 8))
    assert np.array_equal(design.csim_raw(x).mantissas, design.predict_raw(x).mantissas)
    verilog = convert(graph, settings("Verilog")).project.files["rtl/myproject.v"]
    assert "conv_patches" not in verilog


def test_a_convolution_and_its_pooling_are_two_modules(tmp_path):
    design = convert(cnn(np.random.default_rng(3), size=(4, 4, 1), channels=(2,)), settings("Verilog"))
    assert equal_in_icarus(design, tmp_path)
    assert not any("patches" in layer.name for layer in design.sizer.placed().layers)
