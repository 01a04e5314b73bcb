"""Embedding: rows of a constant table, chosen by the operand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, carrier, compact, round_constant
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.casts import cast
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part
from nn2hls.ops.exact import given_or_derived
from nn2hls.ops.places import places
from nn2hls.ops.rows import Rows


@dataclass(frozen=True, eq=False)
class Embedding(Op):
    """y[.., j] = cast(table[a[..], j]) with a = x rounded to a whole number, half up, and brought into 0 .. rows - 1.

    Entries are rounded half to even to ``table_t`` (config: ``table`` or ``weight``). A number that is no row is counted as an
    overflow.

    Args:
        table: (rows, width).
    """

    table: Const
    table_t: FixedType | None = None
    per_channel: ClassVar[tuple[str, ...]] = ("table",)
    fresh: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if self.table.array.ndim != 2 or not self.table.array.size:
            raise ModelError(f"A table of shape {self.table.shape} has no rows to choose.", where=where)
        return (*shapes[0], self.table.shape[1])

    def positions(self, shapes: Sequence[Shape]) -> int:
        return len(shapes[0])

    @property
    def _rows(self) -> Rows:
        return Rows(len(self.table.array))

    def evaluate_float(self, x: Any) -> Any:
        rows, known = self._rows.of_floats(x)
        return np.where(known[..., None], self.table.array[rows], np.nan)  # no number is no row: what it chooses is unknown too

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Embedding:
        kind = given_or_derived(hints, ("table", "weight"), self.table.array, hints.noise)
        resolved: Embedding = self.replace(table=Const(round_constant(self.table.array, kind)), table_t=kind)
        return resolved

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        assert self.table_t is not None
        first, last = self._rows.ends(x)
        ends: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        pairs = list(zip(first.tolist(), last.tolist(), strict=True))
        for a, b in set(pairs):
            rows = self.table.array[a : b + 1]
            ends[a, b] = rows.min(axis=0), rows.max(axis=0)
        shape = (*x.shape, self.table.shape[1])
        lo, hi = (np.stack([ends[p][k] for p in pairs]).reshape(shape) for k in range(2))
        return Range(lo, hi, self.table_t.fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        words = compact(self.table.array)
        kind = carrier(int(np.abs(words).max()))
        words = np.ascontiguousarray(words if kind is None else words.astype(kind))
        rows = self._rows.kernel(x)
        return lambda ops, watch: words[rows(ops[0], watch)]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        return [None]

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [np.asarray(needed.any(axis=-1))]

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        """A lane for each element of the operand."""
        (x,) = xs
        bounds = Range(np.array([x.low], dtype=object), np.array([x.high], dtype=object), x.fraction)
        yield Part(self, (bounds,), (places(x.shape)[0].reshape(-1, 1),), places(shape)[0].reshape(-1, shape[-1]))

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        assert self.table_t is not None
        fraction, table = self.table_t.fraction, self.table.array
        found = []
        for a in words[0].reshape(-1).tolist():
            row = self._rows.wire(net, a, xs[0].fraction)
            found += [cast(net, net.lookup(row, column), fraction, result) for column in table.T.tolist()]
        return np.array(found)
