"""What a trace shows: the output of each of the user's layers, also of those that have no node of their own any more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from nn2hls.graph.graph import Fate, Graph
from nn2hls.graph.leaves import Input
from nn2hls.graph.reference import run_float


class Trace:
    """Where the values of a trace come from.

    A layer whose value a node holds shows that value. A layer without one, as a Dense whose BatchNormalization was folded into
    it, shows its own float operation on the values that the trace has of what it reads.

    Args:
        graph: The graph whose values are shown.
        source: The network as it was read.
        float_graph: Its rewrites that keep all values; nodes that only ``graph`` has hold no layer's value.
    """

    def __init__(self, graph: Graph, source: Graph, float_graph: Graph) -> None:
        needed = source.needed()
        holders = {n.origin.value_of(n.name): n.name for n in graph if n.name in float_graph.by_name}
        held = {n.name: holders[n.name] for n in needed if n.name in holders}
        self.keys = _keys(needed, source)
        self._rest = _computed_from(needed, held, [name for name in self.keys.values() if name not in held])
        read = {*self.keys.values(), *(n.name for n in self._rest.inputs)}
        self._held = {name: node for name, node in held.items() if name in read}

    @property
    def shown(self) -> dict[str, str]:
        """Key -> the node that holds its value; keys without one are left out."""
        return {key: self._held[name] for key, name in self.keys.items() if name in self._held}

    @property
    def nodes(self) -> list[str]:
        """The nodes whose values it reads."""
        return list(dict.fromkeys(self._held.values()))

    def values(self, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The trace, from values (events, *shape) of :attr:`nodes` by name, in the shapes of the user's layers."""
        values = {name: found[node] for name, node in self._held.items()}
        if self._rest.outputs:
            values |= run_float(self._rest, [values[n.name] for n in self._rest.inputs])
        return {key: values[name] for key, name in self.keys.items()}


def _computed_from(source: Graph, held: Iterable[str], names: Iterable[str]) -> Graph:
    """The part of the network that computes the nodes ``names`` from those that are held."""
    ports = set(held)
    cut = source.map(lambda n: dataclasses.replace(n, op=Input(n.shape), inputs=()) if n.name in ports else n)
    rest = Graph(cut.nodes, tuple(dict.fromkeys(names))).needed()
    read = {name for node in rest for name in node.inputs}
    return Graph(tuple(n for n in rest if n.name in read or n.name not in ports), rest.outputs)


def _keys(needed: Graph, source: Graph) -> dict[str, str]:
    """Key of a trace -> node: of each of the user's layers its output; NAME_2 .. for further calls of a layer."""
    layers = {n.origin.trace_key for n in needed}
    dropped: dict[str, list[str]] = {}
    for gone in source.absent:
        if gone.fate is Fate.DROPPED and gone.layer not in layers:
            dropped.setdefault(gone.node, []).append(gone.layer)
    keys: dict[str, str] = {}
    last: dict[str, int] = {}  # the highest suffix of each name that was taken
    for node in needed:
        if layer := node.origin.trace_key:
            key, n = layer, last.get(layer, 1)
            if n > 1:
                key = f"{layer}_{n}"
            while key in keys or (n > 1 and key in layers):
                n += 1
                key = f"{layer}_{n}"
            keys[key], last[layer] = node.name, n
        keys.update((layer, node.name) for layer in dropped.get(node.name, ()) if layer not in keys)
    return keys
