"""The steps to a board: those of our own Verilog, then place and route of the core in its harness, and the bitstream."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.tools.boards.bench import simulate_board
from nn2hls.tools.boards.placed import Routed, packed_use, read_placed
from nn2hls.tools.find import find, find_packer, version
from nn2hls.tools.folder import Manifest
from nn2hls.tools.order import BoardOrder, Order, RtlOrder
from nn2hls.tools.process import PRINTED
from nn2hls.tools.report import BuildReport, Figures, Resources, Step
from nn2hls.tools.rtl.run import FOLDER, RtlRun
from nn2hls.tools.rtl.yosys import synthesise
from nn2hls.tools.step import run_step

PLACED = "placed"  # the source of figures after place and route
REPORT = "nextpnr.json"
ROOM = 1.25  # times what a device has that a design is taken for which finds no place, when nobody says how much it takes
_NO_ROOM = re.compile(
    r"(no bels? remaining|unable to (find|place)|failed to (place|expand region)|overuse|out of resources)", re.I
)


def run_board(order: Order) -> BuildReport:
    """Run the steps of an order for a board; a step whose program is missing is not run, and the report says so."""
    assert order.rtl is not None
    assert order.rtl.board is not None
    return BoardRun(order, order.rtl, order.rtl.board).report()


class BoardRun(RtlRun):
    """The steps to a board."""

    def __init__(self, order: Order, rtl: RtlOrder, board: BoardOrder) -> None:
        super().__init__(order, rtl)
        self.board, self.flow = board.board, board.board.flow
        self.harness = board
        self.top = f"{order.name}_board"
        self.folder = order.folder / FOLDER
        self.names = {"top": self.top, "made": self.flow.made.format(top=self.top)}

    def actions(self) -> dict[str, Callable[[], None]]:
        """What each step does."""
        return {**super().actions(), "nextpnr": self._nextpnr, "pack": self._pack}

    def simulate(self) -> None:
        """The core's own bench, then bits in and bits out at the serial port."""
        super().simulate()
        if any(s.ok is False for s in self.steps):
            return
        simulator = "verilator" if self._is_here("verilator") else "iverilog"
        if not self.has(simulator, "simulate"):
            return
        board = self.harness
        try:
            about = (self.order.folder, board.layout, board.requests, board.answers, self.seconds, simulator)
            check, first, played = simulate_board(*about)
        except ToolError as error:
            self.failed("simulate", error)
            return
        self.checks.append(check)
        ok = not check.differ and check.latency == self.rtl.latency
        note = first or f"{check.events:,} events over the serial port equal, {check.latency} clocks"
        self.steps.append(Step("simulate", ok, played.seconds, played.command, played.log, f"{simulator}, harness: {note}"))

    def _is_here(self, program: str) -> bool:
        try:
            find(program)
        except ToolError:
            return False
        return True

    def count(self) -> None:
        """Synthesise core and harness, keep the netlist, and see whether they fit."""
        if not self.has("yosys", "yosys"):
            return
        command, sources = f"{self.flow.synth} -json {self.top}.json", (f"{self.order.name}.v", f"{self.top}.v")
        try:
            done = synthesise(self.folder, self.top, self.board.part, sources, seconds=self.seconds, command=command)
        except ToolError as error:
            self.failed("yosys", error)
            return
        self.versions.append(done.figures.tool.split(" synth")[0])
        self.total.append(done.figures)
        missing = self.missing(done.figures.resources)
        note = missing or f"with the harness; {done.note}".removesuffix("; ")
        log = done.run.log.relative_to(self.order.folder).as_posix()
        self.steps.append(Step("yosys", not missing, done.run.seconds, done.run.command, log, note))

    def missing(self, found: Resources) -> str:
        """What the device has too little of; empty when it holds the design."""
        there = self.board.device.available
        short = {
            name: (amount, there[name])
            for name, amount in (("lut", found.lut), ("ff", found.ff), ("bram", found.bram))
            if amount is not None and amount > there[name]
        }
        if not short:
            return ""
        lines = [f"{amount:,} {name.upper()} of {most:,}" for name, (amount, most) in short.items()]
        worst = max(short, key=lambda name: short[name][0] / short[name][1])
        factor = short[worst][0] / short[worst][1]
        cut = worst == "ff" and self.order.clock_ns < 1e3 / self.board.mhz
        return f"{self.board.title} does not hold it: it takes {', '.join(lines)}. {_smaller(factor, cut=cut)}"

    def _nextpnr(self) -> None:
        if not self.has(self.flow.program, "nextpnr"):
            return
        program = find(self.flow.program)
        period = min(self.order.clock_ns, 1e3 / self.board.mhz)
        arguments = [word.format(**self.names) for word in (*self.flow.place, *self.board.place)]
        command: list[str | Path] = [
            program,
            *arguments,
            "--report",
            REPORT,
            "--freq",
            f"{1e3 / period:g}",
            "--timing-allow-fail",
        ]
        try:
            done = run_step(command, self.folder, self.folder / "nextpnr.log", self.seconds)
            if done.status:
                raise ToolError(self._why(done.tail), where=str(done.log))
            routed = read_placed(self.folder / REPORT, self.flow, self.order.name, self._layers())
        except ToolError as error:
            self.failed("nextpnr", ToolError(error.what, where=error.where, fix=f"{error.fix} {self._fullest()}".strip()))
            return
        tool = f"{self.flow.program} {version(program)}"
        self.versions.append(tool)
        self.total.append(Figures(PLACED, tool, routed.resources, clock_ns=round(routed.ns, 3)))
        ok = routed.mhz >= self.board.mhz
        note = f"{routed.mhz:.1f} MHz of {self.board.mhz:g} MHz; {self._use(routed)}"
        log = done.log.relative_to(self.order.folder).as_posix()
        self.steps.append(Step("nextpnr", ok, done.seconds, done.command, log, note))
        self.notes += self._timing(routed)

    def _layers(self) -> dict[str, str]:
        manifest = Manifest.read(self.order.folder)
        return dict(manifest.layers) if manifest else {}

    def _use(self, routed: Routed) -> str:
        there = ((cell, *routed.use[cell]) for cells in self.flow.use.values() for cell in cells if cell in routed.use)
        return ", ".join(f"{cell} {used / max(1, most):.0%}" for cell, used, most in there)

    def _timing(self, routed: Routed) -> list[str]:
        """What place and route says of the clock."""
        asked, slowest = self.order.clock_ns, routed.slowest
        notes = [f"After place and route {slowest.text}."] if slowest else []
        if routed.ns <= asked:
            return [*notes, f"ClockPeriod {asked:g} ns is met, {asked - routed.ns:.2f} ns are left: {routed.mhz:.1f} MHz."]
        over = routed.ns / asked - 1
        if slowest is not None and not slowest.layers:
            fix = f"The harness sets this limit: the core may be faster. Set ClockPeriod: {routed.ns:.3g}"
        else:
            fix = (
                f"Set ClockUncertainty so that the pipeline is cut more often (--until-timing finds it), narrower types, or "
                f"ClockPeriod: {routed.ns:.3g}"
            )
        return [*notes, f"ClockPeriod {asked:g} ns is MISSED by {routed.ns - asked:.2f} ns ({over:.0%}). {fix}."]

    def _why(self, tail: str) -> str:
        errors = [line for line in tail.splitlines() if line.startswith("ERROR")] or tail.splitlines()[-1:]
        said = " ".join(errors[:2])
        over = {cell: (n, most) for cell, (n, most) in self._packed().items() if n > most}
        if over:
            lines = [f"{n:,} {cell} of {most:,}" for cell, (n, most) in over.items()]
            factor = max(n / max(most, 0.5) for n, most in over.values())
            return f"{self.board.title} does not hold it: it takes {', '.join(lines)}. {_smaller(factor)}"
        if _NO_ROOM.search(said):
            return f"{self.board.title} does not hold it: {said} {_smaller(ROOM)}"
        return f"{self.flow.program} gives up: {said}"

    def _packed(self) -> dict[str, tuple[int, int]]:
        """What the design takes before it is placed."""
        log = self.folder / "nextpnr.log"
        return packed_use(PRINTED.log(log)) if log.is_file() else {}

    def _fullest(self) -> str:
        """How full the device is, of a place and route that has not ended well."""
        shares = {cell: n / most for cell, (n, most) in self._packed().items() if n <= most and cell in self._counted}
        cell = max(shares, key=lambda c: shares[c], default="")
        return f"The fullest of the device are its {cell}, {shares[cell]:.0%} taken." if cell else ""

    @property
    def _counted(self) -> set[str]:
        return {cell for cells in self.flow.use.values() for cell in cells}

    def _pack(self) -> None:
        words = self.flow.pack
        start = time.monotonic()
        try:
            packer = find_packer(words[0], self.flow.package)
            own = [arg for word in words[1:] for arg in (self.board.pack if word == "{pack}" else (word.format(**self.names),))]
            done = run_step([packer, *own], self.folder, self.folder / "pack.log", self.seconds)
            made = self.folder / self.names["made"]
            if done.status or not made.is_file() or not made.stat().st_size:
                raise ToolError(f"{packer.name} makes no bitstream:\n{done.tail}", where=str(done.log))
        except ToolError as error:
            self.failed("pack", error)
            return
        load = f"openFPGALoader -b {self.board.load} {FOLDER}/{made.name}"
        note = f"{FOLDER}/{made.name}, {made.stat().st_size:,} bytes; to load it: {load}"
        log = done.log.relative_to(self.order.folder).as_posix()
        self.steps.append(Step("pack", True, time.monotonic() - start, done.command, log, note))


def _smaller(factor: float, *, cut: bool = False) -> str:
    """What makes a design smaller by a factor; ``cut``: it has too many registers, and the pipeline may be cut less often."""
    longer = "a longer ClockPeriod, for which the pipeline is cut less often, " if cut else ""
    return (
        f"Lower it by {math.ceil(100 * (1 - 1 / factor) - 1e-9)}% or more: {longer}a higher ReuseFactor "
        f"(about {max(2, round(factor * 2))}), narrower types (Precision, MaxWidth, TargetSQNR), "
        "Strategy: DistributedArithmetic, or a larger board."
    )
