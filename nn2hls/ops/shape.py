"""Ops that move values and compute nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.errors import ModelError
from nn2hls.ir import Const, Shape
from nn2hls.ops.base import Op


@dataclass(frozen=True, eq=False)
class Input(Op):
    """A value that enters the design, of shape ``size`` without batch axis; it is cast to its type on entry."""

    size: Shape
    arity: ClassVar[int | None] = 0

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if any(n < 1 for n in self.size):
            raise ModelError(f"An input of shape {self.size} has no fixed size.", where=where)
        return self.size


@dataclass(frozen=True, eq=False)
class Constant(Op):
    """A value that does not depend on the input: y = value, without batch axis."""

    value: Const
    arity: ClassVar[int | None] = 0

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        return self.value.shape


@dataclass(frozen=True, eq=False)
class Reshape(Op):
    """The same values in another shape ``size`` (without batch axis), in row-major order. Flatten is a Reshape to one axis."""

    size: Shape

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if math.prod(shapes[0]) != math.prod(self.size):
            raise ModelError(f"{shapes[0]} does not reshape to {self.size}.", where=where)
        return self.size

    def evaluate_float(self, x: Any) -> Any:
        return x.reshape(x.shape[0], *self.size)


@dataclass(frozen=True, eq=False)
class Concatenate(Op):
    """The operands one after the other along ``axis`` (without batch axis, not negative)."""

    axis: int = 0
    arity: ClassVar[int | None] = None

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        first = shapes[0]
        if not 0 <= self.axis < len(first):
            raise ModelError(f"Axis {self.axis} is not one of a tensor of shape {first}.", where=where)
        for s in shapes[1:]:
            if len(s) != len(first) or any(a != b for k, (a, b) in enumerate(zip(s, first)) if k != self.axis):
                raise ModelError(f"{first} and {s} cannot be joined along axis {self.axis}.", where=where)
        return (*first[: self.axis], sum(s[self.axis] for s in shapes), *first[self.axis + 1 :])

    def evaluate_float(self, *xs: Any) -> Any:
        return np.concatenate(xs, axis=self.axis + 1)


@dataclass(frozen=True, eq=False)
class Transpose(Op):
    """Axes in another order: result axis k is operand axis ``axes[k]`` (without batch axis)."""

    axes: tuple[int, ...]

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if sorted(self.axes) != list(range(len(shapes[0]))):
            raise ModelError(f"{self.axes} is not an order of the axes of {shapes[0]}.", where=where)
        return tuple(shapes[0][k] for k in self.axes)

    def evaluate_float(self, x: Any) -> Any:
        return x.transpose(0, *(k + 1 for k in self.axes))
