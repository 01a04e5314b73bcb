"""What a scan finds: its points, as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from nn2hls import text


@dataclass(frozen=True)
class Point:
    """One design.

    Args:
        network: Which of the networks; empty when there is only one.
        precision: The type of inputs, weights, biases and results; empty: as the config says.
        reuse: The reuse factor; None: as the config says.
        sqnr: Of the first output, in dB; None when exact.
        agreement: Share of events that float and fixed answer alike.
        accuracy: Share of events answered as labelled; None without labels.
        accuracy_ratio: ``accuracy`` by that of float; without labels the agreement.
        auc: Area under the ROC curve, mean over the classes; None without labels.
        auc_ratio: Mean over the classes of the area by that of float.
        overflows: Values that left the range of a type.
        dsp, lut, ff, bram, latency_cycles, ii, latency_ns: The estimate, as in an HLS report.
        error: Why there is no design; empty when there is one.
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
    overflows: int | None = None
    dsp: int | None = None
    lut: int | None = None
    ff: int | None = None
    bram: int | None = None
    latency_cycles: int | None = None
    ii: int | None = None
    latency_ns: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Scan:
    """All points, and how long they took.

    Args:
        points: In the order of networks, types and reuse factors.
        events: Events each design was run on.
        seconds: Wall time.
        accuracies_float: Accuracy of the float reference by network; empty without labels.
        resumed: Points that were taken from the record.
    """

    points: tuple[Point, ...]
    events: int
    seconds: float
    accuracies_float: Mapping[str, float] = field(default_factory=dict)
    resumed: int = 0

    @property
    def accuracy_float(self) -> float | None:
        """Accuracy of the float reference of the first network; None without labels."""
        return next(iter(self.accuracies_float.values()), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        own = {"events": self.events, "seconds": self.seconds, "resumed": self.resumed, "accuracy_float": self.accuracy_float}
        return {**own, "accuracies_float": dict(self.accuracies_float), "points": [asdict(p) for p in self.points]}

    def csv(self) -> str:
        """A line a point, with a head."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([f.name for f in fields(Point)])
        writer.writerows(["" if v is None else v for v in asdict(p).values()] for p in self.points)
        return out.getvalue()

    def text(self) -> str:
        """For people: the points that are designs, then the reasons why others are none."""
        labelled = self.accuracy_float is not None
        several = len({p.network for p in self.points}) > 1
        head = ["network"] * several + ["precision", "reuse", "SQNR", "accuracy" if labelled else "same answer", "ratio"]
        head += ["AUC ratio"] * labelled + ["overflows", "DSP", "LUT", "FF", "BRAM", "clocks", "II", "ns"]
        rows = [[p.network] * several + _row(p, labelled) for p in self.points if not p.error]
        failed = [f"{p.network} {p.precision} reuse {p.reuse}: {p.error}\n".lstrip() for p in self.points if p.error]
        return text.table(head, rows) + "".join(failed)


def _row(p: Point, labelled: bool) -> list[object]:
    accuracy = p.accuracy if p.accuracy is not None else p.agreement
    return [
        p.precision or "config",
        p.reuse if p.reuse is not None else "config",
        "exact" if p.sqnr is None else f"{p.sqnr:.1f}",
        text.percent(accuracy),
        text.number(p.accuracy_ratio),
        *([text.number(p.auc_ratio)] if labelled else []),
        p.overflows,
        *(p.dsp, p.lut, p.ff, p.bram, p.latency_cycles, p.ii),
        text.number(p.latency_ns),
    ]
