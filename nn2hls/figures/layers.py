"""Layers: their noise, what they take of a part, when they work; rows are those of the JSON of compare and estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nn2hls.figures.style import BLUE, GREY, RED, colour, label, new_figure, quiet

RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "BRAM18", "uram": "URAM"}


def noise(layers: Sequence[Mapping[str, Any]]) -> Any:
    """Signal to quantisation noise of each layer, with what it has alone as a mark; what is exact has no bar."""
    rows = [x for x in layers if x["low"] is not None]
    figure = new_figure(7.2, 1.3 + 0.3 * max(len(rows), 1))
    ax = figure.subplots()
    for row, x in enumerate(rows):
        if x["sqnr"] is not None:
            ax.barh(row, x["sqnr"], height=0.62, color=BLUE)
            ax.text(max(x["sqnr"], x["own_sqnr"] or 0, 0), row, f"  {x['sqnr']:.1f}", va="center", fontsize="small")
        elif x["max_error"] == 0:
            ax.text(0, row, " exact", va="center", fontsize="small", color="0.35")
        if x["own_sqnr"] is not None:
            ax.plot([x["own_sqnr"]] * 2, [row - 0.31, row + 0.31], color="black", linewidth=2)
    _named_rows(ax, rows)
    ax.set_xlabel("signal to quantisation noise [dB]; black: of the layer alone")
    ax.margins(x=0.1)
    return figure


def ranges(layers: Sequence[Mapping[str, Any]]) -> Any:
    """Values in float against what the types hold, both in units of the type's end; red is beyond it."""
    rows = [x for x in layers if x["low"] is not None]
    figure = new_figure(7.2, 1.3 + 0.3 * max(len(rows), 1))
    ax = figure.subplots()
    for row, x in enumerate(rows):
        end = max(abs(x["type_low"]), abs(x["type_high"])) or 1.0
        low, high, type_low, type_high = (x[k] / end for k in ("low", "high", "type_low", "type_high"))
        ax.barh(row, type_high - type_low, left=type_low, height=0.8, color=GREY)
        ax.barh(row, high - low, left=low, height=0.4, color=RED if low < type_low or high > type_high else BLUE)
    ax.axvline(0, color="black", linewidth=0.8)
    _named_rows(ax, rows)
    ax.set_xlabel("grey: what the type holds, up to 1; coloured: values in float")
    return figure


def resources(estimate: Mapping[str, Any]) -> Any:
    """What each layer takes after synthesis, for each resource that is taken at all; red is the end of the part."""
    used = [r for r in RESOURCES if estimate["synthesised"][r]]
    figure = new_figure(9, 1.6 + 0.75 * max(len(used), 1) + 0.12 * len(estimate["layers"]))
    rows = figure.subplots(max(len(used), 1), 1, squeeze=False)[:, 0]
    for ax, resource in zip(rows, used, strict=False):
        have, left = estimate["available"][resource], 0
        for k, layer in enumerate(estimate["layers"]):
            taken = layer["synthesised"][resource]
            ax.barh(0, taken, left=left, color=colour(k), edgecolor="white", linewidth=0.5, label=label(layer["name"]))
            left += taken
        share = f"{estimate['synthesised'][resource]:,} of {have:,}"
        ax.set_yticks([0], [RESOURCES[resource]])
        ax.set_title(share, loc="left", fontsize="small")
        ax.set_xlim(0, max(left, 1))
        if left > have:
            ax.axvline(have, color=RED, linewidth=2)
        ax.xaxis.set_major_locator(_few(integer=True))
        ax.xaxis.set_major_formatter(_thousands())
        quiet(ax, "x")
    if used:
        handles, labels = rows[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", fontsize="small", frameon=False)
    return figure


def timeline(estimate: Mapping[str, Any]) -> Any:
    """When each layer works on one event, in clocks: from operands to result, in streams from first to last token."""
    streams = estimate.get("streams")
    if streams:
        rows = [(p["name"], p["first_token"], p["last_token"] + 1 - p["first_token"]) for p in streams["pace"]]
    else:
        rows = [(x["name"], x["start_cycle"] or 0, x["latency_cycles"]) for x in estimate["layers"]]
    figure = new_figure(8, 1.3 + 0.3 * max(len(rows), 1))
    ax = figure.subplots()
    for row, (_, start, length) in enumerate(rows):
        if length:
            ax.barh(row, length, left=start, height=0.62, color=colour(row))
        else:
            ax.plot(start, row, "|", color=colour(row), markersize=11, markeredgewidth=2, clip_on=False)
    _named_rows(ax, [{"name": name} for name, *_ in rows])
    ax.set_xlabel(f"clocks of {estimate['clock_ns']:g} ns; latency {estimate['latency_cycles']:,}, interval {estimate['ii']:,}")
    ax.xaxis.set_major_locator(_few(integer=True))
    ax.margins(x=0.02)
    return figure


def _named_rows(ax: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    ax.set_yticks(range(len(rows)), [label(x["name"]) for x in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    quiet(ax, "x")


def _few(*, integer: bool = False) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(6, integer=integer)


def _thousands() -> Any:
    from matplotlib.ticker import StrMethodFormatter

    return StrMethodFormatter("{x:,.0f}")
