"""A layer that shares its multipliers among steps: operands held, a product in each step, sums that are kept.

Each lane goes through three stages: it chooses its operand and its constant, multiplies them, and adds the product to one of
its sums. The first product of a sum replaces what was there. A product that is too slow for a clock is a pipeline of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nn2hls.arith.ranges import width_of
from nn2hls.hardware.loop import Loop
from nn2hls.hardware.net import Cell, Code
from nn2hls.hardware.stages import Stages

STAGES = 3  # choose, multiply, add
LUT_WORDS = 64  # of one bit in a LUT6
BLOCK_BITS = 16_384  # words that fill a block RAM of 18 Kbit are one, whoever asks; fewer only where someone does


class Field(NamedTuple):
    """A part of the packed words of one multiplier.

    Args:
        name: ``index``, ``word``, ``segment`` or ``first``.
        bits: Of it.
        values: For each step.
    """

    name: str
    bits: int
    values: tuple[int, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in all steps."""
        return len(set(self.values)) == 1


@dataclass(frozen=True, eq=False)
class Lane:
    """One multiplier.

    Args:
        choices: The elements that it ever reads, in ascending order.
        index: For each step which of the choices it reads.
        constant: Its factor in each step; of factors that can be written those of one turn.
        sums: The elements that it adds up, in ascending order.
        segment: For each step which of the sums it adds to.
        first: For each step whether it is the first of its sum.
    """

    choices: tuple[int, ...]
    index: tuple[int, ...]
    constant: tuple[int, ...]
    sums: tuple[int, ...]
    segment: tuple[int, ...]
    first: tuple[bool, ...]

    @property
    def segment_bits(self) -> int:
        """Bits of a sum's number."""
        return max(1, (len(self.sums) - 1).bit_length())

    @property
    def index_bits(self) -> int:
        """Bits of a choice's number."""
        return max(1, (len(self.choices) - 1).bit_length())

    def fields(self, weight: Cell | None) -> tuple[Field, ...]:
        """What its words are made of, the highest bits first; ``weight``: the cell of its factors, if they are among it."""
        found = (
            Field("index", self.index_bits, self.index),
            Field("word", weight.width if weight else 0, self.constant),
            Field("segment", self.segment_bits, self.segment),
            Field("first", 1, tuple(map(int, self.first))),
        )
        return found if weight else tuple(f for f in found if f.name != "word")


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of one layer.

    Args:
        count: How many.
        lanes: The multipliers.
        x, weight, product: Cells with the ranges of both factors and of their product.
        held: Elements whose values are held while the steps run.
        sums: Bounds of each sum, by its element.
        multiply: The placed product; None where nothing is placed in time.
        asked: Whether the words are to lie in block RAM even if they do not fill one.
        written: The factors of the lanes are what memories hold at first; no ROM has them.
    """

    count: int
    lanes: tuple[Lane, ...]
    x: Cell
    weight: Cell
    product: Cell
    held: tuple[int, ...]
    sums: dict[int, tuple[int, int]]
    multiply: Stages | None = None
    asked: bool = False
    written: bool = False

    @property
    def further(self) -> int:
        """Clocks that a product takes beyond one."""
        return self.multiply.latency if self.multiply is not None else 0

    @property
    def block(self) -> bool:
        """Whether the words of all multipliers stand side by side in block RAM: more steps than a LUT has words, and full."""
        return self.count > LUT_WORDS and (self.asked or self.count * self.stored_bits >= BLOCK_BITS)

    def fields(self, lane: Lane) -> tuple[Field, ...]:
        """What the words of a multiplier are made of; factors that can be written stand in a memory of their own."""
        return lane.fields(None if self.written else self.weight)

    @property
    def turn(self) -> int:
        """Steps after which factors that can be written are read again from the first on."""
        return len(self.lanes[0].constant)

    @property
    def turn_bits(self) -> int:
        """Bits of a count of its own of the steps of a turn; none where there is one turn."""
        return max(1, (self.turn - 1).bit_length()) if self.turn < self.count else 0

    @cached_property
    def stored(self) -> tuple[tuple[Field, ...], ...]:
        """What a ROM keeps of each multiplier: the parts that change from step to step."""
        return tuple(tuple(f for f in self.fields(lane) if not f.is_constant) for lane in self.lanes)

    @cached_property
    def stored_bits(self) -> int:
        """Bits of a word of that memory, of all multipliers."""
        return sum(f.bits for fields in self.stored for f in fields)

    @property
    def latency(self) -> int:
        """Clock edges from the operands to the finished sums."""
        return 1 + self.count + STAGES - 1 + self.further

    @property
    def counter_bits(self) -> int:
        """Bits of the number of a step."""
        return max(1, (self.count - 1).bit_length())

    @cached_property
    def registers(self) -> int:
        """Flip-flops: what is held, the counter, a bit that says whether each stage is busy, those of the lanes, the sums."""
        control = self.counter_bits + self.turn_bits + STAGES + self.further
        product = self.x.width + self.weight.width + self.product.width
        product += self.multiply.registers if self.multiply is not None else 0
        lanes = sum(product + (2 + self.further) * (1 + lane.segment_bits) for lane in self.lanes)
        return len(self.held) * self.x.width + control + lanes + sum(width_of(*b) for b in self.sums.values())


def reused(loop: Loop, multiply: Stages | None = None) -> Steps:
    """The steps of a loop whose body is the product of an operand with a constant; ``multiply``: the placed body."""
    body = loop.body
    x, weight = (next(c for c in body.cells if c.code is Code.INPUT and c.k == k) for k in (0, 1))
    product = body.cells[body.outputs[0]]
    lanes = tuple(
        _lane(loop.reads[:, m, 0].tolist(), loop.constants[1][:, m].tolist(), loop.writes[:, m, 0].tolist())
        for m in range(loop.lanes)
    )
    held = sorted({element for lane in lanes for element in lane.choices})
    return Steps(loop.steps, lanes, x, weight, product, tuple(held), dict(loop.sums), multiply, loop.block, loop.written)


def _lane(reads: Sequence[int], constants: Sequence[int], writes: Sequence[int]) -> Lane:
    choices, index = np.unique(reads, return_inverse=True)
    sums, segment = np.unique(writes, return_inverse=True)
    seen: set[int] = set()
    first = []
    for element in writes:
        first.append(element not in seen)
        seen.add(element)
    return Lane(
        tuple(choices.tolist()),
        tuple(index.tolist()),
        tuple(constants),
        tuple(sums.tolist()),
        tuple(segment.tolist()),
        tuple(first),
    )
