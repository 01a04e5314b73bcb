"""Reduce: emulator == fractions == net, masks, bounds, channels, and the pooling that is made of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.arith.ranges import Range
from nn2hls.errors import ModelError
from nn2hls.graph.const import Places
from nn2hls.graph.op import Hints
from nn2hls.hardware.operators import operators
from nn2hls.hardware.schedule import Kind
from nn2hls.ops import Move, Reduce, Reduction
from nn2hls.ops.places import padded, patches
from tests.kit.core_cases import drawn_mask
from tests.kit.witness import Case, hardware_equals_emulated, types
from tests.slow.reduce import reduced

AXES = st.sampled_from([(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
SHAPE = (2, 3, 2)


def slow(shape):
    return lambda op, xs: reduced(op, xs, shape)


@pytest.mark.parametrize("kind", Reduction)
@settings(max_examples=30, deadline=None)
@given(data=st.data(), axes=AXES, result=types(), seed=st.integers(0, 99))
def test_emulator_is_the_equation(kind, data, axes, result, seed):
    rng = np.random.default_rng(seed)
    mask = None if kind is Reduction.PROD or seed % 3 == 0 else drawn_mask(rng, SHAPE, axes)
    operand = data.draw(types((1, 8) if kind is Reduction.PROD else (1, 30), (-3, 20)))
    case = Case(Reduce(kind, axes, bool(seed % 2), mask), [operand], [SHAPE], result, Hints(noise=2.0**-9))
    case.check(case.draw(rng, 3), slow(case.shape))
    hardware_equals_emulated([case], seed, events=4)


@pytest.mark.parametrize("kind", Reduction)
@settings(max_examples=6, deadline=None)
@given(operand=types((40, 90), (-3, 40)), result=types((50, 90), (-3, 40)))
def test_wide_values_are_exact(kind, operand, result):
    case = Case(Reduce(kind, (0,)), [operand], [(3, 2)], result, Hints(noise=2.0**-9))
    case.check(case.draw(np.random.default_rng(0), 3), slow((2,)))


@pytest.mark.parametrize("kind", Reduction)
@pytest.mark.parametrize("signed", [True, False])
def test_bounds_are_reached(kind, signed):
    case = Case(Reduce(kind, (0,)), [FixedType(3, 2, signed)], [(3,)], FixedType(8, 4), Hints(noise=2.0**-9))
    values = np.arange(case.kinds[0].min_mantissa, case.kinds[0].max_mantissa + 1)
    every = np.stack([g.ravel() for g in np.meshgrid(values, values, values)], axis=1)
    exact, bounds = case.exact_mantissas([every])
    assert (exact.min(), exact.max()) == (bounds.low, bounds.high)


def test_sums_leave_the_array_type_of_their_elements():
    kind = FixedType(24, 24, False)
    case = Case(Reduce(Reduction.SUM, (0,)), [kind], [(3,)], FixedType(27, 27, False))
    x = np.full((1, 3), kind.max_mantissa)
    assert case.emulate([x]).tolist() == [3 * kind.max_mantissa]


def test_a_factor_beyond_int64_of_zeros():
    x = Range(np.zeros(3, dtype=int), np.zeros(3, dtype=int), 2)
    op = Reduce(Reduction.MEAN, (0,)).resolve([x], Hints(given={"factor": FixedType(99, 6)}))
    assert (op.exact([x]).low, op.kernel([x])([np.zeros((2, 3))], None).tolist()) == (0, [0, 0])


@pytest.mark.parametrize("kind", Reduction)
def test_a_body_holds_what_any_of_its_lanes_holds(kind):
    lo, hi = np.array([[-9, 2], [-1, -3]]), np.array([[-7, 5], [1, 6]])
    x, result = Range(lo, hi, 2), FixedType(30, 20)
    op = Reduce(kind, (0,)).resolve([x], Hints())
    corners = np.array([np.where(np.array(list(np.binary_repr(k, 4))).reshape(2, 2) == "1", hi, lo) for k in range(16)])
    kernel, exact = op.kernel([x])([corners], None), op.exact([x])
    assert (kernel.min(axis=0).tolist(), kernel.max(axis=0).tolist()) == (exact.lo.tolist(), exact.hi.tolist())
    assert op.hardware([x], result).run([corners]).tolist() == cast_to(kernel, exact.fraction, result).tolist()


X = np.random.default_rng(0).normal(size=(5, 4, 3, 2))


@pytest.mark.parametrize("kind", Reduction)
@pytest.mark.parametrize("keepdims", [True, False])
def test_floats_are_those_of_numpy(kind, keepdims):
    want = getattr(np, kind.value)(X, axis=(1, 3), keepdims=keepdims)
    assert np.allclose(Reduce(kind, (0, 2), keepdims).evaluate_float(X), want)


@pytest.mark.parametrize(("kind", "whole"), [(Reduction.MAX, np.max), (Reduction.MIN, np.min), (Reduction.MEAN, np.mean)])
def test_padding_does_not_count(kind, whole):
    """Windows of 2 x 2 with stride 2 over 4 x 3, one more row before and column behind: the elements that are there decide."""
    seen = Move.of(lambda a: patches(padded(a, [(1, 1), (0, 1)]), (2, 2), (2, 2), (1, 1)), (4, 3, 2))
    mask = Places((seen.index.array >= 0).astype(int))
    found = Reduce(kind, (2, 3), present=mask).evaluate_float(seen.evaluate_float(X))
    for r, c in np.ndindex(3, 2):
        there = X[:, max(2 * r - 1, 0) : 2 * r + 1, 2 * c : 2 * c + 2]
        assert np.allclose(found[:, r, c], whole(there, axis=(1, 2)))


def test_means_over_powers_of_two_are_exact():
    mask = Places(np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 0]]).T)
    case = Case(Reduce(Reduction.MEAN, (0,), present=mask), [FixedType(8, 8)], [(4, 3)], FixedType(12, 8), Hints(noise=1.0))
    x = np.array([[[4, 7, 0], [8, 8, 0], [1, 0, 9], [2, 0, 0]]])
    assert (case.emulate([x]) / 16).tolist() == [[3.75, 7.5, 9]]
    assert case.op.factor_t.fraction == 2


def test_demand_leaves_out_what_does_not_count():
    op = Reduce(Reduction.MAX, (0,), present=Places(np.array([[1, 1], [0, 1], [1, 1]])))
    assert op.demand(np.array([True, False]), [(3, 2)])[0].tolist() == [[True, False], [False, False], [True, False]]
    kept = Reduce(Reduction.SUM, (1,), keepdims=True)
    assert kept.demand(np.array([[True], [False]]), [(2, 2)])[0].tolist() == [[True, True], [False, False]]


def test_channels_pass():
    mask = Places(np.array([[1, 1, 0], [1, 0, 1]]))
    op = Reduce(Reduction.MEAN, (0,), present=mask)
    assert [at.tolist() for at in op.channels([(2, 3)])] == [[[0, 1, 2]]]
    x = np.arange(6.0).reshape(1, 2, 3)
    kept = np.array([0, 2])
    assert np.array_equal(op.take(kept).evaluate_float(x[..., kept]), op.evaluate_float(x)[..., kept])
    assert Reduce(Reduction.MAX, (1,)).channels([(2, 3)]) is None
    whole = Reduce(Reduction.MAX, (0,))
    assert whole.take(kept) is whole


def test_a_sum_is_a_tree_and_a_power_of_two_a_shift():
    case = Case(Reduce(Reduction.MEAN, (0,)), [FixedType(8, 4)], [(8, 5)], FixedType(8, 4))
    (loop,) = case.op.hardware(case.xs, case.result).loops
    assert loop.lanes == 5
    assert {o.kind for o in operators(loop.body)} == {Kind.ADD}
    assert sum(operators(loop.body).values()) == 7
    assert loop.body.depth(loop.body.outputs[0]) == 3


@pytest.mark.parametrize(("op", "words"), [
    (Reduce(Reduction.SUM, (2,)), "not axes"),
    (Reduce(Reduction.SUM, ()), "not axes"),
    (Reduce(Reduction.SUM, (0, 0)), "not axes"),
    (Reduce(Reduction.SUM, (-1,)), "not axes"),
    (Reduce(Reduction.SUM, (0,), present=Places(np.array([1, 1, 1]))), "mask has shape"),
    (Reduce(Reduction.MAX, (0,), present=Places(np.array([[1, 0, 1], [1, 0, 0]]))), "padding alone"),
    (Reduce(Reduction.PROD, (0,), present=Places(np.array([[1, 0, 1], [1, 1, 0]]))), "A product takes all"),
])  # fmt: skip
def test_what_cannot_be_is_refused(op, words):
    with pytest.raises(ModelError, match=f"here.*{words}"):
        op.infer([(2, 3)], "here")
