"""A project's report as text and as Markdown: the same sections, tables and lines."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nn2hls.estimate.figures import ESTIMATE, SYNTHESIS
from nn2hls.estimate.memories import Memories, memory_cells
from nn2hls.report.project import ProjectReport, ToolReport
from nn2hls.report.rows import MEASURED, MEASURES, Row
from nn2hls.text import number, one_line, plural, table
from nn2hls.tools.report import Check, Course, Step

_HEADS = {"dsp": "DSP", "lut": "LUT", "ff": "FF", "bram": "BRAM18", "uram": "URAM", "interval": "II", "latency": "latency"}
_SOURCES = {ESTIMATE: "estimate", SYNTHESIS: "estimate, after synthesis", MEASURED: "measured"}
_STEPS = {True: "ok", False: "FAILED", None: "-"}
_MET = {True: "yes", False: "NO", None: "-"}
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&$@]|(?<=\w):(?=//)|(?<=\bwww)\.)", re.I)
_LIST = re.compile(r"^(\d*)([-+=.)])")  # what makes a line the start of a list or a heading's underline

Cells = Sequence[object]


@dataclass(frozen=True)
class Section:
    """A heading, lines, and a table (no head: none)."""

    title: str
    lines: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[Cells, ...] = ()


def report_text(report: ProjectReport) -> str:
    """For a terminal."""
    return "\n".join(_plain(section) for section in _sections(report))


def report_markdown(report: ProjectReport) -> str:
    """For a page."""
    return "\n".join(_markdown(section, 1 if k == 0 else 2) for k, section in enumerate(_sections(report)))


# ---- what is said ----------------------------------------------------------------------------------------------------------


def _sections(report: ProjectReport) -> Iterator[Section]:
    clock = f"{report.clock_ns:g} ns asked for" if report.clock_ns else "clock unknown"
    verdict = "everything is ok" if report.ok else "NOT everything is ok"
    what = f"{report.name or 'a project'} in {report.folder}"
    yield Section(what, (f"{report.part or 'part unknown'}, {clock}: {verdict}", *(f"note: {n}" for n in report.notes)))
    for tool in report.tools:
        yield _tool(tool)
    checks = [(t, c) for t in report.tools for c in t.report.checks]
    if checks:
        lines = [line for t in report.tools for line in t.contradictions]
        head = ("tool", "witness", "events", "differ", "II", "latency", "")
        said = tuple(f"CONTRADICTION: {line}" for line in lines)
        yield Section("Verification: against the emulator, every bit", said, head, tuple(_check(t, c) for t, c in checks))
    figures = ("", *_HEADS.values(), "ns", "clock ns", "met")
    total = tuple(
        (*cells, rate) for row in report.total for cells, rate in zip(_cells(row), (_events(row), None), strict=False)
    )
    yield Section("The whole design", (), (*figures, "events/s"), total)
    if report.ebops:
        rows = [(name, f"{n:,}") for name, n in report.ebops.items()]
        whole = ("the whole design", f"{sum(report.ebops.values()):,}")
        yield Section("Effective bit operations", (), ("layer", "EBOPs"), (*rows, whole))
    layers = [(name, *cells) for name, rows in report.layers.items() for row in rows for cells in _cells(row)]
    if layers:
        yield Section("Layers", (), ("layer", *figures), tuple(_once(layers)))
    if report.courses:
        yield _courses(report.courses)


def _courses(found: Mapping[str, Course]) -> Section:
    """Pace and memories, layer by layer, without columns that would be empty."""
    fields = [f.name for f in dataclasses.fields(Memories)]
    memories = {name: Memories(*(getattr(course, f) for f in fields)) for name, course in found.items()}
    head, kept = memory_cells(memories)
    bits = {name: cells for name, *cells in kept}
    paced = any(course.first is not None for course in found.values())
    rows = []
    for name, course in found.items():
        rate = None if course.rate is None else f"{course.rate:.3g}"
        pace = (None if course.first is None else f"{course.first:,}", rate) if paced else ()
        rows.append((name, *pace, *bits.get(name, [None] * (len(head) - 1))))
    columns = ("layer", *(("first token", "tokens a clock") if paced else ()), *head[1:])
    said = ("Clocks from the first token that enters; memories in bits.",) if paced else ("In bits.",)
    return Section(f"{'Pace and memories' if paced else 'Memories'}, by the estimate", said, columns, tuple(rows))


def _events(row: Row) -> str | None:
    return None if row.events_per_second is None else f"{row.events_per_second:,.0f}"


def _tool(tool: ToolReport) -> Section:
    report = tool.report
    lines = [tool.stale] if tool.stale else []
    lines += [f"run: {tool.fix}"] if tool.fix else []
    lines += [f"note: {note}" for note in report.notes]
    words = " ".join(filter(None, (report.tool, report.version)))
    return Section(f"{words}: {tool.verdict}", tuple(lines), ("step", "", "seconds", "note"), tuple(map(_step, report.steps)))


def _step(step: Step) -> Cells:
    return step.name, _STEPS[step.ok], None if step.ok is None else f"{step.seconds:.1f}", step.note


def _check(tool: ToolReport, check: Check) -> Cells:
    verdict = "NOTHING was compared" if not check.events else "DIFFERENT" if check.differ else "equal"
    counts = [None if n is None else f"{n:,}" for n in (check.events, check.differ, check.interval, check.latency)]
    return tool.report.tool, check.witness, *counts, "stale" if tool.stale else verdict


def _cells(row: Row) -> Iterator[Cells]:
    """The row, and below it how far the estimate is off."""
    figures = row.figures
    holders = {name: figures.resources if hasattr(figures.resources, name) else figures for name in MEASURES}
    amounts = [getattr(holder, name) for name, holder in holders.items()]
    counts = [None if n is None else f"{n:,}" for n in amounts]
    yield _source(row), *counts, number(row.latency_ns), number(figures.clock_ns), _MET[row.met]
    if row.deviations:
        shares = [f"{100 * row.deviations[m]:+.1f}%" if m in row.deviations else None for m in MEASURES]
        yield "  the estimate against it", *shares, None, None, "-"


def _source(row: Row) -> str:
    source = _SOURCES.get(row.figures.source, row.figures.source)
    if row.figures.source in (ESTIMATE, SYNTHESIS):
        return source + (f" ({row.tool})" if row.tool else "")
    named = row.figures.tool if row.figures.tool.startswith(row.tool) else f"{row.tool}, {row.figures.tool}"
    return f"{named}: {source}"


def _once(rows: Sequence[Cells]) -> Iterator[Cells]:
    """Each layer's name in its first row only."""
    before: object = None
    for name, *cells in rows:
        yield "" if name == before else name, *cells
        before = name


def summary(report: ProjectReport) -> str:
    """One line."""
    return f"{plural(len(report.tools), 'report')}: " + ", ".join(f"{t.report.tool} {t.verdict}" for t in report.tools)


# ---- how it is said --------------------------------------------------------------------------------------------------------


def _plain(section: Section) -> str:
    rows = [[None if c is None else one_line(str(c)) for c in row] for row in section.rows]
    parts = [one_line(section.title), *(f"  {one_line(line)}" for line in section.lines)]
    if rows:
        parts += [f"  {line}" for line in table(section.head, rows).splitlines()]
    return "\n".join(parts) + "\n"


def _markdown(section: Section, level: int) -> str:
    parts = [f"{'#' * level} {_escaped(section.title)}", *(f"\n{_paragraph(line)}" for line in section.lines)]
    if section.rows:
        rows = [["-" if c is None else _escaped(str(c)) for c in row] for row in section.rows]
        parts += ["", _line(section.head), _line(["---"] * len(section.head)), *map(_line, rows)]
    return "\n".join(parts) + "\n"


def _paragraph(line: str) -> str:
    return _LIST.sub(r"\1\\\2", _escaped(line.lstrip()))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Markdown that shows exactly this text."""
    return "-" if text == "-" else _MARKUP.sub(r"\\\1", one_line(text))
