"""The numbers fuzzer: random networks where the Fraction model, the emulator and the compiled C++ agree on every mantissa.

Each case is drawn from (seed, index) alone, so that ``--only SEED:INDEX`` repeats it. What is checked:

* ``convert`` and ``emit`` answer or refuse by an Nn2hlsError;
* every value of the graph as its types were resolved, on fractions, is what ``trace`` and ``predict`` show of the graph as it
  is built, for floats and for mantissas;
* the bounds that are printed for tables hold against the float function;
* of a quarter of them the processes that streams would be made of give the same mantissas;
* the C++ of many networks, compiled together, gives the same mantissas: as one function, and of that quarter as processes;
* of a twentieth our own Verilog gives them in Icarus, where that is installed, after the clocks that are told.
"""

import argparse
import dataclasses
import os
import re
import signal
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np

from nn2hls.errors import ConversionWarning, GraphError, Nn2hlsError, OverflowWarning
from tests.fuzz import rtl
from tests.fuzz.checks import Fault, check, check_streams, compiled, emits, prepare
from tests.fuzz.drawing import draw

BATCH = 40  # networks in one compilation
CPU_LIMIT = 10.0  # seconds of this process for one network: beyond them it hangs


@contextmanager
def limited(seconds: float):
    """End what takes more seconds of this process's own time, with a Fault."""

    def late(number, frame):
        raise Fault(f"It takes more than {seconds:g} s, in line {frame.f_lineno} of {frame.f_code.co_filename}.")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _told(error: Exception) -> str:
    """An exception that is a traceback for the user, and where it comes from."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (line {at.lineno} of {at.filename.rsplit('/', 1)[-1]})"


@dataclasses.dataclass
class Run:
    """What was done, and what was found."""

    seed: int
    batch: int = BATCH
    counts: Counter = dataclasses.field(default_factory=Counter)
    faults: list = dataclasses.field(default_factory=list)
    refusals: Counter = dataclasses.field(default_factory=Counter)
    waiting: dict = dataclasses.field(default_factory=dict)

    def __add__(self, other: "Run") -> "Run":
        """Both, of one seed and with nothing waiting."""
        counts, refusals = self.counts + other.counts, self.refusals + other.refusals
        return Run(self.seed, self.batch, counts, self.faults + other.faults, refusals)

    def one(self, index: int) -> None:
        """Convert and emulate a case; compile when enough have come."""
        self.counts["networks"] += 1
        case = self._guarded(index, lambda: prepare(self.seed, index))
        if case is None:
            return
        self.counts["converted"] += 1
        if not self._guarded(index, lambda: (check(case), True)):
            return
        self.counts["streamed"] += case.positions is not None
        if rtl.chosen(self.seed, index):
            self._guarded(index, lambda: self._simulate(index))
        for kind in case.projects if self._guarded(index, lambda: (check_streams(case), True)) else case.projects[:1]:
            if self._guarded(index, lambda kind=kind: emits(case, kind)):
                group = self.waiting.setdefault(kind, [])
                group.append(case)
                if len(group) >= self.batch:
                    self.flush(kind)

    def _simulate(self, index: int) -> None:
        what = rtl.difference(self.seed, index)
        self.counts["simulated"] += 1
        if what:
            raise Fault(what)

    def _guarded(self, index: int, act):
        """What ``act`` returns; None where the case is refused, or a fault was noted."""
        try:
            with warnings.catch_warnings(), limited(CPU_LIMIT):
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", OverflowWarning)
                warnings.simplefilter("ignore", ConversionWarning)
                return act()
        except Fault as fault:
            self._note(index, str(fault))
        except GraphError as error:
            self._note(index, f"GraphError: {error}")
        except Nn2hlsError as error:
            self.counts["refused"] += 1
            self.refusals[re.sub(r"[\d.]+", "#", f"{type(error).__name__}: {error.what}")] += 1
        except Exception as error:  # every other exception is a traceback for the user
            self._note(index, _told(error))
        return None

    def _note(self, index: int, what: str) -> None:
        self.faults.append((f"{self.seed}:{index}", what))
        print(f"--only {self.seed}:{index}\n{what}\n", flush=True)

    def flush(self, kind: str) -> None:
        """Compile what waits as a project of this kind; where the whole fails, each alone."""
        cases = self.waiting.pop(kind, [])
        if not cases:
            return
        try:
            compiled(cases, kind)
            self.counts["compiled"] += len(cases)
        except Exception as fault:
            if not isinstance(fault, Fault | Nn2hlsError):
                self._note(cases[0].index, f"{_told(fault)}, of the {len(cases)} {kind} networks from this one on together")
            elif len(cases) == 1:
                self._note(cases[0].index, str(fault))
            if len(cases) == 1:
                return
            for part in (cases[: len(cases) // 2], cases[len(cases) // 2 :]):
                self.waiting[kind] = part
                self.flush(kind)

    def finish(self) -> None:
        """Compile the rest."""
        for kind in list(self.waiting):
            self.flush(kind)


def run(
    seed: int, *, networks: int | None = None, seconds: float | None = None, first: int = 0, step: int = 1, batch: int = BATCH
) -> Run:
    """So many networks, or as many as fit into the time: numbers ``first``, ``first + step`` and so on of the seed."""
    found, start = Run(seed, batch), time.monotonic()
    index = first
    while (networks is None or index < first + networks * step) and (seconds is None or time.monotonic() - start < seconds):
        found.one(index)
        index += step
    found.finish()
    return found


def run_side_by_side(seed: int, jobs: int, *, networks: int | None, seconds: float | None) -> Run:
    """:func:`run` in so many processes, each with its share of the networks."""
    if jobs == 1:
        return run(seed, networks=networks, seconds=seconds)
    shares = [None if networks is None else len(range(job, networks, jobs)) for job in range(jobs)]
    with ProcessPoolExecutor(jobs) as pool:
        parts = [
            pool.submit(run, seed, networks=share, seconds=seconds, first=job, step=jobs) for job, share in enumerate(shares)
        ]
        return sum((part.result() for part in parts), Run(seed))


def main(arguments: list[str]) -> int:
    """The command line; 1 when a fault was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz numbers", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, help="how long; without it, and without --networks: 60")
    parser.add_argument("--seed", type=int, default=0, help="of the whole run")
    parser.add_argument("--networks", type=int, help="how many at most")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side (1); it changes no network")
    parser.add_argument("--only", metavar="SEED:INDEX", help="repeat one case and show its network")
    chosen = parser.parse_args(arguments)
    start, before = time.monotonic(), sum(os.times()[:4])
    if chosen.only:
        seed, index = map(int, chosen.only.split(":"))
        print(draw(np.random.default_rng([seed, index])))
        found = run(seed, networks=1, first=index)
    else:
        seconds = 60.0 if chosen.seconds is None and chosen.networks is None else chosen.seconds
        found = run_side_by_side(chosen.seed, chosen.jobs, networks=chosen.networks, seconds=seconds)
    took, used = time.monotonic() - start, sum(os.times()[:4]) - before
    for what, count in found.refusals.most_common(10):
        print(f"refused {count:5} times: {what[:110]}")
    if not rtl.installed():
        print("Icarus is not installed: no Verilog was simulated.")
    done = found.counts
    counted = ", ".join(f"{done[what]} {what}" for what in ("refused", "converted", "streamed", "simulated", "compiled"))
    print(f"{done['networks']} networks in {took:.0f} s, {used:.0f} s of CPU: {counted}; {len(found.faults)} faults")
    return bool(found.faults)
