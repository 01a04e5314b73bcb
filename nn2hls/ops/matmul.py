"""The product of two computed matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, lift
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware.casts import cast
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part, equal_groups
from nn2hls.ops.places import places


@dataclass(frozen=True, eq=False)
class MatMul(Op):
    """y[.., i, j] = cast(sum over k of a[.., i, k] * b[.., k, j]), exact before the cast; leading axes broadcast.

    A transposed operand is a Move before it. The product with a constant matrix is a Dense.
    """

    called: ClassVar[tuple[str, ...]] = ("Dot",)
    arity: ClassVar[int | None] = 2
    fresh: ClassVar[bool] = True
    multilinear: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        a, b = shapes
        if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
            raise ModelError(f"Matrices of shapes {a} and {b} have no product.", where=where)
        try:
            lead = np.broadcast_shapes(a[:-2], b[:-2])
        except ValueError:
            raise ModelError(f"The leading axes of {a} and {b} do not broadcast.", where=where) from None
        return (*lead, a[-2], b[-1])

    def positions(self, shapes: Sequence[Shape]) -> int:
        return max(map(len, shapes)) - 2

    def evaluate_float(self, *xs: Any) -> Any:
        a, b = xs
        return a.reshape(_lead(a, b.ndim)) @ b.reshape(_lead(b, a.ndim))

    # ---- values ----------------------------------------------------------------------------------------------------------

    def _bound(self, xs: Sequence[Range]) -> int:
        """The largest magnitude of any partial sum."""
        a, b = xs
        return max(1, a.bound) * max(1, b.bound) * max(1, a.shape[-1])

    def exact(self, xs: Sequence[Range]) -> Range:
        a, b = xs
        reach = self._bound(xs)
        (a_lo, a_hi), (b_lo, b_hi) = a.ends(reach), b.ends(reach)
        low: Any = 0
        high: Any = 0
        for k in range(a.shape[-1]):
            left = (a_lo[..., k, None], a_hi[..., k, None])
            ends = [p * q[..., k, None, :] for p in left for q in (b_lo, b_hi)]
            low, high = low + np.minimum.reduce(ends), high + np.maximum.reduce(ends)
        return Range(low, high, a.fraction + b.fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        bound = self._bound(xs)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            a, b = (lift(x, bound) for x in ops)
            return np.matmul(a.reshape(_lead(a, b.ndim)), b.reshape(_lead(b, a.ndim)))

        return run

    def work(self, xs: Sequence[Range]) -> int:
        a, b = xs
        return (
            int(np.prod(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), dtype=int)) * a.shape[-2] * a.shape[-1] * b.shape[-1]
        )

    def bit_operations(self, xs: Sequence[Range]) -> int:
        a, b = (np.broadcast_to(x.bits, x.shape) for x in xs)
        return int(np.matmul(a, b).sum())

    # ---- rewrites --------------------------------------------------------------------------------------------------------

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        rows, columns = (np.asarray(needed.any(axis=axis, keepdims=True)) for axis in (-1, -2))
        return [_gathered(rows, shapes[0]), _gathered(columns, shapes[1])]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        """A column of the result is one of b, and reads all of a."""
        return [None, np.arange(shapes[1][-1])[None]]

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        """A lane for each element of the result; those with the same column, or row, of a constant matrix are alike."""
        a, b = xs
        lead = shape[:-2]
        left, right = places(a.shape, b.shape)
        rows = np.broadcast_to(left[..., :, None, :], (*lead, *shape[-2:], a.shape[-1]))
        columns = np.broadcast_to(np.swapaxes(right, -1, -2)[..., None, :, :], rows.shape)
        reads = tuple(n.reshape(-1, a.shape[-1]) for n in (rows, columns))
        own = (reads[0], reads[1] - a.size)
        writes = places(shape)[0].reshape(-1, 1)
        constants = [c for x, r in zip(xs, own, strict=True) if (x.least == x.most).all() for c in x.lo.reshape(-1)[r].T]
        for lanes in equal_groups(constants, len(writes)):
            bounds = tuple(x.flat(np.unique(r[lanes], axis=0)).joined() for x, r in zip(xs, own, strict=True))
            yield Part(_Dot(), bounds, tuple(r[lanes] for r in reads), writes[lanes])


@dataclass(frozen=True, eq=False)
class _Dot(Op):
    """y = cast(sum over k of a[k] * b[k])."""

    arity: ClassVar[int | None] = 2

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        products = [net.mul(p, q) for p, q in zip(words[0].tolist(), words[1].tolist(), strict=True)]
        total = net.total([(p, False) for p in products])
        return np.array([cast(net, total, xs[0].fraction + xs[1].fraction, result)])


def _lead(x: np.ndarray, rank: int) -> tuple[int, ...]:
    """The shape of an array with batch axis, of at least that rank: missing axes are put behind the batch axis."""
    return (x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:])


def _gathered(needed: np.ndarray, shape: Shape) -> np.ndarray:
    """What is needed of an operand whose leading axes were broadcast."""
    extra = needed.ndim - len(shape)
    kept = np.asarray(needed.any(axis=tuple(range(extra))))
    stretched = tuple(k for k, n in enumerate(shape[:-2]) if n == 1)
    return np.broadcast_to(kept.any(axis=stretched, keepdims=True), shape)
