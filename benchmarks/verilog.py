"""Verilog without an HLS tool: how long it takes to write, its interval, and whether Verilator finds every bit of it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT, Row, fastest, python

MODEL = ROOT / "examples/jet_tagging/jet_tagger.keras"
REUSES = (1, 2, 4, 32)
WIDTH, EVENTS = 128, 1000


def whole(reuse: int):
    """The tagger with all its 4,256 weights, by the types of its example of Bambu."""
    import nn2hls
    from nn2hls.config.options import with_options
    from nn2hls.config.read import read_config

    config = read_config(ROOT / "example-configs/jet_tagger_verilog.yml")
    return nn2hls.convert(MODEL, with_options(config, {"reuse": str(reuse), "strategy": "Latency"}))


def square():
    """One dense layer, 128 x 128, 8 bits."""
    import nn2hls
    from nn2hls.graph.builder import Builder
    from nn2hls.graph.const import Const
    from nn2hls.ops import Dense, Input

    rng, builder = np.random.default_rng(5), Builder()
    weight = Const(rng.normal(0, np.sqrt(2 / WIDTH), (WIDTH, WIDTH)))
    x = builder.add("x", Input((WIDTH,)))
    graph = builder.build([builder.add("y", Dense(weight, Const(np.zeros(WIDTH))), [x])])
    return nn2hls.convert(graph, {"Backend": "Verilog", "HLSConfig": {"Model": {"Precision": "ap_fixed<8,3>"}}})


def square_row() -> Row:
    """The net of the layer, its place in time and its text, each made anew."""
    from nn2hls.emit.rtl import rtl

    designs = [square() for _ in range(3)]
    for design in designs:
        design.emulator  # bounds, which the conversion knows  # noqa: B018
    seconds = min(fastest(lambda d=d: rtl(d.graph, "square", d.sizer.placed()), times=1)[0] for d in designs)
    layer = designs[0].additions.layers[0].by["Latency"]
    note = f"{layer.additions:,} additions, {layer.bits:,} adder bits"
    return Row(f"{WIDTH}x{WIDTH} dense as Verilog: net, place and text", seconds, 1.5, "s", note=note)


def reuse_rows(reuse: int) -> list[Row]:
    """The whole tagger at a reuse factor."""
    start = time.perf_counter()
    design = whole(reuse)
    with tempfile.TemporaryDirectory() as folder:
        design.write(folder, force=True)
    seconds = time.perf_counter() - start
    found = design.estimate()
    name = f"tagger, all weights, as Verilog, reuse {reuse}"
    rows = [
        Row(f"{name}: convert and write", seconds, 30, "s", note=f"{found.latency_cycles} clocks, {found.lut:,} LUT expected")
    ]
    rows.append(Row(f"{name}: interval", found.ii, reuse + 2 if reuse > 1 else 1, least=1))
    x = np.load(ROOT / "examples/jet_tagging/jets_test.npy", allow_pickle=False)[:EVENTS]
    start = time.perf_counter()
    verdict = design.verify(x, "rtl")
    note = f"Verilator, {time.perf_counter() - start:.0f} s"
    rows.append(Row(f"{name}: {verdict.events:,} events, those that differ", sum(verdict.mismatches.values()), 0, note=note))
    return rows


def rows() -> list[Row]:
    """Whole processes, one large layer, and the whole tagger at several reuse factors."""
    with tempfile.TemporaryDirectory() as folder:
        command = ("-m", "nn2hls", "convert", str(ROOT / "example-configs/jet_tagger_verilog.yml"))
        wall, cpu = min(python(*command, cwd=Path(folder))[1:] for _ in range(3))
    first = Row("nn2hls convert jet_tagger_verilog.yml, whole process", wall, 5.0, "s", note=f"CPU {cpu:.2f} s")
    return [first, square_row(), *(row for reuse in REUSES for row in reuse_rows(reuse))]
