"""Views: a layer that only rearranges is no process, but the elements that whoever reads it takes from its bases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Shape
from nn2hls.streams.front import EMPTY


@dataclass(frozen=True, eq=False)
class View:
    """What a node is made of: elements of bases, which are inputs and processes, or a constant.

    Args:
        bases: Nodes, each once.
        index: Of the node's shape, into the flat elements of all bases; EMPTY for zeros.
        constant: Mantissas where the node is one.
    """

    bases: tuple[str, ...]
    index: np.ndarray
    constant: np.ndarray | None = None

    def transposed(self, axes: Sequence[int]) -> View:
        """With its axes in another order."""
        constant = None if self.constant is None else self.constant.transpose(axes)
        return View(self.bases, self.index.transpose(axes), constant)


def in_order(index: np.ndarray) -> bool:
    """Whether an index is that of a tensor as it is."""
    return np.array_equal(index.reshape(-1), np.arange(index.size))


def ordered(x: Range, axes: Sequence[int]) -> Range:
    """Bounds with their axes in another order."""
    return x.moved(lambda array: array.transpose(axes))


def alike(a: FixedType, b: FixedType, values: Range) -> bool:
    """Whether every mantissa of ``values`` in type a is the same value in b, of which a symmetric one lacks the lowest."""
    return (a.width, a.integer, a.signed) == (b.width, b.integer, b.signed) and values.low >= b.min_mantissa


def join(views: Sequence[View], elements: Mapping[str, int]) -> View:
    """The flat elements of all views, from all bases, each base once."""
    bases = tuple(dict.fromkeys(b for v in views for b in v.bases))
    starts = dict(zip(bases, np.cumsum([0, *(elements[b] for b in bases)]), strict=False))
    parts = []
    for view in views:
        table = [np.arange(elements[b]) + starts[b] for b in view.bases]
        parts.append(np.append(np.concatenate(table) if table else np.empty(0, np.int64), EMPTY)[view.index].reshape(-1))
    return View(bases, np.concatenate(parts) if parts else np.empty(0, np.int64))


def apart(joined: View, views: Sequence[View]) -> Iterator[View]:
    """Each view again, in the numbers of all bases."""
    first = 0
    for view in views:
        part = joined.index[first : first + view.index.size].reshape(view.index.shape)
        yield View(joined.bases, part, view.constant)
        first += view.index.size


def of_firings(array: np.ndarray, firings: int, follow: bool) -> np.ndarray:
    """(firings, elements of one): what each reads of an operand."""
    return array.reshape(firings, -1) if follow else np.broadcast_to(array.reshape(1, -1), (firings, array.size))


def bounds_of_firings(x: Range, shape: Shape, part: Shape, firings: int, follow: bool) -> Range:
    """Of what a firing reads, over all firings."""
    if not follow:
        return x.broadcast(shape)
    return x.moved(lambda array: np.broadcast_to(array, shape).reshape(firings, *part)).joined()
