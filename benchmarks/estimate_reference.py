"""The estimate of the public 70 % pruned jet tagger beside the figures that are known for it; nothing is fitted to them.

    python benchmarks/estimate_reference.py MODELS [--dense]

MODELS is the folder with keras/KERAS_3layer.json and its pruned weights; --dense leaves the softmax out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nn2hls
from nn2hls.estimate.result import Estimate
from nn2hls.graph.graph import Graph

# Vivado HLS 2017.2, xcku115, 5 ns, reuse 1 (the figures of the project's talks), and Vitis HLS 2024.1, xcu50, 5 ns, of another
# network of the same shape, 75 % pruned.
KNOWN = (
    ("xcku115-flvb2104-2-i", "Vivado", "15 clocks, 954 DSP, 36,000 LUT, 53,000 FF, 13 BRAM18"),
    ("xcu50-fsvh2104-2-e", "Vitis", "another network: 14 clocks, 817 DSP, 35,326 LUT, 8,462 FF, 8 BRAM18"),
)


def tagger(models: Path, *, softmax: bool = True) -> Graph:
    """The pruned network, with or without its last layer."""
    folder = models / "keras"
    graph = nn2hls.load(folder / "KERAS_3layer.json", weights=folder / "KERAS_3layer_70pruned_retrained_weights.h5")
    if softmax:
        return graph
    (last,) = graph.outputs
    return Graph(tuple(n for n in graph if n.name != last), graph[last].inputs)


def size(graph: Graph, part: str, backend: str, reuse: int) -> Estimate:
    """The estimate at ap_fixed<16,6>, 5 ns."""
    model = {"Precision": "ap_fixed<16,6>", "ReuseFactor": reuse}
    config = {"Part": part, "ClockPeriod": 5, "Backend": backend, "HLSConfig": {"Model": model}}
    return nn2hls.convert(graph, config).estimate()


def main() -> None:
    """Print the figures for reuse 1 to 6 on both parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--dense", action="store_true")
    chosen = parser.parse_args()
    graph = tagger(chosen.models, softmax=not chosen.dense)
    for part, backend, known in KNOWN:
        print(f"{part}, {backend}, 5 ns; known at reuse 1: {known}")
        for reuse in range(1, 7):
            e = size(graph, part, backend, reuse)
            after = f"after synthesis {e.synthesised.lut:,} LUT, {e.synthesised.ff:,} FF"
            speed = f"{e.latency_cycles:2d} clocks, II {e.ii}"
            print(f"reuse {reuse}: {speed}, {e.dsp} DSP, {e.lut:,} LUT, {e.ff:,} FF, {e.bram} BRAM18; {after}")


if __name__ == "__main__":
    main()
