"""The smallest table for a function: types of its addresses and entries from the noise that is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from statistics import NormalDist

import numpy as np

from nn2hls.errors import TypeResolutionError
from nn2hls.fixed import FixedType, Overflow, Rounding
from nn2hls.functions import SPLITS, Function, Linear, defined_float, part_float
from nn2hls.ops.base import Hints
from nn2hls.ops.parts import SQRT12, operand_rms
from nn2hls.ranges import Range, width_of

MAX_ADDRESS = 12  # bits of a derived address
UNBOUNDED = frozenset({Function.EXP, Function.LOG, Function.RSQRT, Function.RECIPROCAL})  # these saturate at their entry type


def choose_entry(function: Function, alpha: float, x: Range, hints: Hints) -> FixedType:
    """The type of the entries: fraction bits of the result, or of the noise; integer bits of the largest value."""
    values = part_float(function, _spread(x), alpha)
    values = values[defined_float(SPLITS[function].domain, _spread(x))]
    fraction = math.ceil(-math.log2(hints.noise / 2 * SQRT12))
    if hints.result is not None:
        fraction = hints.result.fraction + (SPLITS[function].linear is not Linear.NONE)
        if function in UNBOUNDED:
            values = np.clip(values, hints.result.min, hints.result.max)
    low, high = (float(f(values, initial=0.0)) for f in (np.min, np.max))
    signed = low < 0
    fraction = min(fraction, hints.max_width - signed - 1)
    whole = width_of(math.floor(math.ldexp(low, fraction)), math.ceil(math.ldexp(high, fraction)))
    if whole > hints.max_width and function not in UNBOUNDED:
        fraction -= whole - hints.max_width
    width = min(whole, hints.max_width)
    return FixedType(width, width - fraction, signed, Rounding.RND_CONV, Overflow.SAT)


def choose_address(function: Function, alpha: float, x: Range, table_t: FixedType, hints: Hints) -> FixedType:
    """The type of the addresses: as the user's TableSize asks, else the narrowest whose noise is low enough.

    For every width the integer bits are those with the smallest error over the whole range; its noise is measured on normally
    distributed operands of the known root mean square.
    """
    bulk = np.clip(_normal() * operand_rms(x, hints), x.low * 2.0**-x.fraction, x.high * 2.0**-x.fraction)
    worst = _spread(x)
    wanted = [np.clip(part_float(function, v, alpha), table_t.min, table_t.max) for v in (bulk, worst)]
    inside = [defined_float(SPLITS[function].domain, v) for v in (bulk, worst)]

    def errors(kind: FixedType, k: int) -> np.ndarray:
        v = (bulk, worst)[k]
        address = np.clip(np.floor(np.ldexp(v, kind.fraction) + 0.5), kind.min_mantissa, kind.max_mantissa) * kind.step
        half = np.where(address > 0, address, kind.step / 2) if SPLITS[function].domain == "positive" else address
        half = np.where(half == 0, kind.step / 2, half) if SPLITS[function].domain == "nonzero" else half
        found = np.clip(part_float(function, half, alpha), table_t.min, table_t.max)
        return np.asarray(np.abs(found - wanted[k])[inside[k]])

    most = asked_bits(hints.table_size)
    best = None
    for bits in range(2, MAX_ADDRESS + 1) if most is None else [most]:
        kinds = list(_candidates(x, bits))
        best = min(kinds, key=lambda kind: float(errors(kind, 1).max(initial=0.0)))
        rms = math.sqrt(float(np.mean(np.square(errors(best, 0)))) if inside[0].any() else 0.0)
        if math.hypot(rms, table_t.step / SQRT12) <= max(hints.noise, 1.05 * table_t.step / SQRT12):
            break
    assert best is not None
    return best


def asked_bits(size: int | None) -> int | None:
    """Address bits of a table of ``size`` entries."""
    if size is None:
        return None
    bits = size.bit_length() - 1
    if size < 2 or size != 1 << bits:
        near = 1 << max(1, bits)
        raise TypeResolutionError(
            f"A table of {size} entries cannot be addressed by whole bits.", fix=f"Use a TableSize of {near} or {2 * near}."
        )
    return bits


def _candidates(x: Range, bits: int) -> Iterator[FixedType]:
    """Address types of at most ``bits`` bits, from all of the range down to a small part; none finer than x itself."""
    signed = x.low < 0
    widest = max(1, x.width) - x.fraction  # integer bits of the whole range
    for integer in range(widest, widest - 12, -1):
        width = min(bits, integer + x.fraction)
        if width < 1:
            return
        yield FixedType(width, integer, signed, Rounding.RND, Overflow.SAT)


@cache
def _normal() -> np.ndarray:
    """Equally likely values of the standard normal distribution."""
    quantile = NormalDist().inv_cdf
    return np.array([quantile((k + 0.5) / 513) for k in range(513)])


def _spread(x: Range) -> np.ndarray:
    """Values over the whole range: all of few, else evenly spaced ones, and more around zero; on the grid of x."""
    if x.high - x.low < 2048:
        return np.arange(x.low, x.high + 1) * 2.0**-x.fraction
    even = np.linspace(x.low, x.high, 1025)
    top = max(1, x.bound)
    near = np.concatenate([[0.0], *(s * np.geomspace(1, top, 257) for s in (1, -1))])
    points = np.unique(np.rint(np.clip(np.concatenate([even, near]), x.low, x.high)))
    return np.asarray(points * 2.0**-x.fraction)
