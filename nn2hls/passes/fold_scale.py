"""Fold BatchNormalization and other affine steps into the Dense or Scale before them, in float64."""

from __future__ import annotations

import dataclasses

from nn2hls.graph.graph import Graph, Node
from nn2hls.passes.base import Context


def fold_scale(graph: Graph, context: Context) -> Graph:
    """Dense then Scale becomes Dense, Scale then Scale becomes Scale, where nobody else reads the first.

    A node that the user gave a type of its own is not folded across; a note says so.
    """
    done: dict[str, Node] = {}
    gone: dict[str, str] = {}
    for node in graph:
        node = dataclasses.replace(node, inputs=tuple(gone.get(i, i) for i in node.inputs))
        merged = _merge(graph, done, node, context)
        if merged is None:
            done[node.name] = node
        else:
            done[merged.name] = merged
            gone[node.name] = merged.name
    return Graph(tuple(done.values()), tuple(gone.get(o, o) for o in graph.outputs))


def _merge(graph: Graph, done: dict[str, Node], node: Node, context: Context) -> Node | None:
    if node.op.affine is None:
        return None
    before, last = done[node.inputs[0]], graph[node.name].inputs[0]  # what it read may be folded into another one already
    if len(graph.users[last]) != 1 or last in graph.outputs:
        return None
    op = before.op.folded(*node.op.affine)
    if op is None:
        return None
    for layer in (before, node):
        if context.settings(layer).own_type:
            why = f"'{layer.origin.layer}' has a type of its own"
            context.notes.append(f"{node.origin.layer}: not folded into '{before.origin.layer}', because {why}.")
            return None
    origin = dataclasses.replace(before.origin, shows=node.origin.trace_key, folded=node.origin.layer)
    return dataclasses.replace(before, op=op, origin=origin)
