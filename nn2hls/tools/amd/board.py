"""The steps to a board of AMD's: the kernel compiled here and tried, then by AMD's tools down to what the board loads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.files import write_whole
from nn2hls.tools.amd.csynth import read_synthesis
from nn2hls.tools.amd.kernel import FOLDER, CompiledKernel
from nn2hls.tools.amd.launch import age
from nn2hls.tools.amd.text import read_report
from nn2hls.tools.amd.vivado import read_slack, read_utilization
from nn2hls.tools.find import find, version
from nn2hls.tools.order import KernelOrder, Order
from nn2hls.tools.report import BuildReport, Check, Figures, Step
from nn2hls.tools.step import Done, run_step
from nn2hls.tools.steps import Steps

MARK = "nn2hls_kernel.txt"  # in FOLDER: the digest of the sources whose kernel stands there
_TCL = f"{FOLDER}/kernel.tcl"
_HLS = {"vitis_hls": ("-f", _TCL), "vitis-run": ("--mode", "hls", "--tcl", _TCL)}  # what makes a kernel
_VIVADO = ("-mode", "batch", "-source", f"{FOLDER}/block_design.tcl", "-nojournal", "-nolog")


def run_kernel(order: Order, kernel: KernelOrder) -> BuildReport:
    """Run the steps of an order for a board; a step whose program is missing is not run, and the report says so."""
    return _Run(order, kernel).report()


class _Run(Steps):
    def __init__(self, order: Order, kernel: KernelOrder) -> None:
        super().__init__("vitis", order)
        self.kernel, self.board = kernel, kernel.board
        self.folder = order.folder / FOLDER

    def report(self) -> BuildReport:
        """Run what was asked for."""
        return self.run({"simulate": self._simulate, "kernel": self._kernel, "bitstream": self._bitstream})

    # ---- here --------------------------------------------------------------------------------------------------------------

    def _simulate(self) -> None:
        """The kernel's C++ on the bytes of events, as the driver packs them."""
        order, start = self.order, time.monotonic()
        meant = self.kernel.answers
        try:
            run = CompiledKernel(order.folder, order.name, self.kernel.kernel, order.timeout)
            found = run(self.kernel.requests, meant.shape[1])
        except ToolError as error:
            self.failed("simulate", error)
            return
        differ = int((found != meant).any(axis=1).sum())
        self.checks.append(Check("kernel", len(meant), differ))
        note = f"{differ} of {len(meant):,} events differ from the emulator" if differ else f"{len(meant):,} events equal"
        self.steps.append(
            Step("simulate", not differ, time.monotonic() - start, note=f"the kernel's C++ and the packing: {note}")
        )

    # ---- by AMD's tools ----------------------------------------------------------------------------------------------------

    def _kernel(self) -> None:
        """C++ to an IP or to a kernel object."""
        here = self._programs()
        if not here:
            note = f"{' and '.join(_HLS)} are not on the PATH; where one is: {' '.join(('vitis-run', *_HLS['vitis-run']))}"
            self.steps.append(Step("kernel", None, note=note))
            return
        (self.folder / MARK).unlink(missing_ok=True)
        program = max(here, key=lambda p: age(version(find(p)))) if here[1:] else here[0]
        done = self._call("kernel", program, _HLS[program], self._made("kernel"))
        if done is None:
            return
        report = self.folder / f"{self.kernel.kernel}_prj" / "solution1" / "syn" / "report"
        try:
            found = read_synthesis(report, self.kernel.kernel, "vitis")
        except ToolError as error:
            self.failed("kernel", error)
            return
        write_whole(self.folder / MARK, f"{self.order.digest}\n")
        self.versions.append(f"vitis {found.version}")
        self.total.append(found.total)
        self._done("kernel", done)

    def _programs(self) -> list[str]:
        """Those that make a kernel and are here."""
        found = []
        for program in _HLS:
            try:
                find(program)
            except ToolError:
                continue
            found.append(program)
        return found

    def _made(self, step: str) -> tuple[Path, ...]:
        """What a step leaves."""
        if step == "bitstream":
            return tuple(self.folder / f"{self.order.name}.{suffix}" for suffix in self.board.shell.makes)
        own = self.kernel.kernel
        ip = self.folder / f"{own}_prj" / "solution1" / "impl" / "ip" / "component.xml"
        return (ip if self.board.shell.processor else self.folder / f"{own}.xo",)

    def _bitstream(self) -> None:
        """The kernel with what stands around it on the board."""
        program, words = self.board.maker, _VIVADO if self.board.shell.processor else self._link()
        if not self.has(program, "bitstream"):
            return
        if not self._is_made():
            note = "it needs what the step kernel makes of these sources: --steps kernel,bitstream"
            self.steps.append(Step("bitstream", None, note=note))
            return
        done = self._call("bitstream", program, words, self._made("bitstream"))
        if done is not None and self.board.shell.processor is None:
            self._done("bitstream", done)
        elif done is not None:
            self._routed(done)

    def _link(self) -> tuple[str, ...]:
        made = f"{FOLDER}/{self.order.name}.xclbin"
        return ("--link", "--target", "hw", "--config", f"{FOLDER}/link.cfg", "-o", made, f"{FOLDER}/{self.kernel.kernel}.xo")

    def _is_made(self) -> bool:
        try:
            mark = read_report(self.folder / MARK).strip()
        except ToolError:
            return False
        return mark == self.order.digest and all(p.is_file() for p in self._made("kernel"))

    def _routed(self, done: Done) -> None:
        """What Vivado says of the whole, and whether the clock is kept."""
        try:
            release, resources = read_utilization(self.folder / "utilization.rpt")
            slack = read_slack(self.folder / "timing.rpt")
        except ToolError as error:
            self.failed("bitstream", error)
            return
        clock = None if slack is None else round(self.order.clock_ns - slack, 3)
        self.versions.append(f"vivado {release}")
        self.total.append(Figures("placed", f"vivado {release} with the board's shell", resources, clock_ns=clock))
        late = slack is not None and slack < 0
        note = f"the clock is MISSED by {-slack:g} ns: set ClockPeriod: {clock:g} or more" if late and slack else ""
        self._done("bitstream", done, note=note)

    def _call(self, step: str, program: str, words: Sequence[str], made: tuple[Path, ...]) -> Done | None:
        """Run a program that leaves these files, none of which is of an earlier run; None when it failed, which is noted."""
        log = self.order.folder / "reports" / f"vitis_{step}.log"
        log.parent.mkdir(exist_ok=True)
        for path in made:
            path.unlink(missing_ok=True)
        try:
            done = run_step([find(program), *words], self.order.folder, log, self.seconds)
            missing = [p.name for p in made if not p.is_file() or not p.stat().st_size]
            if done.status or missing:
                how = f"ended with exit status {done.status}" if done.status else f"left no {' and no '.join(missing)}"
                raise ToolError(f"{program} {how}:\n{done.tail}", where=str(log))
        except ToolError as error:
            self.failed(step, error)
            return None
        return done

    def _done(self, step: str, done: Done, note: str = "") -> None:
        log = done.log.relative_to(self.order.folder).as_posix()
        names = ", ".join(p.relative_to(self.order.folder).as_posix() for p in self._made(step))
        self.steps.append(Step(step, not note, done.seconds, done.command, log, note or names))
