"""Values that left the range of their types, counted by layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.arith.ranges import FLOAT64_EXACT
from nn2hls.graph.op import Watch


@dataclass
class Overflow:
    """Values of one layer that left the range of their type.

    Args:
        layer: The node, and ``.accum`` or another part inside it.
        type: The type they were cast to.
        count: How many values.
        total: Of how many.
        bits: Integer bits that are missing for the worst of them.
    """

    layer: str
    type: FixedType
    count: int = 0
    total: int = 0
    bits: int = 0

    def __str__(self) -> str:
        share = f"{self.count} of {self.total} values"
        return f"{self.layer}: {share} beyond {self.type}, {self.bits} more integer bits needed"


@cache
def safe_range(fraction: int, kind: FixedType) -> tuple[int, int]:
    """The smallest and the largest mantissa with ``fraction`` fraction bits that round into the range of ``kind``."""
    shift = fraction - kind.fraction
    if shift <= 0:
        return -(-kind.min_mantissa >> -shift), kind.max_mantissa >> -shift
    step = 1 << shift
    ends = []
    for end, away in ((kind.min_mantissa, -1), (kind.max_mantissa, 1)):
        inside, outside = end * step, (end + away) * step  # the last value that fits lies between
        while abs(outside - inside) > 1:
            middle = (inside + outside) // 2
            rounded = cast_to(middle, fraction, kind, fits=True)
            inside, outside = (middle, outside) if rounded == end else (inside, middle)
        ends.append(inside)
    return ends[0], ends[1]


def _outside(rounded: Any, kind: FixedType) -> Any:
    """Which whole numbers are beyond the range. Floats are up to 2**53 in magnitude, which float32 does not tell apart."""
    low, high = kind.min_mantissa, kind.max_mantissa
    if rounded.dtype.kind == "f":
        rounded = rounded.astype(np.float64)
        low, high = max(low, -FLOAT64_EXACT), min(high, FLOAT64_EXACT)
    return (rounded < low) | (rounded > high)


@dataclass
class OverflowLog:
    """All overflows of one run, by layer."""

    found: dict[str, Overflow] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    def see(self, layer: str, values: Any, fraction: int, kind: FixedType) -> bool:
        """Note the values that do not fit ``kind``; True when there are any.

        Rounding is monotonic, so the extremes decide, and only a layer that overflows is counted.
        """
        size = values.size
        self.seen[layer] = self.seen.get(layer, 0) + size
        if not size:
            return False
        # As numbers of Python, which compare exactly: NumPy would round the ends of the range to float32.
        low, high = (v.item() if isinstance(v, np.generic) else v for v in (values.min(), values.max()))
        first, last = safe_range(fraction, kind)
        if first <= low and high <= last:
            return False
        low, high = (cast_to(int(v), fraction, kind, fits=True) for v in (low, high))
        rounded = cast_to(values, fraction, kind, fits=True)
        entry = self.found.setdefault(layer, Overflow(layer, kind))
        entry.count += int(np.count_nonzero(_outside(rounded, kind)))
        span = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (kind.signed or low < 0)
        entry.bits = max(entry.bits, span - kind.width, 1)
        return True

    def merge(self, other: OverflowLog) -> None:
        """Add what another log noted of further events of the same network."""
        for layer, count in other.seen.items():
            self.seen[layer] = self.seen.get(layer, 0) + count
        for layer, more in other.found.items():
            entry = self.found.setdefault(layer, Overflow(layer, more.type))
            entry.count += more.count
            entry.bits = max(entry.bits, more.bits)

    def watch(self, layer: str) -> Watch:
        """What a kernel of ``layer`` calls before the casts inside it."""

        def see(what: str, values: Any, fraction: int, kind: FixedType) -> None:
            self.see(f"{layer}.{what}", values, fraction, kind)

        return see

    def overflows(self) -> list[Overflow]:
        """What was found, in the order of the layers."""
        for name, entry in self.found.items():
            entry.total = self.seen[name]
        return [self.found[name] for name in self.seen if name in self.found]
