"""Float against fixed: errors, signal to quantisation noise, and by what an output is shares of classes or errors of values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls import text
from nn2hls.compare.judge import Judge
from nn2hls.compare.scores import auc, loses_most, sqnr, wilson
from nn2hls.errors import DataError, suggest

BLAME_FROM = 6.0  # dB: one bit


@dataclass(frozen=True)
class ClassScore:
    """One class.

    Args:
        label: Its number.
        events: How many events have it.
        recall_float, recall_fixed: Share of them that is answered rightly.
        auc_float, auc_fixed: Area under the ROC curve of this class against the rest; None when one of the two has no events.
        between_float, between_fixed: Where these shares lie at 95 %, by :func:`nn2hls.compare.scores.wilson`.
        recall_before, between_before: Those of the network before it was pruned; None without one.
    """

    label: int
    events: int
    recall_float: float | None
    recall_fixed: float | None
    auc_float: float | None
    auc_fixed: float | None
    between_float: tuple[float, float] | None = None
    between_fixed: tuple[float, float] | None = None
    recall_before: float | None = None
    between_before: tuple[float, float] | None = None


@dataclass(frozen=True)
class OutputComparison:
    """One output.

    Args:
        name: The output.
        events: Events compared.
        max_error, mean_error: Of the absolute differences; NaN without events.
        sqnr: Signal to quantisation noise in dB; None when nothing differs.
        agreement: Share of events answered with the same class (largest value; a single one above the threshold); None for an
            output that is values, as the next three.
        accuracy_float, accuracy_fixed: Share of events whose answer is the label; None without labels.
        classes: Per class, with labels.
        judged: ``classes`` or ``values``, and in ``why`` the reason.
        mse, mae: Mean squared and mean absolute error against labels that are values, else against float.
        mse_float, mae_float: Those of float against labels that are values; None without.
        metric: What decides, with its score of float and fixed; an infinite SQNR is exact.
        infinite: Events left out because float answers with NaN or Inf.
        accuracy_before: That of the network before it was pruned; None without one.
        loses_most: The class whose share of right answers falls most, from before pruning, else from float, to fixed; None
            where none falls.
    """

    name: str
    events: int
    max_error: float
    mean_error: float
    sqnr: float | None
    agreement: float | None = None
    accuracy_float: float | None = None
    accuracy_fixed: float | None = None
    classes: tuple[ClassScore, ...] = ()
    judged: str = "classes"
    why: str = ""
    mse: float | None = None
    mae: float | None = None
    mse_float: float | None = None
    mae_float: float | None = None
    metric: str = ""
    score_float: float | None = None
    score_fixed: float | None = None
    infinite: int = 0
    accuracy_before: float | None = None
    loses_most: int | None = None


@dataclass(frozen=True)
class Need:
    """Bits that one type of a layer misses.

    Args:
        word: As in the config: ``result``, ``weight``, ``bias``, ``accum`` ...; ``table`` without bits for too few entries.
        integer: So that nothing leaves the range.
        fraction: So that its rounding alone keeps to the layer's TargetSQNR.
        type: The type with these bits added; None where it is no type that is missing.
        entries: TableSize that mends a table; None: not asked for, or, without bits too, nothing that was tried mends it.
    """

    word: str
    integer: int = 0
    fraction: int = 0
    type: str | None = None
    entries: int | None = None


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
        infinite: Values that float gives as NaN or Inf; everything else leaves them out.
        folded: The user's layer that was folded into this one, which a type of its own for either would undo; empty when none.
        raised: A TargetSQNR that gives derived types the bits they miss; None where a type is given.
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
    infinite: int = 0
    folded: str = ""
    raised: float | None = None


def labels_of(y: Any, outputs: Sequence[str]) -> list[Any]:
    """One entry per output, None where there are no labels.

    Args:
        y: The labels of the first output; a list of arrays (or None), one per output; or arrays by the names of outputs.
        outputs: Their names.

    Raises:
        DataError: There are more than outputs, or an output of the name is not there.
    """
    if isinstance(y, Mapping):
        unknown = next((str(name) for name in y if name not in outputs), None)
        if unknown is not None:
            fix = suggest(unknown, outputs) or f"Outputs are {', '.join(outputs)}."
            raise DataError(f"The network has no output '{unknown}'.", where="labels", fix=fix)
        return [y.get(name) for name in outputs]
    several = isinstance(y, list | tuple) and len(y) > 0 and all(a is None or np.ndim(a) > 0 for a in y)
    if several and len(outputs) == 1 and not isinstance(y[0], np.ndarray):
        several = False  # one-hot rows as lists
    labels = list(y) if several else [y]
    if len(labels) > len(outputs):
        what = f"There are labels for {text.plural(len(labels), 'output')}, the network has {len(outputs)}."
        raise DataError(what, where="labels", fix="One output takes one array: numpy.array(y).")
    return labels + [None] * (len(outputs) - len(labels))


def compare_output(
    name: str,
    reference: np.ndarray,
    fixed: np.ndarray,
    labels: Any = None,
    judge: Judge | None = None,
    before: np.ndarray | None = None,
) -> OutputComparison:
    """Compare one output, on the events that float answers with finite values.

    Args:
        name: Its name.
        reference, fixed: Float and fixed answers, (events, *shape).
        labels: Class numbers, one-hot rows, or values; where there is no judge.
        judge: By what; None: by the labels alone.
        before: Float answers of the network before it was pruned.

    Raises:
        DataError: Those of before have another shape.
    """
    if before is not None and np.shape(before) != np.shape(reference):
        what = f"The network before pruning answers with the shape {np.shape(before)}, this one with {np.shape(reference)}."
        raise DataError(what, where=name, fix="Give the network that this one was pruned from.")
    reference, fixed = (np.asarray(a, dtype=np.float64).reshape(len(a), int(np.prod(a.shape[1:]))) for a in (reference, fixed))
    judge = judge or Judge.of(None, name, (len(reference), reference.shape[1]), labels)
    finite = np.flatnonzero(np.isfinite(reference).all(axis=1))
    infinite = len(reference) - len(finite)
    if infinite:
        judge, reference, fixed = judge.part(finite), reference[finite], fixed[finite]
    error = np.abs(fixed - reference)
    result = OutputComparison(
        name,
        len(reference),
        float(error.max()) if error.size else math.nan,
        float(error.mean()) if error.size else math.nan,
        sqnr(reference, fixed),
        judged="classes" if judge.classes else "values",
        why=judge.why,
        metric=judge.metric.name,
        infinite=infinite,
    )
    if not len(reference):
        return result
    scores = judge.score(reference, reference), judge.score(reference, fixed)
    result = dataclasses.replace(result, score_float=scores[0], score_fixed=scores[1])
    if not judge.classes:
        return _add_values(result, judge, reference, fixed)
    result = _add_classes(result, judge, reference, fixed)
    return result if before is None else _add_before(result, judge, before.reshape(len(before), -1)[finite])


def _add_values(result: OutputComparison, judge: Judge, reference: np.ndarray, fixed: np.ndarray) -> OutputComparison:
    """Errors of values."""
    target = judge.target(reference)
    with np.errstate(over="ignore"):
        mse, mae = ([float(np.mean(f(a - target))) for a in (fixed, reference)] for f in (np.square, np.abs))
    result = dataclasses.replace(result, mse=mse[0], mae=mae[0])
    return result if judge.truth is None else dataclasses.replace(result, mse_float=mse[1], mae_float=mae[1])


def _add_classes(result: OutputComparison, judge: Judge, reference: np.ndarray, fixed: np.ndarray) -> OutputComparison:
    """Shares of answers, and with labels how every class fares."""
    answers, truth = (judge.answers(reference), judge.answers(fixed)), judge.truth
    result = dataclasses.replace(result, agreement=float(np.mean(answers[0] == answers[1])))
    if truth is None:
        return result
    right = tuple(a == truth for a in answers)
    reference, fixed = judge.columns(reference), judge.columns(fixed)
    scores = tuple(_class_score(k, truth, right, reference, fixed) for k in range(max(reference.shape[1], 2)))
    if reference.shape[1] == 1:
        scores = scores[1:]
    accuracy = [float(np.mean(r)) for r in right]
    most = _loses_most([s.recall_float for s in scores], scores)
    return dataclasses.replace(result, accuracy_float=accuracy[0], accuracy_fixed=accuracy[1], classes=scores, loses_most=most)


def _add_before(result: OutputComparison, judge: Judge, before: np.ndarray) -> OutputComparison:
    """How every class fared before pruning; where float answers with NaN or Inf then is wrong."""
    if judge.truth is None:
        return result
    answered = judge.answers(np.nan_to_num(before, nan=-np.inf))
    scores = []
    for score in result.classes:
        mine = answered[judge.truth == score.label] == score.label
        share = float(np.mean(mine)) if len(mine) else None
        scores.append(dataclasses.replace(score, recall_before=share, between_before=_between(mine)))
    accuracy = float(np.mean(answered == judge.truth))
    most = _loses_most([s.recall_before for s in scores], scores)
    return dataclasses.replace(result, accuracy_before=accuracy, classes=tuple(scores), loses_most=most)


def _loses_most(before: Sequence[float | None], scores: Sequence[ClassScore]) -> int | None:
    place = loses_most(before, [s.recall_fixed for s in scores])
    return None if place is None else scores[place].label


def _between(right: np.ndarray) -> tuple[float, float] | None:
    return wilson(int(np.count_nonzero(right)), len(right)) if len(right) else None


def _class_score(
    label: int, truth: np.ndarray, right: Sequence[np.ndarray], reference: np.ndarray, fixed: np.ndarray
) -> ClassScore:
    positive = truth == label
    column = 0 if reference.shape[1] == 1 else label
    recall = [float(np.mean(r[positive])) if positive.any() else None for r in right]
    areas = [auc(values[:, column], positive) for values in (reference, fixed)]
    between = [_between(r[positive]) for r in right]
    events = int(np.count_nonzero(positive))
    return ClassScore(label, events, recall[0], recall[1], areas[0], areas[1], between[0], between[1])
