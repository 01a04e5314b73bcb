"""A build's report for people, in short."""

from __future__ import annotations

from collections.abc import Iterator

from nn2hls.text import number, plural, table
from nn2hls.tools.report import RESOURCES, BuildReport, Check, Figures, Step

_VERDICTS = {True: "ok", False: "FAILED", None: "-"}


def build_text(report: BuildReport) -> str:
    """Steps, verifications and figures of the whole design."""
    return "\n".join([*_parts(report), f"wrote {report.folder}/"]) + "\n"


def _parts(report: BuildReport) -> Iterator[str]:
    yield f"{report.tool} {report.version}".rstrip() + f", {report.part}, {report.clock_ns:g} ns\n"
    yield table(["step", "", "seconds", "note"], map(_step, report.steps))
    yield from (f"{c.witness}: {_verdict(c)}" for c in report.checks)
    if report.total:
        head = ["", "by", *(r.upper() for r in RESOURCES), "latency", "II", "clock ns"]
        yield "\n" + table(head, map(_figures, report.total))


def _step(step: Step) -> list[str]:
    return [step.name, _VERDICTS[step.ok], "" if step.ok is None else f"{step.seconds:.1f}", step.note]


def _verdict(check: Check) -> str:
    verdict = f"{check.differ:,} DIFFERENT from the emulator" if check.differ else "all as the emulator"
    clocks = [f"{word} {n} clocks" for word, n in (("latency", check.latency), ("II", check.interval)) if n is not None]
    return ", ".join([plural(check.events, "event"), verdict, *clocks])


def _figures(figures: Figures) -> list[object]:
    counts = [getattr(figures.resources, name) for name in RESOURCES]
    return [figures.source, figures.tool, *counts, figures.latency, figures.interval, number(figures.clock_ns)]
