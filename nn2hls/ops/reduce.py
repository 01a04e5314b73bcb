"""Sums, means, products and extremes over axes: pooling, and statistics."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, constant_type, lift, round_constant, width_of
from nn2hls.errors import ModelError
from nn2hls.graph.const import Places, Shape
from nn2hls.graph.op import Accumulation, Hints, Kernel, Op, same_along
from nn2hls.hardware.casts import cast
from nn2hls.hardware.join import Join
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part
from nn2hls.ops.exact import given_or_derived, operand_rms
from nn2hls.ops.places import places


class Reduction(enum.Enum):
    """The operations of :class:`Reduce`."""

    SUM = "sum"
    MEAN = "mean"
    PROD = "prod"
    MAX = "max"
    MIN = "min"


_ON_ARRAYS: dict[Reduction, Callable[..., Any]] = {
    Reduction.SUM: np.sum,
    Reduction.MEAN: np.sum,
    Reduction.PROD: np.prod,
    Reduction.MAX: np.max,
    Reduction.MIN: np.min,
}
_EXTREMES = frozenset({Reduction.MAX, Reduction.MIN})
_JOINS = {Reduction.MAX: Join.MAX, Reduction.MIN: Join.MIN}


@dataclass(frozen=True, eq=False)
class Reduce(Op):
    """y = cast(the sum, product, largest or smallest of x over ``axes``); exact before the cast.

    MEAN is the exact sum times 1/n, where n counts the elements of that sum; 1/n is rounded half to even to ``factor_t``
    (config: ``factor``), and exact where every n is a power of two.

    Args:
        kind: What is done.
        axes: Which axes go (without batch axis, not negative).
        keepdims: They stay, with one element each.
        present: 1 where an element of x counts, 0 where it is left out, in the shape of x, with axes of one element where that
            is the same all along: the padding that pooling does not see. None: all count.
        of: So many elements each element of x is the sum of already, which MEAN counts.
    """

    kind: Reduction
    axes: tuple[int, ...]
    keepdims: bool = False
    present: Places | None = None
    factor_t: FixedType | None = None
    of: int = 1
    called: ClassVar[tuple[str, ...]] = ("Pooling1D", "Pooling2D", "GlobalPooling1D", "GlobalPooling2D")
    fresh: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        (shape,) = shapes
        if not self.axes or len(set(self.axes)) < len(self.axes) or not all(0 <= k < len(shape) for k in self.axes):
            raise ModelError(f"{self.axes} are not axes of a tensor of shape {shape} to reduce.", where=where)
        if self.present is not None:
            if self.kind is Reduction.PROD:
                raise ModelError("A product takes all elements; fill those that do not count with ones.", where=where)
            here = self.present.shape
            if len(here) != len(shape) or any(a not in (1, b) for a, b in zip(here, shape, strict=True)):
                raise ModelError(f"Its mask has shape {here}, its operand {shape}.", where=where)
        if not self._counts(shape).all():
            raise ModelError("One of its results has no elements, as a window of padding alone has.", where=where)
        return self._result(shape)

    def _result(self, shape: Shape) -> Shape:
        kept = [1 if k in self.axes else n for k, n in enumerate(shape) if k not in self.axes or self.keepdims]
        return tuple(kept)

    def _present(self, shape: Shape) -> np.ndarray:
        return np.asarray(np.broadcast_to(1 if self.present is None else self.present.array, shape) != 0)

    def _counts(self, shape: Shape) -> np.ndarray:
        """How many elements each result is made of."""
        return np.asarray(np.count_nonzero(self._present(shape), axis=self.axes, keepdims=self.keepdims)) * self.of

    def _rows(self, array: np.ndarray) -> np.ndarray:
        """(results, elements that go into each) of an array of the operand's shape."""
        last = np.moveaxis(array, self.axes, range(-len(self.axes), 0))
        return last.reshape(-1, math.prod(array.shape[k] for k in self.axes))

    def identity(self, shapes: Sequence[Shape]) -> bool:
        return self.keepdims and all(shapes[0][k] == 1 for k in self.axes)

    @property
    def homogeneous(self) -> bool:
        return self.kind is not Reduction.PROD

    # ---- types -----------------------------------------------------------------------------------------------------------

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Reduce:
        shares = 1 / np.unique(self._counts(xs[0].shape)) if self.kind is Reduction.MEAN else np.ones(1)
        if np.all(np.frexp(shares)[0] == 0.5):
            kind = constant_type(shares, float(shares.min()), 64)
        else:
            largest = operand_rms(xs[0], hints) / float(shares.min())
            kind = given_or_derived(hints, ("factor",), shares, hints.noise / largest)
        resolved: Reduce = self.replace(factor_t=kind)
        return resolved

    def numbers(self, word: str, xs: Sequence[Range]) -> np.ndarray:
        return np.asarray(1 / self._counts(xs[0].shape)) if self.kind is Reduction.MEAN else np.ones(1)

    def _factors(self, shape: Shape) -> tuple[np.ndarray, int]:
        """(mantissas that the sums are multiplied with, their fraction bits)."""
        if self.kind is not Reduction.MEAN:
            return np.ones((), dtype=np.int64), 0
        assert self.factor_t is not None
        return round_constant(1 / self._counts(shape), self.factor_t), self.factor_t.fraction

    # ---- values ----------------------------------------------------------------------------------------------------------

    def positions(self, shapes: Sequence[Shape]) -> int:
        first = min(self.axes)
        return first if self.present is None else min(first, same_along(self.present.shape, len(shapes[0])))

    def transposed(self, axes: Sequence[int], shapes: Sequence[Shape]) -> Op | None:
        present = self.present if self.present is None else Places(self.present.array.transpose(axes))
        return self.replace(axes=tuple(sorted(axes.index(k) for k in self.axes)), present=present)

    def accumulation(self, x: Range) -> Accumulation | None:
        own = len(x.shape) - 1  # the last axis belongs to each position
        axes = next((k for k in range(own) if k not in self.axes), own)
        if self.kind is Reduction.PROD or self.present is not None or not axes:
            return None
        each = Reduce(self.kind if self.kind in _EXTREMES else Reduction.SUM, self.axes)
        lo, hi = (x.least, x.most) if self.kind in _EXTREMES else (np.minimum(x.least, 0), np.maximum(x.most, 0))
        ends = each.exact([Range(lo, hi, x.fraction)])  # after any number of positions
        width = width_of(ends.low, ends.high)
        kind = FixedType(width, width - x.fraction, ends.low < 0)
        last: Op = self.replace(axes=(0,), keepdims=False, of=int(self._counts(x.shape).flat[0]))
        join = _JOINS.get(self.kind, Join.ADD)
        ends = each.exact([x])
        return Accumulation(axes, each, join, kind, Range(ends.least[None], ends.most[None], ends.fraction), last)

    def evaluate_float(self, x: Any) -> Any:
        y = self._reduced(x, -np.inf if self.kind is Reduction.MAX else np.inf)
        return y / self._counts(x.shape[1:]) if self.kind is Reduction.MEAN else y

    def _reduced(self, x: Any, beyond: Any) -> Any:
        """Of arrays with a batch axis; ``beyond`` is no better than any element, for extremes."""
        if self.present is not None:
            fill = beyond if self.kind in _EXTREMES else 0
            x = np.where(self._present(x.shape[1:]), x, fill if x.dtype == object else x.dtype.type(fill))
        axes = tuple(k + 1 for k in self.axes)
        return np.asarray(_ON_ARRAYS[self.kind](x, axis=axes, keepdims=self.keepdims))

    def _fraction(self, x: Range) -> int:
        """Of the exact result."""
        return x.fraction * self._count(x) if self.kind is Reduction.PROD else x.fraction + self._factors(x.shape)[1]

    def _count(self, x: Range) -> int:
        return int(self._counts(x.shape).max())

    def _bound(self, x: Range) -> int:
        """The largest magnitude of any partial result and factor."""
        if self.kind in _EXTREMES:
            return x.bound
        if self.kind is Reduction.PROD:
            return int(max(1, x.bound) ** self._count(x))
        return max(1, x.bound) * self._count(x) * max(1, int(self._factors(x.shape)[0].max()))

    def _beyond(self, x: Range) -> int:
        return x.low if self.kind is Reduction.MAX else x.high

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        lo, hi = x.ends(self._bound(x))
        if self.kind is Reduction.PROD:
            ends = _product_ends(self._rows(lo), self._rows(hi))
            lo, hi = (a.reshape(self._result(x.shape)) for a in ends)
        else:
            factors = self._factors(x.shape)[0].astype(lo.dtype)  # none is negative
            lo, hi = (self._reduced(a[None], self._beyond(x))[0] * factors for a in (lo, hi))
        return Range(lo, hi, self._fraction(x))

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        bound, beyond, factors = self._bound(x), self._beyond(x), self._factors(x.shape)[0]
        scales = bool(np.any(factors != 1))

        def run(ops: Sequence[Any], watch: Any) -> Any:
            y = self._reduced(lift(ops[0], bound), beyond)
            return y * factors.astype(y.dtype) if scales else y

        return run

    # ---- rewrites --------------------------------------------------------------------------------------------------------

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        kept = needed if self.keepdims else np.expand_dims(needed, self.axes)
        return [np.broadcast_to(kept, shapes[0]) & self._present(shapes[0])]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        last = len(shapes[0]) - 1
        return None if last in self.axes else [np.arange(shapes[0][last])[None]]

    def take(self, kept: np.ndarray) -> Op:
        if self.present is None or self.present.shape[-1] == 1:
            return self
        return self.replace(present=Places(self.present.array[..., kept]))

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        """A lane for each result; those with the same elements left out have one body."""
        (x,) = xs
        numbers, present = self._rows(places(x.shape)[0]), self._rows(self._present(x.shape))
        lane = self.replace(axes=(0,), keepdims=False, present=None)
        patterns, which = np.unique(present, axis=0, return_inverse=True)
        for k, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == k)
            reads = numbers[rows][:, pattern]
            own = x.flat(reads)
            bounds = own.joined()
            yield Part(lane, (bounds,), (reads,), rows[:, None])

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        """Of all elements of one axis."""
        (x,), wires = xs, words[0].tolist()
        factor = int(self._factors(x.shape)[0])
        join = _IN_NETS.get(self.kind)
        total = net.total([(a, False) for a in wires]) if join is None else net.tree(partial(join, net), wires)
        return np.array([cast(net, net.scale(total, factor), self._fraction(x), result)])


_IN_NETS = {Reduction.PROD: Net.mul, Reduction.MAX: Net.maximum, Reduction.MIN: Net.minimum}


def _product_ends(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the products of rows (results, elements)."""
    low, high = lo[:, 0], hi[:, 0]
    for k in range(1, lo.shape[1]):
        ends = [a * b for a in (low, high) for b in (lo[:, k], hi[:, k])]
        low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
    return low, high
