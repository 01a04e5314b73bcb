"""What holds for every input: exact ranges of all values of a fixed graph, and which values anybody reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nn2hls.arith.ranges import Range
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant, Input


def graph_ranges(graph: Graph) -> Mapping[str, Range]:
    """Sound bounds of each node's result, one pair per element of its shape."""
    ranges: dict[str, Range] = {}
    for node in graph:
        ranges[node.name] = node_range(node, [ranges[i] for i in node.inputs])
    return ranges


class KnownRanges:
    """Bounds of graphs that are made from one another: of a node that nothing happened to they are not computed again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Node, tuple[Range, ...], Range]] = {}

    def of(self, graph: Graph) -> Mapping[str, Range]:
        """The same as :func:`graph_ranges`."""
        ranges: dict[str, Range] = {}
        for node in graph:
            ranges[node.name] = self.node(node, [ranges[i] for i in node.inputs])
        return ranges

    def node(self, node: Node, xs: list[Range]) -> Range:
        """The same as :func:`node_range`; it is the very object of before where op, type and operands are."""
        before = self._known.get(node.name)
        if before is None or node.shape != before[0].shape:
            return self.keep(node, xs, node_range(node, xs))
        same = node.op is before[0].op and node.type == before[0].type and len(xs) == len(before[1])
        if same and all(x is old for x, old in zip(xs, before[1], strict=True)):
            return before[2]
        found = node_range(node, xs)
        return self.keep(node, xs, before[2] if found.alike(before[2]) else found)

    def keep(self, node: Node, xs: Sequence[Range], found: Range) -> Range:
        """Take the bounds of a node's result from one who has them; they are returned."""
        self._known[node.name] = node, tuple(xs), found
        return found


def node_range(node: Node, xs: list[Range]) -> Range:
    """Sound bounds of one node's result from those of its operands."""
    kind = node.result_type
    if isinstance(node.op, Input):
        return Range.of_type(kind).broadcast(node.shape)
    if isinstance(node.op, Constant):
        return Range.of_mantissas(node.op.value.array, kind.fraction)
    return node.op.exact(xs).cast(kind).broadcast(node.shape)


def bit_operations(graph: Graph) -> dict[str, int]:
    """The effective bit operations of each node that has any; see :meth:`nn2hls.graph.op.Op.bit_operations`."""
    ranges = graph_ranges(graph)
    found = {n.name: n.op.bit_operations([ranges[i].broadcast(graph[i].shape) for i in n.inputs]) for n in graph}
    return {name: count for name, count in found.items() if count}


def demanded(graph: Graph) -> dict[str, np.ndarray]:
    """For each node which elements of its result some output depends on: boolean arrays of its shape."""
    needed = {n.name: np.zeros(n.shape, dtype=bool) for n in graph}
    for name in graph.outputs:
        needed[name][...] = True
    for node in reversed(graph.nodes):
        shapes = [graph[i].shape for i in node.inputs]
        for name, demand in zip(node.inputs, node.op.demand(needed[node.name], shapes), strict=True):
            needed[name] |= demand
    return needed
