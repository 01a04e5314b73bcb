"""Arithmetic on one or several tensors, element by element."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from nn2hls.errors import ModelError
from nn2hls.fixed import FixedType
from nn2hls.ir import Const, Shape
from nn2hls.ops.base import Op


class Merge(enum.Enum):
    """The operations of :class:`Elementwise`."""

    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    AVERAGE = "average"
    MAX = "max"
    MIN = "min"


_FLOAT = {Merge.ADD: np.add, Merge.SUB: np.subtract, Merge.MUL: np.multiply, Merge.MAX: np.maximum, Merge.MIN: np.minimum}


@dataclass(frozen=True, eq=False)
class Elementwise(Op):
    """y = cast(x0 o x1 o ...), exact before the cast, with NumPy's broadcasting of shapes without batch axis.

    o is +, - (exactly two operands), *, max, min; AVERAGE is the exact sum times 1/n, where 1/n is rounded half to even to
    ``factor_t`` when n is not a power of two.
    """

    merge: Merge
    factor_t: FixedType | None = None
    arity: ClassVar[int | None] = None

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if self.merge is Merge.SUB and len(shapes) != 2:
            raise ModelError(f"Subtraction takes two operands, not {len(shapes)}.", where=where)
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            raise ModelError(f"Shapes {', '.join(map(str, shapes))} do not broadcast.", where=where) from None

    def evaluate_float(self, *xs: Any) -> Any:
        rank = max(x.ndim for x in xs)
        xs = tuple(x.reshape(x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:]) for x in xs)
        if self.merge is Merge.AVERAGE:
            return reduce(np.add, xs) / len(xs)
        return reduce(_FLOAT[self.merge], xs)


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

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        for const in (self.scale, self.bias):
            try:
                fits = np.broadcast_shapes(shapes[0], const.shape) == shapes[0]
            except ValueError:
                fits = False
            if not fits:
                raise ModelError(f"Constants of shape {const.shape} do not fit a tensor of {shapes[0]}.", where=where)
        return shapes[0]

    def evaluate_float(self, x: Any) -> Any:
        return x * self.scale.array + self.bias.array
