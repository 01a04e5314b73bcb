"""When a core in Verilog shows each of its outputs, found by feeding it events with known answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn2hls.errors import ToolError
from nn2hls.tools.rtl.core import Alignment, Core
from nn2hls.tools.rtl.verilator import SECONDS, Bench, as_words, clean, compile_bench

AFTER = 16  # clocks after done_port in which an output may still come
BEFORE = 1000  # and before it, in a core that takes one event at a time
ROWS = 1_000_000  # clocks that are recorded of such a core, about
SURE = 0.75  # share of events that must be right at one delay, where none has them all
MARGIN = 4  # and how many times more must be wrong at any other


def measure(
    core: Core,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    *,
    patience: int | None = None,
    seconds: float = SECONDS,
    keep: bool = False,
) -> Alignment:
    """When the bare core shows each of its outputs.

    A pipelined core is fed an event every clock. The delay of an output is the one after which it shows the emulator's
    answer to every event. If there is none, it is the one after which at least three quarters of the answers are right,
    when all others have at least four times as many wrong ones: the simulation then counts those that differ.

    Args:
        core: The core.
        inputs, outputs: Mantissas, (events, elements) for each tensor: what it gets, and the emulator's answers.
        patience: Clocks without an answer after which the core counts as stuck; None: ten thousand when it is pipelined,
            else five million.
        seconds: For compiling, and again for running.
        keep: Leave the simulation in the folder ``rtl_sim``.

    Raises:
        ToolError: The core is stuck, or an output has no delay or several; it is named.
    """
    words, expected = as_words(core, inputs, outputs)
    clean(core, keep=False)
    bench = compile_bench(core, bare=True, seconds=seconds)
    try:
        if not core.pipelined:
            return _measure_held(bench, words, expected, patience)
        try:
            return _measure_pipelined(bench, words, expected, patience)
        except ToolError as error:
            raise _explained(error, bench, words, expected, patience) from error
    finally:
        clean(core, keep)


def _measure_pipelined(bench: Bench, words: np.ndarray, expected: np.ndarray, patience: int | None) -> Alignment:
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


def _measure_held(bench: Bench, words: np.ndarray, expected: np.ndarray, patience: int | None) -> Alignment:
    probe = bench.run(words[:1], every=True, patience=patience, hold=AFTER)
    count = min(len(words), max(8, ROWS // len(probe.clock)))
    some = np.linspace(0, len(words) - 1, count).astype(int)  # corners of the types often come first, and are much alike
    record = bench.run(words[some], every=True, patience=patience, hold=AFTER, tail=AFTER)
    answers = np.flatnonzero(record.valid)
    if len(answers) != count:
        raise ToolError(f"done_port is high in {len(answers)} clocks for {count} events.", where=bench.core.name)
    shortest = int(np.min(answers - (record.taken - record.clock[0])))
    before = range(0, -1 - min(shortest, BEFORE), -1)
    return _align(bench, [(record.values, answers)], expected[some], [*before, *range(1, AFTER + 1)], 0)


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
    best = int(np.argmax(right))
    others = np.delete(right, best)
    if right[best] < SURE or (core.pipelined and np.any(1 - others < MARGIN * (1 - right[best]))):
        raise ToolError(
            f"After no delay does it show the emulator's answers: {right[best]:.1%} of them after {offsets[best]} clocks.",
            where=where,
        )
    return best


def _explained(error: ToolError, bench: Bench, words: np.ndarray, expected: np.ndarray, patience: int | None) -> ToolError:
    """The error of a core that does not answer an event every clock, with what it does when events come one at a time."""
    try:
        _measure_held(bench, words[:100], expected[:100], patience)
    except ToolError:
        return error
    alone = "It is right when events come one at a time: it does not take one every clock (its II is not 1)."
    return type(error)(error.what, where=error.where, fix=f"{error.fix} {alone}".strip())
