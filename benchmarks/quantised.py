"""A type for each element against one for each tensor: the jet tagger of HGQ2, and the same network with the widest types.

Elements that training left no bit get one in both, for otherwise the network with the widest types would be the larger one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.measure import ROOT, Row, measured_apart, pairs

EVENTS, LIMIT = 100_000, 1.3


def designs():
    """(design of the tagger with a type for each element, design with one for all elements of each cast, events)."""
    import nn2hls
    from nn2hls.graph.const import Places
    from nn2hls.graph.graph import Graph
    from nn2hls.ops import Quantize, QuantizeEach

    folder = ROOT / "examples/jet_tagging"
    graph = nn2hls.load(folder / "hgq_tagger.keras")

    def changed(node, make):
        if not isinstance(node.op, QuantizeEach):
            return node
        op = node.op.replace(width=Places(np.maximum(node.op.width.array, 1)))
        hull = op.grid.hull
        return replace(node, op=make(op, hull), given={"result": hull})

    both = [lambda op, hull: op, lambda op, hull: Quantize(hull)]
    each, alike = (Graph(tuple(changed(node, make) for node in graph), graph.outputs) for make in both)
    jets = np.load(folder / "hgq_jets.npy")
    return nn2hls.convert(each), nn2hls.convert(alike), jets[np.arange(EVENTS) % len(jets)]


def times() -> tuple[float, float, float]:
    """(time of ``predict`` with a type for each element / with one for each tensor, the seconds of each), medians."""
    each, alike, x = designs()
    return pairs(lambda: each.predict(x), lambda: alike.predict(x))


def rows() -> list[Row]:
    """The ratio, in a process of its own."""
    ratio, each, alike = measured_apart("quantised:times")
    note = f"{each * 1e3:.1f} ms against {alike * 1e3:.1f} ms, {EVENTS:,} events"
    return [Row("predict, a type for each element / for each tensor (HGQ2 tagger)", ratio, LIMIT, note=note)]
