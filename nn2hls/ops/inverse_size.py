"""Sizes and tables of a function whose argument is normalised: x = s * 2**e with 1 <= s < 2.

For r relative bits, which the noise asked for decides:

* entries have r + 3 fraction bits, and s keeps r + 5 bits, its first included;
* 2**ceil((r + 1) / 2) segments, at most ``MAX_SEGMENTS``, each with the value in its middle and the slope there; roots have as
  many for each parity of e.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.functions import Function, entries
from nn2hls.arith.functions_float import defined_float, part_float
from nn2hls.arith.ranges import Range
from nn2hls.graph.op import Hints
from nn2hls.ops.exact import SQRT12
from nn2hls.ops.table_size import likely_operands

MAX_SEGMENTS = 512
PLAIN = 10  # bits: fewer values than 2**PLAIN have a table of as many words
MAX_BITS, MIN_BITS = 20, 4  # relative bits
ROOTS = frozenset({Function.RSQRT, Function.SQRT})
# Of the core function: softsign(x) is 1 - 1 / (1 + |x|) with the sign of x.
CORES = {f: f for f in (Function.LOG, Function.SQRT, Function.RSQRT, Function.RECIPROCAL)} | {
    Function.SOFTSIGN: Function.RECIPROCAL
}


@dataclass(frozen=True)
class Sizes:
    """Of the tables, and of the steps between.

    Args:
        width: Bits of the argument a > 0.
        fraction: Its fraction bits.
        kept: Bits of s.
        segments: Address bits of the tables, without parity.
        entry: Fraction bits of the entries.
        share: Fraction bits of the result.
        clip: The type that the result saturates to, which has ``share`` fraction bits; None for none.
    """

    width: int
    fraction: int
    kept: int
    segments: int
    entry: int
    share: int
    clip: FixedType | None = None

    @property
    def below(self) -> int:
        """Bits of s within a segment, at least one; also those to drop from a slope times a distance in it."""
        return self.kept - 1 - self.segments

    @property
    def slope(self) -> int:
        """Fraction bits of the slopes: a step of them, over half a segment, is half a step of the values."""
        return self.entry - self.segments

    def shifted(self, core: Function) -> int:
        """Fraction bits of an entry after the shift by the exponent, which is to the left."""
        if core is Function.RECIPROCAL:
            return self.entry + self.width - 1 - self.fraction
        half = (self.fraction + 1) // 2
        if core is Function.SQRT:
            return self.entry + half
        return self.entry + self.most_up(core) - half if core is Function.RSQRT else self.entry

    def most_up(self, core: Function) -> int:
        """The largest shift."""
        if core is Function.RECIPROCAL:
            return self.width - 1
        return (self.width - 1 + self.fraction % 2) >> 1 if core in ROOTS else 0


def argument(function: Function, x: Range) -> tuple[int, int]:
    """(width, fraction) of the positive argument that is normalised."""
    if function is not Function.SOFTSIGN:
        return (x.bound if function is Function.RECIPROCAL else max(1, x.high)).bit_length(), x.fraction
    fraction = max(x.fraction, 0)
    return ((x.bound << (fraction - x.fraction)) + (1 << fraction)).bit_length(), fraction


def suits(function: Function, x: Range, hints: Hints) -> bool:
    """Whether the function is better computed so than by a table of its own, which few operands or a user may ask for."""
    if function not in CORES or hints.table_size is not None or "table" in hints.given:
        return False
    integer = MAX_BITS if hints.result is None else hints.result.integer
    return x.high - x.low >= 1 << PLAIN and argument(function, x)[0] >= PLAIN and integer > -MIN_BITS


def sizes(function: Function, x: Range, hints: Hints) -> Sizes:
    """The smallest tables that keep the noise asked for."""
    share = _share(function, hints)
    bits = share + 1
    if function not in (Function.LOG, Function.SOFTSIGN):  # these have errors that are relative to the result
        points = likely_operands(x, hints)
        values = np.abs(part_float(function, points[defined_float("positive", points)], 1.0))
        bits = share + max(math.frexp(float(values.max(initial=0.0)))[1], 0)
    bits = min(max(bits, MIN_BITS), MAX_BITS)
    width, fraction = argument(function, x)
    kept = min(width, bits + 5)
    segments = min((bits + 2) // 2, MAX_SEGMENTS.bit_length() - 1, kept - 2)
    found = Sizes(width, fraction, kept, segments, bits + 3, share)
    share = found.entry if function is Function.LOG else share
    return replace(found, share=share, clip=_clip(share, hints.result))


def _share(function: Function, hints: Hints) -> int:
    if hints.result is None:
        share = min(math.ceil(-math.log2(hints.noise / 2 * SQRT12)), 2 * MAX_BITS)
    else:
        share = min(hints.result.fraction, max(2 * MAX_BITS, 2 - hints.result.integer))
    return max(share, 0) if function is Function.SOFTSIGN else share  # 1 is one of its numbers


def _clip(share: int, result: FixedType | None) -> FixedType | None:
    """The type of a result that saturates at the ends of ``result``, however that overflows."""
    if result is None:
        return None
    overflow = Overflow.SAT_SYM if result.overflow is Overflow.SAT_SYM else Overflow.SAT
    return FixedType(result.integer + share, result.integer, result.signed, Rounding.TRN, overflow)


def segment_tables(core: Function, z: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """(value in the middle of each segment, size of the slope there); for roots of even exponents, then of odd ones."""
    one = 2 << z.segments  # with segments + 1 fraction bits
    middles = [(one + 2 * j + 1) << parity for parity in range(1 + (core in ROOTS)) for j in range(1 << z.segments)]
    values = entries(core, 1.0, middles, z.segments + 1, z.entry, 0, 4 << z.entry)
    slopes = []
    for at, middle in enumerate(middles):
        t, parity = Fraction(middle, one), at >> z.segments
        squared = {
            Function.RECIPROCAL: 1 / t**4,
            Function.LOG: 1 / t**2,
            Function.RSQRT: Fraction(4**parity, 4) / t**3,
            Function.SQRT: Fraction(4**parity, 4) / t,
        }[core]
        slopes.append(_nearest_root(squared * 4**z.slope))
    return np.array(values), np.array(slopes)


def _nearest_root(square: Fraction) -> int:
    """The whole number nearest to a root, which is never halfway for these slopes or rounds up."""
    below = math.isqrt(math.floor(square))
    return below + (4 * square >= (2 * below + 1) ** 2)


def log_of_exponents(z: Sizes) -> np.ndarray:
    """ln of 2**(k - fraction) for the place k of the leading one, with the fraction of the entries."""
    far = 1024 << z.entry
    return np.array([entries(Function.LOG, 1.0, [1], z.fraction - k, z.entry, -far, far)[0] for k in range(z.width)])
