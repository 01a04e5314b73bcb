"""Scores: what fixed answers are worth against float ones and against labels, by what an output is, classes or values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.errors import DataError

THRESHOLD = 0.5  # above it a single value answers yes


def decibels(signal: float, noise: float) -> float | None:
    """The ratio of two powers in dB; None without noise."""
    if noise == 0:
        return None
    return 10 * math.log10(signal / noise) if signal else -math.inf


class Power:
    """A sum of squares of finite numbers that neither overflows nor vanishes: ``value * 4**exponent``.

    Scaling by powers of two is exact, so that the digits are those of a plain sum.
    """

    def __init__(self, *parts: np.ndarray) -> None:
        self.value, self.exponent = 0.0, 0
        for part in parts:
            self.add(part)

    def add(self, values: np.ndarray) -> None:
        """Add the squares of some values."""
        top = float(np.abs(values).max(initial=0.0))
        if top:
            self.join(float(np.sum(np.square(np.ldexp(values, -math.frexp(top)[1])))), math.frexp(top)[1])

    def add_differences(self, a: np.ndarray, b: np.ndarray) -> None:
        """Add the squares of ``a - b``, of which halves are taken so that they stay finite."""
        half = np.ldexp(a, -1) - np.ldexp(b, -1)
        top = float(np.abs(half).max(initial=0.0))
        if top:
            self.join(float(np.sum(np.square(np.ldexp(half, -math.frexp(top)[1])))), math.frexp(top)[1] + 1)

    def join(self, value: float, exponent: int) -> None:
        """Add ``value * 4**exponent``."""
        if not self.value or exponent > self.exponent:
            self.value, self.exponent, value, exponent = value, exponent, self.value, self.exponent
        self.value += math.ldexp(value, max(2 * (exponent - self.exponent), -4096))

    def over(self, other: Power) -> float | None:
        """This power over another one in dB; None when the other is zero."""
        found = decibels(self.value, other.value)
        return found if found is None or not self.value else found + 20 * math.log10(2) * (self.exponent - other.exponent)


def sqnr(reference: np.ndarray, value: np.ndarray) -> float | None:
    """10 log10(sum of reference^2 / sum of (value - reference)^2) in dB of finite values; None when nothing differs."""
    noise = Power()
    noise.add_differences(np.asarray(value, dtype=np.float64), np.asarray(reference, dtype=np.float64))
    return Power(np.asarray(reference, dtype=np.float64)).over(noise)


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


def areas(values: np.ndarray, truth: np.ndarray) -> tuple[float | None, ...]:
    """Area under the ROC curve of each class against the rest; a single value is the score of class 1."""
    if values.shape[1] == 1:
        return (auc(values[:, 0], truth == 1),)
    return tuple(auc(values[:, k], truth == k) for k in range(values.shape[1]))


def answers(values: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """The class each event is answered with: the largest of its values, or whether its single one is above ``threshold``."""
    return np.asarray(values[:, 0] > threshold if values.shape[1] == 1 else values.argmax(axis=1)).astype(np.int64)


NORMAL_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


def wilson(right: int, events: int, quantile: float = NORMAL_95) -> tuple[float, float]:
    """The interval in which a share lies of which ``right`` of ``events`` were seen, at 95 %.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (J. Am. Stat. Assoc. 22, 1927):
    (p + q^2 / 2n +- q sqrt(p (1 - p) / n + q^2 / 4n^2)) / (1 + q^2 / n). Without events it is 0 to 1.
    """
    if not events:
        return 0.0, 1.0
    share, square = right / events, quantile**2
    middle = share + square / (2 * events)
    reach = quantile * math.sqrt(share * (1 - share) / events + square / (4 * events**2))
    low, high = ((middle + sign * reach) / (1 + square / events) for sign in (-1, 1))
    return (0.0 if right == 0 else low), (1.0 if right == events else high)


def recalls(answered: np.ndarray, truth: np.ndarray, classes: int) -> tuple[float | None, ...]:
    """The share of the events of each class that is answered with it; None of a class without events."""
    mine = [answered[truth == k] == k for k in range(classes)]
    return tuple(float(np.mean(right)) if len(right) else None for right in mine)


def loses_most(before: Sequence[float | None], after: Sequence[float | None]) -> int | None:
    """The number of the class whose share falls most, the first of equals; None where none falls."""
    falls = [0.0 if a is None or b is None else a - b for a, b in zip(before, after, strict=True)]
    most = max(falls, default=0.0)
    return falls.index(most) if most > 0 else None


# ---- labels --------------------------------------------------------------------------------------------------------------


def label_numbers(labels: Any, events: int, where: str = "labels") -> np.ndarray:
    """Labels as an array of finite or other numbers (events, values of one event).

    Raises:
        DataError: They are no numbers, or not as many as events.
    """
    array = np.asarray(labels)
    if array.dtype == object and all(isinstance(v, (bool, int, float, np.number, np.bool_)) for v in array.ravel()):
        try:
            array = array.astype(np.float64)
        except OverflowError as error:
            raise DataError("The labels hold a number beyond float64.", where=where) from error
    if array.dtype.kind not in "fiub":
        fix = "Give numbers; of names, numpy.unique(names, return_inverse=True)[1] makes class numbers."
        raise DataError(f"The labels hold {array.dtype}, not numbers.", where=where, fix=fix)
    if array.ndim == 0 or len(array) != events:
        raise DataError(f"There are {len(array) if array.ndim else 0} labels for {events} events.", where=where)
    return array.reshape(events, int(np.prod(array.shape[1:])))


def _one_hot(flat: np.ndarray, classes: int) -> bool:
    return bool(flat.shape[1] == classes and np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all())


def _numbered(flat: np.ndarray, classes: int) -> bool:
    column = flat[:, :1]
    whole = flat.shape[1] == 1 and np.isfinite(column).all() and (column == np.floor(column)).all()
    return bool(whole and column.min(initial=0) >= 0 and column.max(initial=0) < classes)


def are_classes(labels: Any, events: int, values: int, where: str = "labels") -> bool:
    """Whether labels are class numbers or one-hot rows of an output of so many values.

    Raises:
        DataError: They are no numbers, or not as many as events.
    """
    flat, classes = label_numbers(labels, events, where), max(values, 2)
    return _one_hot(flat, classes) or _numbered(flat, classes)


def class_numbers(labels: Any, events: int, values: int, where: str = "labels") -> np.ndarray:
    """Labels as class numbers.

    Args:
        labels: Class numbers (events,) or (events, 1), or one-hot (events, values).
        events, values: Of the output; a single value has the classes 0 and 1.

    Raises:
        DataError: The labels do not fit the output.
    """
    flat, classes = label_numbers(labels, events, where), max(values, 2)
    if _one_hot(flat, classes):
        return np.asarray(flat.argmax(axis=1))
    if _numbered(flat, classes):
        return flat[:, 0].astype(np.int64)
    ways = "The metrics mse, mae and sqnr take labels that are values."
    if flat.shape[1] != 1:
        fix = f"Give class numbers (events,) or one-hot rows (events, {classes}). {ways}"
        raise DataError(f"Labels of shape {np.shape(labels)} are neither class numbers nor one-hot.", where=where, fix=fix)
    raise DataError(f"Labels must be class numbers from 0 to {classes - 1}.", where=where, fix=ways)


def label_values(labels: Any, events: int, values: int, where: str = "labels") -> np.ndarray:
    """Labels as the values that an output should have, (events, values); class numbers become one-hot rows.

    Raises:
        DataError: The labels do not fit the output.
    """
    flat = label_numbers(labels, events, where)
    if flat.shape[1] != values and _numbered(flat, values):
        return np.eye(values)[flat[:, 0].astype(np.int64)]
    if flat.shape[1] != values:
        what = f"Labels of shape {np.shape(labels)} are neither class numbers nor one-hot, nor {values} values an event."
        raise DataError(what, where=where, fix=f"Give class numbers (events,), or (events, {values}).")
    if not np.isfinite(flat).all():
        raise DataError("The labels hold NaN or Inf.", where=where, fix="Leave these events out.")
    return flat.astype(np.float64)
