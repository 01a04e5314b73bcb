"""The steps of a layer that repeats a graph, side by side: every step has nodes of its own, all copies of a node one type."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from nn2hls.config.settings import LayerSettings
from nn2hls.graph.builder import unused
from nn2hls.graph.graph import Graph, Node, Origin, Turn
from nn2hls.graph.repeat import Copies
from nn2hls.passes.base import Context


def unroll(graph: Graph, context: Context) -> Graph:
    """Replace each op that repeats a graph by the copies of its nodes; two that differ in their result alone share them."""
    return _Unrolled(graph, context.settings).graph()


class _Unrolled:
    def __init__(self, source: Graph, settings: Callable[[Node], LayerSettings]) -> None:
        self.source, self.settings = source, settings
        self.nodes: dict[str, Node] = {}
        self.taken = {n.name for n in source}
        self.known: dict[Any, list[str]] = {}
        self.joined: dict[str, Node] = {}  # what stands in place of ops that repeat

    def graph(self) -> Graph:
        for node in self.source:
            copies = node.op.copies([self.nodes[i].shape for i in node.inputs])
            if copies is None:
                self._add(self._direct(node))
                continue
            names = self.known.get((copies.identity, node.inputs))
            if names is None:
                in_turn = self.settings(node).time_steps == "Off"
                names = self.known[copies.identity, node.inputs] = self._place(node, copies, in_turn=in_turn)
            node = dataclasses.replace(node, op=copies.joined, inputs=tuple(names[k] for k in copies.inputs))
            self.joined[node.name] = node
            self._add(node)
        return Graph(tuple(self.nodes.values()), self.source.outputs)

    def _add(self, node: Node) -> None:
        self.nodes[node.name] = node

    def _place(self, node: Node, copies: Copies, *, in_turn: bool) -> list[str]:
        """Add all copies, marked where they are to run ``in_turn`` on the hardware of one step; their names."""
        names: list[str] = []
        for copy in copies.nodes:
            inputs = tuple(names[k] if k >= 0 else node.inputs[-1 - k] for k in copy.inputs)
            part = f"{node.origin.layer or node.name}_{copy.name}"
            name = unused(f"{part}_step{copy.step}", self.taken)
            shape = copy.op.infer([self.nodes[i].shape for i in inputs], where=node.origin.layer or node.name)
            origin = Origin(node.origin.layer, node.origin.kind, is_result=False, part=part)
            turn = Turn(node.name, copy.step) if in_turn else None
            tied = f"{node.name}/{copy.name}"
            self._add(Node(name, copy.op, inputs, shape, None, origin, given=copy.given, tied=tied, turn=turn))
            names.append(name)
        return names

    def _direct(self, node: Node) -> Node:
        """A node that takes elements of joined sequences reads the steps that hold them, and keeps no other alive."""
        place = 0
        while place < len(node.inputs):
            joined = self.joined.get(node.inputs[place])
            changed = None if joined is None else self._through(node, place, joined)
            node, place = (node, place + 1) if changed is None else (changed, 0)
        return node

    def _through(self, node: Node, place: int, joined: Node) -> Node | None:
        """The node with the steps in place of the operand that joins them; None where it does more than to take elements."""
        shapes, before = ([self.nodes[i].shape for i in inputs] for inputs in (node.inputs, joined.inputs))
        op = node.op.through(place, joined.op, shapes, before)
        if op is None:
            return None
        inputs = [*node.inputs[:place], *joined.inputs, *node.inputs[place + 1 :]]
        op, read = op.reading([self.nodes[i].shape for i in inputs])
        return dataclasses.replace(node, op=op, inputs=tuple(inputs[k] for k in read))
