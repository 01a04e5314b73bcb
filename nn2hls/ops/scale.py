"""Scale: an affine map per channel, what BatchNormalization is once it is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, enclosed, ints, lift, round_constant
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.net import Net
from nn2hls.ops.broadcast import fits
from nn2hls.ops.exact import given_or_derived, hull, operand_rms

_INVERSE = 2.0**-51  # a number times its inverse, rounded to float64, is that near to one


@dataclass(frozen=True, eq=False)
class Scale(Op):
    """y = cast(x * scale + bias), exact before the cast; ``scale`` and ``bias`` broadcast to x's shape without batch axis.

    BatchNormalization lowers to it: scale = gamma / sqrt(variance + epsilon), bias = beta - mean * scale, in float64. So do
    products and sums with constants that broadcast to x (a constant that makes x larger is a Constant and an Elementwise).
    """

    scale: Const
    bias: Const
    scale_t: FixedType | None = None
    bias_t: FixedType | None = None
    called: ClassVar[tuple[str, ...]] = ("BatchNormalization", "BatchNormOnnx", "ApplyAlpha")
    pointwise: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ("scale", "bias")

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        for const in (self.scale, self.bias):
            if not fits(const.shape, shapes[0]):
                raise ModelError(f"Constants of shape {const.shape} do not fit a tensor of {shapes[0]}.", where=where)
        return shapes[0]

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        return self.scale.array, self.bias.array

    def identity(self, shapes: Sequence[Shape]) -> bool:
        return bool(np.all(self.scale.array == 1) and not np.any(self.bias.array))

    def folded(self, scale: np.ndarray, shift: np.ndarray) -> Scale:
        product = self.scale.array * scale
        product = np.where(np.abs(product - 1) <= _INVERSE, 1.0, product)
        return Scale(Const(_one(product)), Const(_one(self.bias.array * scale + shift)))

    def evaluate_float(self, x: Any) -> Any:
        return x * self.scale.array + self.bias.array

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Scale:
        error = hints.noise / math.sqrt(2)
        scale_t = given_or_derived(hints, ("scale", "weight"), self.scale.array, error / operand_rms(xs[0], hints))
        bias_t = given_or_derived(hints, ("bias",), self.bias.array, error)
        resolved: Scale = self.replace(
            scale=Const(round_constant(self.scale.array, scale_t)),
            bias=Const(round_constant(self.bias.array, bias_t)),
            scale_t=scale_t,
            bias_t=bias_t,
        )
        return resolved

    def _aligned(self, x: Range) -> tuple[int, np.ndarray, np.ndarray]:
        """(exact fraction, scale, bias), as factors and mantissas for it."""
        assert self.scale_t is not None
        assert self.bias_t is not None
        product = x.fraction + self.scale_t.fraction
        fraction = max(product, self.bias_t.fraction) if np.any(self.bias.array) else product
        bias = ints(self.bias.array) << max(fraction - self.bias_t.fraction, 0)
        return fraction, ints(ints(self.scale.array) << (fraction - product)), ints(bias)

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        fraction, scale, bias = self._aligned(x)
        return hull([x.lo * scale + bias, x.hi * scale + bias], fraction)

    def _bound(self, x: Range) -> int:
        """The largest magnitude of any product, sum or constant."""
        _, scale, bias = self._aligned(x)
        lo, hi = (np.atleast_1d(end) for end in (x.lo, x.hi))  # NumPy makes int64 of a single Python int
        size = np.maximum(np.maximum(np.abs(lo), np.abs(hi)), 1)
        return int(np.max(ints(size * np.abs(scale) + np.abs(bias)), initial=1))

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        _, scale, bias = self._aligned(xs[0])
        bound, has_bias = max(self._bound(xs[0]), xs[0].bound), bool(np.any(bias))

        def run(ops: Sequence[Any], watch: Any) -> Any:
            values = lift(ops[0], bound)
            product = values * scale.astype(values.dtype)
            if has_bias:
                product += bias.astype(values.dtype)
            return product

        return run

    def bit_operations(self, xs: Sequence[Range]) -> int:
        (x,) = xs
        scale, bias = (np.broadcast_to(enclosed(ints(c.array)), x.shape) for c in (self.scale, self.bias))
        return int(np.sum(np.where(scale > 1, x.bits * scale, 0)) + bias.sum())  # one bit is a shift, and no product

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        fraction, scale, bias = self._aligned(xs[0])
        return net.add(net.scale(wires[0], int(scale.item())), net.const(int(bias.item()))), fraction


def _one(array: np.ndarray) -> np.ndarray:
    """One number where all are equal: it fits whatever shape the values behind a move have."""
    first = array.reshape(-1)[:1]
    return first.reshape(()) if array.size and (array == first).all() else array
