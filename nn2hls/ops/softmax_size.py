"""The tables of a softmax: derived from the result type, or as the user asks.

Derived, for a result of f fraction bits and n classes:

* ``distance_t`` has f + 2 fraction bits, or all of x's if they are fewer, and reaches to where exp(-d) vanishes;
* exp(-d) has f + 3 + ceil(log2 n) fraction bits, as the product of two tables of half the address bits each (one table
  where 2**8 words hold all distances);
* the reciprocal of the sum, shifted to 1 <= s < 2, is a tangent in 2**ceil((f + 3) / 2) segments, f + 5 fraction bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.functions import Function, entries
from nn2hls.arith.ranges import Range
from nn2hls.errors import TypeResolutionError
from nn2hls.graph.op import Hints
from nn2hls.ops.exact import SQRT12
from nn2hls.ops.table_size import asked_bits

MAX_FRACTION = 18  # of a derived result; beyond it the tables would grow without use
MAX_ASKED_FRACTION = 32  # of the tables' entries
ONE_TABLE = 8  # address bits up to which exp needs no product
DIRECT_SIZE = 1024  # entries where the user names a type of the tables but no size, as in hls4ml


@dataclass(frozen=True)
class Plan:
    """Sizes of all tables of a softmax.

    Args:
        fraction: Fraction bits of the result (softmax), or of the logarithm of the sum.
        distance_t: Type of the addresses of exp.
        low_bits: Address bits of the second table of exp; 0 for one table.
        exp_t: Type of exp(-d).
        segments: Address bits of the reciprocal or logarithm.
        inverse_t: Type of its entries.
        tangent: A second table holds the slope of each segment.
    """

    fraction: int
    distance_t: FixedType
    low_bits: int
    exp_t: FixedType
    segments: int
    inverse_t: FixedType
    tangent: bool


def plan(x: Range, n: int, hints: Hints, log: bool) -> Plan:
    """Choose the sizes for operands ``x`` and ``n`` classes.

    Raises:
        TypeResolutionError: A type or size the user gave does not work.
    """
    fraction = math.ceil(-math.log2(hints.noise * SQRT12)) if hints.result is None else hints.result.fraction
    fraction = min(max(fraction, 0), MAX_FRACTION)
    asked = {
        k: hints.given[k].with_modes(Rounding.RND_CONV, Overflow.SAT) for k in ("exp_table", "inv_table") if k in hints.given
    }
    direct = bool(asked) or hints.table_size is not None
    exp_t = asked.get("exp_table", _unsigned(fraction + 3 + (n - 1).bit_length(), 1))
    inverse_t = asked.get("inv_table", inverse_type(fraction + 5, n, log))
    _check(asked, n, log)
    if not log:
        fraction = min(fraction, exp_t.fraction + inverse_t.fraction)
    size = asked_bits(hints.table_size or DIRECT_SIZE) if direct else None
    distance_t = _distance(x, fraction, exp_t.fraction, size)
    low_bits = 0 if direct or distance_t.width <= ONE_TABLE else distance_t.width // 2
    segments = size if size is not None else (fraction + 4) // 2
    segments = min(segments, exp_t.fraction + n.bit_length() - 2)  # a sum has one bit more than that below its first
    return Plan(fraction, distance_t, low_bits, exp_t, segments, inverse_t, not direct)


def _unsigned(fraction: int, integer: int) -> FixedType:
    return FixedType(fraction + integer, integer, False, Rounding.RND_CONV, Overflow.SAT)


def inverse_type(fraction: int, n: int, log: bool) -> FixedType:
    """The type of the reciprocal, 1 at most, or of the logarithm of a sum of ``n``."""
    return _unsigned(fraction, math.frexp(max(math.log(n), 0.5) if log else 1.0)[1])


def _check(asked: Mapping[str, FixedType], n: int, log: bool) -> None:
    for word, kind in asked.items():
        usual = _unsigned(17, 1) if word == "exp_table" else inverse_type(17, n, log)
        fix = f"Use one like {usual.with_modes(Rounding.TRN, Overflow.WRAP)}."
        if kind.fraction < 1 or (word == "exp_table" and kind.max < 1):
            raise TypeResolutionError(f"The type {kind} of {word} does not hold numbers from 0 to 1.", fix=fix)
        if kind.fraction > MAX_ASKED_FRACTION:
            what = f"The type {kind} of {word} has more than {MAX_ASKED_FRACTION} fraction bits."
            raise TypeResolutionError(what, fix=fix)


def _distance(x: Range, fraction: int, exp_fraction: int, size: int | None) -> FixedType:
    """Distances from the maximum, up to where exp(-d) rounds to zero and no finer than x."""
    reach = max(1, math.ceil(math.log2((exp_fraction + 1) * math.log(2))))
    bits = min(fraction + 2 if size is None else size - reach, x.fraction)
    span = (x.high - x.low) >> (x.fraction - bits)
    width = max(1, min(reach + bits, (span + 1).bit_length()))
    return FixedType(width, width - bits, False, Rounding.RND, Overflow.SAT)


def exp_tables(p: Plan) -> tuple[np.ndarray, np.ndarray, int]:
    """(entries by the high address bits, entries by the low ones, bits to drop from their product).

    exp(-a) is (high[a >> low_bits] * low[a % 2**low_bits]) >> drop. Both are rounded half to even; then a high entry is lowered
    where it would exceed the smallest product before it, so that exp(-a) never rises with a.
    """
    t, fraction = p.distance_t, p.exp_t.fraction
    if not p.low_bits:
        points = [-a for a in range(1 << t.width)]
        whole = entries(Function.EXP, 1.0, points, t.fraction, fraction, 0, p.exp_t.max_mantissa)
        return np.array(whole), np.array([1]), 0
    high_fraction, low_fraction = fraction + 2, fraction + 1
    low = entries(Function.EXP, 1.0, [-a for a in range(1 << p.low_bits)], t.fraction, low_fraction, 0, 1 << low_fraction)
    points = [-a for a in range(1 << (t.width - p.low_bits))]
    high = entries(Function.EXP, 1.0, points, t.fraction - p.low_bits, high_fraction, 0, 1 << high_fraction)
    for k in range(1, len(high)):
        high[k] = min(high[k], high[k - 1] * low[-1] >> low_fraction)
    return np.array(high), np.array(low), high_fraction + low_fraction - fraction


def inverse_tables(p: Plan, log: bool) -> tuple[np.ndarray, np.ndarray]:
    """(value in the middle of each segment of 1 <= s < 2, size of the slope there) of 1 / s or ln(s)."""
    middles = [(2 << p.segments) + 2 * j + 1 for j in range(1 << p.segments)]  # with segments + 1 fraction bits
    function = Function.LOG if log else Function.RECIPROCAL
    t = p.inverse_t
    values = entries(function, 1.0, middles, p.segments + 1, t.fraction, 0, t.max_mantissa)
    if not p.tangent:
        return np.array(values), np.array([0])
    scale, one = Fraction(2) ** slope_fraction(p), 2 << p.segments
    slopes = [round(scale * Fraction(one, m) ** (1 if log else 2)) for m in middles]
    return np.array(values), np.array(slopes)


def slope_fraction(p: Plan) -> int:
    """Fraction bits of the slopes: a step of them, over half a segment, is half a step of the values."""
    return max(p.inverse_t.fraction - p.segments, 0)


def log_of_powers(p: Plan, n: int) -> np.ndarray:
    """k ln 2 for each shift k that normalises a sum of ``n`` terms."""
    powers = [1 << k for k in range(n.bit_length())]
    return np.array(entries(Function.LOG, 1.0, powers, 0, p.inverse_t.fraction, 0, p.inverse_t.max_mantissa))
