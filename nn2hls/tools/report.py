"""What a tool made of a project: one report for every tool, kept beside the project as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nn2hls.errors import ToolError
from nn2hls.files import write_whole
from nn2hls.markup import Table, notebook
from nn2hls.text import number, one_line, plural
from nn2hls.tools.record import read_json, record

FOLDER = "reports"  # of the project: one <tool>.json per tool
RESOURCES = ("dsp", "lut", "ff", "bram", "uram")


@dataclass(frozen=True)
class Resources:
    """What one source says a design or a layer takes; None where it says nothing. BRAM in units of 18 Kbit."""

    dsp: int | None = None
    lut: int | None = None
    ff: int | None = None
    bram: int | None = None
    uram: int | None = None


@dataclass(frozen=True)
class Step:
    """One step of a tool: csim, synth, cosim, export, vsynth, hls, simulate, yosys.

    Args:
        name: The step.
        ok: Whether it did what it should; None when it was not run.
        seconds: How long it took.
        command: What was run, as a user would type it in the project's folder.
        log: Its output, relative to the project's folder.
        note: What else there is to say, such as why it was not run.
        memory: Bytes that its largest program took at most; None where that was not measured.
    """

    name: str
    ok: bool | None
    seconds: float = 0.0
    command: str = ""
    log: str = ""
    note: str = ""
    memory: int | None = None


@dataclass(frozen=True)
class Figures:
    """What one source says of a design or of one layer.

    Args:
        source: ``hls`` or ``synthesis``; ``estimate`` for what ``hls`` is expected to say, ``estimate_synthesis`` likewise.
        tool: What said it, with its version, such as ``vitis 2023.2`` or ``yosys 0.23 synth_xilinx -family xc7``.
        resources: DSP, LUT, FF, BRAM, URAM.
        latency, interval: In clocks: from input to output, and between two inputs (II).
        clock_ns: The clock period that it expects or reached.
        gates: Where no FPGA is meant.
    """

    source: str
    tool: str
    resources: Resources = Resources()
    latency: int | None = None
    interval: int | None = None
    clock_ns: float | None = None
    gates: int | None = None


@dataclass(frozen=True)
class Check:
    """A verification: a witness against the emulator.

    Args:
        witness: ``csim``, ``cosim``, ``rtl``.
        events, differ: Events compared, and those with any bit that differs.
        latency, interval: Measured, in clocks; None when the witness has no clock.
    """

    witness: str
    events: int
    differ: int
    latency: int | None = None
    interval: int | None = None


@dataclass(frozen=True)
class Course:
    """How the estimate says that a layer goes, and where what it keeps lies.

    Args:
        first: The clock in which its first token of an event leaves; None where tensors do not travel as tokens.
        rate: Tokens a clock; None likewise.
        lines_lut, lines_bram, queues_lut, queues_bram, roms_lut, roms_bram: Bits; see nn2hls.estimate.memories.Memories.
    """

    first: int | None = None
    rate: float | None = None
    lines_lut: int = 0
    lines_bram: int = 0
    queues_lut: int = 0
    queues_bram: int = 0
    roms_lut: int = 0
    roms_bram: int = 0


@dataclass(frozen=True, repr=False)
class BuildReport:
    """What a tool made of a project.

    Args:
        tool: ``csim``, ``bambu``, ``vitis`` or ``vivado``.
        version: What the tool says of itself.
        folder: The project.
        digest: Of the generated sources that were built (:attr:`nn2hls.tools.folder.Project.digest`).
        part, clock_ns: What it was built for; the clock period is the one that was asked for.
        steps: In the order they ran.
        total: The whole design, one entry per source.
        layers: The same for each layer that a source knows.
        checks: Verifications.
        notes: What else there is to say about the project.
        courses: Of the layers that have tokens or memories.
    """

    tool: str
    folder: str
    digest: str = ""
    version: str = ""
    part: str = ""
    clock_ns: float = 0.0
    steps: tuple[Step, ...] = ()
    total: tuple[Figures, ...] = ()
    layers: Mapping[str, tuple[Figures, ...]] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    courses: Mapping[str, Course] = field(default_factory=dict)

    def __repr__(self) -> str:
        verdicts = {True: "ok", False: "FAILED", None: "not run"}
        steps = ", ".join(f"{s.name} {verdicts[s.ok]}" for s in self.steps)
        return one_line(f"<BuildReport {self.tool}: {steps or 'nothing run'}; {self.folder}>")

    def __str__(self) -> str:
        return self.text().rstrip()

    def _repr_html_(self) -> str:
        return notebook(repr(self), [_whole(self), *_parts(self), *self.notes])

    def text(self) -> str:
        """Steps, verifications and figures of the whole design."""
        shown = ["\n" + part.text() if isinstance(part, Table) else one_line(part) for part in _parts(self)]
        return "\n".join([one_line(_whole(self)), *shown, one_line(f"wrote {self.folder}/")]) + "\n"

    @property
    def ok(self) -> bool:
        """True when every step that ran succeeded, something was run, and no bit differs."""
        ran = [s.ok for s in self.steps if s.ok is not None]
        return bool(ran) and all(ran) and not any(c.differ or not c.events for c in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"ok": self.ok, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Any, where: str = "report") -> BuildReport:
        """The report that :meth:`to_dict` wrote.

        Raises:
            ToolError: A field is missing, unknown or of another type; the message names it, after ``where``.
        """
        own = {k: v for k, v in data.items() if k != "ok"} if isinstance(data, dict) else data
        return record(cls, own, where)

    @classmethod
    def read(cls, path: Path) -> BuildReport:
        """The report of a file that :meth:`save` wrote.

        Raises:
            ToolError: It is damaged, or about another tool than the one that the file is named after.
        """
        found = cls.from_dict(read_json(path), str(path))
        if found.tool != path.stem:
            raise ToolError(
                f"The field 'tool' must be {path.stem!r}, as the file is named, not {found.tool[:40]!r}.", where=str(path)
            )
        return found

    def save(self, folder: Path) -> Path:
        """Write it as ``reports/<tool>.json`` of the project; the file is returned."""
        path = folder / FOLDER / f"{self.tool}.json"
        write_whole(path, json.dumps(self.to_dict(), indent=1) + "\n")
        return path


_VERDICTS = {True: "ok", False: "FAILED", None: "-"}


def _whole(report: BuildReport) -> str:
    return f"{report.tool} {report.version}".rstrip() + f", {report.part}, {report.clock_ns:g} ns"


def _parts(report: BuildReport) -> Iterator[Table | str]:
    yield Table(["step", "", "seconds", "note"], [_step(step) for step in report.steps])
    yield from (f"{c.witness}: {_verdict(c)}" for c in report.checks)
    if report.total:
        head = ["", "by", *(r.upper() for r in RESOURCES), "latency", "II", "clock ns"]
        rows = [_figures(figures) for figures in report.total]
        if any(figures.gates is not None for figures in report.total):
            head, rows = [*head, "gates"], [[*row, f.gates] for row, f in zip(rows, report.total, strict=True)]
        yield Table(head, rows)


def _step(step: Step) -> list[str]:
    return [step.name, _VERDICTS[step.ok], "" if step.ok is None else f"{step.seconds:.1f}", step.note]


def _verdict(check: Check) -> str:
    verdict = f"{check.differ:,} DIFFERENT from the emulator" if check.differ else "all as the emulator"
    clocks = [f"{word} {n} clocks" for word, n in (("latency", check.latency), ("II", check.interval)) if n is not None]
    return ", ".join([plural(check.events, "event"), verdict, *clocks])


def _figures(figures: Figures) -> list[object]:
    counts = [getattr(figures.resources, name) for name in RESOURCES]
    return [figures.source, figures.tool, *counts, figures.latency, figures.interval, number(figures.clock_ns)]
