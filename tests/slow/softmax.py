"""Softmax and its logarithm on fractions, step by step as the docstring says, with tables of its own from mpmath."""

import math
from fractions import Fraction
from functools import lru_cache

import mpmath
import numpy as np
from mpmath import mpf

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from tests.slow.fixed import cast_slow, fold_slow

mpmath.mp.dps = 60


def nearest(value, kind):
    """Half to even, saturated: a mantissa."""
    return fold_slow(int(mpmath.nint(value * mpf(2) ** kind.fraction)), kind.width, kind.signed, "SAT")


@lru_cache(maxsize=64)
def exp_table(distance_t, low_bits, exp_t):
    """The tables of the high and the low address bits, and the bits to drop from their product."""
    step = mpf(2) ** -distance_t.fraction
    if not low_bits:
        return [nearest(mpmath.exp(-a * step), exp_t) for a in range(2**distance_t.width)], [1], 0
    high_t, low_t = (FixedType(exp_t.fraction + more + 1, 1, False) for more in (2, 1))
    low = [nearest(mpmath.exp(-a * step), low_t) for a in range(2**low_bits)]
    high = [nearest(mpmath.exp(-a * step * 2**low_bits), high_t) for a in range(2 ** (distance_t.width - low_bits))]
    for k in range(1, len(high)):
        high[k] = min(high[k], high[k - 1] * low[-1] // 2**low_t.fraction)
    return high, low, high_t.fraction + low_t.fraction - exp_t.fraction


def row(op, x):
    """One row of fractions in, the exact results before the cast out."""
    nearest_up = FixedType(op.distance_t.width, op.distance_t.integer, False, Rounding.RND, Overflow.SAT)
    d = [max(x) - v for v in x]
    high, low, drop = exp_table(op.distance_t, op.low_bits, op.exp_t)
    a = [cast_slow(v, nearest_up) for v in d]
    words = [high[v // 2**op.low_bits] * low[v % 2**op.low_bits] // 2**drop for v in a]
    e = [Fraction(w) / Fraction(2) ** op.exp_t.fraction for w in words]
    total = sum(e)
    k = math.floor(math.log2(total))
    while 2**k > total:
        k -= 1
    while 2 ** (k + 1) <= total:
        k += 1
    s = total / 2**k
    j = math.floor((s - 1) * 2**op.segments)
    middle = 1 + (Fraction(j) + Fraction(1, 2)) / 2**op.segments
    m, unit = mpf(middle.numerator) / middle.denominator, Fraction(2) ** op.inverse_t.fraction
    slope = Fraction(0)
    if op.tangent:
        slope_fraction = max(op.inverse_t.fraction - op.segments, 0)
        slope = Fraction(int(mpmath.nint((1 / m if op.log else 1 / m**2) * 2**slope_fraction)), 2**slope_fraction)
    change = math.floor(slope * (s - middle) * unit)
    if op.log:
        power = nearest(k * mpmath.log(2), op.inverse_t)
        logarithm = max(Fraction(power + nearest(mpmath.log(m), op.inverse_t) + change) / unit, Fraction(0))
        return [-v - logarithm for v in d]
    r = Fraction(nearest(1 / m, op.inverse_t) - change) / unit
    step = Fraction(2) ** op.share_t.fraction
    return [Fraction(min(math.floor(v * r / 2**k * step + Fraction(1, 2)), op.top)) / step for v in e]


def masked(op, x, place):
    """The row of those that count; the others are 0."""
    if op.present is None:
        return row(op, x)
    mask = op.present.array
    own = (k if isinstance(k, slice) else 0 if n == 1 else k for k, n in zip(place, mask.shape, strict=True))
    here = np.broadcast_to(mask[tuple(own)], len(x)).tolist()
    answers = iter(row(op, [v for v, counts in zip(x, here, strict=True) if counts]))
    return [next(answers) if counts else Fraction(0) for counts in here]


def rows(op, operands):
    """All rows of one operand along the axis."""
    (x,) = operands
    out = np.empty(x.shape, dtype=object)
    for index in np.ndindex(*(1 if k == op.axis else n for k, n in enumerate(x.shape))):
        place = (*index[: op.axis], slice(None), *index[op.axis + 1 :])
        line = np.empty(x.shape[op.axis], dtype=object)
        line[:] = masked(op, list(x[place]), place)
        out[place] = line
    return out
