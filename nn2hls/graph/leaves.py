"""What a graph begins with: the inputs of the design, and constants; and the cast that any layer may need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Op
from nn2hls.hardware.net import Net


@dataclass(frozen=True, eq=False)
class Input(Op):
    """A value that enters the design, of shape ``size`` without batch axis; it is cast to its type on entry."""

    size: Shape
    called: ClassVar[tuple[str, ...]] = ("InputLayer",)
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
    per_channel: ClassVar[tuple[str, ...]] = ("value",)

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        return self.value.shape

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        return []

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        return np.array([net.const(int(v)) for v in self.value.array.reshape(-1)]).reshape(self.value.shape)


@dataclass(frozen=True, eq=False)
class Cast(Op):
    """y = cast(x): what rearranges values, in layers or between them, does to each."""

    pointwise: ClassVar[bool] = True

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        return wires[0], xs[0].fraction
