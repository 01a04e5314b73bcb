"""Canonical signed digits: how many shifted copies of its operand a product with a constant adds up.

The canonical form (non-adjacent form) of an integer x has the fewest non-zero digits of all representations with digits
-1, 0, 1. With t = 3x its positive digits are the bits of (t & ~x) >> 1 and its negative ones those of (x & ~t) >> 1
(Reitwiesner 1960), so the number of digits is the population count of t ^ x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_SAFE = 1 << 61  # 3 x must fit in 63 bits
_MASKS = tuple(np.uint64(m) for m in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101))
_SHIFTS = tuple(np.uint64(s) for s in (1, 2, 4, 56))


def digits(value: int) -> list[tuple[int, int]]:
    """The non-zero digits of ``value`` as (sign, exponent), lowest exponent first: value = sum of sign * 2**exponent."""
    size = abs(value)
    triple = 3 * size
    plus, minus = (triple & ~size) >> 1, (size & ~triple) >> 1
    sign = -1 if value < 0 else 1
    found = []
    for exponent in range((plus | minus).bit_length()):
        if (plus >> exponent) & 1:
            found.append((sign, exponent))
        elif (minus >> exponent) & 1:
            found.append((-sign, exponent))
    return found


def digit_count(values: Any) -> np.ndarray:
    """Number of non-zero canonical signed digits of each integer, an int64 array of the same shape.

    Args:
        values: Any array of integers; an object array may hold Python ints of any size.
    """
    array = np.asarray(values)
    if array.dtype == object:
        if any(abs(v) >= _SAFE for v in array.flat):
            counts = [(abs(v) ^ (3 * abs(v))).bit_count() for v in array.flat]
            return np.array(counts, dtype=np.int64).reshape(array.shape)
        array = array.astype(np.int64)
    size = np.abs(array.astype(np.int64)).astype(np.uint64)
    if size.size and int(size.max()) >= _SAFE:
        return digit_count(array.astype(object))
    return _popcount(size ^ (size * np.uint64(3)))


def _popcount(x: np.ndarray) -> np.ndarray:
    """Set bits of each uint64: sums of neighbours in 2, 4 and 8 bits, then one multiplication adds the bytes."""
    m1, m2, m4, ones = _MASKS
    s1, s2, s4, s56 = _SHIFTS
    x = x - ((x >> s1) & m1)
    x = (x & m2) + ((x >> s2) & m2)
    x = (x + (x >> s4)) & m4
    return ((x * ones) >> s56).astype(np.int64)
