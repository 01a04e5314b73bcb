"""Drop the casts of a quantised model that change no value: after an input or another cast that rounded already."""

from __future__ import annotations

from nn2hls.graph.graph import Graph, Node
from nn2hls.passes.base import Context
from nn2hls.passes.identities import show_in_operand
from nn2hls.passes.model_types import holds


def drop_casts(graph: Graph, context: Context) -> Graph:
    """Remove casts to types that hold every value of their operand; two in a row are one where the second is such a cast.

    An output stays, and so do a cast whose type the user named and one in a step that shares its hardware; so does one that
    has a narrower type than its own, from a level above the layer.
    """
    ranges = context.ranges.of(graph)
    gone: dict[str, str] = {}
    for node in graph:
        stays = node.turn is not None or node.name in graph.outputs or context.settings(node).own_words
        if node.op.casts_to is not None and not stays:
            operand = gone.get(node.inputs[0], node.inputs[0])
            casts = (node.op.casts_to, node.result_type)
            if all(holds(kind, ranges[operand]) for kind in casts) and _same(node, graph[operand]):
                gone[node.name] = operand
    return show_in_operand(graph, gone).without(gone)


def _same(node: Node, operand: Node) -> bool:
    """Whether the operand is a value like this one for those who look at parts of it."""
    return node.shape == operand.shape and node.spread is operand.spread is None
