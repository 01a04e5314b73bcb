"""What a scan finds: its points, as text, CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from nn2hls import text
from nn2hls.compare.judge import Judge, Metric
from nn2hls.compare.scores import loses_most
from nn2hls.figures.sets import ScanPlots
from nn2hls.markup import Table, notebook


@dataclass(frozen=True)
class Point:
    """One design.

    Args:
        network: Which of the networks; empty when there is only one.
        precision: The type of inputs, weights, biases and results; empty: as the config says.
        reuse: The reuse factor; None: as the config says.
        sqnr: Of the first output, in dB; None when exact.
        agreement: Share of events that float and fixed answer with the same class; None of values, as the next four.
        accuracy: Share of events answered as labelled; None without labels.
        accuracy_ratio: ``accuracy`` by that of float; without labels the agreement.
        auc: Area under the ROC curve, mean over the classes; None without labels.
        auc_ratio: Mean over the classes of the area by that of float.
        mse, mae: Mean squared and mean absolute error of values, against labels, else against float; None of classes.
        score: By the metric of the scan; None when it is SQNR and exact.
        overflows: Values that left the range of a type.
        dsp, lut, ff, bram, latency_cycles, ii, latency_ns: The estimate, as in an HLS report.
        error: Why there is no design; empty when there is one.
        loses_most: The class whose share of right answers falls most from float; None where none falls, or without labels.
        recall_float, recall: That share, of float and of the design.
        recall_low, recall_high: Where the design's lies at 95 %, by :func:`nn2hls.compare.scores.wilson`.
    """

    network: str
    precision: str
    reuse: int | None
    sqnr: float | None = None
    agreement: float | None = None
    accuracy: float | None = None
    accuracy_ratio: float | None = None
    auc: float | None = None
    auc_ratio: float | None = None
    mse: float | None = None
    mae: float | None = None
    score: float | None = None
    overflows: int | None = None
    dsp: int | None = None
    lut: int | None = None
    ff: int | None = None
    bram: int | None = None
    latency_cycles: int | None = None
    ii: int | None = None
    latency_ns: float | None = None
    error: str = ""
    loses_most: int | None = None
    recall_float: float | None = None
    recall: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None


@dataclass(frozen=True, repr=False)
class Scan:
    """All points, and how long they took.

    Args:
        points: In the order of networks, types and reuse factors.
        events: Events each design was run on.
        seconds: Wall time.
        accuracies_float: Accuracy of the float reference by network; empty without labels.
        resumed: Points that were taken from the record.
        judges: By which the answers of each network were judged, with float's own score.
        recalls_float: The share of the events of each class that float answers rightly, by network; empty without labels.
    """

    points: tuple[Point, ...]
    events: int
    seconds: float
    accuracies_float: Mapping[str, float] = field(default_factory=dict)
    resumed: int = 0
    judges: Mapping[str, tuple[Judge, float | None]] = field(default_factory=dict)
    recalls_float: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        made = sum(not p.error for p in self.points)
        return f"Scan({text.plural(made, 'design')} of {len(self.points)}, {text.plural(self.events, 'event')})"

    def __str__(self) -> str:
        return self.text()

    @property
    def accuracy_float(self) -> float | None:
        """Accuracy of the float reference of the first network; None without labels."""
        return next(iter(self.accuracies_float.values()), None)

    @property
    def plot(self) -> ScanPlots:
        """Figures: ``pareto()``, ``bits()``, ``reuse()``."""
        return ScanPlots([asdict(p) for p in self.points], self.accuracy_float is not None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        own = {"events": self.events, "seconds": self.seconds, "resumed": self.resumed, "accuracy_float": self.accuracy_float}
        judged = {
            name: {"judged": "classes" if j.classes else "values", "why": j.why, "metric": j.metric.name, "score_float": score}
            for name, (j, score) in self.judges.items()
        }
        accuracies = dict(self.accuracies_float)
        recalls = {name: list(shares) for name, shares in self.recalls_float.items()}
        points = [asdict(p) for p in self.points]
        return {**own, "accuracies_float": accuracies, "recalls_float": recalls, "networks": judged, "points": points}

    def csv(self) -> str:
        """A line a point, with a head."""
        return text.csv_lines([f.name for f in fields(Point)], (asdict(p).values() for p in self.points))

    def text(self) -> str:
        """For people: points that are designs, reasons why others are none, what answers were judged as, and the time."""
        found = self._table()
        return text.table(found.head, found.rows) + "\n".join([*found.foot[:-1], "", found.foot[-1]]) + "\n"

    def _repr_html_(self) -> str:
        return notebook(repr(self), [self._table()])

    def _table(self) -> Table:
        several = len({p.network for p in self.points}) > 1
        shown = [c for c in _COLUMNS if c.needed(self)]
        head = ["network"] * several + ["precision", "reuse", *(c.head(self) for c in shown)]
        head += ["overflows", "DSP", "LUT", "FF", "BRAM", "clocks", "II", "ns"]
        rows = [
            [p.network] * several
            + [p.precision or "config", p.reuse if p.reuse is not None else "config"]
            + [c.cell(p, self) for c in shown]
            + [p.overflows, *(p.dsp, p.lut, p.ff, p.bram, p.latency_cycles, p.ii), text.number(p.latency_ns)]
            for p in self.points
            if not p.error
        ]
        failed = [f"{p.network} {p.precision} reuse {p.reuse}: {p.error}".lstrip() for p in self.points if p.error]
        took = f"{text.plural(len(self.points), 'design')} in {self.seconds:.1f} s"
        took += f", {self.resumed} of them from the record" if self.resumed else ""
        return Table(head, rows, foot=[*failed, *self._judged(), *self._pruned(), took])

    def _judged(self) -> list[str]:
        """What the answers were judged as, and why; once where all networks are alike."""
        said = {name: j.text() for name, (j, _) in self.judges.items()}
        alike = len(set(said.values())) == 1
        return list(dict.fromkeys(line if alike or not name else f"{name}: {line}" for name, line in said.items()))

    def _pruned(self) -> list[str]:
        """Which class each further network loses most of in float, against the first one, such as the one before pruning."""
        (first, before), *others = self.recalls_float.items() or [("", ())]
        lines = []
        for name, after in others:
            k = loses_most(before, after) if len(after) == len(before) else None
            said = f"no class loses right answers against {first}"
            if k is not None:
                said = f"class {k} loses most against {first}, {text.percent(before[k])} to {text.percent(after[k])}"
            lines.append(f"{name}, float: {said}.")
        return lines

    @property
    def own_metric(self) -> Metric | None:
        """The metric of the first network, where no other column shows it."""
        metric = next((judge.metric for judge, _ in self.judges.values()), None)
        return metric if metric is not None and (metric.own is not None or metric.name == "auc") else None


@dataclass(frozen=True)
class _Column:
    """A column of the table, shown where it is needed."""

    head: Callable[[Scan], str]
    cell: Callable[[Point, Scan], object]
    needed: Callable[[Scan], bool]


def _classes(scan: Scan) -> bool:
    return any(p.agreement is not None for p in scan.points)


def _labelled(scan: Scan) -> bool:
    return scan.accuracy_float is not None


def _class_lost(p: Point) -> str | None:
    if p.loses_most is None or p.recall_low is None or p.recall_high is None:
        return None
    shares = f"{text.percent(p.recall_float)} to {text.percent(p.recall)}"
    return f"{p.loses_most}: {shares} ({100 * p.recall_low:.1f}..{100 * p.recall_high:.1f})"


_COLUMNS = (
    _Column(lambda s: "SQNR", lambda p, s: "exact" if p.sqnr is None else f"{p.sqnr:.1f}", lambda s: True),
    _Column(
        lambda s: "accuracy" if _labelled(s) else "same answer",
        lambda p, s: text.percent(p.agreement if p.accuracy is None else p.accuracy),
        _classes,
    ),
    _Column(lambda s: "ratio", lambda p, s: text.number(p.accuracy_ratio), _classes),
    _Column(lambda s: "AUC ratio", lambda p, s: text.number(p.auc_ratio), _labelled),
    _Column(lambda s: "class that loses most", lambda p, s: _class_lost(p), _labelled),
    _Column(lambda s: "MSE", lambda p, s: text.number(p.mse), lambda s: any(p.mse is not None for p in s.points)),
    _Column(lambda s: "MAE", lambda p, s: text.number(p.mae), lambda s: any(p.mae is not None for p in s.points)),
    _Column(
        lambda s: s.own_metric.words if s.own_metric else "",
        lambda p, s: s.own_metric.show(p.score) if s.own_metric else None,
        lambda s: s.own_metric is not None,
    ),
)
