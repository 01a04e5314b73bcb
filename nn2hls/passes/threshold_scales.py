"""A scale for each channel whose result becomes one of few values is no multiplier: thresholds of each channel take it in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, width_of
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.op import Hints, Op
from nn2hls.passes.base import Context
from nn2hls.passes.model_types import holds_numbers
from nn2hls.targets.family import family

REFERENCE = family("ultrascale_plus")  # a sum, a comparison and a choice cost about the same beside each other in all families
OPERAND = 16  # bits of an operand for which both ways are counted: its width is a factor of either
COUNTED = 16  # places at most
FINER = 2.0**-10  # of the scaled values: the error that the constants of a scale may cause for that count
FAR = 500  # integer bits


def threshold_scales(graph: Graph, context: Context) -> Graph:
    """Scale then sign, levels, or a cast to few bits becomes levels between thresholds of each channel.

    ``x * scale + bias >= t`` is ``x >= (t - bias) / scale``, turned round where the scale is negative, and computed in
    fractions: the answer is that of the constants as the model has them, for every x that float64 holds. A ReLU or a clip
    between them is a threshold less. Only where nobody else reads the values on the way, where neither the user nor the model
    gives them a type, and where the comparisons take no more logic than what they replace.
    """
    gone: set[str] = set()
    done = []
    for node in graph:
        way = _way(graph, node, context)
        op = _without(way, node) if way else None
        if op is not None:
            gone.update(before.name for before in way)
            node = dataclasses.replace(node, op=op, inputs=way[0].inputs)
        done.append(node)
    return Graph(tuple(node for node in done if node.name not in gone), graph.outputs)


def _way(graph: Graph, node: Node, context: Context) -> list[Node]:
    """The scale before a node and what clamps its values, in order; nothing where there is none, or they stay."""
    way: list[Node] = []
    while len(node.inputs) == 1:
        node = graph[node.inputs[0]]
        if not _free(graph, node, context):
            break
        way.insert(0, node)
        if node.op.affine is not None:
            return way
        if node.op.clamps is None:
            break
    return []


def _without(way: Sequence[Node], node: Node) -> Op | None:
    """The op of a node on the operand of the scale that it reads; None where the scale stays."""
    affine, low, high = way[0].op.affine, -math.inf, math.inf
    assert affine is not None
    for before in way[1:]:
        ends = before.op.clamps or (low, high)
        low, high = (min(max(end, ends[0]), ends[1]) for end in (low, high))
    op = node.op.unscaled(*affine, (low, high))
    return op if op is not None and _worth([*(before.op for before in way), node.op], op, node.shape) else None


def _free(graph: Graph, node: Node, context: Context) -> bool:
    """Whether nobody reads or rounds the values of a node but one reader."""
    if len(graph.users[node.name]) != 1 or node.name in graph.outputs or context.settings(node).own_type:
        return False
    numbers = {word: node.op.numbers(word, []) for word in node.given}
    return all(values is not None and holds_numbers(node.given[word], values) for word, values in numbers.items())


def _worth(ops: Sequence[Op], instead: Op, shape: Shape) -> bool:
    """Whether comparisons take no more logic than a scale, as additions of its digits, and what comes behind it.

    Counted for some of the places and an operand whose scaled values are about as large as what they are compared with.
    """
    alike = instead.positions([shape]) if shape else 0
    kept = np.unique(np.linspace(0, math.prod(shape[alike:]) - 1, COUNTED).astype(int))
    ops, instead = [_at(op, shape, alike, kept) for op in ops], _at(instead, shape, alike, kept)
    factor, offset = ops[0].affine or (np.ones(1), np.zeros(1))
    size = max(float(np.abs(a).max(initial=0)) for a in (offset, instead.numbers("level", [])) if a is not None) or 1.0
    reach = size / (float(np.median(np.abs(factor))) or 1.0)
    kind = FixedType(OPERAND, min(max(math.frexp(reach)[1], -FAR), FAR) + 1)
    x, hints = Range.of_type(kind).broadcast(kept.shape), Hints(noise=FINER * size)
    return _luts([instead], x, hints) <= _luts(ops, x, hints)


def _at(op: Op, shape: Shape, alike: int, kept: np.ndarray) -> Op:
    """The op of some places of a tensor, whose first axes are ``alike``, in a row."""
    constants = {name: getattr(op, name) for name in op.per_channel}
    taken = {name: np.broadcast_to(c.array, shape)[(0,) * alike].reshape(-1)[kept] for name, c in constants.items()}
    return op.replace(**{name: type(constants[name])(array) for name, array in taken.items()})


def _luts(ops: Sequence[Op], x: Range, hints: Hints) -> float:
    """What ops in a row take, each with all bits of its result."""
    total = 0.0
    for op in ops:
        op = op.resolve([x], hints)
        exact = op.exact([x])
        low, high = min(exact.low, 0), max(exact.high, 1)
        width = width_of(low, high)
        kind = FixedType(width, width - exact.fraction, low < 0)
        total += sum(REFERENCE.cost(operator).lut for operator in op.schedule([x], kind).operators)
        x = exact.cast(kind).broadcast(x.shape)
    return total
