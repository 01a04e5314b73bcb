"""LUTs of weights that can be written, in our own Verilog, after yosys; nothing of the estimate is fitted to these designs.

python -m benchmarks.reloadable record FOLDER    count what is not recorded yet with yosys, into reloadable.json
python -m benchmarks.reloadable                  the table of docs/estimation.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import nn2hls
from benchmarks.words import run
from nn2hls.design.design import Design
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph
from nn2hls.ops import Dense, Input, Relu

RECORD = Path(__file__).with_suffix(".json")
PARTS = {"7 series": "xc7vx690tffg1930-2", "UltraScale+": "xcvu13p-flga2577-2-e"}
# name -> (part, inputs of each layer and outputs of the last one, ReuseFactor of each layer)
DESIGNS: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "few inputs": ("UltraScale+", (5, 6, 3), (7, 3)),
    "many multipliers": ("UltraScale+", (8, 8, 4), (4, 2)),
    "few multipliers": ("7 series", (8, 8, 4), (16, 8)),
    "long turns": ("7 series", (16, 12, 5), (48, 30)),
    "lanes alike": ("UltraScale+", (16, 16, 5), (32, 80)),
    "many lanes alike": ("7 series", (32, 16, 4), (64, 64)),
}
TYPES = {"weight": "ap_fixed<7,2>", "bias": "ap_fixed<12,3>", "result": "ap_fixed<12,5,AP_RND,AP_SAT>"}


def network(sizes: tuple[int, ...]) -> Graph:
    """Dense layers with ReLU between them; the Verilog is that of any weights."""
    builder, rng = Builder(), np.random.default_rng(0)
    name = builder.add("x", Input((sizes[0],)))
    for k, (n_in, n_out) in enumerate(pairwise(sizes)):
        name = name if not k else builder.add(f"relu{k}", Relu(), [name])
        dense = Dense(Const(rng.uniform(-1, 1, (n_in, n_out))), Const(rng.uniform(-1, 1, n_out)))
        name = builder.add(f"fc{k}", dense, [name])
    return builder.build([name])


@cache
def design(name: str) -> Design:
    """One of DESIGNS."""
    part, sizes, reuse = DESIGNS[name]
    layers = {
        f"fc{k}": {"Weights": "reloadable", "Strategy": "Resource", "ReuseFactor": r, "Precision": TYPES}
        for k, r in enumerate(reuse)
    }
    top = {"Part": PARTS[part], "ClockPeriod": 10, "Backend": "Verilog", "ProjectName": "reloadable"}
    return nn2hls.convert(network(sizes), {**top, "HLSConfig": {"Model": {"Precision": "ap_fixed<10,4>"}, "LayerName": layers}})


def recorded() -> dict[str, dict[str, Any]]:
    """Design -> what was measured."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}


def record(folder: str) -> None:
    """Count every design of which today's code makes other Verilog than what was counted.

    Raises:
        ValueError: yosys failed or was not run.
    """
    for name in DESIGNS:
        if recorded().get(name, {}).get("digest") == design(name).project.digest:
            continue
        report = design(name).build("rtl", Path(folder) / name.replace(" ", "_"), steps=["yosys"])
        if not report.ok or not report.total:
            raise ValueError(f"{name}: {[(s.name, s.note) for s in report.steps]}")
        found = report.total[-1]
        figures = {"lut": found.resources.lut, "dsp": found.resources.dsp, "bram": found.resources.bram}
        known = {**recorded(), name: {"digest": report.digest, "yosys": found.tool, **figures}}
        lines = [f"{json.dumps(n)}: {json.dumps(known[n])}" for n in DESIGNS if n in known]
        RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(name, figures, flush=True)


def error(name: str, measured: Mapping[str, Any]) -> float:
    """Of the estimate's LUTs, relative to what was measured."""
    return design(name).estimate().synthesised.lut / measured["lut"] - 1


def table() -> list[str]:
    """A line for each design, and one for all."""
    head = ["| design | inputs, outputs | reuse | DSP | LUT by yosys | estimate | error |", "|---|---|---|---|---|---|---|"]
    lines, off = head, []
    for name, measured in recorded().items():
        part, sizes, reuse = DESIGNS[name]
        off.append(error(name, measured))
        shape = f"{', '.join(map(str, sizes))} | {', '.join(map(str, reuse))}"
        estimate = design(name).estimate().synthesised.lut
        figures = f"{measured['dsp']} | {measured['lut']:,} | {estimate:,} | {off[-1]:+.0%}"
        lines.append(f"| {name}, {part} | {shape} | {figures} |")
    size = np.abs(off)
    return [*lines, "", f"LUT: median error {np.median(size):.0%}, worst {size.max():.0%}"]


if __name__ == "__main__":
    run(__doc__, {"": lambda: print("\n".join(table())), "record": record})
