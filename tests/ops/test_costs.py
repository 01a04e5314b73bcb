"""What a layer is counted to cost: the operators of its schedule and the chain that decides its latency."""

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints
from nn2hls.hardware.schedule import Kind
from nn2hls.ops import Dense, Scale, Threshold
from nn2hls.ops.cost import cast_operators

X = FixedType(12, 4)
RESULT = FixedType(20, 8)


def kinds(operators):
    return [o.kind for o in operators]


def schedule(op, *, result=RESULT, given=None, n=3):
    xs = [Range.of_type(X).broadcast((n,))]
    return op.resolve(xs, Hints(given=given or {}, noise=2.0**-8)).schedule(xs, result)


@pytest.mark.parametrize(
    ("signed", "rounding", "costs"),
    [
        (True, "TRN", False),
        (False, "TRN", False),
        (True, "TRN_ZERO", True),  # a negative value that drops bits is raised by one
        (False, "TRN_ZERO", False),
        (True, "RND", True),
        (False, "RND_CONV", True),
    ],
)
def test_rounding_is_an_addition_unless_bits_are_only_dropped(signed, rounding, costs):
    exact = Range.of_type(FixedType(12, 4, signed))
    narrow = FixedType.parse(f"ap_{'' if signed else 'u'}fixed<10,6,AP_{rounding}>")
    assert (Kind.ROUND in kinds(cast_operators(exact, narrow))) == costs
    wide = FixedType.parse(f"ap_{'' if signed else 'u'}fixed<16,6,AP_{rounding}>")
    assert cast_operators(exact, wide) == ()


def test_a_threshold_compares_and_selects_each_value():
    found = schedule(Threshold(0.4, -1.0), n=5)
    assert [(o.kind, o.count) for o in found.operators] == [(Kind.COMPARE, 5), (Kind.SELECT, 5)]
    assert kinds(found.path) == [Kind.COMPARE, Kind.SELECT]


@pytest.mark.parametrize("biases", [(0.0, 0.0, 0.0), (0.5, 0.0, 0.25)])
def test_the_bias_of_a_scale_is_an_addition_after_the_product(biases):
    found = schedule(Scale(Const(np.array([0.7, 0.7, 0.3])), Const(np.array(biases))))
    adds = [o for o in found.operators if o.kind is Kind.ADD]
    expected = [Kind.ADD] if any(biases) else []
    assert sum(o.count for o in adds) == np.count_nonzero(biases)
    assert kinds(found.path) == [Kind.MUL_CONST, *expected]


@pytest.mark.parametrize("deepest", [0, 1, 2])
def test_the_path_of_many_functions_is_that_of_the_deepest(monkeypatch, deepest):
    """A layer of more products than one function holds: whichever comes last, the longest chain decides."""
    monkeypatch.setattr("nn2hls.ops.products.parallel.MAX_BLOCK", 8)
    weight = np.zeros((8, 3))
    for j in range(3):
        weight[: 8 if j == deepest else 2, j] = 2.0 ** -(j + 1)  # shifts: a sum of n is a tree of additions
    found = schedule(Dense(Const(weight), Const(np.zeros(3))), n=8)
    assert kinds(found.path) == [Kind.ADD] * 3
