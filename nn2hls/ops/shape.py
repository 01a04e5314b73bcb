"""Ops that move values and compute nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.ranges import Range, lift
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.leaves import Cast
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware.parts import Part, elements
from nn2hls.ops.exact import one_of, scaled
from nn2hls.ops.places import places


@dataclass(frozen=True, eq=False)
class _Moves(Op):
    """The elements of the operands in other places, each cast to the result type."""

    def moved(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """The arrays, of the operands' shapes without batch axis, as one of the result's shape."""
        raise NotImplementedError

    def origins(self, shapes: Sequence[Shape]) -> np.ndarray:
        return self.moved(places(*shapes))

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        source = self.moved([np.full(x.shape, k) for k, x in enumerate(xs)]).reshape(-1)
        number = self.moved([np.arange(x.size).reshape(x.shape) for x in xs]).reshape(-1)
        starts = np.cumsum([0, *(x.size for x in xs)])
        for k, x in enumerate(xs):
            taken = np.flatnonzero(source == k)
            flat = x.flat(number[taken])
            for _, bounds, (reads,), writes in elements([flat], taken.shape, ()):
                yield Part(_ONE, bounds, (number[taken][reads] + starts[k],), taken[writes])


_ONE = Cast()


@dataclass(frozen=True, eq=False)
class Reshape(_Moves):
    """The same values in another shape ``size`` (without batch axis), in row-major order. Flatten is a Reshape to one axis."""

    size: Shape
    moves: ClassVar[bool] = True
    reshapes: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if math.prod(shapes[0]) != math.prod(self.size):
            raise ModelError(f"{shapes[0]} does not reshape to {self.size}.", where=where)
        return self.size

    def identity(self, shapes: Sequence[Shape]) -> bool:
        return self.size == shapes[0]

    def evaluate_float(self, x: Any) -> Any:
        return x.reshape(x.shape[0], *self.size)

    def moved(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return arrays[0].reshape(self.size)

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        return x.moved(lambda array: array.reshape(self.size))

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        return lambda ops, watch: ops[0].reshape(ops[0].shape[0], *self.size)

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [needed.reshape(shapes[0])]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        (shape,) = shapes
        if shape and self.size and shape[-1] == self.size[-1]:
            return [np.arange(shape[-1])[None]]
        return [np.arange(self.size[0]).reshape(-1, shape[-1])] if shape and len(self.size) == 1 else None

    def take(self, kept: np.ndarray) -> Op:
        return Reshape((*self.size[:-1], len(kept)))


@dataclass(frozen=True, eq=False)
class Concatenate(_Moves):
    """The operands one after the other along ``axis`` (without batch axis, not negative), each cast to the result type."""

    axis: int = 0
    arity: ClassVar[int | None] = None
    moves: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        first = shapes[0]
        if not 0 <= self.axis < len(first):
            raise ModelError(f"Axis {self.axis} is not one of a tensor of shape {first}.", where=where)
        for s in shapes[1:]:
            if len(s) != len(first) or any(a != b for k, (a, b) in enumerate(zip(s, first, strict=True)) if k != self.axis):
                raise ModelError(f"{first} and {s} cannot be joined along axis {self.axis}.", where=where)
        return (*first[: self.axis], sum(s[self.axis] for s in shapes), *first[self.axis + 1 :])

    def identity(self, shapes: Sequence[Shape]) -> bool:
        return len(shapes) == 1

    def evaluate_float(self, *xs: Any) -> Any:
        return np.concatenate(xs, axis=self.axis + 1)

    def moved(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(arrays, axis=self.axis)

    def _aligned(self, xs: Sequence[Range]) -> list[Range]:
        fraction = max(x.fraction for x in xs)
        return [x.at(fraction) for x in xs]

    def exact(self, xs: Sequence[Range]) -> Range:
        return one_of(self._aligned(xs), lambda arrays: np.concatenate(arrays, axis=self.axis))

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        same = self._aligned(xs)
        ups = [a.fraction - x.fraction for a, x in zip(same, xs, strict=True)]
        bound = max(x.bound for x in same)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            parts = [scaled(lift(x, bound), up) for x, up in zip(ops, ups, strict=True)]
            return np.concatenate(parts, axis=self.axis + 1)

        return run

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        ends = np.cumsum([s[self.axis] for s in shapes])[:-1]
        return np.split(needed, ends, axis=self.axis)

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        last = self.axis == len(shapes[0]) - 1
        ends = np.cumsum([s[-1] for s in shapes]) if last else [shapes[0][-1]] * len(shapes)
        return [np.arange(end - s[-1], end)[None] for s, end in zip(shapes, ends, strict=True)]


@dataclass(frozen=True, eq=False)
class Transpose(_Moves):
    """Axes in another order: result axis k is operand axis ``axes[k]`` (without batch axis)."""

    axes: tuple[int, ...]
    moves: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if sorted(self.axes) != list(range(len(shapes[0]))):
            raise ModelError(f"{self.axes} is not an order of the axes of {shapes[0]}.", where=where)
        return tuple(shapes[0][k] for k in self.axes)

    def identity(self, shapes: Sequence[Shape]) -> bool:
        return self.axes == tuple(range(len(self.axes)))

    def evaluate_float(self, x: Any) -> Any:
        return x.transpose(0, *(k + 1 for k in self.axes))

    def moved(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return arrays[0].transpose(self.axes)

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        return x.moved(lambda array: array.transpose(self.axes))

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        return lambda ops, watch: self.evaluate_float(ops[0])

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [needed.transpose(np.argsort(self.axes))]
