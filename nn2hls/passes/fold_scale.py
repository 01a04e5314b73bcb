"""Fold BatchNormalization and other affine steps into the Dense or Scale before them, in float64."""

from __future__ import annotations

import dataclasses

import numpy as np

from nn2hls.graph.const import Const, Shape
from nn2hls.graph.graph import Graph, Node
from nn2hls.ops import Dense, Op, Scale
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
    if not isinstance(node.op, Scale):
        return None
    before = done[node.inputs[0]]
    if not isinstance(before.op, Dense | Scale) or len(graph.users[_last(graph, before, node)]) != 1:
        return None
    if _last(graph, before, node) in graph.outputs:
        return None
    op = _combine(before.op, node.op, before.shape)
    if op is None:
        return None
    for layer in (before, node):
        if context.settings(layer).own_type:
            why = f"'{layer.origin.layer}' has a type of its own"
            context.notes.append(f"{node.origin.layer}: not folded into '{before.origin.layer}', because {why}.")
            return None
    origin = dataclasses.replace(before.origin, shows=node.origin.trace_key, folded=node.origin.layer)
    return dataclasses.replace(before, op=op, origin=origin)


def _last(graph: Graph, before: Node, node: Node) -> str:
    """The name that ``node`` read in the original graph: ``before`` or a node already folded into it."""
    return graph[node.name].inputs[0]


def _combine(first: Op, second: Scale, shape: Shape) -> Op | None:
    scale, bias = second.scale.array, second.bias.array
    if isinstance(first, Scale):
        both = np.broadcast_arrays(first.bias.array * scale, bias)
        return Scale(Const(first.scale.array * scale), Const(both[0] + both[1]))
    n_out = shape[-1]
    if not (_per_channel(scale) and _per_channel(bias)) or not isinstance(first, Dense):
        return None
    scale, bias = (np.broadcast_to(np.ravel(a), (n_out,)) for a in (scale, bias))
    return first.replace(weight=Const(first.weight.array * scale), bias=Const(first.bias.array * scale + bias))


def _per_channel(array: np.ndarray) -> bool:
    """True when only the last axis differs from one."""
    return array.size == (array.shape[-1] if array.ndim else 1)
