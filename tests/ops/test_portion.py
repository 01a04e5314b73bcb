"""Portion: emulator == fractions == net, at middles between two steps and at wholes of nothing as well."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, Rounding
from nn2hls.errors import ModelError
from nn2hls.ops import Portion
from tests.kit.witness import Case, hardware_equals_emulated, types
from tests.slow.elementwise import portion

SHAPES = [[(2, 3), (2, 3)], [(2, 3), (3,)], [(3,), (2, 1)], [(), (4,)]]
ROUNDINGS = st.sampled_from([Rounding.RND_CONV, Rounding.RND_ZERO])


@settings(max_examples=40, deadline=None)
@given(
    a=types((1, 24)),
    b=types((1, 24), (-3, 24)),
    result=types(),
    shapes=st.sampled_from(SHAPES),
    count=st.sampled_from([1, 2, 7, 8, 127, 255, 1 << 16]),
    rounding=ROUNDINGS,
    seed=st.integers(0, 99),
)
def test_emulator_is_the_equation(a, b, result, shapes, count, rounding, seed):
    case = Case(Portion(count, rounding), [a, b], shapes, result)
    case.check(case.draw(np.random.default_rng(seed), 3), lambda op, xs: portion(op, xs, case.shape))
    hardware_equals_emulated([case], seed, events=3)


@settings(max_examples=6, deadline=None)
@given(a=types((30, 70)), b=types((30, 70)), rounding=ROUNDINGS)
def test_wide_values(a, b, rounding):
    case = Case(Portion(127, rounding), [a, b], [(2,), (2,)], FixedType(8, 8))
    case.check(case.draw(np.random.default_rng(0), 3), lambda op, xs: portion(op, xs, case.shape))
    hardware_equals_emulated([case], 0, events=3)


@pytest.mark.parametrize("rounding", [Rounding.RND_CONV, Rounding.RND_ZERO])
@pytest.mark.parametrize("count", [1, 6, 127])
def test_every_pair_of_small_values(count, rounding):
    """Middles among them, in the emulator, the floats and the net."""
    kind, whole = FixedType(5, 5), FixedType(5, 3)
    pairs = np.array([(a, b) for a in range(-16, 16) for b in range(-16, 16)])
    case = Case(Portion(count, rounding), [kind, whole], [(1,), (1,)], FixedType(9, 9))
    xs = [pairs[:, :1], pairs[:, 1:]]
    case.check(xs, lambda op, own: portion(op, own, case.shape))
    exact, _ = case.exact_mantissas(xs)
    assert np.array_equal(case.op.evaluate_float(xs[0] * 1.0, xs[1] / 4), exact)
    assert case.op.hardware(case.xs, case.result, None).run(xs).tolist() == exact.tolist()


def test_what_is_not_offered_is_refused():
    for op, shapes in ((Portion(0), [(2,), (2,)]), (Portion(3, Rounding.TRN), [(2,), (2,)]), (Portion(3), [(2,), (3,)])):
        with pytest.raises(ModelError, match=r"here.*(not offered|do not broadcast)"):
            op.infer(shapes, "here")
