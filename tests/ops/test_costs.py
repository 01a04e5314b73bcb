"""What a layer is counted to cost: the operators of its hardware and the chain that decides its latency."""

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints
from nn2hls.hardware.schedule import Kind, Memory
from nn2hls.ops import Dense, Reshape, Scale, Softmax, Threshold

X = FixedType(12, 4)
RESULT = FixedType(20, 8)
HLS = 2  # digits of a constant that an HLS tool builds without a multiplier


def kinds(operators):
    return [o.kind for o in operators]


def schedule(op, *, x=X, result=RESULT, given=None, n=3):
    xs = [Range.of_type(x).broadcast((n,))]
    return op.resolve(xs, Hints(given=given or {}, noise=2.0**-8)).schedule(xs, result, HLS)


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
    x = FixedType(12, 4, signed)
    narrow = FixedType.parse(f"ap_{'' if signed else 'u'}fixed<10,6,AP_{rounding}>")
    assert (Kind.ADD in kinds(schedule(Reshape((3,)), x=x, result=narrow).operators)) == costs
    wide = FixedType.parse(f"ap_{'' if signed else 'u'}fixed<16,6,AP_{rounding}>")
    assert schedule(Reshape((3,)), x=x, result=wide).operators == ()


@pytest.mark.parametrize(("overflow", "ends"), [("WRAP", 0), ("SAT", 2), ("SAT_ZERO", 2), ("SAT_SYM", 2)])
def test_a_clamp_compares_and_selects_at_each_end_that_is_reached(overflow, ends):
    narrow = FixedType.parse(f"ap_fixed<10,2,AP_TRN,AP_{overflow}>")
    found = schedule(Reshape((4,)), result=narrow, n=4)
    for kind in (Kind.SELECT, Kind.COMPARE):
        assert sum(o.count for o in found.operators if o.kind is kind) == 4 * ends
    assert kinds(found.path).count(Kind.SELECT) == ends
    assert schedule(Reshape((4,)), result=FixedType(12, 4), n=4).operators == ()


def test_a_threshold_compares_and_selects_each_value():
    found = schedule(Threshold(0.4, -1.0), n=5)
    assert [(o.kind, o.count) for o in found.operators] == [(Kind.COMPARE, 5), (Kind.SELECT, 5)]
    assert kinds(found.path) == [Kind.COMPARE, Kind.SELECT]


@pytest.mark.parametrize("biases", [(0.0, 0.0, 0.0), (0.5, 0.0, 0.25), (0.5, 0.0, 0.0)])  # the deepest last, and first
def test_the_bias_of_a_scale_is_an_addition_after_the_product(biases):
    found = schedule(Scale(Const(np.array([0.7, 0.7, 0.3])), Const(np.array(biases))))
    adds = [o for o in found.operators if o.kind is Kind.ADD]
    expected = [Kind.ADD] if any(biases) else []
    assert sum(o.count for o in adds) == np.count_nonzero(biases)
    assert kinds(found.path) == [Kind.MUL_CONST, *expected]


@pytest.mark.parametrize("deepest", [0, 1, 2])
def test_the_path_is_that_of_the_deepest_sum(deepest):
    weight = np.zeros((8, 3))
    for j in range(3):
        weight[: 8 if j == deepest else 2, j] = 2.0 ** -(j + 1)  # shifts: a sum of n is a tree of additions
    found = schedule(Dense(Const(weight), Const(np.zeros(3))), n=8)
    assert kinds(found.path) == [Kind.ADD] * 3
    assert sum(o.count for o in found.operators) == 7 + 1 + 1


def test_positions_that_are_computed_alike_count_as_often_as_they_are():
    weight = np.random.default_rng(0).normal(size=(4, 3))
    op = Dense(Const(weight), Const(np.zeros(3)))
    one = schedule(op, n=4)
    xs = [Range.of_type(X).broadcast((5, 4))]
    many = op.resolve(xs, Hints(noise=2.0**-8)).schedule(xs, RESULT, HLS)
    assert [(o.kind, o.widths, 5 * o.count) for o in one.operators] == [(o.kind, o.widths, o.count) for o in many.operators]
    assert (one.path, 5 * one.results, 5 * one.products) == (many.path, many.results, many.products)


def test_a_table_has_a_copy_for_each_two_lookups():
    rows = 6
    xs = [Range.of_type(X).broadcast((rows, 3))]
    op = Softmax(1).resolve(xs, Hints(noise=2.0**-8, result=RESULT))
    alone = [Range.of_type(X).broadcast((1, 3))]
    one = {(m.words, m.width): m.copies for m in op.schedule(alone, RESULT, HLS).memories}
    many = {(m.words, m.width): m.copies for m in op.schedule(xs, RESULT, HLS).memories}
    assert one.keys() == many.keys()
    assert all(isinstance(m, Memory) for m in op.schedule(xs, RESULT, HLS).memories)
    # Each row looks exp up for each of its three classes, and the inverse of their sum once.
    assert sorted(one.values()) == [1, 1, 2, 2]
    assert sorted(many.values()) == [3, 3, 9, 9]
