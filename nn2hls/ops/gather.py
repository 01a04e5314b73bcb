"""Elements of one operand at places that another one computes: the features of the nearest neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware.casts import cast
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part
from nn2hls.ops.places import places
from nn2hls.ops.rows import Rows, chosen


@dataclass(frozen=True, eq=False)
class Gather(Op):
    """y[.., q, ..] = cast(x[.., a, ..]) along ``axis``, a = index[.., q, ..] rounded half up and brought into 0 .. n - 1.

    Both operands have as many axes; all but ``axis`` broadcast, as in NumPy's ``take_along_axis``. A number that is none of the
    n places is counted as an overflow.

    Args:
        axis: Without batch axis.
    """

    axis: int
    arity: ClassVar[int | None] = 2
    fresh: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        x, index = shapes
        if len(x) != len(index) or not 0 <= self.axis < len(x):
            what = f"Elements of shape {x} are not chosen along axis {self.axis} by numbers of shape {index}."
            raise ModelError(what, where=where)
        try:
            full = np.broadcast_shapes(self._others(x), self._others(index))
        except ValueError:
            raise ModelError(f"Numbers of shape {index} do not fit elements of shape {x}.", where=where) from None
        return (*full[: self.axis], index[self.axis], *full[self.axis + 1 :])

    def _others(self, shape: Shape) -> Shape:
        """The shape with one element along the axis."""
        return (*shape[: self.axis], 1, *shape[self.axis + 1 :])

    def positions(self, shapes: Sequence[Shape]) -> int:
        x, index = shapes
        return next((k for k in range(self.axis) if x[k] != index[k]), self.axis)

    def _taken(self, x: Any, rows: np.ndarray, axis: int) -> Any:
        """NumPy's function takes no broadcasting along with it in older versions."""
        full = list(np.broadcast_shapes(*(tuple(1 if k == axis else n for k, n in enumerate(a.shape)) for a in (x, rows))))
        all_x, all_rows = (
            np.broadcast_to(a, [a.shape[axis] if k == axis else n for k, n in enumerate(full)]) for a in (x, rows)
        )
        return np.take_along_axis(all_x, all_rows, axis=axis)

    def evaluate_float(self, x: Any, index: Any) -> Any:
        rows, known = Rows(x.shape[self.axis + 1]).of_floats(index)
        found = self._taken(x, rows, self.axis + 1)
        return found if known.all() else np.where(known, found, np.nan)

    def exact(self, xs: Sequence[Range]) -> Range:
        x, index = xs
        first, last = Rows(x.shape[self.axis]).ends(index)
        some = np.arange(int(first.min()), int(last.max()) + 1)
        shape = self.shape([x.shape, index.shape], "")
        ends = (np.take(a, some, axis=self.axis) for a in x.ends(x.bound))
        lo, hi = (
            np.broadcast_to(f(a, axis=self.axis, keepdims=True), shape) for f, a in zip((np.min, np.max), ends, strict=True)
        )
        return Range(lo, hi, x.fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        rows = Rows(xs[0].shape[self.axis]).kernel(xs[1])
        return lambda ops, watch: self._taken(ops[0], rows(ops[1], watch), self.axis + 1)

    # ---- rewrites --------------------------------------------------------------------------------------------------------

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [
            np.broadcast_to(_folded(np.asarray(needed.any(axis=self.axis, keepdims=True)), self._others(shapes[0])), shapes[0]),
            _folded(needed, shapes[1]),
        ]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        x, index = shapes
        if self.axis == len(x) - 1 or index[-1] != 1:
            return None
        return [np.arange(x[-1])[None], None]

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        """A lane for each number: it chooses all elements that the number is for."""
        x, index = xs
        lanes = math.prod(index.shape)
        of_x, of_index = places(x.shape, index.shape)
        by_number = np.argsort(np.broadcast_to(of_index, shape).reshape(-1), kind="stable").reshape(lanes, -1)
        (written,) = places(shape)
        others = tuple(n for k, n in enumerate(shape) if k != self.axis)
        columns = np.broadcast_to(np.moveaxis(of_x, self.axis, -1), (*others, x.shape[self.axis]))
        column_of = np.empty(written.size, dtype=np.int64)
        column_of[np.moveaxis(written, self.axis, -1)] = places(others)[0][..., None]
        reads = columns.reshape(-1, x.shape[self.axis])[column_of[by_number]]
        lo, hi = (a.reshape(-1)[reads] for a in (x.least, x.most))
        bounds = Range(ints(lo.min(axis=0)), ints(hi.max(axis=0)), x.fraction)
        number = Range(ints([index.low]), ints([index.high]), index.fraction)
        yield Part(self, (bounds, number), (reads, of_index.reshape(-1, 1)), by_number)

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        """Of one number: ``words`` are the elements (elements of the result, n) and the number; choices in halves."""
        x, index = words
        row = Rows(x.shape[-1]).wire(net, int(index.item()), xs[1].fraction)
        found = [chosen(net, row, column) for column in x.tolist()]
        return np.array([cast(net, a, xs[0].fraction, result) for a in found])


def _folded(needed: np.ndarray, shape: Shape) -> np.ndarray:
    """Which elements of a tensor that broadcasts are needed anywhere."""
    stretched = tuple(k for k, n in enumerate(shape) if n == 1)
    return np.asarray(needed.any(axis=stretched, keepdims=True))
