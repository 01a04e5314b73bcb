"""A layer whose positions are joined as they come: what each firing reads, and what belongs to its positions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Shape
from nn2hls.graph.op import Accumulation, Op
from nn2hls.streams.front import EMPTY
from nn2hls.streams.views import View, bounds_of_firings, in_order, of_firings

ACCUMULATED = "_accumulated"  # what the process that adds up for a layer is called, after the layer


@dataclass(frozen=True, eq=False)
class Read:
    """What the firings of an accumulation read.

    Args:
        index: (firings, K) into the elements of the base.
        xs, types: Bounds and type of each operand of a firing.
        constants, is_constant: See Process.
    """

    index: np.ndarray
    xs: tuple[Range, ...]
    types: tuple[FixedType, ...]
    constants: np.ndarray | None = None
    is_constant: np.ndarray | None = None


Found = tuple[Accumulation, View, Range]


def accumulation_of(op: Op, view: View, x: Range, elements: Mapping[str, int], parts: int) -> Found | None:
    """How an op accumulates what a view of a whole base gives, in the base's own order.

    Args:
        op, view: The op and its operand.
        x: Bounds of the operand.
        elements: Of each base.
        parts: In how many parts the base comes.

    Returns:
        (how, the view and its bounds in that order); None where it does not.
    """
    if len(view.bases) != 1 or view.index.size != elements[view.bases[0]]:
        return None
    x = x.broadcast(view.index.shape)
    ordered = in_order(view.index)
    found = op.accumulation(x) if ordered or view.index.ndim == 1 else None
    if found is None or (found.beside is None and ordered):
        return None if found is None else (found, view, x)
    if found.beside is None or found.at_once is None or not deals_out(view.index.size // found.at_once, parts):
        return None
    order = np.argsort(view.index)  # sums do not depend on it: positions come as they stand in the base
    if not np.array_equal(view.index[order], np.arange(order.size)):
        return None
    values, kind = found.beside
    return replace(found, beside=(values[order], kind)), View(view.bases, view.index[order]), x.flat(order)


def deals_out(firings: int, parts: int) -> bool:
    """Whether what comes in several ``parts`` is dealt out to so many firings whole, or each part to as many.

    Else tokens had to be smaller than both, and come for longer than either takes.
    """
    return parts > 1 and (firings % parts == 0 or parts % firings == 0)


def read(whole: Accumulation, view: View, x: Range, part: Shape, given: FixedType) -> Read:
    """What each firing reads of ``part`` of the positions; ``given``: the type of an element that comes."""
    shape = view.index.shape
    firings = math.prod(shape[: whole.axes]) // math.prod(part)
    index = of_firings(view.index, firings, True)
    bounds = bounds_of_firings(x, shape, (*part, *shape[whole.axes :]), firings, True)
    if whole.beside is None:
        return Read(index, (bounds,), (given,))
    values, kind = whole.beside
    weights = Range.of_mantissas(values.reshape(firings, index.shape[1], -1), kind.fraction).joined()
    rows = bounds.moved(lambda array: array.reshape(1, -1))
    own = values.reshape(firings, -1)
    fixed = np.repeat([False, True], [index.shape[1], own.shape[1]])
    constants = np.concatenate([np.zeros_like(index), own], axis=1)
    index = np.concatenate([index, np.full(own.shape, EMPTY)], axis=1)
    return Read(index, (rows, weights), (given, kind), constants, fixed)
