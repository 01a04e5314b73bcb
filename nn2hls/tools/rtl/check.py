"""A core in Verilog, in its wrapper, against the emulator: every bit of every event, the latency and the interval."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.errors import ToolError
from nn2hls.tools.report import Check
from nn2hls.tools.rtl.core import Alignment, Core, wrap
from nn2hls.tools.rtl.skew import measure
from nn2hls.tools.rtl.verilator import SECONDS, Bench, Record, as_words, clean, compile_bench

FEW = 100  # events of the further runs of a core that takes one at a time, which runs for long


@dataclass(frozen=True)
class Simulation:
    """The wrapper's answers against the emulator's.

    Args:
        check: Events compared, those with any wrong bit, worst latency and interval.
        mismatches: For each output: mantissas that differ in any of the runs.
        latency, interval: Smallest and largest, in clocks; of the interval None with fewer than three events.
        first: The first difference, for people; empty when there is none.
        command: How the bench was compiled.
        log: Of the compilation.
        seconds: For compiling and running.
    """

    check: Check
    mismatches: Mapping[str, int]
    latency: tuple[int, int]
    interval: tuple[int, int] | None
    first: str
    command: str
    log: str
    seconds: float


def simulate(
    core: Core,
    alignment: Alignment,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    *,
    patience: int | None = None,
    seconds: float = SECONDS,
    keep: bool = False,
) -> Simulation:
    """Write the wrapper, and compare its answers with the emulator's in every bit.

    Three runs, each from other random values in all registers: events as fast as they are taken; with random gaps; and
    with a reset while events are on their way, none of which may be seen afterwards. Between events the inputs are
    random. A core that is not pipelined gets the first hundred events in the second and third run.

    Latency counts the clocks from the rising edge that takes the inputs to the one at which all outputs of that event can
    be sampled: a single register between input and output is 1, no register is 0. The interval (II) is what lies between
    the edges that take two events, while there is always a next one. Of both the worst stands in the check.

    Args:
        core: The core.
        alignment: What :func:`measure` found.
        inputs, outputs: Mantissas, (events, elements) for each tensor.
        patience: Clocks without an answer after which the wrapper counts as stuck.
        seconds: For compiling, and again for each run.
        keep: Leave the simulation in the folder ``rtl_sim``.

    Raises:
        ToolError: The simulation cannot be compiled or run, takes too long, or answers come more or less often than events.
    """
    words, expected = as_words(core, inputs, outputs)
    start = time.perf_counter()
    (core.folder / f"{core.wrapper}.v").write_text(wrap(core, alignment), encoding="utf-8")
    bench = compile_bench(core, bare=False, seconds=seconds)
    more = words if core.pipelined else words[:FEW]
    try:
        runs = (
            bench.run(words, seed=1, patience=patience),
            bench.run(more, seed=2, patience=patience, gaps=40),
            bench.run(more, seed=3, patience=patience, reset=max(1, min(len(more) // 2, 50))),
        )
        return _judge(bench, runs, (len(words), len(more), len(more)), expected, time.perf_counter() - start)
    finally:
        clean(core, keep)


def check(
    core: Core, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], *, seconds: float = SECONDS, keep: bool = False
) -> tuple[Alignment, Simulation]:
    """:func:`measure`, then :func:`simulate` with what it found."""
    try:
        alignment = measure(core, inputs, outputs, seconds=seconds, keep=True)  # Verilator's library is compiled once
        return alignment, simulate(core, alignment, inputs, outputs, seconds=seconds, keep=True)
    finally:
        clean(core, keep)


def _judge(bench: Bench, runs: Sequence[Record], events: Sequence[int], expected: np.ndarray, seconds: float) -> Simulation:
    core, wrong, first = bench.core, np.zeros(expected.shape, dtype=bool), ""
    for record, count in zip(runs, events, strict=True):
        if len(record.values) != count:
            raise ToolError(f"The wrapper answers {len(record.values)} times to {count} events.", where=core.wrapper)
        differ = record.values != expected[:count]
        if differ.any() and not first:
            event, k = np.argwhere(differ)[0]
            shown, meant = record.values[event, k], expected[event, k]
            first = f"{bench.outputs[k].label} of event {event} is {shown}, the emulator says {meant}"
        wrong[:count] |= differ
    latency = np.concatenate([r.clock - r.taken for r in runs])
    interval = np.diff(runs[0].taken)[1:]
    intervals = (int(interval.min()), int(interval.max())) if len(interval) else None
    worst = None if intervals is None else intervals[1]
    check = Check("rtl", len(expected), int(wrong.any(axis=1).sum()), int(latency.max()), worst)
    counts = dict.fromkeys((tensor for tensor, _ in core.outputs), 0)
    for element, count in zip(bench.outputs, wrong.sum(axis=0), strict=True):
        counts[element.tensor] += int(count)
    latencies = int(latency.min()), int(latency.max())
    return Simulation(check, counts, latencies, intervals, first, bench.build.command, bench.build.log.name, seconds)
