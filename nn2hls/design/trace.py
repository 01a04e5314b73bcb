"""Which nodes a trace shows, and under which names."""

from __future__ import annotations

from nn2hls.graph.graph import Graph


def trace_nodes(graph: Graph, float_graph: Graph) -> dict[str, str]:
    """Key of a trace -> node: of each of the user's layers its output; NAME_2 .. for further calls of a layer."""
    shown = [n for n in graph if n.origin.trace_key and n.name in float_graph.by_name]
    layers = {n.origin.trace_key for n in shown}
    keys: dict[str, str] = {}
    last: dict[str, int] = {}  # the highest suffix of each name that was taken
    for node in shown:
        key, n = node.origin.trace_key, last.get(node.origin.trace_key, 1)
        if n > 1:
            key = f"{key}_{n}"
        while key in keys or (n > 1 and key in layers):
            n += 1
            key = f"{node.origin.trace_key}_{n}"
        keys[key], last[node.origin.trace_key] = node.name, n
    return keys
