"""The picture of a scan: accuracy and size against bits, size and latency against the reuse factor, networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nn2hls.arith.fixed import FixedType
from nn2hls.figures.style import around, colour, label, new_figure, quiet

Design = Mapping[str, Any]

_CURVES = 8  # at most, against the reuse factor: those of the last types
_FEW = 2  # types beside several reuse factors make no curve against bits
_STYLES = ("-", "--", ":", "-.")  # of the networks
_MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class _Panel:
    label: str
    value: Callable[[Design], Any]


@dataclass(frozen=True)
class _Row:
    """Panels side by side with one legend; ``curve`` names the curve of a point, ``x`` its place on the axis."""

    axis: str
    legend: str
    points: Sequence[Design]
    x: Callable[[Design], int]
    curve: Callable[[Design], str]
    panels: Sequence[_Panel]


def picture(points: Sequence[Design], labelled: bool, about: Sequence[str] = ("bits", "reuse")) -> Any:
    """A row of panels against bits, and one against the reuse factor, as far as the designs differ in them.

    Args:
        points: Designs as the JSON of a scan has them.
        labelled: Whether accuracies are by labels.
        about: Which of the two rows are wanted.
    """
    made = [p for p in points if not p["error"]]
    rows = _rows(made, labelled, about)
    wide = max(len(row.panels) for row in rows)
    figure = new_figure(3.2 * wide + 1.4, 3.0 * len(rows))
    parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    networks = list(dict.fromkeys(p["network"] for p in points))
    for part, row in zip(parts, rows, strict=True):
        axes = part.subplots(1, len(row.panels), squeeze=False)[0]
        for place, panel in zip(axes, row.panels, strict=True):
            _draw(place, row, panel, networks)
        handles, labels = axes[0].get_legend_handles_labels()
        part.legend(handles, labels, title=row.legend, loc="outside right center", fontsize="small", title_fontsize="small")
    return figure


def _rows(points: Sequence[Design], labelled: bool, about: Sequence[str]) -> list[_Row]:
    several = len({p["reuse"] for p in points}) > 1
    rows = []
    if "bits" in about and len({p["precision"] for p in points}) > (_FEW if several and "reuse" in about else 1):
        rows.append(_of_bits(points, labelled))
    if "reuse" in about and (several or not rows):
        rows.append(_of_reuse(points))
    return rows or [_of_reuse(points)]


def _of_bits(points: Sequence[Design], labelled: bool) -> _Row:
    shown = [p for p in points if p["reuse"] == points[0]["reuse"]]
    shown.sort(key=lambda p: (_type(p).integer, _type(p).width))
    panels = [_Panel("accuracy / float" if labelled else "same answer as float", lambda p: p["accuracy_ratio"])]
    if all(p["agreement"] is None for p in shown):
        panels = [_Panel("SQNR [dB]", lambda p: p["sqnr"]), _Panel("MSE", lambda p: p["mse"])]
    if any(p["auc_ratio"] is not None for p in shown):
        panels += [_Panel("AUC / float", lambda p: p["auc_ratio"])]
    panels += [_Panel("DSP", lambda p: p["dsp"]), _Panel("LUT [1000]", lambda p: (p["lut"] or 0) / 1000)]
    return _Row("bits", "integer bits", shown, lambda p: _type(p).width, lambda p: str(_type(p).integer), panels)


def _of_reuse(points: Sequence[Design]) -> _Row:
    last = list(dict.fromkeys(p["precision"] for p in points))[-_CURVES:]
    panels = [
        _Panel("DSP", lambda p: p["dsp"]),
        _Panel("LUT [1000]", lambda p: (p["lut"] or 0) / 1000),
        _Panel("FF [1000]", lambda p: (p["ff"] or 0) / 1000),
        _Panel("latency [ns]", lambda p: p["latency_ns"]),
    ]
    shown = [p for p in points if p["precision"] in last]
    return _Row("reuse factor", "precision", shown, lambda p: p["reuse"] or 1, lambda p: _short(p["precision"]), panels)


def _short(precision: str) -> str:
    return precision.replace("ap_fixed", "").replace("AP_", "") or "config"


def _type(p: Design) -> FixedType:
    return FixedType.parse(p["precision"])


def _draw(axes: Any, row: _Row, panel: _Panel, networks: Sequence[str]) -> None:
    curves = list(dict.fromkeys(row.curve(p) for p in row.points))
    values = []
    for k, network in enumerate(networks):
        for n, curve in enumerate(curves):
            pairs = [(row.x(p), panel.value(p)) for p in row.points if (p["network"], row.curve(p)) == (network, curve)]
            values += [v for _, v in pairs if v is not None]
            if pairs:
                axes.plot(
                    *zip(*pairs, strict=True),
                    linestyle=_STYLES[k % len(_STYLES)],
                    marker=_MARKERS[k % len(_MARKERS)],
                    markersize=3,
                    linewidth=1.2,
                    color=colour(n),
                    label=label(f"{curve}  {network}".strip()),
                )
    axes.set(xlabel=row.axis, ylabel=panel.label)
    if "float" in panel.label:
        axes.set_ylim(*around([*values, 1.0]))
        axes.axhline(1, color="black", linewidth=0.8)
    elif "dB" not in panel.label:
        axes.set_ylim(0, None)
    quiet(axes, "both")
