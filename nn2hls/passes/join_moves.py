"""Two layers in a row that only rearrange are one."""

from __future__ import annotations

import dataclasses

from nn2hls.graph.graph import Graph, Node
from nn2hls.passes.base import Context


def join_moves(graph: Graph, context: Context) -> Graph:
    """Let a Move read what the layer before it reads, where that only rearranges too, and drop it if it changes nothing then.

    A layer stays between them whose own output a trace shows, or which the user gave a type of its own.
    """
    done: dict[str, Node] = {}
    gone: dict[str, str] = {}
    for node in graph:
        node = dataclasses.replace(node, inputs=tuple(gone.get(i, i) for i in node.inputs))
        node = _joined(node, done, context)
        shapes = [done[i].shape for i in node.inputs]
        done[node.name] = node
        hidden = not node.origin.trace_key and node.name not in graph.outputs
        if hidden and node.op.moves and node.op.identity(shapes) and not context.settings(node).own_type:
            gone[node.name] = node.inputs[0]
    return Graph(tuple(n for n in done.values() if n.name not in gone), graph.outputs)


def _joined(node: Node, done: dict[str, Node], context: Context) -> Node:
    """The node with as many as can be of the layers before it in its own op."""
    operand = 0
    while operand < len(node.inputs):
        inner = done[node.inputs[operand]]
        op = None
        if inner.op.moves and not inner.origin.trace_key and not context.settings(inner).own_type:
            shapes = [done[i].shape for i in node.inputs]
            op = node.op.through(operand, inner.op, shapes, [done[i].shape for i in inner.inputs])
        if op is None:
            operand += 1
        else:
            inputs = (*node.inputs[:operand], *inner.inputs, *node.inputs[operand + 1 :])
            node = dataclasses.replace(node, op=op, inputs=inputs)
    return node
