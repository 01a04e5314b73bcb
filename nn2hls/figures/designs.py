"""Many designs: what they are worth against what they cost, with the front and the chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nn2hls.figures.style import BLUE, RED, around, new_figure, quiet
from nn2hls.text import drawn

COSTS = {"lut": "LUT", "dsp": "DSP", "ff": "FF", "latency_ns": "latency [ns]"}
# Field, words, and the factor for people; the first that is known is what designs are worth.
SCORES = (
    ("accuracy", "accuracy [%]", 100),
    ("agreement", "same answer as float [%]", 100),
    ("score", "score", 1),
    ("sqnr", "SQNR [dB]", 1),
)


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Numbers of the (cost, score) points that no other one beats in both, the cheapest first; lower costs are better."""
    best, found = float("-inf"), []
    for k in sorted(range(len(points)), key=lambda k: (points[k][0], -points[k][1])):
        if points[k][1] > best:
            best = points[k][1]
            found.append(k)
    return found


def pareto(designs: Sequence[Mapping[str, Any]], chosen: int | None = None) -> Any:
    """A panel for each cost that differs between designs, with the front as a line.

    Args:
        designs: With fields of SCORES and COSTS; those that lack them are left out.
        chosen: The number of one that is marked.
    """
    field, words, factor = next((s for s in SCORES if any(d.get(s[0]) is not None for d in designs)), SCORES[-1])
    made = [d for d in designs if d.get(field) is not None and d.get("lut") is not None]
    costs = [c for c in COSTS if len({d[c] for d in made} - {None}) > 1] or ["lut"]
    figure = new_figure(3.3 * len(costs) + 0.4, 3.5)
    marked = designs[chosen] if chosen is not None else None
    for ax, cost in zip(figure.subplots(1, len(costs), sharey=True, squeeze=False)[0], costs, strict=True):
        points = [(d[cost], factor * d[field]) for d in made if d[cost] is not None]
        if points:
            _panel(ax, points, None if marked is None else (marked[cost], factor * marked[field]))
        ax.set_xlabel(COSTS[cost])
        ax.tick_params(labelleft=cost == costs[0])
    figure.axes[0].set_ylabel(drawn(words))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    return figure


def _panel(ax: Any, points: Sequence[tuple[float, float]], marked: tuple[float, float] | None) -> None:
    best = [points[k] for k in front(points)]
    ax.plot(*zip(*points, strict=True), ".", color="0.65", markersize=7, label="designs")
    ax.step(*zip(*best, strict=True), where="post", color=BLUE, linewidth=1.4, marker="o", markersize=4.5, label="front")
    if marked is not None:
        ax.plot(*marked, "o", color=RED, markersize=10, markerfacecolor="none", markeredgewidth=2, label="chosen")
    worth = [score for _, score in points]
    ax.set_ylim(*around([s for s in worth if s >= _floor(worth)]))
    ax.set_xlim(*around([cost for cost, _ in points]))
    below = sum(s < _floor(worth) for s in worth)
    if below:
        ax.set_title(f"{below} designs are lower", loc="right", fontsize="small", color="0.35")
    ax.xaxis.set_major_formatter(_engineering())
    ax.xaxis.set_major_locator(_few())
    quiet(ax, "both")


def _floor(worth: Sequence[float]) -> float:
    """From where on scores are shown: three times as far below the best as the better half is; how many are lower is said."""
    ordered = sorted(worth, reverse=True)
    middle = ordered[(len(ordered) - 1) // 2]
    return ordered[0] - 3 * (ordered[0] - middle) if middle < ordered[0] else ordered[-1]


def _engineering() -> Any:
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep="")


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)
