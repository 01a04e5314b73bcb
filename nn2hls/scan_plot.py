"""The picture of a scan: accuracy against bits, size and latency against the reuse factor."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nn2hls.errors import ToolError
from nn2hls.fixed import FixedType
from nn2hls.scan import Point, Scan

_CURVES = 8  # reuse curves drawn: of the widest types


def plot(result: Scan, path: Path) -> None:
    """Write the picture; the ending of ``path`` chooses the format.

    Raises:
        ToolError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        fix = "Install it with: pip install 'nn2hls[plot]'."
        raise ToolError("matplotlib, which draws the plot, is not here.", fix=fix) from error
    points = [p for p in result.points if not p.error]
    figure = Figure(figsize=(13, 4), layout="constrained")
    accuracy, size, latency = figure.subplots(1, 3)
    _accuracy(accuracy, points, "accuracy / float" if result.accuracy_float else "same answer as float")
    for axes, name, label in ((size, "dsp", "DSP"), (latency, "latency_cycles", "latency [clocks]")):
        _by_reuse(axes, points, name, label)
    figure.savefig(path, dpi=120)


def _accuracy(axes: Any, points: list[Point], label: str) -> None:
    types = {p.precision: FixedType.parse(p.precision) for p in points if p.precision}
    reuse = points[0].reuse
    for integer in sorted({t.integer for t in types.values()}):
        shown = [p for p in points if p.reuse == reuse and p.precision and types[p.precision].integer == integer]
        shown.sort(key=lambda p: types[p.precision].width)
        axes.plot([types[p.precision].width for p in shown], [p.accuracy_ratio for p in shown], marker="o", label=str(integer))
    axes.set(xlabel="bits", ylabel=label)
    _legend(axes, "integer bits", bool(types))


def _by_reuse(axes: Any, points: Iterable[Point], name: str, label: str) -> None:
    curves: dict[str, list[Point]] = {}
    for p in points:
        if p.reuse is not None:
            curves.setdefault(p.precision, []).append(p)
    for precision, shown in list(curves.items())[-_CURVES:]:
        axes.plot([p.reuse for p in shown], [getattr(p, name) for p in shown], marker="o", label=precision or "config")
    axes.set(xlabel="reuse factor", ylabel=label)
    _legend(axes, "", bool(curves))


def _legend(axes: Any, title: str, shown: bool) -> None:
    axes.grid(alpha=0.3)
    if shown:
        axes.legend(title=title, fontsize="small")
