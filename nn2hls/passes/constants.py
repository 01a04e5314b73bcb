"""Propagate what rounding and pruning made constant into the biases of Dense layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from nn2hls.arith.ranges import Range
from nn2hls.graph.graph import Graph, Node
from nn2hls.passes.base import Context


def propagate_constants(graph: Graph, context: Context) -> Graph:
    """Fold constant inputs of Dense layers into their biases.

    No answer changes: a folded constant keeps its exact, wider type, and layers with a narrowed accumulator, whose answer
    depends on every addition, keep their constants. So do steps that share their hardware.
    """
    ranges = context.ranges.of(graph)
    return graph.map(lambda n: n if n.turn else _fold(n, ranges, context))


def _fold(node: Node, ranges: Mapping[str, Range], context: Context) -> Node:
    op, moved = node.op.absorbed([ranges[i] for i in node.inputs])
    if not moved.any():
        return node
    count = np.count_nonzero(moved)
    context.notes.append(f"{node.name}: {count} of {len(moved)} inputs are constant and moved into the bias.")
    return dataclasses.replace(node, op=op)
