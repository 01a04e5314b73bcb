"""Fold BatchNormalization and other affine steps into the Dense or Scale before them, in float64."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.op import Op
from nn2hls.passes.base import Context
from nn2hls.passes.sink_scales import number_of


def fold_scale(graph: Graph, context: Context) -> Graph:
    """Dense then Scale becomes Dense, Scale then Scale becomes Scale, where nobody else reads the first.

    A layer between them that only puts the channels elsewhere, as where these come first, stays and shows the Scale; so do, for
    a number before a cast of the model, layers between that take it as a factor of their result.

    What takes the zero point off a cast of the model stays before a factor that is rounded: a product with zero is zero.

    A node that the user gave a type of its own is not folded across; a note says so.
    """
    done: dict[str, Node] = {}
    gone: dict[str, str] = {}
    for node in graph:
        node = dataclasses.replace(node, inputs=tuple(gone.get(i, i) for i in node.inputs))
        merged = _merge(graph, done, gone, node, context)
        done.update((n.name, n) for n in merged or (node,))
        if merged:
            gone[node.name] = merged[-1].name
    return Graph(tuple(done.values()), tuple(gone.get(o, o) for o in graph.outputs))


def _merge(graph: Graph, done: dict[str, Node], gone: dict[str, str], node: Node, context: Context) -> tuple[Node, ...]:
    """The layer before the node with the node in it, last of what changes; nothing where that cannot be."""
    if node.op.affine is None or not _only_reader(graph, graph[node.name].inputs[0]):
        return ()
    before = done[node.inputs[0]]  # what it read may be folded into another one already
    op = before.op.folded(*node.op.affine)
    if op is not None:
        apart = _centred(before, done) and not _is_shift(node.op.affine[0])
        return _with(before, op, node) if not apart and _allowed((before, node), context) else ()
    raised = _raised(graph, done, gone, node, context)
    if raised or not before.op.rearranges or not _only_reader(graph, graph[before.name].inputs[0]):
        return raised
    inner = done[before.inputs[0]]
    pulled = _pulled(node.op.affine, before, inner)
    op = None if pulled is None else inner.op.folded(*pulled)
    if op is None or not _allowed((inner, before, node), context):
        return ()
    scaled = dataclasses.replace(inner.origin, holds=None)  # its channels in the scale of what is normalised behind the Move
    return dataclasses.replace(inner, op=op, origin=scaled), *_with(before, before.op, node)


def _centred(node: Node, done: dict[str, Node]) -> bool:
    """Whether a layer only adds numbers to what the model cast, perhaps with a shift, an end or a move behind the cast."""
    if not _adds(node) or node.op.affine is None or not node.op.affine[1].any():
        return False
    before = done[node.inputs[0]]
    while before.op.casts_to is None and before.inputs and (_adds(before) or before.op.pointwise or before.op.homogeneous):
        if before.op.affine is not None and not _adds(before):
            return False
        before = done[before.inputs[0]]
    return before.op.casts_to is not None


def _adds(node: Node) -> bool:
    return node.op.affine is not None and bool((node.op.affine[0] == 1).all())


def _is_shift(factor: np.ndarray) -> bool:
    return bool((np.frexp(np.abs(factor))[0] == 0.5).all())


def _raised(graph: Graph, done: dict[str, Node], gone: dict[str, str], node: Node, context: Context) -> tuple[Node, ...]:
    """A number before a cast of the model, in the scales before the layers between that take it as a factor of their result."""
    factor, read = number_of(node.op), all(user.op.casts_to is not None for user in graph.users[node.name])
    if factor is None or not read or node.name in graph.outputs:
        return ()
    changed: dict[str, Node] = {}

    def can(name: str) -> bool:
        """Whether a value, by its name before all folding, can be had times the factor; collects what changes for it."""
        here = done[gone.get(name, name)]
        if not _only_reader(graph, name) or here.given:
            return False
        op = here.op.folded(np.asarray(factor), np.zeros(()))
        if op is None and not (here.op.homogeneous and all(can(i) for i in graph[here.name].inputs)):
            return False
        changed[here.name] = dataclasses.replace(here, op=op or here.op, origin=dataclasses.replace(here.origin, holds=None))
        return True

    if not can(graph[node.name].inputs[0]) or not _allowed((*changed.values(), node), context):
        return ()
    last = changed.pop(node.inputs[0])
    return *changed.values(), *_with(last, last.op, node)


def _only_reader(graph: Graph, name: str) -> bool:
    return len(graph.users[name]) == 1 and name not in graph.outputs


def _with(before: Node, op: Op, node: Node) -> tuple[Node]:
    holds = node.origin.value_of(node.name)
    origin = dataclasses.replace(before.origin, shows=node.origin.trace_key, folded=node.origin.layer, holds=holds)
    return (dataclasses.replace(before, op=op, origin=origin),)


def _allowed(layers: tuple[Node, ...], context: Context) -> bool:
    """Whether none of the layers has a type of its own; else a note says so."""
    for layer in layers:
        if context.settings(layer).own_type:
            why = f"'{layer.origin.layer}' has a type of its own"
            context.notes.append(f"{layers[-1].origin.layer}: not folded into '{layers[0].origin.layer}', because {why}.")
            return False
        if layer.given:  # the model rounds there, or has these very weights
            return False
    return True


def _pulled(affine: tuple[np.ndarray, np.ndarray], move: Node, inner: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and shift for each channel of what a Move reads, that give the same behind it; None where channels mix."""
    index = move.op.origins([inner.shape])
    if index is None or index.size != math.prod(inner.shape):
        return None
    found = []
    for array in affine:
        values = np.zeros(index.size)
        values[index.reshape(-1)] = np.broadcast_to(array, move.shape).reshape(-1)
        rows = values.reshape(-1, *inner.shape[-1:])
        if (rows != rows[:1]).any():
            return None
        found.append(rows[0])
    return found[0], found[1]
