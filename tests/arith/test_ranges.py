"""Bounds of many elements: exact beyond int64, small where elements share them, and equal to those of single elements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, compact, enclosed, ints, round_constant
from tests.kit.witness import types

EDGE = (1 << 63) - 1


@pytest.mark.parametrize(
    ("values", "kind"), [([0, -EDGE], "int64"), ([EDGE], "int64"), ([EDGE + 1], "object"), ([-EDGE - 2], "object")]
)
def test_int64_where_it_holds(values, kind):
    found = compact(ints(np.array(values, dtype=object)))
    assert (found.dtype.name, found.tolist()) == (kind, values)


@pytest.mark.parametrize("top", [7, EDGE + 5])
def test_equal_elements_take_the_room_of_one(top):
    x = np.full((5, 1, 4), top, dtype=object)
    assert compact(x).strides == (0, 0, 0)
    x[:, :, 1] = 3
    found = compact(x)
    assert (found.strides[0], found.tolist()) == (0, x.tolist())
    assert found.strides[2] != 0
    x[0, 0, 0] += 1
    assert compact(x).tolist() == x.tolist()


@given(kind=types((1, 70), (-5, 70)), target=types((1, 70), (-5, 70)), seed=st.integers(0, 99))
def test_a_cast_of_many_is_that_of_each(kind, target, seed):
    rng = np.random.default_rng(seed)
    ends = ints([kind.min_mantissa, kind.max_mantissa, 0, kind.max_mantissa // 3])
    pairs = [sorted(ends[rng.integers(4, size=2)].tolist()) for _ in range(3)]
    lo, hi = (ints(np.array([p[k] for p in pairs], dtype=object)) for k in range(2))
    many = Range(lo, hi, kind.fraction).cast(target)
    for k in range(3):
        one = Range(lo[k], hi[k], kind.fraction).cast(target)
        assert (many.lo[k], many.hi[k]) == (one.low, one.high)
        assert target.min_mantissa <= one.low <= one.high <= target.max_mantissa


def test_nothing_has_no_bounds():
    assert ints(np.zeros((0, 2, 5))).shape == (0, 2, 5)
    x = Range(np.zeros((0, 2), dtype=int), np.zeros((0, 2), dtype=int), 3)
    assert (x.low, x.high, x.at(5).size) == (0, 0, 0)


def test_moving_up_leaves_int64():
    x = Range(np.array([-5, 1 << 40]), np.array([3, 1 << 41]), 2).at(30)
    assert x.lo.tolist() == [-5 << 28, 1 << 68]
    assert (x.low, x.high) == (-5 << 28, 1 << 69)


@pytest.mark.parametrize("values", [[2**63], [-1, 2**63], [2**64 - 1, 0], [-(2**63)], [2**200, -1]])
@pytest.mark.parametrize("make", [ints, compact])
def test_lists_of_large_integers_stay_what_they_are(make, values):
    assert make(values).tolist() == values
    found = np.array(values, dtype=np.uint64) if 0 <= min(values) <= max(values) < 2**64 else np.array(values, dtype=object)
    assert make(found).tolist() == values


@pytest.mark.parametrize("shape", [(), (1,), (2, 2)])
@pytest.mark.parametrize(("ends", "bits"), [((-9, 3), 4), ((0, 2**80), 81), ((-(2**70), 1), 70)])
def test_bits_of_magnitudes_of_any_width_and_shape(shape, ends, bits):
    found = Range(*(ints(np.full(shape, end, dtype=object)) for end in ends), 0).bits
    assert (found.shape, set(found.reshape(-1).tolist())) == (shape, {bits})


@pytest.mark.parametrize("shape", [(), (1,), (2, 2)])
@pytest.mark.parametrize(("value", "bits"), [(-24, 2), (5 << 80, 3), (-(1 << 63), 1), (0, 0)])
def test_bits_between_the_highest_and_the_lowest_of_any_width_and_shape(shape, value, bits):
    found = enclosed(ints(np.full(shape, value, dtype=object)))
    assert (found.shape, set(found.reshape(-1).tolist())) == (shape, {bits})


@pytest.mark.parametrize("kind", [FixedType(20, -1000), FixedType(64, -900), FixedType(9, 3, False)], ids=str)
def test_constants_beyond_a_type_and_beyond_float64_saturate_without_a_word(kind):
    with np.errstate(all="raise"):
        assert round_constant(np.array([1e300, -1e300]), kind).tolist() == [kind.max_mantissa, kind.min_mantissa]
