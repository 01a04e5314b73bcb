"""Pictures of a design that runs on data: profiles, float against fixed, confusion, and ROC curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn2hls.compare.converted import Converted
from nn2hls.compare.judge import Judge, Own
from nn2hls.compare.layers import judges
from nn2hls.compare.scores import roc
from nn2hls.compare.spans import constant_spans, made_spans, value_spans
from nn2hls.figures import answers, ranges
from nn2hls.figures.style import save_all


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

    @property
    def labelled(self) -> bool:
        """Whether it answers with classes, and there are labels."""
        return self.judge.classes and self.judge.truth is not None

    def named(self, names: Sequence[str], label: int) -> str:
        """What a class is called: its name, where there is one for each of them."""
        return names[label] if len(names) == max(self.reference.shape[1], 2) else f"class {label}"


def draw(
    design: Converted,
    x: Sequence[np.ndarray],
    y: Any,
    folder: Path,
    metric: str | Own | None = None,
    threshold: float | None = None,
    names: Sequence[str] = (),
    ending: str = ".png",
) -> list[Path]:
    """Write ``ranges``, ``scatter``, and with labels that are classes ``roc`` and ``confusion``; the paths are returned.

    Args:
        design: With types.
        x: One array (events, *shape) per input.
        y, metric, threshold: As for :meth:`nn2hls.design.design.Design.compare`.
        folder: Made when it is not there.
        names: Of the classes.
        ending: ``.png``, ``.svg`` or ``.pdf``.

    Raises:
        ToolError: matplotlib is not installed.
    """
    found = run(design, x, y, metric, threshold)
    figures = {"ranges": profile(design, x), "scatter": scatter(found, names)}
    if any(a.labelled for a in found.values()):
        figures |= {"roc": curves(found, names), "confusion": confusion(found, names)}
    return save_all(figures, folder, ending)


def run(
    design: Converted, x: Sequence[np.ndarray], y: Any = None, metric: str | Own | None = None, threshold: float | None = None
) -> dict[str, Answers]:
    """The answers of each output to data."""
    by = judges(design.float_graph, len(x[0]) if x else 1, y, metric, threshold)
    with np.errstate(over="ignore", invalid="ignore"):  # what float does not hold is left out
        fixed, _ = design.run(list(x))
        floats = design.predict_float(list(x))
    pairs = zip(design.graph.outputs, floats if isinstance(floats, list) else [floats], fixed, by, strict=True)
    return {name: Answers(a.reshape(len(a), -1), b.reshape(len(b), -1), judge).finite() for name, a, b, judge in pairs}


def profile(design: Converted, x: Sequence[np.ndarray] | None = None) -> Any:
    """Constants as they were trained and as the hardware has them, and with data the values of each layer in float."""
    panels = {"constants, as trained": constant_spans(design), "constants, in the design": made_spans(design)}
    if x is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            panels["values, in float"] = value_spans(design, x)
    return ranges.profiles(panels)


def scatter(found: Mapping[str, Answers], names: Sequence[str] = ()) -> Any:
    """Fixed against float."""
    return answers.scatter({name: (a.reference, a.fixed) for name, a in found.items()}, names)


def curves(found: Mapping[str, Answers], names: Sequence[str] = ()) -> Any:
    """ROC curves of the outputs that have labels."""
    return answers.roc({name: list(_curves(a, names)) for name, a in found.items() if a.labelled})


def _curves(found: Answers, names: Sequence[str]) -> list[answers.Curve]:
    truth, made = found.judge.truth, []
    assert truth is not None
    for k in range(found.reference.shape[1]):
        label = k if found.reference.shape[1] > 1 else 1
        positive = truth == label
        if not 0 < np.count_nonzero(positive) < len(truth):
            continue
        for values, kind in ((found.reference, "float"), (found.fixed, "fixed")):
            false, true = roc(values[:, k], positive)
            area = float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))  # as of nn2hls.compare.scores.auc
            made.append(answers.Curve(found.named(names, label), kind, false, true, area))
    return made


def confusion(found: Mapping[str, Answers], names: Sequence[str] = ()) -> Any:
    """Labels against answers, of float and of fixed, of the outputs that have labels."""
    matrices = {}
    for name, a in found.items():
        if a.labelled:
            for kind, values in (("float", a.reference), ("fixed", a.fixed)):
                matrices[f"{name}, {kind}"] = counts(a.judge, values)
    return answers.confusion(matrices, names)


def counts(judge: Judge, values: np.ndarray) -> np.ndarray:
    """How many events of each label, by row, are answered with each class, by column."""
    assert judge.truth is not None
    size = max(values.shape[1], 2)
    matrix = np.zeros((size, size), dtype=np.int64)
    np.add.at(matrix, (judge.truth, judge.answers(values)), 1)
    return matrix
