"""A body repeated: the hardware of a layer stays compact where many of its elements are computed alike.

The values of a layer live in one flat space: the elements of the operands, one operand after the other, then those of the
result, then what is kept in between. Loops read and write elements of it by number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nn2hls.hardware.net import Net
from nn2hls.hardware.witness import run


@dataclass(frozen=True, eq=False)
class Loop:
    """A body at ``lanes`` places side by side, in ``steps`` one after the other.

    Args:
        body: With inputs numbered from 0.
        reads: (steps, lanes, inputs): the element that each input reads; -1 where it reads zero or a constant.
        writes: (steps, lanes, outputs): the element that each output writes.
        ii: Clocks from step to step; 0 where there is one step only, with all lanes side by side.
        constants: For an input a value for each step and lane, (steps, lanes): a ROM.
        block: The ROM is to be a block RAM.
        sums: Bounds of the elements to which outputs are added, from zero on, in place of being written; empty: none.
        written: The constants are what a memory holds at first: it has a port through which others are written. It holds
            those of one turn, (steps of a turn, lanes of a turn), which all turns read.
    """

    body: Net
    reads: np.ndarray
    writes: np.ndarray
    ii: int = 0
    constants: Mapping[int, np.ndarray] = field(default_factory=dict)
    sums: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    block: bool = False
    written: bool = False

    @property
    def steps(self) -> int:
        """Steps one after the other."""
        return int(self.reads.shape[0])

    @property
    def lanes(self) -> int:
        """Bodies side by side."""
        return int(self.reads.shape[1])


@dataclass(frozen=True, eq=False)
class Hardware:
    """What one layer is made of.

    Args:
        loops: In order; a loop may read what an earlier one wrote.
        operands: Elements of each operand.
        results: Elements of the result.
        kept: Elements in between.
        equation: What a person wants to read above it.
        turns: So often the loops run, one turn after the other; they are written for the first. The elements of the only
            operand and those of the result are shared out evenly among the turns, in order.
    """

    loops: tuple[Loop, ...]
    operands: tuple[int, ...]
    results: int
    kept: int = 0
    equation: str = ""
    turns: int = 1

    @property
    def first_result(self) -> int:
        """The number of the result's first element."""
        return sum(self.operands)

    @property
    def elements(self) -> int:
        """All elements."""
        return self.first_result + self.results + self.kept

    def unrolled(self) -> Hardware:
        """The same in a single turn: a loop with steps has those of all turns, another one the lanes of all."""
        if self.turns == 1:
            return self
        (size,) = self.operands
        sizes = (size // self.turns, self.results // self.turns, self.kept)
        loops = tuple(_all_turns(loop, self.turns, sizes, size) for loop in self.loops)
        return Hardware(loops, self.operands, self.results, self.kept * self.turns, self.equation)

    def run(self, operands: Sequence[np.ndarray]) -> np.ndarray:
        """The witness: mantissas (events, results) from those of each operand, (events, elements)."""
        if self.turns > 1:
            return self.unrolled().run(operands)
        events = len(operands[0]) if operands else 1
        space = np.zeros((events, self.elements), dtype=object)
        if operands:
            space[:, : self.first_result] = np.concatenate([np.reshape(x, (events, -1)) for x in operands], axis=1)
        for loop in self.loops:
            for step in range(loop.steps):
                for lane in range(loop.lanes):
                    _run_body(loop, step, lane, space)
        return space[:, self.first_result : self.first_result + self.results]


def _all_turns(loop: Loop, turns: int, sizes: tuple[int, int, int], operand: int) -> Loop:
    """A loop of the first turn as one of all turns.

    Args:
        loop: Of the first turn.
        turns: How many.
        sizes: Elements of the operand, of the result and in between, of one turn.
        operand: Elements of the whole operand.
    """
    n_in, n_out, kept = sizes
    result = operand + n_out * turns

    def moved(numbers: np.ndarray, turn: int) -> np.ndarray:
        first = operand + n_out  # the number of the first element in between, for one turn
        moved = np.where(numbers >= first, numbers - first + result + turn * kept, numbers + turn * n_out)
        return np.where(numbers < 0, -1, np.where(numbers < operand, numbers + turn * n_in, moved))

    axis = 0 if loop.ii else 1
    reads, writes = (np.concatenate([moved(a, t) for t in range(turns)], axis=axis) for a in (loop.reads, loop.writes))
    constants = {k: v if loop.written else np.concatenate([v] * turns, axis=axis) for k, v in loop.constants.items()}
    sums = {int(moved(np.array(e), t)): ends for t in range(turns) for e, ends in loop.sums.items()}
    return Loop(loop.body, reads, writes, loop.ii, constants, sums, loop.block, loop.written)


def _run_body(loop: Loop, step: int, lane: int, space: np.ndarray) -> None:
    zero = np.zeros(len(space), dtype=object)
    xs = [zero if n < 0 else space[:, n] for n in loop.reads[step, lane]]
    for number, values in loop.constants.items():
        value = values[step % len(values), lane % values.shape[1]]
        xs[number] = np.full(len(space), int(value), dtype=object)
    for element, value in zip(loop.writes[step, lane], run(loop.body, xs), strict=True):
        space[:, element] = space[:, element] + value if loop.sums else value
