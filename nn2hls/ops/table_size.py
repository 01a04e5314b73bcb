"""The smallest table for a function: types of its addresses and entries from the noise that is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.functions import SPLITS, Function, Linear
from nn2hls.arith.functions_float import defined_float, part_float
from nn2hls.arith.ranges import Range, width_of
from nn2hls.errors import TypeResolutionError
from nn2hls.graph.op import Hints
from nn2hls.ops.exact import SQRT12, operand_rms

MAX_ADDRESS = 12  # bits of a derived address
MAX_ASKED = 20  # bits of an address the user asks for: a million entries
ALIKE = 0.02  # errors over the whole range that differ by less count as equal: the likely operands decide
UNBOUNDED = frozenset({Function.EXP, Function.LOG, Function.RSQRT, Function.RECIPROCAL})  # these saturate at their entry type
MISSED = 1.0  # dB above the noise that is asked for, from which the user is told
WARNED = 6.0  # dB, a bit: from here on in a warning
LARGE = 2.0**400  # no value counts as more, so that squares of errors are floats


def choose_entry(function: Function, alpha: float, x: Range, hints: Hints) -> FixedType:
    """The type of the entries: integer bits of the largest value, and fraction bits of the result, or of the noise.

    Where ``max_width`` has no room for all, fraction bits go. A function without bounds needs no integer bits beyond those of
    a result type that is known; else it gives up integer bits that no likely value needs, and saturates.
    """
    signed, fraction, bits = _range_of_values(function, alpha, x, hints)
    whole = bits(_spread(x), fraction)
    width = min(whole, hints.max_width)
    if whole > hints.max_width and function in UNBOUNDED and hints.result is None:
        likely = min(whole, bits(likely_operands(x, hints), fraction) + 1)
        fraction -= max(0, likely - hints.max_width)
    elif whole > hints.max_width:
        fraction -= whole - hints.max_width
    return FixedType(width, width - fraction, signed, Rounding.RND_CONV, Overflow.SAT)


def _range_of_values(
    function: Function, alpha: float, x: Range, hints: Hints
) -> tuple[bool, int, Callable[[np.ndarray, int], int]]:
    """(whether entries are negative, fraction bits wanted, the width that holds the entries of operands with such)."""
    domain, ends, result = SPLITS[function].domain, (-LARGE, LARGE), hints.result
    if result is not None and function in UNBOUNDED:
        ends = result.min, result.max

    def values(points: np.ndarray) -> tuple[float, float]:
        found = np.clip(part_float(function, points, alpha)[defined_float(domain, points)], *ends)
        return float(found.min(initial=0.0)), float(found.max(initial=0.0))

    def width(points: np.ndarray, fraction: int) -> int:
        low, high = (math.ldexp(v, fraction) for v in values(points))
        if ends[1] < LARGE:  # an entry that saturates must not leave the result type
            return width_of(
                max(math.floor(low), math.ceil(math.ldexp(ends[0], fraction))),
                min(math.ceil(high), math.floor(math.ldexp(ends[1], fraction))),
            )
        return width_of(math.floor(low), math.ceil(high))

    signed = values(_spread(x))[0] < 0
    fraction = math.ceil(-math.log2(hints.noise / 2 * SQRT12))
    if result is not None:
        fraction = result.fraction + (SPLITS[function].linear is not Linear.NONE)
    return signed, min(fraction, hints.max_width - signed - 1), width


def choose_address(function: Function, alpha: float, x: Range, table_t: FixedType, hints: Hints) -> FixedType:
    """The type of the addresses: as the user's TableSize asks, else the narrowest whose noise is low enough.

    For every width the integer bits are those with the smallest error over the whole range, or on likely operands where that
    differs little; the noise is measured on likely operands, which are normally distributed with the known root mean square.
    """
    errors = _Errors(function, alpha, table_t, likely_operands(x, hints), _spread(x))
    most = asked_bits(hints.table_size)
    best = None
    for bits in range(2, MAX_ADDRESS + 1) if most is None else [most]:
        largest = {kind: errors.largest(kind) for kind in _candidates(x, bits)}
        near = [kind for kind, error in largest.items() if error <= (1 + ALIKE) * min(largest.values())]
        best = min(near, key=errors.rms)
        if math.hypot(errors.rms(best), table_t.step / SQRT12) <= max(hints.noise, 1.05 * table_t.step / SQRT12):
            break
    assert best is not None
    return best


def missed(function: Function, alpha: float, x: Range, address_t: FixedType, table_t: FixedType, hints: Hints) -> float:
    """By how many dB the noise of a table on likely operands is above what is asked for; at most 0: it is not."""
    errors = _Errors(function, alpha, table_t, likely_operands(x, hints), _spread(x))
    return above(math.hypot(errors.rms(address_t), table_t.step / SQRT12), hints)


def above(noise: float, hints: Hints) -> float:
    """By how many dB a root mean square error is above what is asked for, or what the result's own rounding makes."""
    asked = max(hints.noise, hints.result.step / SQRT12 if hints.result else 0.0)
    return 20 * (math.log10(max(noise, 2.0**-1000)) - math.log10(asked))


@dataclass
class _Errors:
    """The errors that rounding to an address type makes, on likely operands and over the whole range."""

    function: Function
    alpha: float
    table_t: FixedType
    likely: np.ndarray
    whole: np.ndarray

    def rms(self, kind: FixedType) -> float:
        found = self._errors(kind, self.likely)
        return math.sqrt(float(np.mean(np.square(found)))) if found.size else 0.0

    def largest(self, kind: FixedType) -> float:
        return float(self._errors(kind, self.whole).max(initial=0.0))

    def _errors(self, kind: FixedType, points: np.ndarray) -> np.ndarray:
        domain = SPLITS[self.function].domain
        points = points[defined_float(domain, points)]
        address = np.clip(np.floor(np.ldexp(points, kind.fraction) + 0.5), kind.min_mantissa, kind.max_mantissa) * kind.step
        if domain != "all":
            address = np.where(address > 0 if domain == "positive" else address != 0, address, kind.step / 2)
        return np.asarray(np.abs(self._part(address) - self._part(points)))

    def _part(self, points: np.ndarray) -> np.ndarray:
        values = part_float(self.function, points, self.alpha)
        return np.asarray(np.clip(values, max(self.table_t.min, -LARGE), min(self.table_t.max, LARGE)))


def asked_bits(size: int | None) -> int | None:
    """Address bits of a table of ``size`` entries."""
    if size is None:
        return None
    bits = size.bit_length() - 1
    if bits > MAX_ASKED:
        what = f"A table of {size} entries is beyond the limit of {1 << MAX_ASKED}."
        raise TypeResolutionError(what, fix="Use a smaller TableSize, or none: then it is derived.")
    if size < 2 or size != 1 << bits:
        near = 1 << max(1, bits)
        raise TypeResolutionError(
            f"A table of {size} entries cannot be addressed by whole bits.", fix=f"Use a TableSize of {near} or {2 * near}."
        )
    return bits


def _candidates(x: Range, bits: int) -> Iterator[FixedType]:
    """Address types of at most ``bits`` bits, from all of the range down to a small part; none finer than x itself.

    Of a wide range, too, the parts near zero are among them, for it is there that most functions are not constant.
    """
    signed = x.low < 0
    widest = max(1, x.width) - x.fraction  # integer bits of the whole range
    for integer in sorted({*range(widest - 11, widest + 1), *range(-5, min(widest, 12) + 1)}, reverse=True):
        width = min(bits, integer + x.fraction)
        if width < 1:
            return
        yield FixedType(width, integer, signed, Rounding.RND, Overflow.SAT)


@cache
def _normal() -> np.ndarray:
    """Equally likely values of the standard normal distribution."""
    quantile = NormalDist().inv_cdf
    return np.array([quantile((k + 0.5) / 513) for k in range(513)])


def likely_operands(x: Range, hints: Hints) -> np.ndarray:
    """Normally distributed operands of the root mean square that is known."""
    return np.clip(_normal() * operand_rms(x, hints), x.real_low, x.real_high)


def _spread(x: Range) -> np.ndarray:
    """Values over the whole range: all of few, else evenly spaced ones, and more around zero; on the grid of x."""
    low, high = float(x.low), float(x.high)
    if x.high - x.low < 2048:
        return np.ldexp(np.array(range(x.low, x.high + 1), dtype=np.float64), -x.fraction)
    near = np.concatenate([[0.0], *(s * np.geomspace(1, float(max(1, x.bound)), 257) for s in (1, -1))])
    points = np.unique(np.rint(np.clip(np.concatenate([np.linspace(low, high, 1025), near]), low, high)))
    return np.asarray(np.ldexp(points, -x.fraction))
