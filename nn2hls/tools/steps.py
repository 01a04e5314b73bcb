"""The steps of a tool on one project: run in order up to the first that fails, their findings gathered for the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.tools.find import find
from nn2hls.tools.order import Order
from nn2hls.tools.report import BuildReport, Check, Figures, Step
from nn2hls.tools.rtl.yosys import synthesise

SECONDS = 3600.0  # for each program, when nobody says


@dataclass
class Steps:
    """What has been found so far.

    Args:
        tool: Its name.
        order: What is asked for.
        steps, total, checks, notes, versions: Of the report.
    """

    tool: str
    order: Order
    steps: list[Step] = field(default_factory=list)
    total: list[Figures] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """For each program."""
        return self.order.timeout or SECONDS

    def run(self, actions: Mapping[str, Callable[[], None]]) -> BuildReport:
        """Run what was asked for, in the order of ``actions``, up to the first step that fails."""
        for name, action in actions.items():
            if name not in self.order.steps:
                continue
            if any(s.ok is False for s in self.steps):
                self.steps.append(Step(name, None, note="not reached"))
            else:
                action()
        order = self.order
        return BuildReport(
            self.tool,
            str(order.folder),
            order.digest,
            ", ".join(self.versions),
            order.part,
            order.clock_ns,
            tuple(self.steps),
            tuple(self.total),
            checks=tuple(self.checks),
            notes=tuple(self.notes),
        )

    def has(self, program: str, step: str) -> bool:
        """Whether a program is here; a step without its own is not run, and says so."""
        try:
            find(program)
        except ToolError as error:
            self.steps.append(Step(step, None, note=str(error)))
            return False
        return True

    def failed(self, step: str, error: ToolError) -> None:
        """Keep why a step failed."""
        self.steps.append(Step(step, False, note=str(error)))

    def yosys(self, folder: Path, top: str, part: str, sources: Sequence[str] = ()) -> None:
        """Count the cells of a module with yosys.

        Args:
            folder: Holds the Verilog; the log is named from the project's folder on.
            top: The module.
            part: What it is for.
            sources: Files; without, ``<top>.v``.
        """
        if not self.has("yosys", "yosys"):
            return
        for synth in self.order.synths or ("",):
            try:
                done = synthesise(folder, top, part, sources, synth=synth, seconds=self.seconds)
            except ToolError as error:
                self.failed("yosys", error)
                return
            note = f"not counted: {done.unknown}" if done.unknown else ""
            log = done.run.log.relative_to(self.order.folder).as_posix()
            self.steps.append(Step("yosys", True, done.run.seconds, done.run.command, log, note))
            self.total.append(done.figures)
