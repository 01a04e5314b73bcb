"""What a process is in hardware: links of delays, the step in which the next event begins, its core in time, its credit.

The Verilog and its estimate read the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.pipeline import Pipeline, Turns, pipeline
from nn2hls.hardware.stages import Delay
from nn2hls.hardware.steps import BLOCK_BITS
from nn2hls.streams.addressed import Addressed
from nn2hls.streams.control import Control, bits_for
from nn2hls.streams.front import Front
from nn2hls.streams.network import Network, Process, Stream

SHALLOW = 64  # words of a FIFO or delay in LUTs; more are a block of memory
FEW = 4  # steps of a delay that is registers; a longer one is a memory
OWN = 2  # clocks from a firing to its result beside those of the core: what is gathered stands in registers, then the buffer

JOINS = 2  # clocks from what a core gives to the accumulators that have it in them


@dataclass(frozen=True, eq=False)
class Link:
    """A delay between two taps of a chain.

    Args:
        source: Number of the stream.
        before, age: Steps ago that its input and its output were taken.
        elements: Of a token, rising: those that someone reads at this age or later.
        width: Bits of an element.
    """

    source: int
    before: int
    age: int
    elements: np.ndarray
    width: int

    @property
    def steps(self) -> int:
        """Its delay."""
        return self.age - self.before

    @property
    def bits(self) -> int:
        """Of a word."""
        return len(self.elements) * self.width

    @property
    def registers(self) -> int:
        """Words that stand in flip-flops; the last one of a memory does."""
        return self.steps if self.steps <= FEW else 1

    @property
    def words(self) -> int:
        """Of its memory."""
        return self.steps - self.registers


@dataclass(frozen=True, eq=False)
class Built:
    """A process in hardware.

    Args:
        process: What it does.
        sources: The streams that it reads, in the order of its front's.
        stream: What it sends.
        placed: Its core in time; None where it has none.
    """

    process: Process
    sources: tuple[Stream, ...]
    stream: Stream
    placed: Pipeline | None

    @property
    def front(self) -> Front:
        """What it gathers."""
        return self.process.front

    @cached_property
    def parts(self) -> int:
        """Tokens of a firing."""
        return self.stream.tokens // len(self.process.sends)

    @cached_property
    def turn(self) -> int:
        """The step in which the next event may begin."""
        return turn(self.front)

    @cached_property
    def control(self) -> Control:
        """Its counters."""
        return Control(self.process, self.turn)

    @property
    def waits_for(self) -> int | None:
        """The stream without whose first token an event does not begin, where none is taken in its first step."""
        starts = [s.start for s in self.front.sources]
        return starts.index(min(starts)) if min(starts, default=0) else None

    @cached_property
    def addressed(self) -> Addressed:
        """What it reads by address, where it collects its operands; a constant that changes with the firing is not read."""
        process, constant = self.process, self.process.is_constant
        skipped = [] if process.constants is None or constant is None else np.flatnonzero(constant).tolist()
        return Addressed(self.front, frozenset(skipped))

    @property
    def reads(self) -> int:
        """Clocks in which what is gathered is read after a step: by address it is one more."""
        return 0 if self.front.address is None else 1

    @property
    def latency(self) -> int:
        """Clocks from a firing until its first token may be taken."""
        joins = 0 if self.process.join is None else JOINS
        return OWN + self.reads + joins + (self.placed.latency if self.placed else 0)

    @property
    def spacing(self) -> int:
        """Clocks between two firings, at least."""
        return max(self.parts, self.placed.interval if self.placed else 1)

    @property
    def credit(self) -> int:
        """Results that may be on their way: as many as keep it at its pace until one that has left is known of."""
        between = self.spacing * self.front.firings // len(self.process.sends)
        return -(-(self.latency + self.parts) // between)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Bits of each element that the core reads."""
        sized = zip(self.process.sizes, self.process.types, strict=True)
        return tuple(kind.width for size, kind in sized for _ in range(size))

    @cached_property
    def in_blocks(self) -> frozenset[int]:
        """Operands, by number, that are constants of each firing and fill a block of memory, whose output they are."""
        process, front, found, first = self.process, self.front, set(), 0
        if process.is_constant is None or front.address is not None or front.firings <= SHALLOW:
            return frozenset()
        for n, (size, kind) in enumerate(zip(process.sizes, process.types, strict=True)):
            if process.is_constant[first : first + size].all() and front.firings * size * kind.width >= BLOCK_BITS:
                found.add(n)
            first += size
        return frozenset(found)

    def operand_bits(self, n: int) -> int:
        """Of all elements of an operand of the core."""
        return self.process.sizes[n] * self.process.types[n].width

    @property
    def registers(self) -> int:
        """Flip-flops of its module: counters, credit, what is gathered, the chains, tokens that stay; not those of its core."""
        front, interval = self.front, self.placed.interval if self.placed else 1
        rest = bits_for(interval - 1) if interval > 1 else 0
        part = bits_for(self.parts - 1) if self.parts > 1 else 0
        reading = bits_for(front.firings - 1) + 1 if self.reads else 0
        links = sum(n.registers * n.bits + (bits_for(n.words - 1) if n.words else 0) for n in self.links)
        both = list(zip(front.sources, self.sources, strict=True))
        held = 0 if self.reads else sum(stream.bits for source, stream in both if source.held)
        own = self.control.registers + bits_for(self.credit) + rest + part + reading + 1 + sum(self.widths)
        own -= sum(self.operand_bits(n) for n in self.in_blocks)
        return own + links + held + self.accumulators

    @property
    def accumulators(self) -> int:
        """Flip-flops of accumulators: what the core gives, what is kept, and a counter with four flags; the counter alone of
        a recurrent layer that sends its last state.
        """
        if self.process.join is None:
            return bits_for(self.front.firings - 1) if self.process.once else 0
        return 2 * self.stream.bits + bits_for(self.front.firings - 1) + 4

    @cached_property
    def carried(self) -> dict[tuple[int, int], np.ndarray]:
        """For (stream, age) the elements of a token that someone reads at this age or later."""
        front, found = self.front, {}
        for k, ages in front.taps.items():
            found[k, 0] = np.arange(front.sources[k].size)
            own = front.source == k
            for age in ages.tolist():
                if age:
                    found[k, age] = np.unique(front.element[own & (front.delay >= age)])
        return found

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Of all chains."""
        return tuple(self._links())

    def _links(self) -> Iterator[Link]:
        for k, ages in self.front.taps.items():
            before = 0
            for age in ages.tolist():
                if age > before:
                    yield Link(k, before, age, self.carried[k, age], self.sources[k].type.width)
                    before = age


@dataclass(frozen=True)
class Queue:
    """A FIFO.

    Args:
        bits: Of a word.
        depth: Words that it holds.
    """

    bits: int
    depth: int

    @property
    def block(self) -> bool:
        """Whether it is a block of memory, before which one word stands in registers."""
        return self.depth > SHALLOW

    @property
    def words(self) -> int:
        """Of its memory."""
        return self.depth - self.block

    @property
    def counters(self) -> int:
        """Bits of the places to write and to read, and of the number of words in between."""
        return 3 * bits_for(self.words - 1) + 1

    @property
    def registers(self) -> int:
        """Flip-flops."""
        return self.counters + (2 * self.bits + 2) * self.block


def turn(front: Front) -> int:
    """The step in which the next event may begin: after the last token, where the firings left do not meet its own."""
    last = max((s.end for s in front.sources), default=0)
    if front.address is not None or any(s.held for s in front.sources) or min((s.start for s in front.sources), default=1):
        return front.steps
    apart = front.fires[-1] - last < front.fires[0] and front.steps - last <= last
    return last if apart else front.steps


def build(network: Network, delay: Delay, period: float, turns: Callable[[Process], Turns] | None = None) -> tuple[Built, ...]:
    """Every process of a network.

    Args:
        network: See there.
        delay: Of an operator, in nanoseconds.
        period: Nanoseconds that operators may fill between two registers.
        turns: What a recurrent layer is made of; a network without any needs none.
    """
    return tuple(_built(p, network, delay, period, turns) for p in network.processes)


def _built(process: Process, network: Network, delay: Delay, period: float, turns: Callable[[Process], Turns] | None) -> Built:
    sources = tuple(network.streams[s.value] for s in process.front.sources)
    placed = None
    core: Hardware | Turns | None = process.core
    if process.op.repeats is not None and turns is not None:
        core = turns(process)
    if core is not None:
        names = [f"x{k}" for k in range(len(process.types))]
        inputs = {n: (size, size * t.width) for n, size, t in zip(names, process.sizes, process.types, strict=True)}
        bits = {"y": process.results * process.type.width}
        placed = pipeline([("y", core, names)], inputs, bits, ["y"], delay, period)
    return Built(process, sources, network.streams[process.name], placed)
