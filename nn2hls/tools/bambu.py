"""Bambu: the core of a project as Verilog, a wrapper that aligns its outputs, its simulation, and what yosys makes of it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.targets.bambu import is_device_of
from nn2hls.tools.find import find, version
from nn2hls.tools.folder import Project, is_interrupted
from nn2hls.tools.order import CoreOrder, Order
from nn2hls.tools.process import PRINTED, Ended, run_logged
from nn2hls.tools.report import FOLDER as REPORTS
from nn2hls.tools.report import BuildReport, Figures, Resources, Step
from nn2hls.tools.rtl.check import Simulation, check
from nn2hls.tools.rtl.core import Core
from nn2hls.tools.steps import SECONDS, Steps

FOLDER = "bambu"  # of the project: the Verilog, Bambu's own files and the logs
LOG = f"{FOLDER}/bambu.log"
STEPS = ("hls", "simulate", "yosys")
_LONGEST = 300  # characters of what Bambu says that a note repeats; the log has all
_SMALLER = "Set a higher ReuseFactor for the largest layers, or narrower types; `nn2hls plan` shows what each layer costs."


def run_bambu(order: Order) -> BuildReport:
    """Run the steps of an order: ``hls`` writes the Verilog, ``simulate`` checks it bit for bit, ``yosys`` counts it.

    Without Verilator or yosys their steps are not run, and the report says so.

    Raises:
        ToolError: Bambu or its compiler is missing.
    """
    assert order.core is not None
    return _Run(order, order.core).report()


def built_core(folder: Path, name: str, order: CoreOrder) -> Core:
    """The core that Bambu has written into a project.

    Raises:
        ToolError: There is none.
    """
    core = Core(f"{name}_core", folder / FOLDER, order.inputs, order.outputs, order.pipelined)
    if not core.source.is_file():
        raise ToolError(
            "Bambu has written no Verilog here.", where=str(core.folder), fix="Run `nn2hls build CONFIG --tool bambu` first."
        )
    return core


def verify_core(folder: Path, project: Project, order: CoreOrder, seconds: float = SECONDS) -> Simulation:
    """Simulate the RTL that was built from these very sources.

    Raises:
        ToolError: The folder holds no RTL, or that of other sources; Verilator is missing; the RTL is stuck.
    """
    core = built_core(folder, project.name, order)
    path = folder / REPORTS / "bambu.json"
    if is_interrupted(folder):
        fix = "Run `nn2hls build CONFIG --tool bambu` again."
        raise ToolError("Writing this project was interrupted: its files are of two versions.", where=str(folder), fix=fix)
    if not path.is_file() or BuildReport.read(path).digest != project.digest:
        raise ToolError(
            "Its RTL was built from other sources than this config gives now.",
            where=str(folder),
            fix="Run `nn2hls build CONFIG --tool bambu` again.",
        )
    return check(core, order.stimulus, order.answers, seconds=seconds)[1]


class _Run(Steps):
    def __init__(self, order: Order, core: CoreOrder) -> None:
        super().__init__("bambu", order)
        self.core = core

    def report(self) -> BuildReport:
        """Run what was asked for, with what earlier steps found."""
        if not is_device_of(self.core.device, self.order.part):
            self.notes.append(f"It is built for {self.core.device.name} in place of {self.order.part}.")
        self._take_up()
        return self.run(dict(zip(STEPS, (self._hls, self._simulate, self._yosys), strict=True)))

    def _take_up(self) -> None:
        """Keep what earlier steps found, where they are not run again and these are still their sources.

        Raises:
            ToolError: The Verilog that the steps need was not built from these sources.
        """
        if "hls" in self.order.steps:
            return
        path = self.order.folder / REPORTS / "bambu.json"
        before = BuildReport.read(path) if path.is_file() else None
        if before is None or before.digest != self.order.digest or not any(s.name == "hls" and s.ok for s in before.steps):
            fix = f"Ask for both: --steps hls,{','.join(self.order.steps)}."
            raise ToolError("There is no Verilog of these sources yet.", where="--steps", fix=fix)
        again = {"simulate": "rtl", "yosys": "synthesis"}
        dropped = {again[s] for s in self.order.steps}
        self.versions = [before.version] if before.version else []
        self.steps = [s for s in before.steps if s.name not in self.order.steps]
        self.total = [f for f in before.total if f.source == "hls" or (f.source == "synthesis" and f.source not in dropped)]
        self.checks = [c for c in before.checks if c.witness not in dropped]

    # ---- Bambu -----------------------------------------------------------------------------------------------------------

    def _hls(self) -> None:
        program = find("bambu")
        find("clang-16")
        self.versions = [version(program)]
        folder = self.order.folder / FOLDER
        folder.mkdir(exist_ok=True)
        for left in (
            f"{self.order.name}_core.v",
            f"{self.order.name}_core_top.v",
        ):  # an earlier result must not pass for that of this run
            (folder / left).unlink(missing_ok=True)
        log = self.order.folder / LOG
        command = [str(program), *self.core.arguments]
        ended = run_logged(command, folder, log, timeout=self.seconds, show=self.order.show)
        text = PRINTED.log(log)
        shown = f"cd {FOLDER} && {shlex.join(['bambu', *self.core.arguments])}"
        problem = self._problem(ended, text)
        note = problem or f"{ended.memory >> 20:,} MiB at most"
        self.steps.append(Step("hls", not problem, ended.seconds, shown, LOG, note, ended.memory))
        if not problem:
            self.total.append(_figures(text, self.order.name, f"bambu {self.versions[0]}", pipelined=self.core.pipelined))

    def _problem(self, ended: Ended, text: str) -> str:
        """Why there is no usable Verilog; empty when there is."""
        if ended.status is None:
            return f"took longer than {self.seconds:g} s. {_SMALLER} --timeout gives it more time."
        if "bad_alloc" in text or "out of memory" in text.lower():
            return f"ran out of memory. {_SMALLER}"
        if ended.status:
            said = re.findall(r"^(?:error -> .*|.*\berror: .*)$", text, re.M)
            shown = "".join(c for c in said[0].strip()[:_LONGEST] if c.isprintable()) if said else ""
            return f"{ended.text()}{': ' if shown else ''}{shown}. {_SMALLER}"
        if not (self.order.folder / FOLDER / f"{self.order.name}_core.v").is_file():
            return "ended without an error and without Verilog."
        if self.core.pipelined and "Required pipelining with II=1" not in text:
            return "did not take the pipeline pragma, so the core is not one of II 1."
        return ""

    # ---- Verilator and yosys ---------------------------------------------------------------------------------------------

    def _simulate(self) -> None:
        if not self.has("verilator", "simulate"):
            return
        core = built_core(self.order.folder, self.order.name, self.core)
        try:
            alignment, found = check(core, self.core.stimulus, self.core.answers, seconds=self.seconds)
        except ToolError as error:
            self.failed("simulate", error)
            return
        self.checks.append(found.check)
        if alignment.constant:
            names = ", ".join(alignment.constant)
            self.notes.append(f"{names}: the same value in all events, so the delay is not seen and that of done_port is taken")
        ok = not found.check.differ
        note = found.first or f"{found.check.latency} clocks from inputs to aligned outputs"
        if self.core.pipelined and found.check.interval not in (1, None):
            ok, note = False, f"it was to take an event every clock, and takes one in {found.check.interval}"
        self.steps.append(Step("simulate", ok, found.seconds, found.command, f"{FOLDER}/{found.log}", note))

    def _yosys(self) -> None:
        core = built_core(self.order.folder, self.order.name, self.core)
        wrapped = (core.folder / f"{core.wrapper}.v").is_file()
        sources = [f"{core.name}.v", *([f"{core.wrapper}.v"] if wrapped else [])]
        self.yosys(core.folder, core.wrapper if wrapped else core.name, self.core.device.name, sources)


def _figures(text: str, name: str, tool: str, *, pipelined: bool) -> Figures:
    """What Bambu's log says of the top function: states, flip-flops, and the clock that its delays allow."""
    top = rf"\b{name}_core\b"
    states = _last(rf"State Transition Graph Information of function {top}:(?:\n.*)*?Number of states: (\d+)", text)
    flip_flops = _last(rf"Total number of flip-flops in function {top}: (\d+)", text)
    megahertz = _last(rf"Scheduling Information of function {top}:(?:\n.*)*?Estimated max frequency \(MHz\): ([\d.]+)", text)
    return Figures(
        "hls",
        tool,
        Resources(ff=None if flip_flops is None else int(flip_flops)),
        latency=int(states) - 1 if states is not None and pipelined else None,  # the first state has the inputs themselves
        interval=1 if pipelined else None,
        clock_ns=round(1000 / float(megahertz), 3) if megahertz is not None and float(megahertz) > 0 else None,
    )


def _last(pattern: str, text: str) -> str | None:
    found = re.findall(pattern, text)
    return found[-1] if found else None
