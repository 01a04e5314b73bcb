"""Scalars beyond 64 bits: NumPy makes plain Python ints of object arrays without axes, which no op may take for arrays."""

import numpy as np
import pytest

from nn2hls import ops
from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.ranges import Range, ints
from nn2hls.design.design import convert
from nn2hls.emulate.emulator import Emulator
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph
from nn2hls.graph.op import Hints
from tests.kit.networks import hls_config
from tests.kit.witness import Case
from tests.slow.graph import graph_slow

SCALARS = {
    "relu": ops.Relu(),
    "leaky relu": ops.LeakyRelu(Const(np.array(0.3))),
    "clip": ops.Clip(-1.25, 2.5),
    "hard sigmoid": ops.HardSigmoid(1 / 6, 0.5),
    "hard swish": ops.HardSwish(1 / 6, 0.5),
    "threshold": ops.Threshold(-0.25, 1.5),
    "scale": ops.Scale(Const(np.array(-1.5)), Const(np.array(0.25))),
    "embedding": ops.Embedding(Const(np.arange(12.0).reshape(4, 3))),
    **{simple.name: ops.Unary(simple) for simple in ops.Simple},
    **{function.name: ops.Table(function, 1.0) for function in ops.Function},
}
PAIRS = {"divide": ops.Divide(), **{merge.name: ops.Elementwise(merge) for merge in ops.Merge}}
KINDS = [FixedType(64, 12, False), FixedType(90, 30), FixedType(100, 4, False)]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("op", "operands"), [*((o, 1) for o in SCALARS.values()), *((o, 2) for o in PAIRS.values())])
def test_the_emulator_is_the_slow_evaluation(op, operands, kind):
    rng = np.random.default_rng(3)
    case = Case(op, [kind] * operands, [()] * operands, FixedType(80, 20, True, Rounding.RND, Overflow.SAT))
    inputs, graph = case.draw(rng, 3), Graph(tuple(case.nodes()), ("op",))
    got = case.emulate(inputs)
    for event in range(3):
        want = graph_slow(graph, [x[event, ...] for x in inputs])["op"]
        assert got[event, ...].ravel().tolist() == want.ravel().tolist()
    assert case.op.exact(case.xs).shape == case.shape


def test_constants():
    """A float one, and one that is wider than 64 bits."""
    b = Builder()
    x, c = b.add("x", ops.Input((2,))), b.add("c", ops.Constant(Const(np.array(2.5))))
    graph = b.build([b.add("sum", ops.Elementwise(ops.Merge.ADD), [x, c])])
    wide = {"Precision": {"result": "ap_fixed<100,30>"}}
    design = convert(graph, hls_config(c=wide))
    assert design.predict(np.array([[0.5, 1.0]])).tolist() == [[3.0, 3.5]]
    assert Emulator(design.graph)._constants["c"].item() == 5 << 69


def test_an_affine_step_behind_a_scalar_folds():
    """Mean -> Reshape -> BatchNormalization: the channels of a scalar are none."""
    b = Builder()
    x = b.add("x", ops.Input((4,)))
    scaled = b.add(
        "first",
        ops.Scale(Const(np.array(2.0)), Const(np.array(1.0))),
        [b.add("mean", ops.Reduce(ops.Reduction.MEAN, (0,)), [x])],
    )
    shaped = b.add("shape", ops.Reshape((1, 1)), [scaled])
    graph = b.build([b.add("second", ops.Scale(Const(np.array(3.0)), Const(np.array(-1.0))), [shaped])])
    design = convert(graph)
    assert not [n for n in design.graph if n.name == "second"]
    assert design.predict(np.array([[1.0, 2.0, 3.0, 4.0]])).tolist() == [[[17.0]]]


FAR = [Range(ints(np.zeros(2, dtype=np.int64)), ints(np.zeros(2, dtype=np.int64)), -fraction) for fraction in (40, 233, 500)]
NEAR = Range(ints(np.full(2, 5)), ints(np.full(2, 5)), 4)


ROWS = [
    ops.Dense(Const(np.array([[0.3, -1.0], [0.0, 2.5]])), Const(np.array([0.25, 0.0]))),
    ops.Softmax(0),
    ops.Norm((0,), 0.1, Const(np.ones(2)), Const(np.zeros(2))),
    *(ops.Reduce(kind, (0,)) for kind in ops.Reduction),
]


@pytest.mark.parametrize("zero", FAR, ids=lambda x: f"steps of 2**{-x.fraction}")
@pytest.mark.parametrize(("op", "others"), [*((o, 0) for o in [*SCALARS.values(), *ROWS]), *((o, 1) for o in PAIRS.values())])
def test_operands_that_are_zero_in_steps_beyond_all_numbers(op, others, zero):
    """A type of one bit that weighs 2**233, say, of which only zero is left: factors of it are beyond float32 and int64."""
    for xs in ([zero, NEAR], [NEAR, zero]) if others else ([zero],):
        resolved = op.resolve(xs, Hints())
        range_ = resolved.exact(xs)
        with np.errstate(all="raise"):
            got = resolved.kernel(xs)([x.lo[None].astype(np.float32) for x in xs], lambda *_: None)
        assert ((range_.lo <= ints(got)[0]) & (ints(got)[0] <= range_.hi)).all()
        assert isinstance(op, ops.Divide | ops.Embedding | ops.Norm | ops.Softmax) or (range_.lo == range_.hi).all()
