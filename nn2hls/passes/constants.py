"""Propagate what rounding and pruning made constant into the biases of Dense layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints, width_of
from nn2hls.graph.analysis import graph_ranges
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node
from nn2hls.ops import Dense
from nn2hls.passes.base import Context


def propagate_constants(graph: Graph, context: Context) -> Graph:
    """Fold constant inputs of Dense layers into their biases.

    No answer changes: a folded constant keeps its exact, wider type, and layers with a narrowed accumulator, whose answer
    depends on every addition, keep their constants.
    """
    ranges = graph_ranges(graph)
    return graph.map(lambda n: _fold(n, ranges, context))


def _fold(node: Node, ranges: Mapping[str, Range], context: Context) -> Node:
    op = node.op
    if not isinstance(op, Dense) or op.narrowed(ranges[node.inputs[0]]):
        return node
    x = ranges[node.inputs[0]]
    lo, hi = (np.broadcast_to(a, (*node.shape[:-1], op.weight.shape[0])).reshape(-1, op.weight.shape[0]) for a in (x.lo, x.hi))
    constant = np.asarray(np.all((lo == hi) & (lo == lo[:1]), axis=0)) & np.any(op.weight.array != 0, axis=1)
    if not constant.any():
        return node
    weight, bias, fraction = op.aligned(x)
    rows = np.flatnonzero(constant)
    total = ints(bias) + np.dot(ints(lo[0][rows]), ints(weight[rows]))
    kept = op.weight.array.copy()
    kept[rows] = 0
    context.notes.append(f"{node.name}: {len(rows)} of {len(constant)} inputs are constant and moved into the bias.")
    return dataclasses.replace(node, op=_with_constants(op, x, kept, total, fraction))


def _with_constants(op: Dense, x: Range, weight: np.ndarray, bias: np.ndarray, fraction: int) -> Dense:
    low, high = int(bias.min(initial=0)), int(bias.max(initial=0))
    width = width_of(low, high)
    array = bias.astype(np.int64) if width < 63 else bias
    changed = op.replace(weight=Const(weight), bias=Const(array), bias_t=FixedType(width, width - fraction, low < 0))
    return changed.replace(accum_t=changed.exact_accumulator(x))
