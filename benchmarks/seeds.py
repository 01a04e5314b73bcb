"""The published 70 % pruned tagger (KERAS_3layer, not part of this repository) against the figures its authors printed."""

from __future__ import annotations

import dataclasses
import itertools
import sys

import numpy as np

from benchmarks.measure import ROOT, Row

MODELS = ROOT.parent / "shared/models/keras"
REUSE = range(1, 7)


def load(weights: str):
    """The network with one of its two weight files."""
    import nn2hls

    return nn2hls.load(MODELS / "KERAS_3layer.json", weights=MODELS / weights)


def design(reuse: int = 1, *, floored: bool = False):
    """The tagger at <16,6> on the KU115 at 5 ns; ``floored`` rounds its weights down first, as the authors' tool did."""
    import nn2hls
    from nn2hls.graph.const import Const
    from nn2hls.ops import Dense

    graph = load("KERAS_3layer_70pruned_retrained_weights.h5")
    if floored:
        graph = graph.map(
            lambda node: (
                dataclasses.replace(node, op=node.op.replace(weight=Const(np.floor(node.op.weight.array * 1024) / 1024)))
                if isinstance(node.op, Dense)
                else node
            )
        )
    strategy = "Latency" if reuse == 1 else "Resource"
    model = {"Precision": "ap_fixed<16,6>", "ReuseFactor": reuse, "Strategy": strategy}
    top = {"XilinxPart": "xcku115-flvb2104-2-i", "ClockPeriod": 5, "Backend": "Vivado"}
    return nn2hls.convert(graph, config={**top, "HLSConfig": {"Model": model}})


def dense_dsp(of) -> int:
    """DSPs of the dense layers alone."""
    from nn2hls.ops import Dense

    dense = {node.name for node in of.graph if isinstance(node.op, Dense)}
    return sum(layer.report.dsp for layer in of.estimate().layers if layer.name in dense)


def agreement(precision: str | None) -> float:
    """Share of 10,000 normal inputs for which the unpruned tagger names the same class in float and in fixed point."""
    import nn2hls

    config = None if precision is None else {"Model": {"Precision": precision}}
    x = np.random.default_rng(4).normal(0, 1, (10_000, 16)).astype(np.float32)
    return nn2hls.convert(load("KERAS_3layer_weights.h5"), config=config).compare(x).outputs[0].agreement


def rows() -> list[Row]:
    """DSP by the rule, latency, and what reuse does to it; nothing where the model is absent."""
    if not MODELS.is_dir():
        print("seeds: left out, the public models are not beside the repository", file=sys.stderr)
        return []
    estimates = [design(reuse).estimate() for reuse in REUSE]
    latency = [e.latency_cycles for e in estimates]
    rising = sum(b > a for a, b in itertools.pairwise(latency))
    right = sum(e.ii == r for e, r in zip(estimates, REUSE, strict=True))
    return [
        Row("KERAS_3layer, normal inputs, no config: same class as float", agreement(None), 1, least=0.99),
        Row("the same, ap_fixed<16,6>: six integer bits are too few for some", agreement("ap_fixed<16,6>"), 1, least=0.98),
        Row("KERAS_3layer, 70 % pruned, <16,6>, reuse 1: DSP of the dense layers", dense_dsp(design()), 948, least=948),
        Row("the same with weights floored (Vivado HLS 2017.2 printed 954)", dense_dsp(design(floored=True)), 954, least=954),
        Row("its latency (Vivado HLS 2017.2: 15)", latency[0], 18, "clk", least=12),
        Row("reuse 1..6: designs whose interval is the reuse factor", right, 6, least=6),
        Row("reuse 1..6: steps at which latency rises", rising, 5, least=5, note=f"latency {', '.join(map(str, latency))}"),
    ]
