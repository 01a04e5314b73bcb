"""A solution for people and for ``--json``."""

from __future__ import annotations

from typing import Any

from nn2hls.size.choices import MEASURES
from nn2hls.size.solver import NAMES, Solution, measures
from nn2hls.text import table


def document(found: Solution) -> dict[str, Any]:
    """Plain data."""
    steps = [
        {"layer": s.layer, "reuse": s.reuse, "other": s.other, "change": dict(s.change), "within_limits": s.within}
        for s in found.steps
    ]
    return {
        "objective": "fastest" if found.fastest else "smallest",
        "limits": dict(found.limits),
        "asked": list(found.asked),
        "reuse": dict(found.reuses),
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
    rows = [[name, reuse, of_layer[name].ii, of_layer[name].report.dsp] for name, reuse in found.reuses.items()]
    what = "fastest" if found.fastest else "smallest"
    lines = [f"The {what} design within the limits, on {estimate.part.name} at {estimate.clock_ns:g} ns:\n"]
    lines += [table(["layer", "reuse", "II", "DSP"], rows), _totals(found), _binding(found), _alternatives(found)]
    return "\n".join(line for line in lines if line)


def _totals(found: Solution) -> str:
    amounts, rows = measures(found.estimate), []
    for m in MEASURES:
        limit = found.limits.get(m)
        source = "" if limit is None else "asked for" if m in found.asked else "the part"
        rows.append([NAMES[m], f"{amounts[m]:,}", None if limit is None else f"{limit:,}", source])
    note = f"latency {found.estimate.latency_ns:g} ns; LUT and FF after synthesis\n"
    return table(["whole design", "needs", "limit", ""], rows) + note


def _binding(found: Solution) -> str:
    here, lines = measures(found.estimate), []
    for m, without in found.binding.items():
        changed = ", ".join(f"{NAMES[k]} {without[k]:,} for {here[k]:,}" for k in MEASURES if without[k] != here[k])
        lines.append(f"{NAMES[m]} binds: without its limit {changed}.\n")
    return "".join(lines)


def _alternatives(found: Solution) -> str:
    rows = [
        [s.layer, f"{s.reuse} -> {s.other}", *(f"{s.change[m]:+,}" for m in MEASURES), "" if s.within else "beyond a limit"]
        for s in found.steps
    ]
    return "One step more, and what it changes:\n" + table(["layer", "reuse", *NAMES.values(), ""], rows) if rows else ""
