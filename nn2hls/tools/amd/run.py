"""Vivado HLS, Vitis HLS and Vivado: find them, run them on a written project, read what they have left."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.files import write_whole
from nn2hls.tools.amd.launch import HLS_STEPS, LAUNCHERS, TITLES, Job, Launcher, by_hand, chosen
from nn2hls.tools.amd.project import LOGS, SOLUTIONS, is_done, mark_of, read_project, vendor_folder
from nn2hls.tools.find import find, version
from nn2hls.tools.order import Order
from nn2hls.tools.process import PRINTED, Ended, run_logged
from nn2hls.tools.report import BuildReport, Step

__all__ = ["read_project", "run_vendor"]

NEEDS = {"cosim": "synth", "export": "synth", "vsynth": "synth"}
_ERRORS, _LONGEST = 3, 300  # lines of a tool's own errors in a report, and characters of each


_VIVADO = ("-mode", "batch", "-source", "vivado_synth.tcl", "-nojournal", "-nolog")


def run_vendor(order: Order, tool: str) -> BuildReport:
    """Run the steps of an order.

    Args:
        order: What to run.
        tool: ``vitis`` or ``vivado``.

    Returns:
        What every step of the project has found, those of earlier runs on the same sources included.

    Raises:
        ToolError: A program is missing, or a step needs another that was neither asked for nor done.
    """
    _check_needs(order)
    run = _Run(order, tool)
    run.find()
    hls = [s for s in HLS_STEPS if s in order.steps]
    if hls:
        run.hls(hls)
    if "vsynth" in order.steps and run.well and is_done(order.folder, order.name, "synth", order.digest):
        run.vivado()
    return run.report()


def _check_needs(order: Order) -> None:
    for step in order.steps:
        need = NEEDS.get(step, "")
        if need and need not in order.steps and not is_done(order.folder, order.name, need, order.digest):
            fix = f"Ask for both: --steps {need},{','.join(order.steps)}."
            raise ToolError(f"{step} needs what {need} makes, which was not done for these sources.", where="--steps", fix=fix)


@dataclass
class _Run:
    order: Order
    tool: str
    launcher: Launcher | None = None
    ended: dict[str, Ended] = field(default_factory=dict)  # step -> how the program that should do it ended
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Whether every program so far ended as it should."""
        return all(e.status == 0 for e in self.ended.values())

    def find(self) -> None:
        """Find the programs that the steps need.

        Raises:
            ToolError: One is missing.
        """
        missing = []
        if any(s in HLS_STEPS for s in self.order.steps):
            self.launcher = chosen(self.tool)
            if self.launcher is None:
                missing.append(f"{TITLES[self.tool]} ({' or '.join(x.text for x in LAUNCHERS[self.tool])})")
        if "vsynth" in self.order.steps and not shutil.which("vivado"):
            missing.append("Vivado (vivado)")
        if missing:
            raise ToolError(f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} not on the PATH.", fix=self._by_hand())

    def _by_hand(self) -> str:
        """What to run on a machine that has the tool."""
        steps, folder, lines = self.order.steps, str(self.order.folder), []
        if hls := [s for s in HLS_STEPS if s in steps]:
            lines = by_hand(self.tool, hls, self.order.name)
        if "vsynth" in steps:
            lines.append(shlex.join(["vivado", *_VIVADO]))
        listed = "".join(f"\n  {line}" for line in lines)
        return (
            f"Source the tool's settings64.sh, or take the folder {folder}, which is complete, to a machine that has it, and "
            f"run there:{listed}\nWhen the folder is back, `nn2hls report {shlex.quote(folder)}` reads what the tool found."
        )

    def hls(self, steps: Sequence[str]) -> None:
        """Run the steps of the HLS tool, up to the first that fails."""
        assert self.launcher is not None
        order, jobs = self.order, self.launcher.jobs(steps, self.order.name)
        if "synth" in steps and not jobs[0].notes:  # the Tcl begins anew by itself
            for solution in SOLUTIONS:
                shutil.rmtree(vendor_folder(order.folder, order.name) / solution, ignore_errors=True)
            for step in (*HLS_STEPS, "vsynth"):
                mark_of(order.folder, order.name, step).unlink(missing_ok=True)
        for job in jobs:
            if self.well:
                self._run(job)

    def vivado(self) -> None:
        """Run vivado_synth.tcl."""
        self._run(Job(("vsynth",), "vivado", _VIVADO))

    def _run(self, job: Job) -> None:
        order, path = self.order, find(job.program)
        for step in job.steps:  # a mark of an earlier run must not speak for this one
            mark_of(order.folder, order.name, step).unlink(missing_ok=True)
        self.jobs |= dict.fromkeys(job.steps, job)
        self._note_for(job, "started", 0.0)
        words, log, extra = [str(path), *job.words], order.folder / self._log(job.steps[0]), job.environment
        try:
            ended = run_logged(words, order.folder, log, timeout=order.timeout, show=order.show, environment=extra)
        except OSError as error:
            raise ToolError(f"{path} does not start: {error.strerror}.", where=str(order.folder)) from error
        self.ended |= dict.fromkeys(job.steps, ended)
        if ended.status is not None:
            self._note_for(job, "failed" if ended.status else "ok", ended.seconds)

    def _note_for(self, job: Job, state: str, seconds: float) -> None:
        """The mark that a program does not make by itself."""
        if not job.notes:
            for step in job.steps:
                place = mark_of(self.order.folder, self.order.name, step)
                place.parent.mkdir(parents=True, exist_ok=True)
                write_whole(place, f"{self.order.digest} {state} {seconds:.0f}\n")

    def _log(self, step: str) -> str:
        job = self.jobs.get(step)
        return (job.log if job else "") or LOGS.get(step, f"reports/{self.tool}.log")

    def report(self) -> BuildReport:
        """What the project holds now, and how the programs ended."""
        order = self.order
        empty = BuildReport(self.tool, str(order.folder), order.digest, "", order.part, order.clock_ns)
        found = read_project(order.folder) or empty
        steps = {s.name: s for s in found.steps}
        failed = False
        for name in order.steps:
            done = is_done(order.folder, order.name, name, order.digest)
            if name not in self.ended or (failed and not done):
                steps[name] = Step(name, None, note="not reached")
                continue
            step = replace(steps.get(name, Step(name, False)), command=self.jobs[name].shown, log=self._log(name))
            failed = not done or not step.ok
            steps[name] = replace(step, ok=not failed, note=self._note(step) if failed else step.note)
        return replace(found, version=found.version or self._version(), steps=self._checked(steps.values()))

    def _checked(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        """In order; where a program failed after its last step was done, that step says so."""
        found = sorted(steps, key=lambda s: (*HLS_STEPS, "vsynth").index(s.name))
        for name in reversed(self.ended):
            k = next(k for k, s in enumerate(found) if s.name == name)
            ended = self.ended[name]
            if ended.status != 0 and not any(s.ok is False for s in found if self.ended.get(s.name) is ended):
                found[k] = replace(found[k], ok=False, note=self._note(found[k]))
        return tuple(found)

    def _note(self, step: Step) -> str:
        """Why a step failed: how the program ended, its own errors, where its log is."""
        ended, log = self.ended[step.name], self._log(step.name)
        program = self.jobs[step.name].program
        how = [f"{program} {ended.text()}" if ended.status != 0 else f"{program} ended without an error"]
        how += [step.note] if step.note else []
        return "; ".join([*how, *_errors(self.order.folder / log), f"its log is {log}"])

    def _version(self) -> str:
        if self.launcher is None:
            return ""
        try:
            return version(find(self.launcher.programs[0]))
        except ToolError:  # it has built something: what it calls itself is not worth a failure
            return ""


def _errors(log: Path) -> list[str]:
    """The first errors of a log; without any its last line."""
    found: list[str] = []
    last = ""
    for line in PRINTED.log(log).splitlines():
        last = "".join(c for c in line.strip()[:_LONGEST] if c.isprintable()) or last
        if re.match(r"ERROR|CRITICAL ERROR|Abnormal program termination|Segmentation fault", line):
            found.append(last)
        if len(found) == _ERRORS:
            break
    return found or ([last] if last else [])
