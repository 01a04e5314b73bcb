"""By what an output is judged: as classes or as values, by which metric, with which labels, and why.

A softmax or a sigmoid answers with a class. Everything else is values, unless labels, a metric or a threshold say that it is
classes: the largest value of a regression network, or whether it is above one half, means nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn2hls import text
from nn2hls.compare.scores import THRESHOLD, answers, are_classes, areas, class_numbers, label_values, sqnr
from nn2hls.errors import ConfigError, DataError, suggest
from nn2hls.graph.graph import Graph

SQNR = 40.0  # dB that a search keeps where nothing else is said
_EXACT, _MOST = 400.0, 1e300  # dB of an SQNR without noise; beyond it a merit is as good as infinite
_GROUPS = 10  # parts of the data, each left out once: how far a metric of whole data sets may be off

Own = Callable[[Any, Any], float]


@dataclass(frozen=True)
class Metric:
    """One measure.

    Args:
        name: As ``--metric`` takes it.
        words: For tables.
        classes: Whether it counts answers with a class (True), looks at values (False), or takes either (None).
        labelled: Whether it needs labels.
        larger: Whether larger is better.
        unit: ``%``, ``dB`` or nothing.
        own: A function of one's own of (labels, answers), larger is better; without labels it gets the float answers for them.
    """

    name: str
    words: str
    classes: bool | None
    labelled: bool = False
    larger: bool = True
    unit: str = ""
    own: Own | None = None

    def show(self, value: float | None) -> str | None:
        """A value of it for people."""
        if self.unit == "%":
            return text.percent(value)
        if self.unit == "dB" and value is not None:
            return "exact" if value == math.inf else f"{value:.1f} dB"
        return text.number(value, 5)

    def merit(self, value: float | None) -> float:
        """A value of it as a finite number that is better when larger; None, an SQNR without noise, is as good as can be."""
        return _EXACT if value is None else float(np.clip(value if self.larger else -value, -_MOST, _MOST))


METRICS = {
    m.name: m
    for m in (
        Metric("accuracy", "accuracy", True, labelled=True, unit="%"),
        Metric("agreement", "same answer", True, unit="%"),
        Metric("auc", "AUC", True, labelled=True),
        Metric("mse", "MSE", False, larger=False),
        Metric("mae", "MAE", False, larger=False),
        Metric("sqnr", "SQNR", False, unit="dB"),
    )
}


def metric_named(metric: str | Own | None) -> Metric | None:
    """A metric by its name, or one of one's own; None stays None.

    Raises:
        ConfigError: There is none of this name.
    """
    if metric is None or (isinstance(metric, str) and metric.lower() in METRICS):
        return None if metric is None else METRICS[metric.lower()]
    if callable(metric):
        name = getattr(metric, "__name__", type(metric).__name__)
        return Metric(name, name, None, own=metric)
    fix = f"{suggest(str(metric), METRICS)} Metrics are {', '.join(METRICS)}; in Python also a function.".strip()
    raise ConfigError(f"There is no metric '{metric}'.", where="metric", fix=fix)


def _numbered(graph: Graph | None, output: str) -> int:
    """How many classes there are where the only value of an output is the number of one; else 0."""
    if graph is None or math.prod(graph[output].shape) != 1:
        return 0
    node = graph[output]
    while node.op.rearranges:
        (node,) = graph.operands(node)
    return node.op.classes([n.shape for n in graph.operands(node)]) if math.prod(node.shape) == 1 else 0


def nature(graph: Graph | None, output: str) -> tuple[bool | None, str]:
    """Whether an output is classes by its op, or None where the op does not say, and the words for it."""
    if graph is None:
        return None, "nothing is known of the output"
    node = graph[output]
    while node.op.rearranges:
        (node,) = graph.operands(node)
    values, inputs = math.prod(node.shape), [math.prod(n.shape) for n in graph.inputs]
    if _numbered(graph, output):
        return True, "the output is the number of a class"
    if node.op.probability == "sigmoid" and inputs == [values] and values > 1:
        return None, "the output has as many values as the input, like an autoencoder"
    if node.op.probability:
        return True, f"the output is a {node.op.probability}"
    return None, f"the output is {node.origin.kind or type(node.op).__name__}, neither softmax nor sigmoid"


@dataclass(frozen=True)
class Judge:
    """How one output is judged.

    Args:
        classes: Whether its answers are classes; else they are values.
        why: The reason, a clause.
        metric: What decides.
        threshold: Above it a single value answers yes.
        labels: As they were given.
        truth: The labels as class numbers (events,), or as values (events, values); None without labels.
        single: Whether an event has one value only, which is above a threshold or not.
        count: How many classes there are where that value is the number of one, as argmax and a threshold give it; else 0.
    """

    classes: bool
    why: str
    metric: Metric
    threshold: float = THRESHOLD
    labels: np.ndarray | None = field(default=None, repr=False)
    truth: np.ndarray | None = field(default=None, repr=False)
    single: bool = False
    count: int = 0

    @classmethod
    def of(
        cls,
        graph: Graph | None,
        output: str,
        shape: tuple[int, int],
        labels: Any = None,
        metric: str | Own | None = None,
        threshold: float | None = None,
    ) -> Judge:
        """The judge of an output.

        Args:
            graph: The float graph; None: only labels and metric say what the output is.
            output: Its name.
            shape: Events, and values of each.
            labels: Class numbers (events,), one-hot rows, or values (events, values); None without.
            metric: A name of METRICS, or a function of (labels, answers) whose result is better when larger; None: accuracy
                or agreement of classes, MSE or SQNR of values.
            threshold: Above it a single value answers yes; None: one half.

        Raises:
            ConfigError: The metric is unknown or needs labels, or a threshold has nothing to decide.
            DataError: The labels do not fit.
        """
        chosen, where = metric_named(metric), f"labels of {output}" if output else "labels"
        classes, why = _classes(graph, output, shape, labels, chosen, threshold, where)
        count = _numbered(graph, output) if classes else 0
        given = None if labels is None else np.asarray(labels)
        size = (shape[0], count or shape[1])
        truth = None if labels is None else (class_numbers if classes else label_values)(labels, *size, where)
        if chosen is None:
            names = ("accuracy", "agreement") if classes else ("mse", "sqnr")
            chosen = METRICS[names[labels is None]]
        if chosen.labelled and labels is None:
            fix = "Give labels, or take agreement, which compares with float."
            raise ConfigError(f"{chosen.words} needs labels.", where="metric", fix=fix)
        if threshold is not None and not (shape[1] == 1 and classes and not count and math.isfinite(threshold)):
            what = "is no number" if not math.isfinite(threshold) else "decides nothing"
            fix = "It splits an output of one value into two classes; several values answer with the largest."
            raise ConfigError(f"A threshold of {threshold:g} {what} here.", where="threshold", fix=fix)
        single = shape[1] == 1 and not count
        return cls(classes, why, chosen, THRESHOLD if threshold is None else threshold, given, truth, single, count)

    def text(self) -> str:
        """One sentence: what was chosen, and why."""
        yes = f" (yes above {self.threshold:g})" if self.single else ""
        return f"Judged as {f'classes{yes}' if self.classes else 'values'}: {self.why}."

    def part(self, events: np.ndarray) -> Judge:
        """The judge of some of the events, by their places."""
        labels, truth = (None if a is None else a[events] for a in (self.labels, self.truth))
        return dataclasses.replace(self, labels=labels, truth=truth)

    def answers(self, values: np.ndarray) -> np.ndarray:
        """The class of each event."""
        return answers(self.columns(values), self.threshold)

    def columns(self, values: np.ndarray) -> np.ndarray:
        """The values (events, values) by class: a single number of a class as a row that is 1 at its place."""
        return np.eye(self.count)[np.clip(values[:, 0], 0, self.count - 1).astype(np.int64)] if self.count else values

    def areas(self, values: np.ndarray) -> tuple[float | None, ...]:
        """Area under the ROC curve of each class, with labels that are classes."""
        assert self.truth is not None
        return areas(self.columns(values), self.truth)

    def target(self, reference: np.ndarray) -> np.ndarray:
        """What errors are measured against, (events, values): labels that are values, else the float answers."""
        return reference if self.classes or self.truth is None else self.truth

    def score(self, reference: np.ndarray, values: np.ndarray) -> float | None:
        """The metric of some answers.

        Args:
            reference, values: Float answers, and those to judge, (events, values).

        Returns:
            None where it is not defined, such as an AUC of one class alone; infinite SQNR where nothing differs.
        """
        name = self.metric.name
        if self.metric.own is not None:
            return _own(self.metric, reference if self.labels is None else self.labels, values)
        if name == "sqnr":
            found = sqnr(reference, values)
            return math.inf if found is None else found
        if name == "auc":
            known = [a for a in self.areas(values) if a is not None]
            return float(np.mean(known)) if known else None
        return float(np.mean(self._each(reference, values)))

    def _each(self, reference: np.ndarray, values: np.ndarray) -> np.ndarray:
        """What the metric is the mean of: of classes (events, 1), of values (events, values)."""
        if self.metric.classes:
            truth = self.answers(reference) if self.metric.name == "agreement" or self.truth is None else self.truth
            return np.asarray(self.answers(values) == truth).astype(np.int8)[:, None]
        error = values - self.target(reference)
        with np.errstate(over="ignore"):
            return np.asarray(np.square(error) if self.metric.name == "mse" else np.abs(error))

    def loss(self, reference: np.ndarray, values: np.ndarray) -> tuple[float, float]:
        """How much worse than float, and one standard deviation of it by the choice of the events.

        In units of the metric, but for SQNR: there it is noise power by signal power.

        Raises:
            DataError: The metric is not defined on this data.
        """
        name = self.metric.name
        if self.metric.own is None and name == "sqnr":
            signal = float(np.mean(np.square(reference)))
            noise = np.square(values - reference).mean(axis=1)
            lost = noise / signal if signal else np.where(noise > 0, math.inf, 0.0)
        elif self.metric.own is None and name != "auc":
            exact, found = (self._each(reference, a).mean(axis=1) for a in (reference, values))
            lost = exact - found if self.metric.larger else found - exact
        else:
            whole = self._whole(reference, values)
            parts = [np.arange(len(values)) % _GROUPS != k for k in range(min(_GROUPS, len(values)))]
            each = np.array([self.part(p)._whole(reference[p], values[p]) for p in parts]) if len(parts) > 1 else np.zeros(1)
            return whole, float(np.sqrt((len(each) - 1) * np.mean(np.square(each - each.mean()))))
        return float(np.mean(lost)), float(np.std(lost)) / len(lost) ** 0.5

    def _whole(self, reference: np.ndarray, values: np.ndarray) -> float:
        exact, found = self.score(reference, reference), self.score(reference, values)
        if exact is None or found is None:
            fix = "Give events of several classes, or another metric."
            raise DataError(f"{self.metric.words} is not defined on these events.", where="metric", fix=fix)
        return exact - found

    def allowed(self, reference: np.ndarray, max_loss: float, target: float | None) -> float:
        """The loss that a design may have.

        Args:
            reference: Float answers, (events, values).
            max_loss: Where no target is given: of accuracy, agreement, AUC or a metric of one's own; of MSE and MAE a share
                of what float has.
            target: The score that must be reached; None: for SQNR 40 dB, else by ``max_loss``.

        Raises:
            ConfigError: The float network itself does not reach the target, or there is none for an error without labels.
        """
        name, own = self.metric.name, self.metric.own is not None
        if name == "sqnr" and not own:
            return 10 ** (-(SQNR if target is None else target) / 10)
        exact = self.score(reference, reference)
        if exact is None:
            raise DataError(f"{self.metric.words} is not defined on these events.", where="metric")
        if target is None:
            if not self.metric.larger and not exact:
                fix = "Give a target, or take the metric sqnr."
                raise ConfigError(f"Float has no {self.metric.words} here, so that no share of it can be lost.", fix=fix)
            return max_loss if self.metric.larger else max_loss * exact
        allowed = exact - target if self.metric.larger else target - exact
        if not allowed >= 0:
            what = f"Float has {self.metric.show(exact)}, which does not reach {self.metric.show(target)}."
            raise ConfigError(what, where="target", fix=f"Give a target that float reaches in {self.metric.words}.")
        return allowed


def _own(metric: Metric, labels: np.ndarray, values: np.ndarray) -> float:
    assert metric.own is not None
    found = metric.own(labels, values)
    try:
        score = float(found)
    except (TypeError, ValueError) as error:
        raise DataError(f"It gave {type(found).__name__}, not a number.", where=f"metric {metric.name}") from error
    if math.isnan(score):
        raise DataError("It gave NaN.", where=f"metric {metric.name}")
    return score


def _classes(
    graph: Graph | None,
    output: str,
    shape: tuple[int, int],
    labels: Any,
    metric: Metric | None,
    threshold: float | None,
    where: str,
) -> tuple[bool, str]:
    """Whether the answers are classes, and why: what the user says, then the op, then the labels."""
    by_op, said = nature(graph, output)
    if metric is not None and metric.classes is not None:
        return metric.classes, f"the metric is {metric.words}"
    if threshold is not None:
        return True, "a threshold is given"
    if labels is None:
        return bool(by_op), said if by_op else f"{said}, and there are no labels"
    if are_classes(labels, shape[0], _numbered(graph, output) or shape[1], where):
        return True, said if by_op else "the labels are classes"
    if by_op and said.endswith("softmax"):
        class_numbers(labels, *shape, where)
    return False, "the labels are values"
