"""Pictures of a comparison: ranges against types, float against fixed, and ROC curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.compare.converted import Converted
from nn2hls.compare.judge import Judge, Own
from nn2hls.compare.layers import judges
from nn2hls.compare.scores import roc
from nn2hls.errors import ToolError
from nn2hls.extras import missing
from nn2hls.files import write_whole
from nn2hls.graph.const import Const
from nn2hls.graph.reference import run_float
from nn2hls.text import drawn

SAMPLE = 4096  # events behind the ranges and the points of the scatter
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Span:
    """One row of the picture of ranges.

    Args:
        name: The layer, with ``.weight`` or another word for its constants.
        quantiles: log2 of the magnitudes of the values that are not zero: least, quartiles, largest; empty when all are zero.
        lowest, highest: log2 of one step of the type, and of the end of its range.
    """

    name: str
    quantiles: tuple[float, ...]
    lowest: int
    highest: int


@dataclass(frozen=True)
class Answers:
    """Float and fixed answers of an output, (events, values), and its judge."""

    reference: np.ndarray
    fixed: np.ndarray
    judge: Judge

    def finite(self) -> Answers:
        """Without the events that float answers with NaN or Inf."""
        keep = np.flatnonzero(np.isfinite(self.reference).all(axis=1))
        return Answers(self.reference[keep], self.fixed[keep], self.judge.part(keep))


def draw(
    design: Converted,
    x: Sequence[np.ndarray],
    y: Any,
    folder: Path,
    metric: str | Own | None = None,
    threshold: float | None = None,
) -> list[Path]:
    """Write ``ranges.png``, ``scatter.png``, and with labels that are classes ``roc.png``; the paths are returned.

    Args:
        design: With types.
        x: One array (events, *shape) per input.
        y, metric, threshold: As for :meth:`nn2hls.design.design.Design.compare`.
        folder: Made when it is not there.

    Raises:
        ToolError: matplotlib is not installed.
    """
    by = judges(design.float_graph, len(x[0]) if x else 1, y, metric, threshold)
    with np.errstate(over="ignore", invalid="ignore"):  # what float does not hold is left out
        figures = {"ranges": _ranges(design, x)}
        fixed, _ = design.run(list(x))
        floats = design.predict_float(list(x))
    answers = {
        name: Answers(a.reshape(len(a), -1), b.reshape(len(b), -1), judge)
        for name, a, b, judge in zip(
            design.graph.outputs, floats if isinstance(floats, list) else [floats], fixed, by, strict=True
        )
    }
    answers = {name: a.finite() for name, a in answers.items()}
    figures["scatter"] = _scatter(answers)
    labelled = {name: a for name, a in answers.items() if a.judge.classes and a.judge.truth is not None}
    if labelled:
        figures["roc"] = _roc(labelled)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        write_whole(paths[-1], partial(figure.savefig, dpi=120, format="png"))
    return paths


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolError("matplotlib, which draws the plots, is not here.", fix=missing("plot")) from error
    return Figure(figsize=(width, height), layout="constrained")


def span(name: str, values: np.ndarray, kind: FixedType) -> Span:
    """The magnitudes of values beside those that a type can hold."""
    sizes = np.abs(values[(values != 0) & np.isfinite(values)])
    found = tuple(float(v) for v in np.quantile(np.log2(sizes), QUANTILES)) if sizes.size else ()
    return Span(name, found, -kind.fraction, kind.integer - kind.signed)


def constant_spans(design: Converted) -> list[Span]:
    """Weights, biases and other constants of each layer against their types."""
    spans = []
    for node in design.graph:
        for reason in design.types.get(node.name, ()):
            constant = getattr(design.float_graph[node.name].op, reason.word, None)
            if isinstance(constant, Const):
                spans.append(span(f"{node.name}.{reason.word}", constant.array, reason.type))
    return spans


def value_spans(design: Converted, x: Sequence[np.ndarray]) -> list[Span]:
    """Values of each layer in float against the types of the design."""
    known = design.float_graph.by_name
    nodes = [n for n in design.graph if n.name in known]
    values = run_float(design.float_graph, [a[:SAMPLE] for a in x], [n.name for n in nodes])
    return [span(n.name, values[n.name], n.result_type) for n in nodes]


def _ranges(design: Converted, x: Sequence[np.ndarray]) -> Any:
    panels = {"constants": constant_spans(design), "values": value_spans(design, x)}
    panels = {title: spans for title, spans in panels.items() if spans}
    figure = _figure(7 * len(panels), 1.5 + 0.35 * max(map(len, panels.values())))
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for ax, (title, spans) in zip(axes, panels.items(), strict=True):
        _draw_spans(ax, title, spans)
    return figure


def _draw_spans(ax: Any, title: str, spans: Sequence[Span]) -> None:
    rows = range(len(spans), 0, -1)
    for row, s in zip(rows, spans, strict=True):
        ax.barh(row, s.highest - s.lowest, left=s.lowest, height=0.8, color="0.85")
        if not s.quantiles:
            continue
        low, first, middle, third, high = s.quantiles
        ax.hlines(row, low, high, color="black", linewidth=1)
        ax.barh(row, third - first, left=first, height=0.45, color="tab:blue", alpha=0.7)
        ax.vlines([low, middle, high], row - 0.2, row + 0.2, color=["black", "tab:orange", "black"], linewidth=1)
        if high > s.highest:
            ax.plot(high, row, marker=">", color="tab:red")
    ax.set_yticks(list(rows), [drawn(s.name) for s in spans])
    ax.set(title=title, xlabel="log2 of the magnitude; grey: from one step to the end of the type, red: beyond")
    ax.grid(axis="x", alpha=0.3)


def _scatter(outputs: Mapping[str, Answers]) -> Any:
    figure = _figure(5 * len(outputs), 5)
    for ax, (name, answers) in zip(np.atleast_1d(figure.subplots(1, len(outputs))), outputs.items(), strict=True):
        a, b = answers.reference[:SAMPLE], answers.fixed[:SAMPLE]
        ends = [float(min(a.min(initial=0), b.min(initial=0))), float(max(a.max(initial=0), b.max(initial=0)))]
        ax.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
        several = a.shape[1] > 1
        for k in range(a.shape[1]) if a.shape[1] <= 10 else ():
            ax.plot(a[:, k], b[:, k], ".", markersize=3, alpha=0.5, label=str(k) if several else None)
        if a.shape[1] > 10:
            ax.plot(a.ravel(), b.ravel(), ".", markersize=2, alpha=0.3)
        elif several:
            ax.legend(title="value", markerscale=3, fontsize="small")
        ax.set(title=drawn(name), xlabel="float", ylabel="fixed")
        ax.grid(alpha=0.3)
    return figure


def _roc(outputs: Mapping[str, Answers]) -> Any:
    figure = _figure(5.5 * len(outputs), 5)
    for ax, (name, answers) in zip(np.atleast_1d(figure.subplots(1, len(outputs))), outputs.items(), strict=True):
        reference, fixed, truth = answers.reference, answers.fixed, answers.judge.truth
        assert truth is not None
        for k in range(reference.shape[1]):
            label = k if reference.shape[1] > 1 else 1
            positive = truth == label
            if not 0 < np.count_nonzero(positive) < len(truth):
                continue
            for values, style, kind in ((reference, "-", "float"), (fixed, "--", "fixed")):
                false, true = roc(values[:, k], positive)
                area = float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))  # as of nn2hls.compare.scores.auc
                ax.plot(true, false, style, color=f"C{k % 10}", linewidth=1.2, label=f"class {label}, {kind}: AUC {area:.4f}")
        ax.set(title=drawn(name), xlabel="share of the class that is found", ylabel="share of the others taken for it")
        ax.set(yscale="log", xlim=(0, 1), ylim=(0.5 / max(len(truth), 1), 1))
        ax.grid(alpha=0.3)
        if ax.lines:
            ax.legend(fontsize="x-small")
    return figure
