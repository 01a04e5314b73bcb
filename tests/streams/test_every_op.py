"""Every op in streams: at each number of positions, and with its axes in another order, its core answers as the emulator."""

from dataclasses import replace

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node, Origin
from nn2hls.ops import (
    Constant,
    Dense,
    Elementwise,
    Input,
    Merge,
    Move,
    Norm,
    Reduce,
    Reduction,
    Relu,
    Scale,
    Softmax,
    TopK,
    Transpose,
)
from nn2hls.streams.chunks import allowed, position_axes
from tests.kit.core_cases import EVERY, NOISE, drawn_mask
from tests.kit.streamed import checked, emulated
from tests.kit.witness import Case, random_type


def rows(rng, width):
    """Ops over several positions, with constants that do and do not change along them."""
    for shape in ((4, 3), (2, 3, 2)):
        along = [tuple(n if rng.integers(2) else 1 for n in shape) for _ in range(4)]
        constants = [Const(rng.normal(size=s)) for s in along]
        yield Case(Scale(*constants[:2]), [random_type(rng, width)], [shape], random_type(rng, width), NOISE)
        narrow = [random_type(rng, (min(width[0], 12), min(width[1], 13)))]
        for axes in ((len(shape) - 1,), (0,), (1,)):
            yield Case(Norm(axes, 1e-3, *constants[2:]), narrow, [shape], random_type(rng, width), NOISE)
        for axis in range(len(shape)):
            yield Case(Softmax(axis), narrow, [shape], random_type(rng, width), NOISE)
            yield Case(TopK(axis, 2, True), [random_type(rng, width)], [shape], random_type(rng, width))
            for kind in (Reduction.SUM, Reduction.MEAN, Reduction.MAX):
                present = None if rng.integers(2) else drawn_mask(rng, shape, (axis,))
                op = Reduce(kind, (axis,), bool(rng.integers(2)), present)
                yield Case(op, [random_type(rng, width)], [shape], random_type(rng, width), NOISE)
        weight = Const(rng.normal(size=(shape[-1], 2)))
        op = Dense(weight, Const(rng.normal(size=2)), reuse=int(rng.integers(1, 4)))
        yield Case(op, [random_type(rng, width)], [shape], random_type(rng, width), NOISE)
        for other in (shape[-1:], (1, *shape[1:]), (*shape[:-1], 1), shape):
            kinds = [random_type(rng, width) for _ in range(2)]
            yield Case(Elementwise(Merge.MUL), kinds, [shape, other], random_type(rng, width))


@pytest.mark.parametrize("make", [*EVERY, rows], ids=lambda make: make.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_at_every_number_of_positions(make, seed):
    rng = np.random.default_rng(seed)
    for case in make(rng, (3, 12)):
        graph = Graph(tuple(case.nodes()), ("op",))
        axes = position_axes(case.op, case.shapes, case.shape)
        x = case.draw(rng, 4)
        for positions in allowed(case.shape[:axes]) if axes else [1]:
            network = checked(graph, x, {"op": positions})
            of_layer = [p for p in network.processes if p.name == "op" and p.core is not None]
            if axes and of_layer:
                assert of_layer[0].front.firings == int(np.prod(case.shape[:axes])) // positions


@pytest.mark.parametrize("make", [*EVERY, rows], ids=lambda make: make.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_with_channels_first(make, seed):
    """Operands come channels last, and a layer that wants them first, where one can, computes them as they come."""
    rng = np.random.default_rng(seed)
    for case in make(rng, (3, 12)):
        nodes, x = {n.name: n for n in case.nodes()}, case.draw(rng, 4)
        turned, values = [], []
        for k, shape in enumerate(case.shapes):
            node = nodes.pop(f"in{k}")
            if len(shape) < 2:
                turned.append(node)
                values.append(x[k])
                continue
            last = (*shape[1:], shape[0])
            back = Transpose((len(shape) - 1, *range(len(shape) - 1)))
            base = replace(node, name=f"base{k}", op=replace(node.op, size=last), shape=last, origin=Origin(f"base{k}"))
            turned += [base, Node(node.name, back, (base.name,), shape, node.type, node.origin)]
            values.append(np.moveaxis(x[k], 1, -1))
        inputs = [n for n in turned if not n.inputs]
        graph = Graph((*inputs, *(n for n in turned if n.inputs), *nodes.values()), ("op",))
        checked(graph, values)


def test_constants_that_change_along_positions():
    """Another factor for each position: positions follow each other all the same."""
    rng = np.random.default_rng(5)
    case = Case(Scale(Const(rng.normal(size=(6, 2))), Const(rng.normal(size=2))), [random_type(rng, (6, 9))], [(6, 2)],
                random_type(rng, (6, 9)), NOISE)  # fmt: skip
    checked(Graph(tuple(case.nodes()), ("op",)), case.draw(rng, 3))


def test_what_constants_give_is_their_value_in_a_type_that_wraps():
    """Whose range by the layer's own rule is all of that type."""
    signed, wrapping = FixedType(8, 4, True), FixedType(8, 4, False)
    ends = [("x", Input((2,))), *((name, Constant(Const(np.array(v)))) for name, v in (("a", [-24, 4]), ("b", [8, 4])))]
    sums = [("given", ("a", "b")), ("op", ("x", "given"))]
    nodes = [Node(name, op, (), (2,), signed, Origin(name)) for name, op in ends]
    nodes += [Node(name, Elementwise(Merge.ADD), of, (2,), wrapping, Origin(name)) for name, of in sums]
    x = np.random.default_rng(6).integers(-128, 128, (20, 2))
    graph = Graph(tuple(nodes), ("op",))
    checked(graph, [x])
    assert emulated(graph, [x], ["op"])["op"].tolist() == ((x + np.array([-16, 8])) % 256).tolist()


def test_a_computed_number_is_passed_on_several_times():
    kind, index = FixedType(8, 4, True), Const(np.zeros((7, 1), dtype=np.int64))
    x, relu = (Node(name, op, of, (), kind, Origin(name)) for name, op, of in (("x", Input(()), ()), ("r", Relu(), ("x",))))
    graph = Graph((x, relu, Node("op", Move(index, ((),)), ("r",), (7, 1), kind, Origin("op"))), ("op",))
    checked(graph, [np.array([-3, 5])])
