"""Reuse factors that were found, for people and for ``--json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nn2hls.estimate.result import Estimate
from nn2hls.size.choices import MEASURES
from nn2hls.size.layouts import Layout
from nn2hls.targets import Part
from nn2hls.text import table

RESOURCES = MEASURES[2:]
NAMES = {"ii": "II", "latency": "latency", "dsp": "DSP", "lut": "LUT", "ff": "FF", "bram": "BRAM"}
# What a design that is to fit leaves of a part, by tool: the usual error of an estimate that no tool's report stands behind.
RESERVE = {"verilog": {"lut": 0.1}}


def part_limits(part: Part, tool: str) -> dict[str, int]:
    """What a part has for a design that is to fit it, of RESOURCES, less the reserve."""
    has, reserve = {r: part.bram18 if r == "bram" else getattr(part, r) for r in RESOURCES}, RESERVE.get(tool, {})
    return {r: math.floor(n * (1 - reserve.get(r, 0.0))) for r, n in has.items()}


@dataclass(frozen=True)
class Step:
    """The design with one layer laid out in another way, as differences from the solution."""

    layer: str
    layout: Layout
    other: Layout
    change: Mapping[str, int]
    within: bool


@dataclass(frozen=True, repr=False)
class Solution:
    """The layouts, the estimate of the whole, what binds, and what one step more would change.

    Args:
        layouts: Of every layer that has a reuse factor.
        estimate: The whole design with them.
        limits: What was asked for, the part's own resources included.
        asked: The measures the user set a limit on.
        fastest: True when the fastest design was looked for, False when the smallest.
        binding: Measure -> figures of the design without that limit, where it would be better.
        steps: One step in each direction of each layer.
    """

    layouts: Mapping[str, Layout]
    estimate: Estimate
    limits: Mapping[str, int]
    asked: tuple[str, ...]
    fastest: bool
    binding: Mapping[str, Mapping[str, int]]
    steps: tuple[Step, ...]

    @property
    def reuses(self) -> dict[str, int]:
        """The reuse factors."""
        return {name: layout.reuse for name, layout in self.layouts.items()}

    def __repr__(self) -> str:
        figures = ", ".join(f"{m}={v}" for m, v in measures(self.estimate).items())
        return f"Solution({'fastest' if self.fastest else 'smallest'}, {figures})"

    def __str__(self) -> str:
        return text(self)


def measures(found: Estimate) -> dict[str, int]:
    """What limits are set on, of a whole design."""
    resources = {r: getattr(found.synthesised, r) for r in RESOURCES}
    return {"ii": found.ii, "latency": found.latency_cycles, **resources}


def document(found: Solution) -> dict[str, Any]:
    """Plain data."""
    steps = [
        {
            "layer": s.layer,
            "reuse": s.layout.reuse,
            "other": s.other.reuse,
            "layouts": [str(s.layout), str(s.other)],
            "change": dict(s.change),
            "within_limits": s.within,
        }
        for s in found.steps
    ]
    return {
        "objective": "fastest" if found.fastest else "smallest",
        "limits": dict(found.limits),
        "asked": list(found.asked),
        "reuse": found.reuses,
        "layout": {name: layout.settings() for name, layout in found.layouts.items()},
        "figures": measures(found.estimate),
        "latency_ns": found.estimate.latency_ns,
        "binding": {m: dict(without) for m, without in found.binding.items()},
        "alternatives": steps,
        "estimate": found.estimate.to_dict(),
    }


def text(found: Solution) -> str:
    """The layers, the whole against its limits, what binds, and what a step more would change."""
    estimate = found.estimate
    of_layer = {layer.name: layer for layer in estimate.layers}
    rows = [[name, str(layout), of_layer[name].ii, of_layer[name].report.dsp] for name, layout in found.layouts.items()]
    what = "fastest" if found.fastest else "smallest"
    lines = [f"The {what} design within the limits, on {estimate.part.name} at {estimate.clock_ns:g} ns:\n"]
    lines += [table(["layer", "reuse", "II", "DSP"], rows), _totals(found), _binding(found), _alternatives(found)]
    return "\n".join(line for line in lines if line)


def _totals(found: Solution) -> str:
    amounts, rows = measures(found.estimate), []
    for m in MEASURES:
        limit = found.limits.get(m)
        source = "" if limit is None else "asked for" if m in found.asked else _of_part(found, m)
        rows.append([NAMES[m], f"{amounts[m]:,}", None if limit is None else f"{limit:,}", source])
    note = f"latency {found.estimate.latency_ns:g} ns; LUT and FF after synthesis\n"
    return table(["whole design", "needs", "limit", ""], rows) + note


def _of_part(found: Solution, measure: str) -> str:
    """How much of the part a limit is."""
    reserve = RESERVE.get(found.estimate.tool, {}).get(measure, 0.0)
    return f"{1 - reserve:.0%} of the part" if reserve else "the part"


def _binding(found: Solution) -> str:
    here, lines = measures(found.estimate), []
    for m, without in found.binding.items():
        changed = ", ".join(f"{NAMES[k]} {without[k]:,} for {here[k]:,}" for k in MEASURES if without[k] != here[k])
        lines.append(f"{NAMES[m]} binds: without its limit {changed}.\n")
    return "".join(lines)


def _alternatives(found: Solution) -> str:
    rows = [
        [s.layer, f"{s.layout} -> {s.other}", *(f"{s.change[m]:+,}" for m in MEASURES), "" if s.within else "beyond a limit"]
        for s in found.steps
    ]
    return "One step more, and what it changes:\n" + table(["layer", "reuse", *NAMES.values(), ""], rows) if rows else ""
