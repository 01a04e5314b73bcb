"""Scan precision and reuse against accuracy and size: one type and one reuse factor for the whole network at a time."""

from __future__ import annotations

import csv
import io
import itertools
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from nn2hls import text
from nn2hls.compare import compare_output
from nn2hls.config import Config, read_config
from nn2hls.errors import ConfigError, Nn2hlsError
from nn2hls.fixed import FixedType
from nn2hls.frontends import load
from nn2hls.ir import Graph

if TYPE_CHECKING:
    from nn2hls.design import Design

MAX_POINTS = 20_000


@dataclass(frozen=True)
class Point:
    """One design.

    Args:
        precision: The type of inputs, weights, biases and results; empty: as the config says.
        reuse: The reuse factor; None: as the config says.
        sqnr: Of the first output, in dB; None when exact.
        agreement: Share of events that float and fixed answer alike.
        accuracy: Share of events answered as labelled; None without labels.
        accuracy_ratio: ``accuracy`` by that of float; without labels the agreement.
        overflows: Values that left the range of a type.
        dsp, lut, ff, bram, latency_cycles, ii, latency_ns: The estimate, as in an HLS report.
        error: Why there is no design; empty when there is one.
    """

    precision: str
    reuse: int | None
    sqnr: float | None = None
    agreement: float | None = None
    accuracy: float | None = None
    accuracy_ratio: float | None = None
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
    """All points, and how long they took."""

    points: tuple[Point, ...]
    events: int
    seconds: float
    accuracy_float: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        own = {"events": self.events, "seconds": self.seconds, "accuracy_float": self.accuracy_float}
        return {**own, "points": [asdict(p) for p in self.points]}

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
        head = ["precision", "reuse", "SQNR", "accuracy" if labelled else "same answer", "ratio", "overflows"]
        head += ["DSP", "LUT", "FF", "BRAM", "clocks", "II", "ns"]
        rows = [_row(p) for p in self.points if not p.error]
        failed = [f"{p.precision} reuse {p.reuse}: {p.error}\n" for p in self.points if p.error]
        return text.table(head, rows) + "".join(failed)


def _row(p: Point) -> list[object]:
    accuracy = p.accuracy if p.accuracy is not None else p.agreement
    return [
        p.precision or "config",
        p.reuse if p.reuse is not None else "config",
        "exact" if p.sqnr is None else f"{p.sqnr:.1f}",
        text.percent(accuracy),
        text.number(p.accuracy_ratio),
        p.overflows,
        *(p.dsp, p.lut, p.ff, p.bram, p.latency_cycles, p.ii),
        text.number(p.latency_ns),
    ]


def scan(
    model: Any,
    config: Any = None,
    *,
    x: np.ndarray | Sequence[np.ndarray],
    y: np.ndarray | None = None,
    precisions: str | Iterable[str | FixedType] = (),
    reuses: str | Iterable[int] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scan:
    """Convert, run and size a network at each type and reuse factor; what layers have of their own in the config gives way.

    Args:
        model, config: As for :func:`nn2hls.convert`; the model is loaded once.
        x: One array (events, *shape) per input.
        y: Labels of the first output, class numbers or one-hot.
        precisions: See :func:`parse_precisions`; none: as the config says.
        reuses: See :func:`parse_reuses`; none: as the config says.
        progress: Called with the number of designs done and of all.

    Raises:
        ConfigError: The ranges are malformed, or nothing at all could be converted.
    """
    start = time.perf_counter()
    base = read_config(config)
    types: list[FixedType | None] = list(parse_precisions(precisions)) or [None]
    factors: list[int | None] = list(parse_reuses(reuses)) or [None]
    if len(types) * len(factors) > MAX_POINTS:
        raise ConfigError(f"These are {len(types) * len(factors)} designs; a scan takes at most {MAX_POINTS}.")
    if model is None and base.model is None:
        raise ConfigError("The config names no model.", where=str(base.path or ""))
    graph = load(base.model, weights=base.weights) if model is None else load(model)
    inputs = list(x) if isinstance(x, (list, tuple)) else [np.asarray(x)]
    runner = _Runner(graph, base, inputs, y)
    points = []
    for kind in types:
        points += runner.column(kind, factors)
        progress(len(points), len(types) * len(factors))
    if all(p.error for p in points):
        raise ConfigError(f"None of the {len(points)} designs can be made. The first: {points[0].error}")
    return Scan(tuple(points), len(inputs[0]), time.perf_counter() - start, runner.accuracy_float)


class _Runner:
    """Runs the points of one network; the float reference is computed once, and the answers once per type."""

    def __init__(self, graph: Graph, config: Config, inputs: list[np.ndarray], labels: np.ndarray | None) -> None:
        self.graph, self.config, self.inputs, self.labels = graph, config, inputs, labels
        self.accuracy_float: float | None = None
        self._reference: np.ndarray | None = None

    def column(self, kind: FixedType | None, factors: Sequence[int | None]) -> list[Point]:
        """All reuse factors at one type; the answers do not depend on the reuse factor."""
        answers: dict[str, Any] | None = None
        points = []
        for reuse in factors:
            name = str(kind or "")
            try:
                design = self._convert(kind, reuse)
                answers = answers or self._answers(design)
                points.append(Point(name, reuse, **answers, **_size(design)))
            except Nn2hlsError as error:
                points.append(Point(name, reuse, error=str(error)))
        return points

    def _convert(self, kind: FixedType | None, reuse: int | None) -> Design:
        from nn2hls.design import convert

        return convert(self.graph, self.config.uniform(kind, reuse))

    def _answers(self, design: Design) -> dict[str, Any]:
        if self._reference is None:
            self._reference = _first(design.predict_float(self.inputs))
        outputs, log = design.run(self.inputs)
        result = compare_output("", self._reference, outputs[0], self.labels)
        self.accuracy_float = result.accuracy_float
        ratio = result.agreement
        if result.accuracy_float:
            ratio = (result.accuracy_fixed or 0.0) / result.accuracy_float
        return {
            "sqnr": result.sqnr,
            "agreement": result.agreement,
            "accuracy": result.accuracy_fixed,
            "accuracy_ratio": ratio,
            "overflows": sum(o.count for o in log.overflows()),
        }


def _first(outputs: Any) -> np.ndarray:
    return np.asarray(outputs[0] if isinstance(outputs, list) else outputs)


def _size(design: Design) -> dict[str, Any]:
    found = design.estimate()
    names = ("dsp", "lut", "ff", "bram", "latency_cycles", "ii", "latency_ns")
    return {name: getattr(found, name) for name in names}


_BRACES = re.compile(r"\{([^{}]*)\}")


def parse_precisions(spec: str | Iterable[str | FixedType]) -> list[FixedType]:
    """Types of a pattern: ``ap_fixed<{4..18},{2..7}>`` is every pair, ``{8,12,16}`` a choice, ``{4..18..2}`` every second.

    Patterns are apart by commas outside of brackets. Pairs without a single fraction bit left are dropped unless written out.

    Raises:
        ConfigError: A range or a type is malformed.
    """
    if not isinstance(spec, str):
        return list(dict.fromkeys(t if isinstance(t, FixedType) else FixedType.parse(t) for t in spec))
    found: list[FixedType] = []
    for part in _split(spec):
        choices = [_choice(inner) for inner in _BRACES.findall(part)]
        pieces = _BRACES.split(part)[::2]
        texts = ["".join(itertools.chain(*zip(pieces, (*pick, ""), strict=True))) for pick in itertools.product(*choices)]
        types = [FixedType.parse(t) for t in texts]
        found += [t for t in types if len(types) == 1 or t.fraction > 0 or "int<" in part]
    if spec.strip() and not found:
        raise ConfigError(f"No type in '{spec}' has a fraction bit.", fix="Let the widths be larger than the integer bits.")
    return list(dict.fromkeys(found))


def _split(spec: str) -> list[str]:
    """The parts between commas outside of <> and {}."""
    parts, depth = [""], 0
    for char in spec:
        depth += (char in "<{") - (char in ">}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [p.strip() for p in parts if p.strip()]


def _choice(inner: str) -> list[str]:
    return [str(n) for n in parse_reuses(inner, low=-64)]


def parse_reuses(spec: str | Iterable[int], low: int = 1) -> list[int]:
    """Whole numbers: ``1..6`` is 1 to 6, ``1..9..4`` is 1, 5, 9, and commas join.

    Raises:
        ConfigError: A range is malformed or empty, or holds a number below ``low``.
    """
    parts = spec.split(",") if isinstance(spec, str) else [str(n) for n in spec]
    found: list[int] = []
    for part in (p.strip() for p in parts if p.strip()):
        match = re.fullmatch(r"(-?\d{1,7})(?:\.\.(-?\d{1,7})(?:\.\.(\d{1,7}))?)?", part)
        if match is None:
            raise ConfigError(f"'{part}' is not a range of whole numbers.", fix="Write 4, 1..6 or 4..18..2.")
        first, step = int(match[1]), int(match[3] or 1)
        last = int(match[2]) if match[2] else first
        if step < 1 or last < first or first < low or (last - first) // step > MAX_POINTS:
            raise ConfigError(f"The range '{part}' is empty, too long, or goes below {low}.", fix="Write 4, 1..6 or 4..18..2.")
        found += range(first, last + 1, step)
    return list(dict.fromkeys(found))
