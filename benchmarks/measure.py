"""Clocks, child processes and rows of the table."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
REST = 0.2  # seconds


@dataclass(frozen=True)
class Row:
    """One line of the table: ``value`` must not exceed ``limit``, or lie within ``least`` and ``limit``."""

    what: str
    value: float
    limit: float
    unit: str = ""
    least: float = float("-inf")
    note: str = ""

    @property
    def met(self) -> bool:
        """The verdict."""
        return self.least <= self.value <= self.limit


def fastest(*runs: Callable[[], object], times: int = 5) -> list[float]:
    """Seconds of the fastest of ``times`` rounds of each function; alternating, so that a busy machine disturbs all alike."""
    best = [float("inf")] * len(runs)
    for _ in range(times):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def pairs(ours: Callable[[], object], theirs: Callable[[], object], times: int = 15) -> tuple[float, float, float]:
    """(median of the ratios, median seconds of each) of runs in turn: what else the machine does disturbs both of a pair.

    Each has a rest before it: after a product the threads of a BLAS look for more work for a tenth of a second, on cores that
    they would take from the other side.
    """
    taken = np.empty((times, 2))
    for row in taken:
        for side, run in enumerate((ours, theirs)):
            time.sleep(REST)
            (row[side],) = fastest(run, times=1)
    return float(np.median(taken[:, 0] / taken[:, 1])), *(float(v) for v in np.median(taken, axis=0))


def children_cpu() -> float:
    """CPU seconds of all child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def python(*arguments: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> tuple[str, float, float]:
    """Run ``python ARGUMENTS`` to its end, with further variables: (standard output, wall seconds, CPU seconds).

    Raises:
        SystemExit: It failed; its own message is printed.
    """
    before, start = children_cpu(), time.perf_counter()
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    wall, cpu = time.perf_counter() - start, children_cpu() - before
    if done.returncode:
        raise SystemExit(f"python {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout, wall, cpu


def measured_apart(function: str, *arguments: object, **environment: str) -> Any:
    """What ``benchmarks.MODULE:FUNCTION(*arguments)`` answers in a process of its own with these variables."""
    module, name = function.split(":")
    call = f"from benchmarks.{module} import {name}; import json; print(json.dumps({name}(*{json.dumps(arguments)})))"
    return json.loads(python("-c", call, environment=environment)[0].splitlines()[-1])


def table(rows: list[Row]) -> str:
    """The rows with their verdicts."""
    lines = [f"{'':64s}{'measured':>12s}{'limit':>14s}"]
    for r in rows:
        limit = (
            f"{r.limit:g}"
            if r.least == float("-inf")
            else f"{r.least:g}..{r.limit:g}"
            if r.least < r.limit
            else f"= {r.limit:g}"
        )
        lines.append(f"{r.what:64s}{r.value:12.4g}{limit:>14s} {r.unit:4s}{'met' if r.met else 'MISSED':7s}{r.note}".rstrip())
    return "\n".join(lines)
