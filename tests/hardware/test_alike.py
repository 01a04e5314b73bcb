"""What is left of lanes side by side: the numbers of a plain evaluation, a lane and a cell at a time."""

import numpy as np
import pytest

import nn2hls
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.hardware.alike import copies
from nn2hls.hardware.net import Code
from nn2hls.ops import Dense, Elementwise, Input, Merge, Move, Relu
from tests.kit.cnn import cnn, convolution, pooling
from tests.kit.networks import mlp

pytestmark = pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning")
RNG = np.random.default_rng


def placed(graph, precision="ap_fixed<8,4>"):
    config = {"Backend": "Verilog", "ClockPeriod": 12, "HLSConfig": {"Model": {"Precision": precision}}}
    return nn2hls.convert(graph, config).sizer.placed()


def plain(pipeline):
    """The same from trees of tuples: every value is how it is computed, and what no output holds is not counted."""
    values, made = {}, {}
    for layer in pipeline.layers:
        hardware = layer.hardware
        space = [v for o, n in zip(layer.operands, hardware.operands, strict=True)
                 for v in values.setdefault(o, [(o, k) for k in range(n)])]  # fmt: skip
        space += [None] * (hardware.elements - len(space))
        for number, loop in enumerate(hardware.loops):
            for lane in range(loop.lanes):
                own = {}
                for wire in loop.body.alive():
                    own[wire] = value(loop, lane, wire, own, space, (layer.name, number))
                    made.setdefault(own[wire], (layer.name, number, wire))
                for j, output in enumerate(loop.body.outputs):
                    space[loop.writes[0, lane, j]] = own[output]
        values[layer.name] = space[hardware.first_result : hardware.first_result + hardware.results]
    found, waiting, seen = {}, [v for o in pipeline.outputs for v in values[o]], set()
    while waiting:
        v = waiting.pop()
        if v in seen or not isinstance(v, tuple) or not isinstance(v[0], Code):
            continue
        seen.add(v)
        found[made[v]] = found.get(made[v], 0) + 1
        waiting += v[3:]
    return found


def value(loop, lane, wire, own, space, place):
    cell = loop.body.cells[wire]
    if cell.code is Code.INPUT:
        element = loop.reads[0, lane, cell.k]
        return 0 if element < 0 else space[element]
    if cell.code is Code.CONST:
        return cell.k
    args = [own[a] for a in cell.args]
    if cell.code in (Code.SHIFT, Code.WRAP, Code.MUL, Code.MULC) and 0 in args:
        return 0
    if cell.code in (Code.ADD, Code.SUB) and args[1] == 0:
        return args[0]
    if cell.code is Code.ADD and args[0] == 0:
        return args[1]
    if cell.code is Code.SELECT and args[0] == 0:
        return args[2]
    if cell.code in (Code.ADD, Code.MUL):
        args.sort(key=hash)
    return (cell.code, place, wire, *args)


def both(pipeline):
    left = {
        (name, number, wire): count
        for name, loops in copies(pipeline).items()
        for number, of in enumerate(loops)
        for wire, count in of.items()
        if count
    }
    return left, plain(pipeline)


def shared():
    """Pairs of particles: each is in several of them."""
    b = Builder()
    x = b.add("x", Input((3, 2)))
    pairs = [(0, 1), (0, 2), (1, 2)]
    index = np.array([[4 * 0 + 2 * r, 2 * r + 1, 2 * s, 2 * s + 1] for r, s in pairs])
    y = b.add("pairs", Move(Places(index), ((3, 2),)), [x])
    weight = Const(np.array([[3.0, 0.0, 5.0], [0.0, 0.0, -3.0], [0.0, 5.0, 0.0], [0.0, 3.0, 0.0]]))
    return b.build([b.add("d", Dense(weight, Const(np.array([0.5, 0.0, 1.0]))), [y])])


def dropped():
    """Of a convolution whose last rows a pooling layer leaves out, and one channel that nobody reads."""
    b, rng = Builder(), RNG(3)
    x = b.add("x", Input((5, 5, 1)))
    x = convolution(b, "conv", x, rng.normal(size=(3, 3, 1, 2)), rng.normal(size=2), pad=1)
    x = b.add("relu", Relu(), [x])
    return b.build([pooling(b, "pool", x)])


def summed():
    b = Builder()
    x = b.add("x", Input((3,)))
    half = b.add("part", Move.of(lambda a: a[:2], (3,)), [x])
    twice = b.add("twice", Elementwise(Merge.ADD), [half, half])
    return b.build([b.add("product", Elementwise(Merge.MUL), [twice, half])])


NETWORKS = {
    "shared": shared,
    "dropped": dropped,
    "summed": summed,
    "cnn": lambda: cnn(RNG(5)),
    "dense": lambda: mlp(RNG(2), (4, 5, 3)),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_they_are_those_of_a_plain_evaluation(network):
    left, expected = both(placed(NETWORKS[network]()))
    assert left == expected


def test_lanes_that_share_and_lanes_at_the_border_cost_less():
    pipeline = placed(dropped())
    lanes = {layer.name: layer.hardware.loops[0].lanes for layer in pipeline.layers}
    counts = copies(pipeline)["conv"][0].values()
    assert lanes["conv"] == 25
    assert max(counts) == 16  # of 5 x 5 places, 4 x 4 are read
    assert min(counts) < 16  # the border reads zeros


def test_steps_and_turns_stand_as_they_are():
    config = {"Backend": "Verilog", "ClockPeriod": 12, "HLSConfig": {"Model": {"Precision": "ap_fixed<8,4>", "ReuseFactor": 3}}}
    pipeline = nn2hls.convert(mlp(RNG(2), (4, 5, 3)), config).sizer.placed()
    steps = [layer for layer in pipeline.layers if layer.steps]
    left = copies(pipeline)
    assert steps
    for layer in steps:
        (joins,) = left[layer.name]  # what joins the sums is a straight line, the multipliers are none
        body = layer.straight[0].body
        assert joins == {w: 1 for w in body.alive() if body.cells[w].code not in (Code.INPUT, Code.CONST)}
