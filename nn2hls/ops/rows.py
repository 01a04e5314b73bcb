"""Numbers that choose: how a computed value becomes the number of one of so many rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast_to
from nn2hls.arith.ranges import Range, lift
from nn2hls.hardware.casts import cast
from nn2hls.hardware.net import Net

_WHOLE = FixedType(1, 1, True, Rounding.RND)


@dataclass(frozen=True)
class Rows:
    """The row that a value means: rounded to a whole number, half up, and brought into 0 .. count - 1.

    Args:
        count: How many rows there are.
    """

    count: int

    @property
    def address(self) -> FixedType:
        """The type of whole numbers that holds every row and, as a sign, nothing else."""
        bits = max(1, (self.count - 1).bit_length())
        return FixedType(bits, bits, False, Rounding.RND, Overflow.SAT)

    def of_floats(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """(rows, which of the floats are numbers at all); row 0 for those that are none."""
        rows = np.clip(np.floor(x + 0.5), 0, self.count - 1)
        known = ~np.isnan(rows)
        return np.where(known, rows, 0).astype(np.int64), known

    def of(self, m: Any, fraction: int) -> np.ndarray:
        """Of mantissas with so many fraction bits."""
        return np.asarray(np.minimum(cast_to(m, fraction, self.address), self.count - 1).astype(np.int64))

    def ends(self, x: Range) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last row that each element of ``x`` can mean, flat."""
        first, last = (self.of(a.reshape(-1), x.fraction) for a in x.ends(x.bound << max(0, -x.fraction)))
        return first, last

    def kernel(self, x: Range) -> Callable[[Any, Any], np.ndarray]:
        """A function of (mantissas within ``x``, watch) that gives rows; a number that is no row is an overflow of ``rows``."""
        rounded = x.rounded(_WHOLE)
        beyond = rounded.low < 0 or rounded.high >= self.count
        spare = (1 << self.address.width) - self.count  # moved up by it, those beyond the last row are those beyond the type
        reach = (x.bound << max(0, -x.fraction)) + (1 << self.address.width)

        def run(m: Any, watch: Any) -> np.ndarray:
            if beyond:
                whole = cast_to(lift(m, reach), x.fraction, _WHOLE, fits=True)
                watch("rows", np.where(whole < 0, whole, whole + spare), 0, self.address)
            return self.of(m, x.fraction)

        return run

    def wire(self, net: Net, a: int, fraction: int) -> int:
        """The wire of the row that a wire with so many fraction bits means."""
        return net.clip(cast(net, a, fraction, self.address), 0, self.count - 1)


def chosen(net: Net, row: int, wires: Sequence[int], first: int = 0) -> int:
    """The wire of the row by comparisons in halves: as many choices in a row as the logarithm of the wires."""
    if len(wires) == 1:
        return wires[0]
    middle = len(wires) // 2
    below, above = chosen(net, row, wires[:middle], first), chosen(net, row, wires[middle:], first + middle)
    return net.select(net.less(row, net.const(first + middle)), below, above)
