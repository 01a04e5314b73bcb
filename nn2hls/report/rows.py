"""What the estimate and every tool say of a design and of its layers, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nn2hls.estimate.figures import ESTIMATE, SYNTHESIS, courses, estimate_figures
from nn2hls.estimate.result import Estimate
from nn2hls.tools.report import RESOURCES, BuildReport, Check, Course, Figures

MEASURES = (*RESOURCES, "interval", "latency")
MEASURED = "measured"  # source of a row: a verification's clocks
_EXPECTED = {"hls": (ESTIMATE,), "synthesis": (SYNTHESIS, ESTIMATE), "placed": (SYNTHESIS, ESTIMATE), MEASURED: (ESTIMATE,)}


@dataclass(frozen=True)
class Row:
    """What one source says of the design or of a layer.

    Args:
        tool: The tool whose report it stands in; empty for the estimate.
        figures: What it says.
        clock_ns: The clock period that was asked for; 0 when nobody knows.
        deviations: Of the estimate, relative to what is said here: measure -> share, where both are known.
    """

    tool: str
    figures: Figures
    clock_ns: float
    deviations: Mapping[str, float]

    @property
    def latency_ns(self) -> float | None:
        """At the clock that was asked for."""
        return self.figures.latency * self.clock_ns if self.figures.latency is not None and self.clock_ns else None

    @property
    def events_per_second(self) -> float | None:
        """As many as its interval allows at the clock that was asked for."""
        return 1e9 / (self.figures.interval * self.clock_ns) if self.figures.interval and self.clock_ns else None

    @property
    def met(self) -> bool | None:
        """Whether the clock that was asked for is reached."""
        reached = self.figures.clock_ns
        return reached <= self.clock_ns * (1 + 1e-9) if reached is not None and self.clock_ns else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        own = {"tool": self.tool, "latency_ns": self.latency_ns, "clock_asked_ns": self.clock_ns or None, "clock_met": self.met}
        own["events_per_second"] = self.events_per_second
        return {**own, "figures": asdict(self.figures), "deviations": dict(self.deviations)}


def side_by_side(
    reports: Sequence[BuildReport], estimate: Estimate | None, clock: float
) -> tuple[tuple[Row, ...], Mapping[str, tuple[Row, ...]]]:
    """The estimate first, then every tool: of the whole design, and of each layer.

    Args:
        reports: What the tools say.
        estimate: Without, the estimates are those that the reports hold.
        clock: The period that is asked for, in ns.
    """
    own = estimate_figures(estimate) if estimate else ((), {})
    total = tuple(_table([(r, (*r.total, *map(_measured, _clocked(r)))) for r in reports], own[0], clock))
    names = dict.fromkeys([*own[1], *(name for r in reports for name in r.layers)])
    layers = {n: tuple(_table([(r, r.layers.get(n, ())) for r in reports], own[1].get(n, ()), clock)) for n in names}
    return total, layers


def courses_of(reports: Sequence[BuildReport], estimate: Estimate | None) -> Mapping[str, Course]:
    """By layer its pace and its memories: of the estimate, else of the first report that holds them."""
    if estimate is not None:
        return courses(estimate)
    return next((r.courses for r in reports if r.courses), {})


def _clocked(report: BuildReport) -> list[Check]:
    return [c for c in report.checks if c.latency is not None or c.interval is not None]


def _measured(check: Check) -> Figures:
    return Figures(MEASURED, check.witness, latency=check.latency, interval=check.interval)


def _table(said: list[tuple[BuildReport, tuple[Figures, ...]]], own: tuple[Figures, ...], clock: float) -> Iterator[Row]:
    """The estimates, each once, then what the tools say."""
    estimates = {r.tool: own or tuple(f for f in figures if f.source in (ESTIMATE, SYNTHESIS)) for r, figures in said}
    owners = sum(1 for found in estimates.values() if found)
    for guess in dict.fromkeys(f for found in estimates.values() for f in found):
        users = [tool for tool, found in estimates.items() if guess in found]
        yield Row("" if len(users) == owners else ", ".join(users), guess, clock, {})
    for report, figures in said:
        for one in figures:
            if one.source not in (ESTIMATE, SYNTHESIS):
                yield Row(report.tool, one, report.clock_ns, _deviations(one, estimates[report.tool]))


def _deviations(found: Figures, estimates: tuple[Figures, ...]) -> dict[str, float]:
    """Of the estimate, relative to what was found: 0.1 when it is a tenth too large."""
    by_source = {f.source: f for f in estimates}
    shares = {}
    for measure in MEASURES:
        expected = (_amount(by_source[s], measure) for s in _EXPECTED.get(found.source, ()) if s in by_source)
        guess, real = next((e for e in expected if e is not None), None), _amount(found, measure)
        if guess is not None and real is not None and (real or not guess):
            shares[measure] = (guess - real) / real if real else 0.0
    return shares


def _amount(figures: Figures, measure: str) -> int | None:
    holder = figures.resources if measure in RESOURCES else figures
    found: int | None = getattr(holder, measure)
    return found
