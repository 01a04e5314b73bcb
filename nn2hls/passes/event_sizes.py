"""Values in steps of the largest one of their event: what of that is exact, and where a model's own bits end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nn2hls.graph.graph import Graph, Node
from nn2hls.passes.model_types import rounded_up


@dataclass(frozen=True)
class Sizes:
    """Names of nodes around ops that measure one operand by another.

    Args:
        spans: From the values to the largest of them, which keep every bit: no value is beyond the largest one.
        measured: The values as whole numbers.
        floats: What scales the sums to the size of their event. In the model that is a float, and so is what follows.
        notes: What a step is to these, by their name.
    """

    spans: frozenset[str]
    measured: frozenset[str]
    floats: frozenset[str]
    notes: dict[str, str]


def event_sizes(graph: Graph) -> Sizes:
    """The sizes of the events in a graph; nothing in most."""
    measured = [node for node in graph if node.op.measures]
    spans: set[str] = set()
    floats: dict[str, str] = {}
    for node in measured:
        values, largest = node.inputs
        spans |= _before(graph, [largest]) - _before(graph, [values])
        for product in _readers(graph, largest):
            if product.op.measures:
                continue
            for scale in _readers(graph, product.name):
                floats[scale.name] = _note(graph, node, product, scale)
    names = frozenset(node.name for node in measured)
    return Sizes(frozenset(spans), names, frozenset(floats), {name: text for name, text in floats.items() if text})


def _before(graph: Graph, names: Iterable[str]) -> set[str]:
    """The nodes that some of these are computed from, and they themselves."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += graph[name].inputs
    return found


def _readers(graph: Graph, name: str) -> list[Node]:
    """What reads a value, behind layers that only move it."""
    found: list[Node] = []
    for user in graph.users[name]:
        found += _readers(graph, user.name) if user.op.rearranges else [user]
    return found


def _note(graph: Graph, measured: Node, product: Node, scale: Node) -> str:
    """How far one whole number that is a step off changes a result, in largest values of the event."""
    todo, largest = list(product.inputs), 0.0
    while todo:
        node = graph[todo.pop()]
        if node.op.linear is not None:
            largest = max(largest, float(np.abs(node.op.linear[0]).max(initial=0.0)))
        elif node.op.rearranges:
            todo += node.inputs
    factor = 0.0 if scale.op.affine is None else float(np.abs(scale.op.affine[0]).max(initial=0.0))
    if not largest * factor:
        return ""
    return (
        f"{measured.name} is exact; a framework's float32 may take the other step for a value next to a middle between two, "
        f"which changes no result by more than {rounded_up(largest * factor)} times {measured.inputs[1]}."
    )
