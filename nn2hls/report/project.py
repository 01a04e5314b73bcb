"""Everything that is known of a built project: what each tool says, against the estimate, with one verdict."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from nn2hls.errors import Nn2hlsError, ToolError
from nn2hls.estimate.figures import ESTIMATE, SYNTHESIS
from nn2hls.estimate.result import Estimate
from nn2hls.report.rows import Row, courses_of, side_by_side
from nn2hls.tools.amd.project import read_project
from nn2hls.tools.folder import Manifest, is_interrupted, written_sources
from nn2hls.tools.report import FOLDER, BuildReport, Course, Figures, Step

T = TypeVar("T")
Damage = list[Nn2hlsError]


@dataclass(frozen=True)
class ToolReport:
    """A tool's report, judged.

    Args:
        report: What it is.
        stale: Why it is not about the project that stands in the folder; empty when it is.
        fix: What to run then.
        contradictions: Where a measurement is not what the tool says.
    """

    report: BuildReport
    stale: str
    fix: str
    contradictions: tuple[str, ...]

    @property
    def stale_steps(self) -> tuple[Step, ...]:
        """Steps whose results are of other sources."""
        return tuple(s for s in self.report.steps if s.ok is None and s.note.startswith("stale:"))

    @property
    def clock_met(self) -> bool | None:
        """Whether the clock is met, by the sources that are nearest to the hardware."""
        for source in ("placed", "synthesis", "hls"):
            found = [Row("", f, self.report.clock_ns, {}).met for f in self.report.total if f.source == source]
            known = [met for met in found if met is not None]
            if known:
                return all(known)
        return None

    @property
    def ok(self) -> bool:
        """True when it is about this project, everything in it went well, and the clock is met where it is known."""
        return not self.stale and not self.stale_steps and self.report.ok and self.clock_met is not False

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.stale or self.stale_steps:
            return "STALE"
        if not self.report.ok:
            return "FAILED" if any(s.ok is False for s in self.report.steps) or self.report.checks else "not run"
        return "ok" if self.ok else "clock NOT met"

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        judged = {"stale": self.stale or None, "fix": self.fix or None, "contradictions": list(self.contradictions)}
        return {**self.report.to_dict(), "verdict": self.verdict, "ok": self.ok, "clock_met": self.clock_met, **judged}


@dataclass(frozen=True)
class ProjectReport:
    """A project with all its reports.

    Args:
        name, folder, digest, part, clock_ns: The project.
        tools: Its reports, by the name of the tool.
        total: The whole design.
        layers: Each layer that a source knows.
        notes: What else there is to say.
        courses: Of layers with tokens or memories their pace, and where they keep what, by the estimate.
        ebops: Effective bit operations of each layer that has any, where the config's model is a quantised one; else empty.
    """

    name: str
    folder: str
    digest: str
    part: str
    clock_ns: float
    tools: tuple[ToolReport, ...]
    total: tuple[Row, ...]
    layers: Mapping[str, tuple[Row, ...]]
    notes: tuple[str, ...]
    courses: Mapping[str, Course]
    ebops: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True when everything shown is ok."""
        return all(t.ok for t in self.tools)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        own = {k: getattr(self, k) for k in ("name", "folder", "digest", "part", "clock_ns")}
        layers = [{"name": name, "rows": [r.to_dict() for r in rows]} for name, rows in self.layers.items()]
        total = [r.to_dict() for r in self.total]
        own |= {"ebops": {"total": sum(self.ebops.values()), "layers": dict(self.ebops)}} if self.ebops else {}
        own |= {"tools": [t.to_dict() for t in self.tools], "notes": list(self.notes)}
        paces = {name: asdict(course) for name, course in self.courses.items()}
        return {**own, "total": total, "layers": layers, "courses": paces}


@dataclass(frozen=True)
class Today:
    """What a config makes today.

    Args:
        config: The config file, for what to run.
        digest: Of the sources that it makes.
        estimate: Of its design.
    """

    config: str
    digest: str
    estimate: Estimate


def project_report(folder: Path, today: Today | None = None, damage: Damage | None = None) -> ProjectReport:
    """The report of a written project.

    Args:
        folder: The project.
        today: What its config makes; without, the estimates are those that the reports hold.
        damage: Where given, what cannot be read is added to it and left out.

    Raises:
        ToolError: The folder holds no project, no report, or a damaged one.
    """
    sources, config = _read(lambda: _sources(folder, today), ("", False), damage), today.config if today else "CONFIG"
    digest, untouched = sources
    torn = not untouched and is_interrupted(folder)
    reports = read_reports(folder, damage)
    if not reports:
        fix = f"Run a tool on it: nn2hls build {_quoted(config)} --tool csim; or vitis, vivado, bambu."
        raise ToolError("The project holds no report of a tool.", where=str(folder), fix=fix)
    tools = tuple(_judge(r, "" if torn else digest, folder, today) for r in reports)
    changed = "Writing the project was interrupted: its files are of two versions. Write it again." if torn else _BY_HAND
    notes = [] if untouched or damage else [changed]
    manifest, first = _read(lambda: Manifest.read(folder), None, damage), reports[0]
    name, part, clock = (manifest.name, manifest.part, manifest.clock_ns) if manifest else ("", first.part, first.clock_ns)
    total, layers = side_by_side(reports, today.estimate if today else None, clock)
    courses = courses_of(reports, today.estimate if today else None)
    ebops = today.estimate.ebops if today else {}
    found = courses, ebops
    return ProjectReport(name, str(folder), digest, part, clock, tools, total, layers, tuple(notes), *found)


def _sources(folder: Path, today: Today | None) -> tuple[str, bool]:
    """The digest of the sources in the folder, and whether they stand there as they were written."""
    found = written_sources(folder)
    if found is None:
        fix = f"Write it: nn2hls build {_quoted(today.config if today else 'CONFIG')} --tool csim"
        raise ToolError("There is no project that nn2hls wrote.", where=str(folder), fix=fix)
    return found


def _read(read: Callable[[], T], default: T, damage: Damage | None) -> T:
    """What is read, or the default where that fails and ``damage`` takes the reason, once."""
    try:
        return read()
    except Nn2hlsError as error:
        if damage is None:
            raise
        if str(error) not in map(str, damage):
            damage.append(error)
        return default


_BY_HAND = "The sources in the folder were changed by hand after nn2hls wrote them."


def read_reports(folder: Path, damage: Damage | None = None) -> list[BuildReport]:
    """Every report of a project: those that nn2hls kept, and what AMD's tools left there without it.

    Args:
        folder: The project.
        damage: Where given, what cannot be read is added to it and left out.

    Raises:
        ToolError: One is damaged; the message names the file and the field.
    """
    paths = sorted((folder / FOLDER).glob("*.json"))
    found = [_read(lambda p=p: BuildReport.read(p), None, damage) for p in paths]  # type: ignore[misc]
    kept = {report.tool: report for report in found if report is not None}
    left = _read(lambda: read_project(folder), None, damage)
    if left is not None:
        kept[left.tool] = _together(kept[left.tool], left) if left.tool in kept else left
    return [kept[tool] for tool in sorted(kept)]


def _together(kept: BuildReport, left: BuildReport) -> BuildReport:
    """What the tool's own files say now, with the estimate and the steps' commands of the report that nn2hls kept."""
    if kept.digest != left.digest:
        return left
    own = {s.name: s for s in kept.steps}
    steps = [own[s.name] if s.name in own and own[s.name].ok == s.ok else s for s in left.steps]
    seen = {s.name for s in left.steps}

    def both(mine: tuple[Figures, ...], theirs: tuple[Figures, ...]) -> tuple[Figures, ...]:
        return (*(f for f in mine if f.source in (ESTIMATE, SYNTHESIS)), *theirs)

    layers = {n: both(kept.layers.get(n, ()), left.layers.get(n, ())) for n in [*kept.layers, *left.layers]}
    return replace(
        left,
        version=left.version or kept.version,
        steps=(*steps, *(s for s in kept.steps if s.name not in seen)),
        total=both(kept.total, left.total),
        layers={name: figures for name, figures in layers.items() if figures},
    )


# ---- verdicts --------------------------------------------------------------------------------------------------------------


def _judge(report: BuildReport, digest: str, folder: Path, today: Today | None) -> ToolReport:
    stale = ""
    if report.digest != digest:
        stale = "it is about other sources than those that stand in the folder"
    elif today and today.digest != digest:
        stale = f"{today.config} makes other sources today than those in the folder"
    judged = ToolReport(report, stale, "", tuple(_contradictions(report)))
    if judged.verdict != "STALE":
        return judged
    config = _quoted(today.config) if today else "CONFIG"
    return replace(judged, fix=f"nn2hls build {config} --tool {_quoted(report.tool)} -o {_quoted(str(folder))}")


def _contradictions(report: BuildReport) -> Iterator[str]:
    for check in report.checks:
        for said in (f for f in report.total if f.source == "hls"):
            for word, measure in (("latency", "latency"), ("II", "interval")):
                measured, stated = getattr(check, measure), getattr(said, measure)
                if measured is not None and stated is not None and measured != stated:
                    yield f"{check.witness} measured {word} {measured}, {said.tool} says {stated}"


def _quoted(word: str) -> str:
    return word if word == "CONFIG" else shlex.quote(word)
