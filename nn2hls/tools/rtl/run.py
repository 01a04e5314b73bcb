"""Verilog without an HLS tool: the bench of a project in two simulators, and what yosys makes of the design."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.tools.find import find, version
from nn2hls.tools.order import Order, RtlOrder
from nn2hls.tools.process import PRINTED
from nn2hls.tools.report import BuildReport, Check, Figures, Resources, Step
from nn2hls.tools.rtl.verilator import SHARED
from nn2hls.tools.step import run_step
from nn2hls.tools.steps import Steps

FOLDER = "rtl"  # of the project
STEPS = ("verilog", "simulate", "yosys")
FEW = 500  # events of the second simulator, which interprets the Verilog
_OPTIMISE = "VM_PARALLEL_BUILDS=0 OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"  # compiling takes longer than running
_SAID = re.compile(r"^(\d+) events, (\d+) answers, (\d+) differ, latency (\d+) to (\d+), interval (\d+) to (\d+)$", re.M)
_FIRST = re.compile(r"^event \d+: .*$", re.M)


@dataclass(frozen=True)
class Simulation:
    """What a simulator says.

    Args:
        check: Events compared, those with any wrong bit, latency and interval.
        first: The first difference; empty when there is none.
        command: What was run.
        log: In the project's folder.
        seconds: For compiling and running.
    """

    check: Check
    first: str
    command: str
    log: str
    seconds: float


def run_rtl(order: Order) -> BuildReport:
    """Run the steps of an order: ``verilog`` says what was written, ``simulate`` checks it bit for bit, ``yosys`` counts it.

    A step whose program is missing is not run, and the report says so.
    """
    assert order.rtl is not None
    return RtlRun(order, order.rtl).report()


def simulate_rtl(folder: Path, name: str, events: int, seconds: float, simulator: str = "verilator") -> Simulation:
    """Run a project's bench.

    Args:
        folder: The project.
        name: Its name.
        events: How many of those in ``rtl/stimulus.hex``.
        seconds: For compiling, and again for running.
        simulator: ``verilator`` or ``iverilog``.

    Raises:
        ToolError: The simulator is missing, refuses the Verilog, or takes too long.
    """
    build = folder / FOLDER / f"{simulator}_build"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    command, program = _COMPILE[simulator](name, build.name, events)
    made = run_step([find(simulator), *command], folder / FOLDER, folder / FOLDER / f"{simulator}.log", seconds)
    if made.status:
        raise ToolError(f"{simulator} refuses the Verilog:\n{made.tail}", where=str(folder / FOLDER / f"{name}.v"))
    log = folder / FOLDER / f"{simulator}_run.log"
    run = run_step(program, folder / FOLDER, log, seconds)
    text = PRINTED.log(log)
    said = _SAID.search(text)
    if run.status or said is None:
        raise ToolError(f"The simulation ended without a word about its events:\n{run.tail}", where=str(log))
    shutil.rmtree(build, ignore_errors=True)
    count, answers, differ, _, latency, _, interval = map(int, said.groups())
    wrong = differ + abs(count - answers)
    first = _FIRST.search(text)
    shown = first.group(0) if first else ("" if count == answers else f"{answers} answers to {count} events")
    check = Check("rtl", count, wrong, latency, interval or None)
    return Simulation(check, shown, made.command, f"{FOLDER}/{log.name}", made.seconds + run.seconds)


def _verilator(name: str, build: str, events: int) -> tuple[list[str], list[str | Path]]:
    flags = ["--binary", "--timing", "-Wno-fatal", "-Wno-lint", SHARED, "--x-assign", "unique", "--x-initial", "unique"]
    flags += [f"-GEVENTS={events}", "--top-module", f"{name}_bench", "--Mdir", build, "-o", "bench", "-MAKEFLAGS", _OPTIMISE]
    return [*flags, f"{name}.v", f"{name}_bench.v"], [f"./{build}/bench"]


def _icarus(name: str, build: str, events: int) -> tuple[list[str], list[str | Path]]:
    flags = ["-g2001", f"-P{name}_bench.EVENTS={events}", "-s", f"{name}_bench", "-o", f"{build}/bench"]
    return [*flags, f"{name}.v", f"{name}_bench.v"], ["vvp", "-n", f"{build}/bench"]


_COMPILE: dict[str, Callable[[str, str, int], tuple[list[str], list[str | Path]]]] = {
    "verilator": _verilator,
    "iverilog": _icarus,
}


class RtlRun(Steps):
    """The steps of Verilog of our own."""

    def __init__(self, order: Order, rtl: RtlOrder) -> None:
        super().__init__("rtl", order)
        self.rtl = rtl

    def report(self) -> BuildReport:
        """Run what was asked for."""
        return self.run(self.actions())

    def actions(self) -> dict[str, Callable[[], None]]:
        """What each step does."""
        return dict(zip(STEPS, (self._verilog, self.simulate, self.count), strict=True))

    def _verilog(self) -> None:
        rtl = self.rtl
        note = f"{rtl.latency} clocks, an event every {'clock' if rtl.interval == 1 else f'{rtl.interval} clocks'}"
        self.steps.append(Step("verilog", True, note=note))
        resources = Resources(ff=rtl.registers)
        self.total.append(Figures("hls", "nn2hls", resources, rtl.latency, rtl.interval, self.order.clock_ns))

    def simulate(self) -> None:
        """Run the bench in each simulator that is here."""
        for simulator, events in (("verilator", self.rtl.events), ("iverilog", min(FEW, self.rtl.events))):
            if not self.has(simulator, "simulate"):
                continue
            try:
                found = simulate_rtl(self.order.folder, self.order.name, events, self.seconds, simulator)
            except ToolError as error:
                self.failed("simulate", error)
                return
            self.versions.append(f"{simulator} {version(find(simulator))}")
            self.checks.append(found.check)
            ok, note = self._judged(found)
            self.steps.append(Step("simulate", ok, found.seconds, found.command, found.log, f"{simulator}: {note}"))

    def _judged(self, found: Simulation) -> tuple[bool, str]:
        check = found.check
        if check.differ:
            return False, found.first
        if check.latency != self.rtl.latency or check.interval not in (self.rtl.interval, None):
            meant = f"{self.rtl.latency} clocks and an event every {self.rtl.interval}"
            return False, f"{check.latency} clocks and an event every {check.interval}, not {meant}"
        return True, f"{check.events:,} events equal, {check.latency} clocks"

    def count(self) -> None:
        """Count the cells."""
        self.yosys(self.order.folder / FOLDER, self.order.name, self.order.part)
