"""Activations that are exact in fixed point: comparisons, shifts and products with a constant, then one cast."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.errors import ModelError
from nn2hls.fixed import FixedType
from nn2hls.ir import Const, Shape
from nn2hls.ops.base import Op


@dataclass(frozen=True, eq=False)
class Relu(Op):
    """y = cast(max(x, 0))."""

    def evaluate_float(self, x: Any) -> Any:
        return np.maximum(x, 0.0)


@dataclass(frozen=True, eq=False)
class LeakyRelu(Op):
    """y = cast(x if x >= 0 else x * slope), exact before the cast; ``slope`` broadcasts to x's shape (PReLU: one per channel)."""

    slope: Const
    slope_t: FixedType | None = None

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        try:
            fits = np.broadcast_shapes(shapes[0], self.slope.shape) == shapes[0]
        except ValueError:
            fits = False
        if not fits:
            raise ModelError(f"Slopes of shape {self.slope.shape} do not fit a tensor of {shapes[0]}.", where=where)
        return shapes[0]

    def evaluate_float(self, x: Any) -> Any:
        return np.where(x >= 0, x, x * self.slope.array)


@dataclass(frozen=True, eq=False)
class Clip(Op):
    """y = cast(min(max(x, low), high)); relu6 is Clip(0, 6), hard_tanh Clip(-1, 1); an end may be infinite.

    The ends are rounded half to even to ``bound_t``.
    """

    low: float
    high: float
    bound_t: FixedType | None = None

    def evaluate_float(self, x: Any) -> Any:
        return np.clip(x, self.low, self.high)


@dataclass(frozen=True, eq=False)
class HardSigmoid(Op):
    """y = cast(min(max(x * slope + offset, 0), 1)), exact before the cast; Keras 3 and PyTorch: 1/6 and 0.5, Keras 2: 0.2 and 0.5."""

    slope: float
    offset: float
    slope_t: FixedType | None = None
    offset_t: FixedType | None = None

    def evaluate_float(self, x: Any) -> Any:
        return np.clip(x * self.slope + self.offset, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class HardSwish(Op):
    """y = cast(x * min(max(x * slope + offset, 0), 1)), exact before the cast (slope 1/6, offset 0.5)."""

    slope: float
    offset: float
    slope_t: FixedType | None = None
    offset_t: FixedType | None = None

    def evaluate_float(self, x: Any) -> Any:
        return x * np.clip(x * self.slope + self.offset, 0.0, 1.0)


class Simple(enum.Enum):
    """The operations of :class:`Unary`."""

    ABS = "abs"
    NEG = "neg"
    SQUARE = "square"
    SIGN = "sign"


@dataclass(frozen=True, eq=False)
class Unary(Op):
    """y = cast(|x|), cast(-x), cast(x * x) or cast(sign(x)) with sign(0) = 0."""

    simple: Simple

    def evaluate_float(self, x: Any) -> Any:
        return {Simple.ABS: np.abs, Simple.NEG: np.negative, Simple.SQUARE: np.square, Simple.SIGN: np.sign}[self.simple](x)


@dataclass(frozen=True, eq=False)
class Threshold(Op):
    """y = cast(x if x > theta else value): ThresholdedReLU has value 0. Both are rounded half to even to ``bound_t``."""

    theta: float
    value: float = 0.0
    bound_t: FixedType | None = None

    def evaluate_float(self, x: Any) -> Any:
        return np.where(x > self.theta, x, self.value)
