"""A core in Verilog against the emulator: when it shows its outputs, and whether its wrapper answers every bit right."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.errors import ToolError
from nn2hls.tools.report import Check
from nn2hls.tools.rtl import Alignment, Core, Tensors, wrap
from nn2hls.tools.verilator import BUILD, SECONDS, Bench, Record, compile_bench

AFTER = 16  # clocks after done_port in which an output may still come
SURE = 0.75  # share of events that must be right at one delay, where none has them all
CHANCE = 0.5  # and the share that no other delay may reach


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


def measure(
    core: Core,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    *,
    patience: int = 10_000,
    seconds: float = SECONDS,
    keep: bool = False,
) -> Alignment:
    """When the bare core shows each of its outputs.

    A pipelined core is fed an event every clock. The delay of an output is the one after which it shows the emulator's
    answer to every event. If there is none, it is the one after which at least three quarters of the answers are right
    and no other has more than half: the simulation then counts the wrong ones.

    Args:
        core: The core.
        inputs, outputs: Mantissas, (events, elements) for each tensor: what it gets, and the emulator's answers.
        patience: Clocks without an answer after which the core counts as stuck.
        seconds: For compiling, and again for running.
        keep: Leave the simulation in the folder ``rtl_sim``.

    Raises:
        ToolError: The core is stuck, or an output has no delay or several; it is named.
    """
    words, expected = _both(core, inputs, outputs)
    _clean(core, keep=False)
    bench = compile_bench(core, bare=True, seconds=seconds)
    try:
        if not core.pipelined:
            return _measure_held(bench, words, expected, patience)
        try:
            return _measure_pipelined(bench, words, expected, patience)
        except ToolError as error:
            raise _explained(error, bench, words, expected, patience) from error
    finally:
        _clean(core, keep)


def _measure_pipelined(bench: Bench, words: np.ndarray, expected: np.ndarray, patience: int) -> Alignment:
    """Two runs: in the one with gaps, an output of few values stands out from the clocks in which it says nothing."""
    shown, done = [], set()
    for gaps in (0, 60):
        record = bench.run(words, every=True, patience=patience, tail=AFTER, gaps=gaps, seed=1 + gaps)
        taken = record.taken - record.clock[0]
        answers = np.flatnonzero(record.valid)
        if len(answers) != len(words) or np.ptp(answers - taken):
            raise ToolError(
                f"done_port is high in {len(answers)} clocks, not once for each of {len(words)} events after a fixed time.",
                where=bench.core.name,
            )
        done.add(int(answers[0] - taken[0]))
        shown.append((record.values, taken))
    last = min(len(values) - int(taken[-1]) for values, taken in shown)
    return _align(bench, shown, expected, range(last), max(done))


def _measure_held(bench: Bench, words: np.ndarray, expected: np.ndarray, patience: int) -> Alignment:
    record = bench.run(words, every=True, patience=patience, hold=AFTER, tail=AFTER)
    answers = np.flatnonzero(record.valid)
    if len(answers) != len(words):
        raise ToolError(f"done_port is high in {len(answers)} clocks for {len(words)} events.", where=bench.core.name)
    shortest = int(np.min(answers - (record.taken - record.clock[0])))
    offsets = sorted(range(-shortest, AFTER + 1), key=lambda n: (n > 0, abs(n)))  # done itself, before it, after it
    return _align(bench, [(record.values, answers)], expected, offsets, 0)


def _align(
    bench: Bench, shown: Sequence[tuple[np.ndarray, np.ndarray]], expected: np.ndarray, offsets: Sequence[int], done: int
) -> Alignment:
    """Find the offset of every output.

    Args:
        bench: The bench that ran.
        shown: Of each run the outputs in every clock, and the clock of every event from which offsets count.
        expected: The answers.
        offsets: Those to try.
        done: That of done_port.
    """
    right = np.stack([np.mean([(v[start + n] == expected).mean(axis=0) for v, start in shown], axis=0) for n in offsets])
    found: list[int | None] = []
    constant = []
    for k, element in enumerate(bench.outputs):
        exact = [n for n, share in zip(offsets, right[:, k], strict=True) if share == 1]
        if np.ptp(expected[:, k]) or len(exact) == 1:
            found.append(offsets[_best(right[:, k], element.label, bench.core, offsets)])
        else:
            constant.append(element.label)
            found.append(done if any(np.ptp(v[:, k]) for v, _ in shown) else None)
    last = max((n for n in found if n is not None), default=done)
    return Alignment(tuple(min(done, last) if n is None else n for n in found), done, tuple(constant))


def _best(right: np.ndarray, label: str, core: Core, offsets: Sequence[int]) -> int:
    """The place in ``offsets`` at which an output is right."""
    exact = np.flatnonzero(right == 1)
    if len(exact) == 1 or (len(exact) and not core.pipelined):  # a core that rests may show its output for long
        return int(exact[0])
    where = f"{core.name}: {label}"
    if len(exact):
        several = ", ".join(str(offsets[n]) for n in exact[:5])
        raise ToolError(
            f"It is right after several delays ({several} ... clocks).", where=where, fix="Feed more varied events."
        )
    first, second = np.argsort(-right, kind="stable")[:2] if len(right) > 1 else (0, 0)
    if right[first] < SURE or (core.pipelined and second != first and right[second] > CHANCE):
        raise ToolError(
            f"After no delay does it show the emulator's answers: {right[first]:.1%} of them after {offsets[first]} clocks.",
            where=where,
        )
    return int(first)


def _explained(error: ToolError, bench: Bench, words: np.ndarray, expected: np.ndarray, patience: int) -> ToolError:
    """The error of a core that does not answer an event every clock, with what it does when events come one at a time."""
    try:
        _measure_held(bench, words[:100], expected[:100], patience)
    except ToolError:
        return error
    alone = "It is right when events come one at a time: it does not take one every clock (its II is not 1)."
    return type(error)(error.what, where=error.where, fix=f"{error.fix} {alone}".strip())


def simulate(
    core: Core,
    alignment: Alignment,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    *,
    patience: int = 10_000,
    seconds: float = SECONDS,
    keep: bool = False,
) -> Simulation:
    """Write the wrapper, and compare its answers with the emulator's in every bit.

    Three runs, each from other random values in all registers: events as fast as they are taken; with random gaps; and
    with a reset while events are on their way, none of which may be seen afterwards. Between events the inputs are random.

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
    words, expected = _both(core, inputs, outputs)
    (core.folder / f"{core.wrapper}.v").write_text(wrap(core, alignment), encoding="utf-8")
    bench = compile_bench(core, bare=False, seconds=seconds)
    try:
        runs = (
            bench.run(words, seed=1, patience=patience),
            bench.run(words, seed=2, patience=patience, gaps=40),
            bench.run(words, seed=3, patience=patience, reset=max(1, min(len(words) // 2, 50))),
        )
        return _judge(bench, runs, expected)
    finally:
        _clean(core, keep)


def check(
    core: Core, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], *, seconds: float = SECONDS, keep: bool = False
) -> tuple[Alignment, Simulation]:
    """:func:`measure`, then :func:`simulate` with what it found."""
    try:
        alignment = measure(core, inputs, outputs, seconds=seconds, keep=True)  # Verilator's library is compiled once
        return alignment, simulate(core, alignment, inputs, outputs, seconds=seconds, keep=True)
    finally:
        _clean(core, keep)


def _judge(bench: Bench, runs: Sequence[Record], expected: np.ndarray) -> Simulation:
    core, wrong = bench.core, np.zeros(expected.shape, dtype=bool)
    first = ""
    for record in runs:
        if len(record.values) != len(expected):
            raise ToolError(f"The wrapper answers {len(record.values)} times to {len(expected)} events.", where=core.wrapper)
        differ = record.values != expected
        if differ.any() and not first:
            event, k = np.argwhere(differ)[0]
            shown, meant = record.values[event, k], expected[event, k]
            first = f"{bench.outputs[k].label} of event {event} is {shown}, the emulator says {meant}"
        wrong |= differ
    latency = np.concatenate([r.clock - r.taken for r in runs])
    interval = np.diff(runs[0].taken)[1:]
    intervals = (int(interval.min()), int(interval.max())) if len(interval) else None
    check = Check("rtl", len(expected), int(wrong.any(axis=1).sum()), int(latency.max()), intervals and intervals[1])
    counts = dict.fromkeys((tensor for tensor, _ in core.outputs), 0)
    for element, count in zip(bench.outputs, wrong.sum(axis=0), strict=True):
        counts[element.tensor] += int(count)
    build = bench.build
    latencies = int(latency.min()), int(latency.max())
    return Simulation(check, counts, latencies, intervals, first, build.command, build.log.name, build.seconds)


def _both(core: Core, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    events = len(inputs[0])
    return _words(inputs, core.inputs, events, "inputs"), _words(outputs, core.outputs, events, "outputs")


def _words(arrays: Sequence[np.ndarray], tensors: Tensors, events: int, what: str) -> np.ndarray:
    """All elements of an event side by side: int64 (events, elements).

    Raises:
        ToolError: The arrays are not those of the core, or a mantissa does not fit its type.
    """
    sizes = [len(ports) for _, ports in tensors]
    shapes = [(len(a), a.size // max(1, len(a))) for a in arrays]
    if shapes != [(events, size) for size in sizes] or not events:
        raise ToolError(f"The {what} have the shapes {shapes}; the core takes {events} events of {sizes} elements.")
    words = np.concatenate([a.reshape(events, -1) for a in arrays], axis=1).astype(np.int64)
    for k, port in enumerate(p for _, ports in tensors for p in ports):
        low, high = (-(1 << port.width - 1), (1 << port.width - 1) - 1) if port.signed else (0, (1 << port.width) - 1)
        if words[:, k].min() < low or words[:, k].max() > high:
            raise ToolError(f"A mantissa does not fit {port.width} bits.", where=port.name)
    return words


def _clean(core: Core, keep: bool) -> None:
    if not keep:
        shutil.rmtree(core.folder / BUILD, ignore_errors=True)
