"""A cast to a type for each element, as models have it whose training found the widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.grid import Grid
from nn2hls.arith.ranges import Range
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware import casts
from nn2hls.hardware.net import Net
from nn2hls.ops.broadcast import fits
from nn2hls.ops.quantize import quantised
from nn2hls.text import plural

# Roundings of which the floor to one bit more than a type has says all; others must tell a tie from what is close to one.
_BITS_BELOW = {Rounding.TRN: 0, Rounding.RND: 1}


@dataclass(frozen=True, eq=False)
class QuantizeEach(Op):
    """y = cast(q), each element of q that of x, rounded and brought into the type of its own by the modes, which are one.

    The model computes so in floating point as well, as with :class:`nn2hls.ops.Quantize`. An element of width 0 is zero. The
    exact result has the fraction bits of the finest element.

    Args:
        width, integer, signed: Places, whole numbers that broadcast to x's shape without batch axis: bits, bits left of the
            binary point, both with the sign, and whether there is one.
        rounding, overflow: The modes.
    """

    width: Const
    integer: Const
    signed: Const
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP
    called: ClassVar[tuple[str, ...]] = ("Activation", "FixedPointQuantizer", "Quant")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    fresh: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ("width", "integer", "signed")

    @cached_property
    def grid(self) -> Grid:
        """The types."""
        return Grid(self.width.array, self.integer.array, self.signed.array, self.rounding, self.overflow)

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if not fits(self.grid.shape, shapes[0]):
            raise ModelError(f"Types of shape {self.grid.shape} do not fit a tensor of {shapes[0]}.", where=where)
        return shapes[0]

    @property
    def enters_as(self) -> FixedType | None:
        below = _BITS_BELOW.get(self.rounding)
        hull = self.grid.hull
        if below is None:
            return None
        return FixedType(hull.width + below, hull.integer, hull.signed, Rounding.TRN, self.overflow)

    def evaluate_float(self, x: Any) -> Any:
        out = np.zeros_like(x, dtype=np.float64)
        for kind, mask in self.grid.groups():
            if kind is not None:
                chosen = np.broadcast_to(mask, x.shape[1:])
                out[:, chosen] = quantised(x[:, chosen], kind)
        return out

    def exact(self, xs: Sequence[Range]) -> Range:
        return self.grid.bounds(xs[0])

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        cast = self.grid.prepared(xs[0])
        return lambda ops, watch: cast(ops[0])

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        widths = np.broadcast_to(self.grid.width, xs[0].shape)
        bits = plural(int(widths.sum()), "bit")
        none = int(np.count_nonzero(widths == 0))
        zero = f", {none} of them always zero" if none else ""
        return [f"{plural(widths.size, 'element')}{zero}, of {widths.min()} to {widths.max()} bits each, {bits} in all."]

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        ((kind, _),) = self.grid.groups()
        if kind is None:
            return net.const(0), 0
        exact = self.exact(xs)
        own = net.narrowed(casts.cast(net, wires[0], xs[0].fraction, kind), exact.low, exact.high)
        return own, exact.fraction
