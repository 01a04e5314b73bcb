"""The picture of a scan: accuracy and size against bits, size and latency against the reuse factor, networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn2hls.arith.fixed import FixedType
from nn2hls.errors import DataError, ToolError
from nn2hls.extras import missing
from nn2hls.files import write_whole
from nn2hls.scan.point import Point, Scan
from nn2hls.text import drawn

_CURVES = 8  # at most, against the reuse factor: those of the last types
_FEW = 2  # types beside several reuse factors make no curve against bits
_STYLES = ("-", "--", ":", "-.")  # of the networks
_MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class _Panel:
    label: str
    value: Callable[[Point], Any]


@dataclass(frozen=True)
class _Row:
    """Panels side by side with one legend; ``curve`` names the curve of a point, ``x`` its place on the axis."""

    axis: str
    legend: str
    points: Sequence[Point]
    x: Callable[[Point], int]
    curve: Callable[[Point], str]
    panels: Sequence[_Panel]


def plot(result: Scan, path: Path) -> None:
    """Write the picture; the ending of ``path`` chooses the format.

    Raises:
        ToolError: matplotlib is not installed.
        DataError: There is no such format.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolError("matplotlib, which draws the plot, is not here.", fix=missing("plot")) from error
    rows = _rows(result)
    wide = max(len(row.panels) for row in rows)
    figure = Figure(figsize=(3.4 * wide + 1.2, 3.1 * len(rows)), layout="constrained")
    parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    networks = list(dict.fromkeys(p.network for p in result.points))
    for part, row in zip(parts, rows, strict=True):
        axes = part.subplots(1, len(row.panels), squeeze=False)[0]
        for place, panel in zip(axes, row.panels, strict=True):
            _draw(place, row, panel, networks)
        handles, labels = axes[0].get_legend_handles_labels()
        part.legend(handles, labels, title=row.legend, loc="outside right center", fontsize="small", title_fontsize="small")
    try:
        write_whole(path, lambda file: figure.savefig(file, dpi=72, format=path.suffix[1:]))
    except ValueError as error:
        raise DataError(f"A plot is not written as '{path.suffix}'.", where=str(path), fix="Use .png, .pdf or .svg.") from error


def _rows(result: Scan) -> list[_Row]:
    points = [p for p in result.points if not p.error]
    rows = []
    several = len({p.reuse for p in points}) > 1
    if len({p.precision for p in points}) > (_FEW if several else 1):
        shown = [p for p in points if p.reuse == points[0].reuse]
        shown.sort(key=lambda p: (_type(p).integer, _type(p).width))
        share = "accuracy / float" if result.accuracy_float else "same answer as float"
        panels = [_Panel(share, lambda p: p.accuracy_ratio)]
        if all(p.agreement is None for p in shown):
            panels = [_Panel("SQNR [dB]", lambda p: p.sqnr), _Panel("MSE", lambda p: p.mse)]
        if any(p.auc_ratio is not None for p in shown):
            panels += [_Panel("AUC / float", lambda p: p.auc_ratio)]
        panels += [_Panel("DSP", lambda p: p.dsp), _Panel("LUT [1000]", lambda p: (p.lut or 0) / 1000)]
        rows.append(_Row("bits", "integer bits", shown, lambda p: _type(p).width, lambda p: str(_type(p).integer), panels))
    if several or not rows:
        last = list(dict.fromkeys(p.precision for p in points))[-_CURVES:]
        panels = [
            _Panel("DSP", lambda p: p.dsp),
            _Panel("LUT [1000]", lambda p: (p.lut or 0) / 1000),
            _Panel("FF [1000]", lambda p: (p.ff or 0) / 1000),
            _Panel("latency [ns]", lambda p: p.latency_ns),
        ]
        shown = [p for p in points if p.precision in last]
        rows.append(_Row("reuse factor", "precision", shown, lambda p: p.reuse or 1, lambda p: _short(p.precision), panels))
    return rows


def _short(precision: str) -> str:
    return precision.replace("ap_fixed", "").replace("AP_", "") or "config"


def _type(p: Point) -> FixedType:
    return FixedType.parse(p.precision)


def _draw(axes: Any, row: _Row, panel: _Panel, networks: Sequence[str]) -> None:
    curves = list(dict.fromkeys(row.curve(p) for p in row.points))
    for k, network in enumerate(networks):
        for n, curve in enumerate(curves):
            pairs = [(row.x(p), panel.value(p)) for p in row.points if (p.network, row.curve(p)) == (network, curve)]
            if pairs:
                axes.plot(
                    *zip(*pairs, strict=True),
                    linestyle=_STYLES[k % len(_STYLES)],
                    marker=_MARKERS[k % len(_MARKERS)],
                    markersize=3,
                    linewidth=1.2,
                    color=f"C{n}",
                    label=drawn(f"{curve}  {network}".strip()),
                )
    axes.set(xlabel=row.axis, ylabel=panel.label, ylim=(None if "dB" in panel.label else 0, None))
    if "float" in panel.label:
        axes.set_ylim(0, 1.05)
        axes.axhline(1, color="black", linewidth=0.8)
    axes.grid(alpha=0.3)
