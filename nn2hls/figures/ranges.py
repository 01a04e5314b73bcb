"""Profiles: how large numbers are, as boxes, before the range of the type that is to hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nn2hls.figures.style import BLUE, GREY, ORANGE, RED, label, new_figure, quiet

INK = "#1b1f24"


class Span(Protocol):
    """A row: a name, log2 of the magnitudes (least, quartiles, largest; empty when all are zero), and log2 of step and end."""

    @property
    def name(self) -> str:
        """The layer, with ``.weight`` or another word for its constants."""

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Least, quartiles, largest."""

    @property
    def lowest(self) -> int:
        """Of one step of the type."""

    @property
    def highest(self) -> int:
        """Of the end of its range."""


def profiles(panels: Mapping[str, Sequence[Span]]) -> Any:
    """Boxes side by side, a panel for each title that has rows."""
    panels = {title: spans for title, spans in panels.items() if spans}
    longest = max((len(s.name) for spans in panels.values() for s in spans), default=0)
    width = (4.2 + min(longest, 40) * 0.085) * max(len(panels), 1)
    figure = new_figure(width, 1.6 + 0.32 * max(map(len, panels.values()), default=1))
    axes = figure.subplots(1, len(panels), squeeze=False)[0] if panels else ()
    for ax, (title, spans) in zip(axes, panels.items(), strict=True):
        _boxes(ax, title, spans)
    _legend(figure)
    return figure


def _boxes(ax: Any, title: str, spans: Sequence[Span]) -> None:
    rows = range(len(spans), 0, -1)
    for row, s in zip(rows, spans, strict=True):
        ax.barh(row, s.highest - s.lowest, left=s.lowest, height=0.8, color=GREY)
        if not s.quantiles:
            continue
        low, first, middle, third, high = s.quantiles
        ax.hlines(row, low, high, color=INK, linewidth=1)
        ax.barh(row, third - first, left=first, height=0.45, color=BLUE, alpha=0.85)
        ax.vlines([low, middle, high], row - 0.22, row + 0.22, color=[INK, ORANGE, INK], linewidth=[1, 2, 1])
        if high > s.highest:
            ax.plot(high, row, marker=">", color=RED, markersize=7, clip_on=False)
    ax.set_yticks(list(rows), [label(s.name) for s in spans])
    ax.margins(x=0.04)
    ax.set_ylim(0.3, len(spans) + 0.7)
    ax.set_title(title, loc="left", fontsize="medium", fontweight="bold")
    ax.set_xlabel("log2 of the magnitude")
    quiet(ax, "x")


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=GREY, label="the type, from one step to its end"),
        Patch(color=BLUE, alpha=0.85, label="half of the numbers"),
        Line2D([], [], color=INK, linewidth=1, label="all that are not zero"),
        Line2D([], [], color=ORANGE, linewidth=2, label="median"),
        Line2D([], [], color=RED, marker=">", linestyle="", label="beyond the type"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=3, fontsize="small", frameon=False)
