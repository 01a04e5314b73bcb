"""The quotient of two computed tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.functions import Function
from nn2hls.arith.ranges import INT64_EXACT, Range, ints
from nn2hls.arith.wide import product
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.net import Net
from nn2hls.ops.broadcast import aligned, common_shape
from nn2hls.ops.exact import SQRT12, hull, operand_rms
from nn2hls.ops.inverse import TRIED
from nn2hls.ops.inverse_size import Sizes
from nn2hls.ops.relative import Relative, relative_sizes
from nn2hls.ops.table_size import likely_operands
from nn2hls.text import at_most


@dataclass(frozen=True, eq=False)
class Divide(Op):
    """y = cast(a * r(b)), r(b) near 1 / b by the tables of :mod:`nn2hls.ops.relative`; exact but for r, NumPy's broadcasting.

    |b|, moved up to ``sizes.fraction`` fraction bits, is the argument of r; where b is 0, it is one step of these. r(-b) is
    -r(b).
    """

    sizes: Sizes | None = None
    value: Const | None = None
    slope: Const | None = None
    arity: ClassVar[int | None] = 2
    pointwise: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ()  # all channels share the tables

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        return common_shape(shapes, where)

    def evaluate_float(self, *xs: Any) -> Any:
        a, b = aligned(xs)
        with np.errstate(divide="ignore", invalid="ignore"):
            return a / b

    def measured(self) -> Op:
        return _Measured(self.sizes, self.value, self.slope)

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Divide:
        a, b = xs
        near = likely_operands(b, Hints(operand_rms=hints.operand_rms[1:]))
        smallest = float(np.abs(near[near != 0]).min(initial=max(b.bound, 1) * 2.0**-b.fraction))
        largest = operand_rms(a, hints) / max(smallest, 2.0**-b.fraction)
        z = relative_sizes(Function.RECIPROCAL, max(b.bound, 1), b.fraction, hints.noise * SQRT12 / 2 / largest)
        tables = Relative(Function.RECIPROCAL, z).tables
        resolved: Divide = self.replace(sizes=z, value=tables.inverse, slope=tables.slope)
        return resolved

    @cached_property
    def _inverse(self) -> Relative:
        assert self.sizes is not None
        return Relative(Function.RECIPROCAL, self.sizes, self.value, self.slope)

    def _up(self, b: Range) -> int:
        assert self.sizes is not None
        return self.sizes.fraction - b.fraction

    # ---- values ----------------------------------------------------------------------------------------------------------

    def exact(self, xs: Sequence[Range]) -> Range:
        a, b = xs
        moved = b.at(b.fraction + self._up(b))
        inverse = self._inverse.tables.exact([moved])
        corners = [p * q for p in (a.lo, a.hi) for q in (inverse.lo, inverse.hi)]
        return hull(corners, a.fraction + inverse.fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        a, b = xs
        up, bound = self._up(b), self.exact(xs).bound
        narrow = max(self._inverse.ends(1, 1)[1], b.bound << up, a.bound) <= INT64_EXACT

        def run(ops: Sequence[Any], watch: Any) -> Any:
            p, q = (x.astype(np.int64) if narrow else ints(x) for x in aligned(ops))
            factor = self._inverse.factors(np.abs(q) << up)
            return product(p, np.where(q < 0, -factor, factor), bound)

        return run

    def error(self, xs: Sequence[Range]) -> float:
        """The largest relative error of y before its cast, where b is not 0; few values of b are all tried."""
        b = xs[1]
        if b.bound >> TRIED:
            return self._inverse.error()
        return self._inverse.error_of(np.arange(1, b.bound + 1) << self._up(b))

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        return [f"within {at_most(100 * self.error(xs))} % of the quotient for every input but b = 0, before rounding."]

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        (a, b), exact, inverse = wires, self.exact(xs), self._inverse
        t, moved = inverse.entry(net, net.shift(net.absolute(b), self._up(xs[1])))
        y = inverse.scaled(net, net.mul(a, t), moved)
        y = net.select(net.less(b, net.const(0)), net.negate(y), y)
        return net.narrowed(y, exact.low, exact.high), exact.fraction


class _Measured(Divide):
    """0 where b is 0: a pole would outweigh all other values."""

    def evaluate_float(self, *xs: Any) -> Any:
        a, b = aligned(xs)
        return np.where(b == 0, 0.0, a / np.where(b == 0, 1.0, b))
