"""Move: every layer that only rearranges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, lift
from nn2hls.errors import ModelError
from nn2hls.graph.const import Places, Shape
from nn2hls.graph.leaves import Cast
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part, elements
from nn2hls.ops.exact import one_of, scaled
from nn2hls.ops.places import EMPTY, places


@dataclass(frozen=True, eq=False)
class Move(Op):
    """y[e] = cast(x[index[e]]), and 0 where index[e] is -1; x are the elements of all operands, one after the other.

    Transposing, slicing, padding, concatenating, the patches that a convolution reads: see :mod:`nn2hls.ops.places`, which
    makes indices. Other fillings than zero are read from a Constant among the operands; a maximum over padded windows does
    not read the padding at all (``present`` of Reduce). A Move is wires: it has no operators and takes no time.

    Args:
        index: Of the result's shape.
        shapes: Of the operands, without batch axis.
    """

    index: Places
    shapes: tuple[Shape, ...]
    called: ClassVar[tuple[str, ...]] = ("Reshape", "Transpose", "Concatenate", "ZeroPadding1D", "ZeroPadding2D", "Resize")
    arity: ClassVar[int | None] = None
    moves: ClassVar[bool] = True

    @classmethod
    def of(cls, change: Callable[..., np.ndarray], *shapes: Shape) -> Move:
        """From what ``change`` makes of the arrays of the operands' places."""
        return cls(Places(change(*places(*shapes))), shapes)

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if tuple(shapes) != self.shapes:
            raise ModelError(f"It moves tensors of shapes {self.shapes}, not {tuple(shapes)}.", where=where)
        index, size = self.index.array, sum(map(math.prod, shapes))
        if not index.size:
            raise ModelError(f"Its result of shape {index.shape} has no elements.", where=where)
        if index.min() < EMPTY or index.max() >= size:
            raise ModelError(f"It reads elements {index.min()} to {index.max()} of {size}.", where=where)
        return index.shape

    @property
    def reshapes(self) -> bool:  # type: ignore[override]
        return self.rearranges and bool(np.array_equal(self.index.array.reshape(-1), np.arange(math.prod(self.shapes[0]))))

    @property
    def rearranges(self) -> bool:
        return len(self.shapes) == 1 and bool(self.index.array.min(initial=0) > EMPTY)

    def identity(self, shapes: Sequence[Shape]) -> bool:
        return self.index.shape == shapes[0] and self.reshapes

    def origins(self, shapes: Sequence[Shape]) -> np.ndarray:
        return self.index.array

    # ---- values ----------------------------------------------------------------------------------------------------------

    def evaluate_float(self, *xs: Any) -> Any:
        return _Gather(self.index.array)(xs)

    def _common(self, xs: Sequence[Range]) -> tuple[int, list[int], int]:
        """(fraction bits of the result, bits that each operand moves up to it, the largest magnitude)."""
        fraction = max(x.fraction for x in xs)
        ups = [fraction - x.fraction for x in xs]
        return fraction, ups, max(x.bound << up for x, up in zip(xs, ups, strict=True))

    def exact(self, xs: Sequence[Range]) -> Range:
        fraction, _, _ = self._common(xs)
        same = [x.at(fraction) for x in xs]
        index = self.index.array

        def chosen(ends: Sequence[np.ndarray]) -> np.ndarray:
            flat = np.concatenate([e.reshape(-1) for e in ends])
            return np.where(index < 0, 0, flat[index])

        return one_of(same, chosen)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        _, ups, bound = self._common(xs)
        gather = _Gather(self.index.array)
        return lambda ops, watch: gather([scaled(lift(x, bound), up) for x, up in zip(ops, ups, strict=True)])

    # ---- rewrites --------------------------------------------------------------------------------------------------------

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        sizes = [math.prod(s) for s in shapes]
        flat = np.zeros(sum(sizes) + 1, dtype=bool)  # the last one is that of empty places
        flat[self.index.array[needed]] = True
        return [part.reshape(s) for part, s in zip(np.split(flat[:-1], np.cumsum(sizes)[:-1]), shapes, strict=True)]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        if not self.index.shape or not all(shapes):
            return None
        columns = self.index.array.reshape(-1, self.index.shape[-1]).T
        found: list[np.ndarray | None] = []
        for numbers in places(*shapes):
            at = _channels(columns, int(numbers.flat[0]), numbers.shape)
            if at is None:
                return None
            found.append(at)
        return found

    def take(self, kept: np.ndarray) -> Op:
        links = self.channels(self.shapes)
        if links is None or len(kept) == self.index.shape[-1]:
            return self
        remaining, renumbered, first = [], [], 0
        for at, shape in zip(links, self.shapes, strict=True):
            assert at is not None
            stays = np.isin(at, kept).any(axis=0)
            new = np.full(shape, EMPTY)
            count = math.prod(shape[:-1]) * int(np.count_nonzero(stays))
            new[..., stays] = np.arange(first, first + count).reshape(*shape[:-1], -1)
            first += count
            renumbered.append(new.reshape(-1))
            remaining.append((*shape[:-1], int(np.count_nonzero(stays))))
        index = np.append(np.concatenate(renumbered), EMPTY)[self.index.array[..., kept]]
        return Move(Places(index), tuple(remaining))

    def through(self, operand: int, inner: Op, shapes: Sequence[Shape], before: Sequence[Shape]) -> Op | None:
        return through(self, operand, inner, shapes, before)

    def reading(self, shapes: Sequence[Shape]) -> tuple[Op, Sequence[int]]:
        index, numbers = self.index.array, places(*shapes)
        read = [k for k, own in enumerate(numbers) if np.any((index >= own.flat[0]) & (index <= own.flat[-1]))] or [0]
        if len(read) == len(shapes):
            return self, read
        renumbered = np.full(sum(map(math.prod, shapes)) + 1, EMPTY)  # the last one is that of empty places
        left = places(*(shapes[k] for k in read))
        for k, own in zip(read, left, strict=True):
            renumbered[numbers[k].reshape(-1)] = own.reshape(-1)
        return Move(Places(renumbered[index]), tuple(shapes[k] for k in read)), read

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        flat = self.index.array.reshape(-1)
        for numbers, x in zip(places(*self.shapes), xs, strict=True):
            first = int(numbers.flat[0])
            taken = np.flatnonzero((flat >= first) & (flat < first + x.size))
            own = x.flat(flat[taken] - first)
            for _, bounds, (reads,), writes in elements([own], own.shape, ()):
                yield Part(_CAST, bounds, (flat[taken][reads],), taken[writes])
        empty = np.flatnonzero(flat < 0)
        if empty.size:
            yield Part(_ZERO, (), (), empty[:, None])


@dataclass(frozen=True, eq=False)
class _Zero(Op):
    """y = 0."""

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        return np.array([net.const(0)])


_CAST, _ZERO = Cast(), _Zero()


def through(outer: Op, operand: int, inner: Op, shapes: Sequence[Shape], before: Sequence[Shape]) -> Move | None:
    """One Move in place of two ops that only move; see :meth:`nn2hls.graph.op.Op.through`."""
    last, first = outer.origins(shapes), inner.origins(before)
    if last is None or first is None:
        return None
    operands = [*shapes[:operand], *before, *shapes[operand + 1 :]]
    numbers = list(places(*operands))
    inside = np.concatenate([n.reshape(-1) for n in numbers[operand : operand + len(before)]])
    one = np.append(inside, EMPTY)[first].reshape(-1)
    mapped = [*numbers[:operand], one, *numbers[operand + len(before) :]]
    return Move(Places(np.append(np.concatenate([m.reshape(-1) for m in mapped]), EMPTY)[last]), tuple(operands))


class _Gather:
    """Elements of arrays (events, *shape) by their numbers, in blocks as long as all that is moved together."""

    def __init__(self, index: np.ndarray) -> None:
        flat = index.reshape(-1)
        self.shape = index.shape
        starts = np.append(0, np.flatnonzero(flat[1:] != np.where(flat[:-1] < 0, EMPTY, flat[:-1] + 1)) + 1)
        numbers = flat[starts]
        self.block = int(np.gcd.reduce(np.concatenate([[flat.size], starts, numbers[numbers >= 0]])))
        self.places = flat[:: self.block] // self.block if self.block else flat
        self.empty = bool((flat < 0).any())
        self.whole = len(starts) == 1 and not self.empty

    def __call__(self, arrays: Sequence[Any]) -> Any:
        events = len(arrays[0])
        flat = [a.reshape(events, math.prod(a.shape[1:])) for a in arrays]
        if self.whole and len(flat) == 1 and flat[0].shape[1] == self.places.size * self.block:
            return arrays[0].reshape(events, *self.shape)
        size = sum(a.shape[1] for a in flat)
        spare = -size % self.block + (self.block if self.empty else 0)  # whole blocks, the last one empty
        if spare or len(flat) > 1:
            flat = [np.concatenate([*flat, np.zeros((events, spare), dtype=flat[0].dtype)], axis=1)]
        blocks = flat[0].reshape(events, (size + spare) // self.block, self.block)
        return np.take(blocks, self.places, axis=1).reshape(events, *self.shape)


def _channels(columns: np.ndarray, first: int, shape: Shape) -> np.ndarray | None:
    """(patterns, channels): the columns of the result that hold each channel of an operand, and nothing else of it.

    Args:
        columns: (channels of the result, positions of the result): numbers of elements.
        first: The number of the operand's first element.
        shape: The operand's.

    Returns:
        A row for each pattern: which positions of the operand go where. None where a channel is mixed with another one, or is
        missing in a pattern that others have.
    """
    own = (columns >= first) & (columns < first + math.prod(shape))
    position, channel = np.divmod(columns - first, shape[-1])
    read = np.flatnonzero(own.any(axis=1))
    of = channel[read, own[read].argmax(axis=1)]
    if not read.size or np.any(own[read] & (channel[read] != of[:, None])):
        return None
    rows: dict[tuple[bytes, int], np.ndarray] = {}
    seen: Counter[tuple[bytes, int]] = Counter()
    for column, c in zip(read.tolist(), of.tolist(), strict=True):
        pattern = np.where(own[column], position[column], EMPTY).tobytes()
        row = rows.setdefault((pattern, seen[pattern, c]), np.full(shape[-1], EMPTY))
        row[c] = column
        seen[pattern, c] += 1
    at = np.array(list(rows.values()))
    return None if np.any(at < 0) else at
