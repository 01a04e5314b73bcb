"""Float against fixed: errors, signal to quantisation noise, agreement, and with labels accuracy and AUC."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls import text
from nn2hls.errors import DataError


@dataclass(frozen=True)
class ClassScore:
    """One class.

    Args:
        label: Its number.
        events: How many events have it.
        recall_float, recall_fixed: Share of them that is answered rightly.
        auc_float, auc_fixed: Area under the ROC curve of this class against the rest; None when one of the two has no events.
    """

    label: int
    events: int
    recall_float: float | None
    recall_fixed: float | None
    auc_float: float | None
    auc_fixed: float | None


@dataclass(frozen=True)
class OutputComparison:
    """One output.

    Args:
        name: The output.
        events: Events compared.
        max_error, mean_error: Of the absolute differences.
        sqnr: Signal to quantisation noise in dB; None when nothing differs.
        agreement: Share of events with the same answer (largest value; above one half for a single value).
        accuracy_float, accuracy_fixed: Share of events whose answer is the label; None without labels.
        classes: Per class, with labels.
    """

    name: str
    events: int
    max_error: float
    mean_error: float
    sqnr: float | None
    agreement: float
    accuracy_float: float | None = None
    accuracy_fixed: float | None = None
    classes: tuple[ClassScore, ...] = ()


@dataclass(frozen=True)
class Need:
    """Bits that one type of a layer misses.

    Args:
        word: As in the config: ``result``, ``weight``, ``bias``, ``accum`` ...; ``table`` for tables, without numbers.
        integer: So that nothing leaves the range.
        fraction: So that its rounding alone keeps to the layer's TargetSQNR.
        type: The type with these bits added; None for tables.
    """

    word: str
    integer: int = 0
    fraction: int = 0
    type: str | None = None


@dataclass(frozen=True)
class LayerComparison:
    """One node of the design.

    Args:
        name: As the config addresses it; ``fc1.accum`` for a type inside a layer whose values left its range.
        type: The type of its values.
        type_low, type_high: What the type can hold.
        low, high: Range of the values in float; None for a type inside a layer, as the next four.
        sqnr: As for outputs.
        max_error: Largest absolute difference.
        own_sqnr: The same of the layer alone: fed with float values, rounded to the types of its operands.
        drop: dB lost from operands to result; operands better than the layer's TargetSQNR count as that.
        overflows: Values, of ``values``, that left the range of the type.
        saturates: Whether they stop at the end of the range; else they wrap.
        missing_bits: Integer bits that the worst of them needs.
        needs: What would mend the layer.
        shows: The user's layer whose output the value is, as in ``trace``; empty when it is none.
    """

    name: str
    type: str
    type_low: float
    type_high: float
    low: float | None = None
    high: float | None = None
    sqnr: float | None = None
    max_error: float | None = None
    own_sqnr: float | None = None
    drop: float | None = None
    overflows: int = 0
    values: int = 0
    saturates: bool = False
    missing_bits: int = 0
    needs: tuple[Need, ...] = ()
    shows: str = ""


@dataclass(frozen=True)
class Comparison:
    """All outputs and all layers.

    Args:
        outputs: In the order of the design.
        layers: Nodes in the order of the design.
        blame: The layer that loses most from operands to result, the first of equals; None when none that
            rounds loses 6 dB, which is one bit.
    """

    outputs: tuple[OutputComparison, ...]
    layers: tuple[LayerComparison, ...] = ()
    blame: str | None = None

    def layer(self, name: str) -> LayerComparison:
        """The layer of this name."""
        return next(x for x in self.layers if x.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: text.finite(value) for name, value in dataclasses.asdict(self).items()}

    def text(self) -> str:
        """For people."""
        from nn2hls.compare_text import comparison_text

        return comparison_text(self)


def sqnr(reference: np.ndarray, value: np.ndarray) -> float | None:
    """10 log10(sum of reference^2 / sum of (value - reference)^2) in dB; None when nothing differs."""
    return decibels(float(np.sum(np.square(reference))), float(np.sum(np.square(value - reference))))


def decibels(signal: float, noise: float) -> float | None:
    """The ratio of two powers in dB; None without noise."""
    if noise == 0:
        return None
    return 10 * math.log10(signal / noise) if signal else -math.inf


def auc(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counting one half.

    By ranks (Mann and Whitney, 1947). None when there are no positives or no negatives.
    """
    count = int(np.count_nonzero(positive))
    others = len(scores) - count
    if not count or not others:
        return None
    _, inverse, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    ranks = (last - (sizes - 1) / 2)[inverse.reshape(-1)]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def roc(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ROC curve: (share of negatives, share of positives) that score at least t, for every t that scores have, falling.

    Both begin with 0 and end with 1; ties make one straight piece, so that the area below is :func:`auc`. Needs some of both.
    """
    levels, inverse = np.unique(-scores, return_inverse=True)
    counts = [np.bincount(inverse.reshape(-1)[chosen], minlength=len(levels)) for chosen in (~positive, positive)]
    false, true = (np.concatenate([[0.0], np.cumsum(c) / c.sum()]) for c in counts)
    return false, true


def class_numbers(labels: np.ndarray, events: int, values: int, where: str = "labels") -> np.ndarray:
    """Labels as class numbers.

    Args:
        labels: Class numbers (events,) or (events, 1), or one-hot (events, values).
        events, values: Of the output; a single value has the classes 0 and 1.

    Raises:
        DataError: The labels do not fit the output.
    """
    labels = np.asarray(labels)
    if len(labels.shape) == 0 or len(labels) != events:
        count = len(labels) if labels.shape else 0
        raise DataError(f"There are {count} labels for {events} events.", where=where)
    flat = labels.reshape(events, -1)
    classes = max(values, 2)
    if flat.shape[1] == classes and classes > 1 and np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all():
        return np.asarray(flat.argmax(axis=1))
    if flat.shape[1] != 1:
        fix = f"Give class numbers (events,) or one-hot rows (events, {classes})."
        raise DataError(f"Labels of shape {labels.shape} are neither class numbers nor one-hot.", where=where, fix=fix)
    column = flat[:, 0]
    if not (np.isfinite(column).all() and (column == np.floor(column)).all() and column.min() >= 0 and column.max() < classes):
        raise DataError(f"Labels must be class numbers from 0 to {classes - 1}.", where=where)
    return column.astype(np.int64)


def labels_of(y: Any, outputs: int) -> list[Any]:
    """One entry per output, None where there are no labels.

    Args:
        y: The labels of the first output, or a list of arrays (or None), one per output.

    Raises:
        DataError: There are more than outputs.
    """
    several = isinstance(y, list | tuple) and len(y) > 0 and all(a is None or np.ndim(a) > 0 for a in y)
    if several and outputs == 1 and not isinstance(y[0], np.ndarray):
        several = False  # one-hot rows as lists
    labels = list(y) if several else [y]
    if len(labels) > outputs:
        raise DataError(
            f"There are labels for {text.plural(len(labels), 'output')}, the network has {outputs}.", where="labels"
        )
    return labels + [None] * (outputs - len(labels))


def compare_output(name: str, reference: np.ndarray, fixed: np.ndarray, labels: np.ndarray | None = None) -> OutputComparison:
    """Compare one output.

    Args:
        name: Its name.
        reference, fixed: Float and fixed answers, (events, *shape).
        labels: See :func:`class_numbers`.
    """
    reference, fixed = (np.asarray(a, dtype=np.float64).reshape(len(a), -1) for a in (reference, fixed))
    error = np.abs(fixed - reference)
    answers = _answers(reference), _answers(fixed)
    result = OutputComparison(
        name,
        len(reference),
        float(error.max(initial=0.0)),
        float(error.mean()) if error.size else 0.0,
        sqnr(reference, fixed),
        float(np.mean(answers[0] == answers[1])),
    )
    if labels is None:
        return result
    truth = class_numbers(labels, *reference.shape, where=f"labels of {name}" if name else "labels")
    right = tuple(a == truth for a in answers)
    scores = tuple(_class_score(k, truth, right, reference, fixed) for k in range(max(reference.shape[1], 2)))
    if reference.shape[1] == 1:
        scores = scores[1:]
    accuracy = [float(np.mean(r)) for r in right]
    return dataclasses.replace(result, accuracy_float=accuracy[0], accuracy_fixed=accuracy[1], classes=scores)


def _answers(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[:, 0] > 0.5 if values.shape[1] == 1 else values.argmax(axis=1)).astype(np.int64)


def _class_score(
    label: int, truth: np.ndarray, right: Sequence[np.ndarray], reference: np.ndarray, fixed: np.ndarray
) -> ClassScore:
    positive = truth == label
    column = 0 if reference.shape[1] == 1 else label
    recall = [float(np.mean(r[positive])) if positive.any() else None for r in right]
    areas = [auc(values[:, column], positive) for values in (reference, fixed)]
    return ClassScore(label, int(np.count_nonzero(positive)), recall[0], recall[1], areas[0], areas[1])
