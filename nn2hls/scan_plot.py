"""The picture of a scan: accuracy and multipliers against bits, multipliers and latency against the reuse factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nn2hls.errors import DataError, ToolError
from nn2hls.fixed import FixedType
from nn2hls.scan import Point, Scan

_CURVES = 8  # at most, against the reuse factor: those of the last types

Curves = dict[str, list[tuple[int, Any]]]


def plot(result: Scan, path: Path) -> None:
    """Write the picture; the ending of ``path`` chooses the format.

    Raises:
        ToolError: matplotlib is not installed.
        DataError: There is no such format.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        fix = "Install it with: pip install 'nn2hls[plot]'."
        raise ToolError("matplotlib, which draws the plot, is not here.", fix=fix) from error
    points = [p for p in result.points if not p.error]
    share = "accuracy / float" if result.accuracy_float else "same answer as float"
    panels: list[tuple[str, str, str, Curves]] = []
    if len({p.precision for p in points}) > 1:
        first = points[0].reuse
        shown = [p for p in points if p.reuse == first]
        panels += [("bits", share, "integer bits", _by_bits(shown, lambda p: p.accuracy_ratio))]
        panels += [("bits", "DSP", "integer bits", _by_bits(shown, lambda p: p.dsp))]
    if len({p.reuse for p in points}) > 1 or not panels:
        panels += [("reuse factor", "DSP", "", _by_reuse(points, lambda p: p.dsp))]
        panels += [("reuse factor", "latency [clocks]", "", _by_reuse(points, lambda p: p.latency_cycles))]
    figure = Figure(figsize=(4.5 * len(panels), 4), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
        _draw(axes, *panel)
    try:
        figure.savefig(path, dpi=120)
    except ValueError as error:
        raise DataError(f"A plot is not written as '{path.suffix}'.", where=str(path), fix="Use .png, .pdf or .svg.") from error


def _by_bits(points: Sequence[Point], value: Callable[[Point], Any]) -> Curves:
    curves: Curves = {}
    for kind, p in sorted(((FixedType.parse(p.precision), p) for p in points), key=lambda x: (x[0].integer, x[0].width)):
        curves.setdefault(str(kind.integer), []).append((kind.width, value(p)))
    return curves


def _by_reuse(points: Sequence[Point], value: Callable[[Point], Any]) -> Curves:
    curves: Curves = {}
    for p in points:
        curves.setdefault(p.precision, []).append((p.reuse or 1, value(p)))
    return dict(list(curves.items())[-_CURVES:])


def _draw(axes: Any, xlabel: str, ylabel: str, title: str, curves: Curves) -> None:
    for label, pairs in curves.items():
        axes.plot(*zip(*pairs, strict=True), marker="o", markersize=4, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
    axes.grid(alpha=0.3)
    if any(curves):
        axes.legend(title=title, fontsize="small")
