"""The largest elements along an axis, and where they stand: TopK, ArgMax, sorting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware.casts import cast
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part, slices


@dataclass(frozen=True, eq=False)
class TopK(Op):
    """y = cast(the ``k`` largest elements along ``axis`` in falling order), or with ``places`` their numbers along it.

    Of equal elements the first comes first. With ``smallest``, the smallest ones in rising order. ArgMax is the place of one,
    and a Move without that axis; sorting takes all.
    """

    axis: int
    k: int
    places: bool = False
    smallest: bool = False

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        (shape,) = shapes
        if not 0 <= self.axis < len(shape):
            raise ModelError(f"Axis {self.axis} is not one of a tensor of shape {shape}.", where=where)
        if not 1 <= self.k <= shape[self.axis]:
            raise ModelError(f"It takes {self.k} of {shape[self.axis]} elements.", where=where)
        return (*shape[: self.axis], self.k, *shape[self.axis + 1 :])

    def classes(self, shapes: Sequence[Shape]) -> int:
        return shapes[0][self.axis] if self.places and self.k == 1 else 0

    def positions(self, shapes: Sequence[Shape]) -> int:
        return self.axis

    def evaluate_float(self, x: Any) -> Any:
        found = self._ordered(x)
        return found.astype(np.float64) if self.places else found

    def _ordered(self, x: Any) -> Any:
        """Of arrays with a batch axis: a stable order, so that of equal elements the first comes first."""
        order = np.argsort(x if self.smallest else -x, axis=self.axis + 1, kind="stable")
        first = np.take(order, np.arange(self.k), axis=self.axis + 1)
        return first if self.places else np.take_along_axis(x, first, axis=self.axis + 1)

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        if self.places:
            last = np.broadcast_to(np.array(x.shape[self.axis] - 1), self.shape([x.shape], ""))
            return Range(np.zeros_like(last), last, 0)
        lo, hi = (self._ordered(a[None])[0] for a in x.ends(x.bound))
        return Range(lo, hi, x.fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        return lambda ops, watch: self._ordered(ops[0])

    # ---- rewrites --------------------------------------------------------------------------------------------------------

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [np.broadcast_to(needed.any(axis=self.axis, keepdims=True), shapes[0])]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        last = len(shapes[0]) - 1
        return None if self.axis == last else [np.arange(shapes[0][last])[None]]

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        yield slices(self.replace(axis=0), xs[0], shape, self.axis)

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        """A network of comparisons; a place is made part of a number below its own bits, so that no two are equal."""
        wires = [net.negate(a) if self.smallest else a for a in words[0].tolist()]
        n = len(wires)
        below = (n - 1).bit_length() if self.places else 0
        if self.places:
            wires = [net.add(net.shift(a, below), net.const(n - 1 - k)) for k, a in enumerate(wires)]
        found = [net.tree(net.maximum, wires)] if self.k == 1 else _sorted(net, wires)[: self.k]
        if self.places:
            # The only one of an axis has no bits of a number, and number 0.
            numbers = [net.sub(net.const(n - 1), net.wrap(a, below, signed=False)) if below else net.const(0) for a in found]
            return np.array([cast(net, net.narrowed(a, 0, n - 1), 0, result) for a in numbers])
        return np.array([cast(net, net.negate(a) if self.smallest else a, xs[0].fraction, result) for a in found])


def _sorted(net: Net, wires: Sequence[int]) -> list[int]:
    """In falling order: exchanges of K. Batcher, "Sorting networks and their applications" (AFIPS, 1968)."""
    found = list(wires)
    for a, b in _exchanges(len(found)):
        found[a], found[b] = net.maximum(found[a], found[b]), net.minimum(found[a], found[b])
    return found


def _exchanges(n: int) -> Iterator[tuple[int, int]]:
    """Pairs of places, each to be brought into order, of the odd-even merge of n values."""
    half = 1
    while half < n:
        apart = half
        while apart:
            for first in range(apart % half, n - apart, 2 * apart):
                for a in range(first, first + min(apart, n - first - apart)):
                    if a // (2 * half) == (a + apart) // (2 * half):
                        yield a, a + apart
            apart //= 2
        half *= 2
