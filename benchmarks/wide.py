"""Six dense layers, 500 wide, 1.26 million weights: nothing may cost more than the weights do."""

from __future__ import annotations

import itertools
import tempfile
import time

import numpy as np

from benchmarks.measure import Row, fastest

WIDTH, DEPTH, REUSE, EVENTS = 500, 6, 500, 10_000


def network(width: int):
    """A float graph with He-initialised weights, 16 inputs, DEPTH hidden layers and 5 outputs."""
    from nn2hls.graph.builder import Builder
    from nn2hls.graph.const import Const
    from nn2hls.ops import Dense, Input, Relu

    rng, builder = np.random.default_rng(2), Builder()
    x, n_in = builder.add("x", Input((16,))), 16
    for i in range(DEPTH):
        kernel = Const(rng.normal(0, np.sqrt(2 / n_in), (n_in, width)).astype(np.float32))
        x = builder.add(f"fc{i + 1}", Dense(kernel, Const(np.zeros(width))), [x])
        x, n_in = builder.add(f"relu{i + 1}", Relu(), [x]), width
    kernel = Const(rng.normal(0, np.sqrt(1 / n_in), (n_in, 5)).astype(np.float32))
    return builder.build([builder.add("output", Dense(kernel, Const(np.zeros(5))), [x])])


def config(reuse: int) -> dict:
    """hls4ml's hls_config."""
    return {"Model": {"Precision": "auto", "ReuseFactor": reuse, "Strategy": "Resource" if reuse > 1 else "Latency"}}


def converted(width: int, reuse: int):
    """(seconds to convert and write, design)."""
    import nn2hls

    graph = network(width)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        design = nn2hls.convert(graph, config=config(reuse))
        design.write(folder)
        return time.perf_counter() - start, design


def ten_million() -> float:
    """Seconds to convert and estimate a network of ten million weights at a stated reuse factor."""
    import nn2hls
    from nn2hls.graph.builder import Builder
    from nn2hls.graph.const import Const
    from nn2hls.ops import Dense, Input, Relu

    rng, builder = np.random.default_rng(4), Builder()
    x, sizes = builder.add("x", Input((1000,))), (1000, 2500, 2500, 500, 5)
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        kernel = Const(rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out)).astype(np.float32))
        x = builder.add(f"fc{i}", Dense(kernel, Const(np.zeros(n_out))), [x])
        x = builder.add(f"relu{i}", Relu(), [x])
    graph = builder.build([x])
    (seconds,) = fastest(lambda: nn2hls.convert(graph, config=config(6500)).estimate(), times=1)
    return seconds


def rows() -> list[Row]:
    """Conversion, emulation, growth, and the refusal of reuse 1."""
    from nn2hls.errors import LimitError

    half_time, _ = converted(WIDTH // 2, REUSE)
    whole_time, design = converted(WIDTH, REUSE)
    x = np.random.default_rng(3).normal(0, 1, (EVENTS, 16))
    (emulation,) = fastest(lambda: design.predict(x), times=2)
    weights = [16 * w + (DEPTH - 1) * w * w + 5 * w for w in (WIDTH // 2, WIDTH)]
    growth = whole_time / half_time / (weights[1] / weights[0])
    try:
        converted(WIDTH, 1)
        refused, note = 0, "reuse 1 was accepted"
    except LimitError as error:
        refused, note = 1, str(error)
    return [
        Row(f"6 x {WIDTH} dense, reuse {REUSE}: convert and write", whole_time, 10, "s", note=f"{weights[1]:,} weights"),
        Row(f"6 x {WIDTH} dense: emulating {EVENTS:,} events", emulation, 3, "s"),
        Row("10 M weights, reuse 6500: convert and estimate", ten_million(), 5, "s"),
        Row("time per weight, 500 wide / 250 wide", growth, 1.25, note=f"{half_time:.2f} s and {whole_time:.2f} s"),
        Row("6 x 500 dense at reuse 1 is refused", refused, 1, least=1, note=note),
    ]
