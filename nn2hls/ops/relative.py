"""1/x and 1/sqrt(x) to a relative error, for ops that multiply with them: the tables of Normalised without its rounding.

The argument a > 0 is an integer. a = s * 2**e with 1 <= s < 2, s cut to ``kept`` bits; t near 1/s, or near 1/sqrt(s * 2**p)
with p the last bit of e, from tables with slopes (steps 2 and 3 of Normalised); the factor is exactly t * 2**-e, or
t * 2**((p - e) / 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.arith.functions import Function
from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Const
from nn2hls.hardware.net import Net
from nn2hls.ops.inverse import Normalised
from nn2hls.ops.inverse_size import MAX_BITS, MAX_SEGMENTS, MIN_BITS, PLAIN, Sizes, segment_tables

FLOAT = 1 + 2.0**-40  # the bounds are computed in float64


def relative_sizes(function: Function, most: int, fraction: int, error: float) -> Sizes:
    """Tables for arguments up to ``most``, of ``fraction`` fraction bits, moved up to where they have PLAIN bits at least.

    Args:
        function: RECIPROCAL or RSQRT.
        most: The largest argument.
        fraction: Of the arguments.
        error: The relative error that is good enough; no table has more than 1,024 words.
    """
    bits = min(max(math.ceil(-math.log2(max(error, 2.0**-60))), MIN_BITS), MAX_BITS)
    up = max(0, PLAIN - most.bit_length())
    width = most.bit_length() + up
    kept = min(width, bits + 5)
    segments = min((bits + 2) // 2, MAX_SEGMENTS.bit_length() - 1, kept - 2)
    found = Sizes(width, fraction + up, kept, segments, bits + 3, 0)
    return Sizes(width, fraction + up, kept, segments, bits + 3, found.shifted(function))


class Relative:
    """A function with its tables.

    Args:
        function, sizes: See :func:`relative_sizes`.
        value, slope: The tables, made of both without.
    """

    def __init__(self, function: Function, sizes: Sizes, value: Const | None = None, slope: Const | None = None) -> None:
        if value is None or slope is None:
            value, slope = map(Const, segment_tables(function, sizes))
        self.sizes = sizes
        self.tables = Normalised(function, sizes, value, slope, Const(np.zeros(1, dtype=np.int64)))

    @property
    def fraction(self) -> int:
        """Fraction bits of the factors."""
        return self.sizes.share

    def factors(self, a: Any) -> Any:
        """Of arguments of ``sizes.fraction`` fraction bits, int64 or Python integers; those below one step are one."""
        low, high = 1, (1 << self.sizes.width) - 1
        return self.tables._unclipped(np.maximum(a, 1), Range(np.array(low), np.array(high, dtype=object), self.sizes.fraction))

    def ends(self, low: int, high: int) -> tuple[int, int]:
        """The smallest and the largest factor of arguments ``low`` to ``high``."""
        found = self.tables.exact(
            [Range(np.array([max(low, 1)], object), np.array([max(high, 1)], object), self.sizes.fraction)]
        )
        return found.low, found.high

    def error(self) -> float:
        """The largest relative error of any factor: that of t, which is half at least, and that of cutting s."""
        z = self.sizes
        cut = 2.0 ** -(z.kept - 1) if z.width > z.kept else 0.0
        return FLOAT * (2 * self.tables.segment_error() + cut)

    def error_of(self, arguments: np.ndarray) -> float:
        """The largest of so many arguments, of ``sizes.fraction`` fraction bits."""
        a = np.ldexp(arguments.astype(np.float64), -self.sizes.fraction)
        want = 1 / a if self.tables.function is Function.RECIPROCAL else 1 / np.sqrt(a)
        got = np.ldexp(self.factors(arguments).astype(np.float64), -self.fraction)
        return FLOAT * float(np.abs(got / want - 1).max(initial=0.0)) + 2.0**-50

    def entry(self, net: Net, a: int) -> tuple[int, list[tuple[int, int]]]:
        """(t, what :meth:`scaled` needs) of a wire, which is taken for one step where it is below that."""
        return self.tables.entry(net, net.clip(a, 1, None))

    def scaled(self, net: Net, product: int, moved: Sequence[tuple[int, int]]) -> int:
        """A product with t as one with the factor."""
        return self.tables.moved_up(net, product, moved)
