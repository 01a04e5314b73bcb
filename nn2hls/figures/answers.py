"""Answers of float and fixed: against each other, by class, and as ROC curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.figures.style import BLUE, COLOURS, ORANGE, colour, label, new_figure, quiet

POINTS = 4096  # events of a scatter
_FEW = 10  # values of an event, or classes, that have a colour each


@dataclass(frozen=True)
class Curve:
    """A ROC curve: shares of the others and of the class that score at least t, for falling t, and the area below it."""

    label: str
    kind: str
    false: np.ndarray
    true: np.ndarray
    area: float


def scatter(outputs: Mapping[str, tuple[np.ndarray, np.ndarray]], names: Sequence[str] = ()) -> Any:
    """Fixed against float, and below what they differ by: for each output two arrays (events, values), ``names`` of these."""
    figure = new_figure(5.2 * max(len(outputs), 1), 5.6)
    rows = figure.subplots(2, len(outputs), squeeze=False, sharex="col", height_ratios=[2, 1])
    for (above, below), (name, pair) in zip(rows.T, outputs.items(), strict=True):
        a, b = (values[:POINTS] for values in pair)
        several = 1 < a.shape[1] <= _FEW
        ends = [float(min(a.min(initial=0), b.min(initial=0))), float(max(a.max(initial=0), b.max(initial=0)))]
        above.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
        below.axhline(0, color="0.6", linewidth=1, zorder=0)
        for ax, values in ((above, b), (below, b - a)):
            for k in range(a.shape[1]) if a.shape[1] <= _FEW else ():
                named = label(_named(names, k, a.shape[1])) if several else None
                ax.plot(a[:, k], values[:, k], ".", markersize=3, alpha=0.6, color=colour(k), label=named)
            if a.shape[1] > _FEW:
                ax.plot(a.ravel(), values.ravel(), ".", markersize=2, alpha=0.3, color=BLUE)
            quiet(ax, "both")
        if several:
            above.legend(title="value", markerscale=3, fontsize="small", frameon=False)
        above.set_ylabel("fixed")
        below.set(xlabel="float", ylabel="fixed - float")
        above.set_title(label(name), loc="left", fontsize="medium", fontweight="bold")
    return figure


def _named(names: Sequence[str], k: int, count: int) -> str:
    return names[k] if len(names) == count else str(k)


def roc(outputs: Mapping[str, Sequence[Curve]]) -> Any:
    """ROC curves of each output; a class has one colour, fixed is dashed. The others have a logarithmic scale."""
    figure = new_figure(6.6 * max(len(outputs), 1), 4.6)
    for ax, (name, curves) in zip(figure.subplots(1, len(outputs), squeeze=False)[0], outputs.items(), strict=True):
        labels = list(dict.fromkeys(c.label for c in curves))
        least = 0.5
        for c in curves:
            style = {"color": colour(labels.index(c.label)), "linestyle": "-" if c.kind == "float" else "--"}
            ax.plot(c.true, c.false, linewidth=1.4, label=f"{label(c.label)}, {c.kind}: {c.area:.4f}", **style)
            least = min(least, float(c.false[c.false > 0].min(initial=0.5)))
        ax.set(xlabel="share of the class that is found", ylabel="share of the others taken for it")
        ax.set(yscale="log", xlim=(0, 1), ylim=(least / 1.5, 1))
        ax.set_title(label(name), loc="left", fontsize="medium", fontweight="bold")
        quiet(ax, "both")
        if ax.lines:
            ax.legend(
                title="area under the curve", fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False
            )
    return figure


def confusion(matrices: Mapping[str, np.ndarray], names: Sequence[str] = ()) -> Any:
    """Which class is answered with which: matrices (labels, answers) of counts by a title such as ``float`` and ``fixed``."""
    count = max((len(m) for m in matrices.values()), default=1)
    longest = max((len(label(name)) for name in (*names, *matrices)), default=0)
    side = max(3.2, 1.4 + 0.55 * count) + 0.055 * longest
    figure = new_figure(side * max(len(matrices), 1) + 0.8, side)
    shares = {title: m / np.maximum(m.sum(axis=1, keepdims=True), 1) for title, m in matrices.items()}
    for ax, (title, share) in zip(figure.subplots(1, len(shares), squeeze=False)[0], shares.items(), strict=True):
        image = ax.imshow(share, vmin=0, vmax=1, cmap="Blues")
        for (row, column), value in np.ndenumerate(share if count <= _FEW else np.zeros((0, 0))):
            ink = "white" if value > 0.6 else "black"
            ax.text(column, row, f"{100 * value:.0f}%", ha="center", va="center", color=ink, fontsize="small")
        labels = [label(_named(names, k, len(share))) for k in range(len(share))]
        if count <= 3 * _FEW:
            ax.set_xticks(range(len(share)), labels, rotation=45, ha="right", rotation_mode="anchor")
            ax.set_yticks(range(len(share)), labels)
        ax.set(xlabel="answer", ylabel="label")
        ax.set_title(label(title), loc="left", fontsize="medium", fontweight="bold")
    if shares:
        figure.colorbar(image, ax=figure.axes, label="share of the label", shrink=0.8)
    return figure


def classes(rows: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> Any:
    """The share of each class that float and fixed answer rightly, and the network before it was pruned where that is known:
    rows with ``label``, ``recall_float``, ``recall_fixed`` and ``recall_before``.
    """
    bars = [
        ("recall_before", "before pruning", COLOURS[-1]),
        ("recall_float", "float", ORANGE),
        ("recall_fixed", "fixed", BLUE),
    ]
    bars = [bar for bar in bars if bar[0] != "recall_before" or any(row.get(bar[0]) is not None for row in rows)]
    height = 0.8 / len(bars)
    figure = new_figure(6, 1.2 + 0.21 * len(bars) * max(len(rows), 1))
    ax = figure.subplots()
    for k, (key, word, ink) in enumerate(bars):
        places = [n + height * (k + 0.5) - 0.4 for n in range(len(rows))]
        ax.barh(places, [100 * (row[key] or 0) for row in rows], height=0.95 * height, color=ink, label=word)
    labels = [names[k] if len(names) == len(rows) else f"class {row['label']}" for k, row in enumerate(rows)]
    ax.set_yticks(range(len(rows)), [label(name) for name in labels])
    ax.set(xlabel="answered rightly [%]", xlim=(0, 100))
    ax.invert_yaxis()
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    quiet(ax, "x")
    return figure
