"""A scale for each channel whose result becomes one of few values is no multiplier: thresholds of each channel take it in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, width_of
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.op import Hints, Op
from nn2hls.passes.base import Context
from nn2hls.passes.model_types import holds_numbers
from nn2hls.targets.family import family

REFERENCE = family("ultrascale_plus")  # a sum, a comparison and a choice cost about the same beside each other in all families
OPERAND = 16  # bits of an operand for which both ways are counted: its width is a factor of either
COUNTED = 16  # channels at most
FINER = 2.0**-10  # of the scaled values: the error that the constants of a scale may cause for that count
FAR = 500  # integer bits


def threshold_scales(graph: Graph, context: Context) -> Graph:
    """Scale then sign, levels, or a cast to few bits becomes levels between thresholds of each channel.

    ``x * scale + bias >= t`` is ``x >= (t - bias) / scale``, turned round where the scale is negative, and computed in
    fractions: the answer is that of the constants as the model has them, for every x that float64 holds. Only where nobody else
    reads the scaled values, where neither the user nor the model gives them a type, and where the comparisons take no more
    logic than what they replace.
    """
    gone: set[str] = set()
    done = []
    for node in graph:
        op = _without_scale(graph, node, context)
        if op is not None:
            scale = graph[node.inputs[0]]
            gone.add(scale.name)
            node = dataclasses.replace(node, op=op, inputs=scale.inputs, given=_given(node))
        done.append(node)
    return Graph(tuple(node for node in done if node.name not in gone), graph.outputs)


def _without_scale(graph: Graph, node: Node, context: Context) -> Op | None:
    """The op of a node on the operand of the scale that it reads; None where the scale stays."""
    scale = graph[node.inputs[0]] if len(node.inputs) == 1 else node
    affine = scale.op.affine
    if affine is None or scale is node or not _free(graph, scale, context):
        return None
    op = node.op.unscaled(*affine)
    return op if op is not None and _worth(scale, node, op) else None


def _free(graph: Graph, scale: Node, context: Context) -> bool:
    """Whether nobody reads or rounds the scaled values but one reader."""
    if len(graph.users[scale.name]) != 1 or scale.name in graph.outputs or context.settings(scale).own_type:
        return False
    numbers = {word: scale.op.numbers(word, []) for word in scale.given}
    return all(values is not None and holds_numbers(scale.given[word], values) for word, values in numbers.items())


def _given(node: Node) -> dict[str, FixedType]:
    """The types that the model gives: its levels are numbers of its result's."""
    result = node.given.get("result")
    return {**node.given, "level": result} if result is not None else dict(node.given)


def _worth(scale: Node, node: Node, op: Op) -> bool:
    """Whether comparisons take no more logic than the scale, as additions of its digits, and what reads it.

    Counted for some of the channels and an operand whose scaled values are about as large as what they are compared with.
    """
    channels = node.shape[-1] if node.shape else 1
    kept = np.unique(np.linspace(0, channels - 1, COUNTED).astype(int))
    alike = op.positions([node.shape]) if node.shape else 0
    shape = (*(1,) * alike, *node.shape[alike:-1], len(kept)) if node.shape else ()
    first, second, instead = (o.take(kept) for o in (scale.op, node.op, op))
    factor, offset = first.affine or (np.ones(1), np.zeros(1))
    size = max(float(np.abs(a).max(initial=0)) for a in (offset, op.numbers("level", [])) if a is not None) or 1.0
    reach = size / (float(np.median(np.abs(factor))) or 1.0)
    kind = FixedType(OPERAND, min(max(math.frexp(reach)[1], -FAR), FAR) + 1)
    x, hints = Range.of_type(kind).broadcast(shape), Hints(noise=FINER * size)
    return _luts([instead], x, hints) <= _luts([first, second], x, hints)


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
