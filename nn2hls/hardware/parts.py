"""A layer in parts that are computed alike: what lets one body serve thousands of elements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Net


class Builds(Protocol):
    """An op that states its hardware."""

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        """The wires of the result from those of the operands."""


@dataclass(frozen=True, eq=False)
class Part:
    """Lanes of a layer that one body computes.

    Args:
        op: What computes a lane.
        xs: Bounds of a lane's operands, over all lanes.
        reads: For each operand of the body (lanes, *shape): numbers of elements, those of all operands counted through.
        writes: (lanes, *shape): the numbers of the result's elements.
    """

    op: Builds
    xs: tuple[Range, ...]
    reads: tuple[np.ndarray, ...]
    writes: np.ndarray

    def writes_of(self, array: np.ndarray) -> np.ndarray:
        """The elements of an array of the result's shape that the lanes write."""
        return np.asarray(array.reshape(-1)[self.writes])

    def lanes_of(self, chosen: np.ndarray, op: Builds) -> Part:
        """Some of the lanes, computed by another op."""
        return Part(op, self.xs, tuple(r[chosen] for r in self.reads), self.writes[chosen])


def whole(op: Builds, xs: Sequence[Range], shape: Sequence[int]) -> Part:
    """The layer as one lane."""
    return Part(op, tuple(xs), tuple(n[None] for n in _operands(xs)), _numbers(shape)[None])


def slices(op: Builds, x: Range, shape: Sequence[int], axis: int) -> Part:
    """A lane for each slice along ``axis`` of the operand and the result, which may differ in length there."""
    both = x.moved(lambda array: np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])).joined()
    reads, writes = (np.moveaxis(_numbers(s), axis, -1).reshape(-1, s[axis]) for s in (x.shape, tuple(shape)))
    return Part(op, (both,), (reads,), writes)


def elements(xs: Sequence[Range], shape: Sequence[int], constants: Sequence[np.ndarray]) -> Iterable[tuple[Any, ...]]:
    """The elements of a pointwise layer, those with the same constants and signs together.

    Yields:
        (the value of each constant, bounds of each operand with one element, numbers of the operands' elements as arrays
        (lanes, 1), numbers of the result's elements likewise).
    """
    rows = [x.broadcast(shape).moved(np.ravel) for x in xs]
    values = [np.broadcast_to(c, shape).reshape(-1) for c in constants]
    operands = [np.broadcast_to(n, shape).reshape(-1) for n in _operands(xs)]
    columns = [column for x in rows for column in _signs(x.least, x.most)] + values
    for numbers in equal_groups(columns, math.prod(shape)):
        bounds = tuple(x.flat(numbers[:, None]).joined() for x in rows)
        chosen = tuple(v[numbers[:1]].tolist()[0] for v in values)
        yield chosen, bounds, tuple(o[numbers][:, None] for o in operands), numbers[:, None]


def _signs(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which signs each element can have, where zero counts as both; a constant is itself."""
    constant = lo == hi
    return np.where(constant, 4, np.where(lo < 0, 1, 0) + np.where(hi > 0, 2, 0)), np.where(constant, lo, 0)


def equal_groups(columns: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """The numbers of the ``size`` elements that have the same values in all columns, in order; those of the first one first."""
    group = np.zeros(size, dtype=np.int64)
    for column in columns:
        distinct, rank = np.unique(column, return_inverse=True)
        group = np.unique(group * len(distinct) + rank, return_inverse=True)[1]
    order = np.argsort(group, kind="stable")
    found = np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if size else []
    return sorted(found, key=lambda numbers: int(numbers[0]))


def assemble(
    parts: Iterable[Part],
    operands: Sequence[int],
    results: int,
    result: FixedType,
    equation: str,
    most_digits: int | None,
) -> Hardware:
    """The hardware of a layer, side by side: a loop for each part.

    Args:
        parts: Of the layer.
        operands, results: Elements of each operand and of the result.
        result: The result's type.
        equation, most_digits: See Hardware and Net.
    """
    first_result, loops = sum(operands), []
    for part in parts:
        net = Net(most_digits)
        words: list[np.ndarray] = []
        reads: list[np.ndarray] = []
        for x, numbers in zip(part.xs, part.reads, strict=True):
            words.append(_inputs(net, x, numbers.shape[1:], sum(r.shape[1] for r in reads)))
            reads.append(numbers.reshape(len(numbers), -1))
        net.outputs = [int(w) for w in np.ravel(part.op.build(net, words, part.xs, result))]
        lanes = len(part.writes)
        read = np.concatenate(reads, axis=1) if reads else np.empty((lanes, 0), dtype=np.int64)
        loops.append(Loop(net, read[None], (part.writes.reshape(lanes, -1) + first_result)[None]))
    return Hardware(tuple(loops), tuple(operands), results, equation=equation)


def _inputs(net: Net, x: Range, shape: Sequence[int], first: int) -> np.ndarray:
    lo, hi = (np.broadcast_to(a, shape).reshape(-1).tolist() for a in (x.lo, x.hi))
    zeros = [0] * len(lo) if x.zeros is None else np.broadcast_to(x.zeros, shape).reshape(-1).tolist()
    bounds = zip(lo, hi, zeros, strict=True)
    wires = [net.input(first + k, low, high, bits) for k, (low, high, bits) in enumerate(bounds)]
    return np.array(wires, dtype=np.int64).reshape(shape)


def _operands(xs: Sequence[Range]) -> list[np.ndarray]:
    """The numbers of the operands' elements, counted through."""
    starts = np.cumsum([0, *(x.size for x in xs)])
    return [_numbers(x.shape) + start for x, start in zip(xs, starts, strict=False)]


def _numbers(shape: Sequence[int]) -> np.ndarray:
    return np.arange(math.prod(shape)).reshape(tuple(shape))
