"""How many of so many equal steps of one tensor another one is: values as whole numbers by the largest of each event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import Rounding
from nn2hls.arith.ranges import INT64_EXACT, Range, ints
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware.net import Net
from nn2hls.ops.broadcast import aligned, common_shape

MOST = 1 << 16  # steps of a whole


@dataclass(frozen=True, eq=False)
class Portion(Op):
    """y = cast(q), q = count * a / b rounded to the nearest whole number, within -count .. count; exact, NumPy's broadcasting.

    Where q lies in the middle between two whole numbers it is the even one, or with ``RND_ZERO`` the one nearer to zero. It is
    0 where b is 0 or less. Hardware finds it digit by digit, one subtraction each, without a multiplier or a table.

    Args:
        count: Steps of b, from 1 to :data:`MOST`.
        rounding: RND_CONV or RND_ZERO.
    """

    count: int
    rounding: Rounding = Rounding.RND_CONV
    arity: ClassVar[int | None] = 2
    pointwise: ClassVar[bool] = True
    fresh: ClassVar[bool] = True
    measures: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if not 1 <= self.count <= MOST or self.rounding not in (Rounding.RND_CONV, Rounding.RND_ZERO):
            raise ModelError(f"A whole of {self.count} steps, rounded by {self.rounding.value}, is not offered.", where=where)
        return common_shape(shapes, where)

    def evaluate_float(self, *xs: Any) -> Any:
        a, b = aligned(xs)
        none = b <= 0
        size = np.minimum(np.abs(a) * self.count / np.where(none, 1.0, b), self.count)
        down = np.floor(size)
        q = np.rint(size) if self.rounding is Rounding.RND_CONV else down + (size - down > 0.5)
        return np.where(none, 0.0, np.copysign(q, a)) + 0.0  # no negative zero

    # ---- values ----------------------------------------------------------------------------------------------------------

    def exact(self, xs: Sequence[Range]) -> Range:
        a, b = xs
        some = ints(np.where(b.hi > 0, self.count, 0))
        return Range(ints(np.where(a.lo < 0, -some, 0)), ints(np.where(a.hi > 0, some, 0)), 0)

    def _ups(self, xs: Sequence[Range]) -> tuple[int, int]:
        """Bits that the operands move up so that both have one fraction."""
        common = max(x.fraction for x in xs)
        return common - xs[0].fraction, common - xs[1].fraction

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        ups, even = self._ups(xs), self.rounding is Rounding.RND_CONV
        bound = max((x.bound + 1) << up for x, up in zip(xs, ups, strict=True)) * (2 * self.count + 1)
        narrow = bound <= INT64_EXACT

        def run(ops: Sequence[Any], watch: Any) -> Any:
            a, b = ((x.astype(np.int64) if narrow else ints(x)) << up for x, up in zip(aligned(ops), ups, strict=True))
            whole = np.maximum(b, 0)
            part, whole = np.minimum(np.abs(a), whole) * self.count, np.maximum(whole, 1)
            q = part // whole
            left = 2 * (part - q * whole)
            q = q + (left + (q & 1 if even else 0) > whole)
            return np.where(a < 0, -q, q)

        return run

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        (a, b), exact = (net.shift(w, up) for w, up in zip(wires, self._ups(xs), strict=True)), self.exact(xs)
        whole = net.clip(b, 0, None)
        most = net.cells[whole].hi
        if not most:
            return net.const(0), 0
        left = net.scale(net.minimum(net.absolute(a), whole), self.count)
        q, digit = net.const(0), net.const(0)
        for place in reversed(range(self.count.bit_length())):
            less = net.sub(left, net.shift(whole, place))
            short = net.less(less, net.const(0))
            left = net.select(short, left, less, 0, max(min(net.cells[left].hi, (most << place) - 1), 0))
            digit = net.sub(net.const(1), short)
            q = net.add(net.shift(q, 1), digit)
        twice = net.shift(left, 1)
        if self.rounding is Rounding.RND_CONV:
            twice = net.add(twice, digit)
        q = net.add(q, net.less(whole, twice))
        q = net.select(net.less(whole, net.const(1)), net.const(0), q, 0, self.count)
        q = net.select(net.less(a, net.const(0)), net.negate(q), q)
        return net.narrowed(q, exact.low, exact.high), 0
