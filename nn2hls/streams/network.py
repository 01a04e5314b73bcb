"""A graph as processes that pass tokens on to each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Shape
from nn2hls.graph.op import Op
from nn2hls.hardware.join import Join
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.schedule import Schedule
from nn2hls.streams.front import Front


@dataclass(frozen=True)
class Stream:
    """What travels of a tensor.

    Args:
        tokens: Of one event, in order.
        size: Elements of a token, which follow each other in the flat tensor.
        type: Of an element.
    """

    tokens: int
    size: int
    type: FixedType

    @property
    def bits(self) -> int:
        """Of a token."""
        return self.size * self.type.width


@dataclass(frozen=True, eq=False)
class Process:
    """A layer of a design in streams: it gathers elements of tokens, runs its core on them, and sends what it gives.

    Args:
        name: The node whose result it sends; for the cast of an operand of a layer that only rearranges, a name like it.
        layer: The user's layer, for reports.
        op: What the core computes at each firing.
        front: What it gathers.
        core: Its hardware, whose operands are the gathered elements; None: they are the result as they are.
        constants: (firings, K): mantissas of elements that are constants, one for each firing; None without any.
        is_constant: (K,): which elements those are.
        xs: Bounds of each operand of the core.
        types, type: Of each operand of the core, and of its result.
        lead: The shape of the positions that all firings compute.
        join: How what the firings give goes together; it is sent once, after the last. None: each firing sends what it gives.
        initial: Of a recurrent layer, whose firings are its steps, for each state the flat mantissas that every event begins
            with; None for a state that comes with the operands of the first step.
    """

    name: str
    layer: str
    op: Op
    front: Front
    core: Hardware | None
    xs: tuple[Range, ...]
    types: tuple[FixedType, ...]
    type: FixedType
    constants: np.ndarray | None = None
    is_constant: np.ndarray | None = None
    lead: Shape = ()
    join: Join | None = None
    initial: tuple[np.ndarray | None, ...] = ()

    @property
    def computes(self) -> bool:
        """Whether it gives anything but the elements that it gathers."""
        return self.core is not None or self.op.repeats is not None

    @property
    def once(self) -> bool:
        """Whether it sends after its last firing alone."""
        return self.join is not None or (self.op.repeats is not None and self.op.repeats.only_last)

    @property
    def results(self) -> int:
        """Elements that a firing gives."""
        if self.op.repeats is not None:
            return sum(self.op.repeats.sizes)
        return self.front.size if self.core is None else self.core.results

    @property
    def sends(self) -> np.ndarray:
        """The steps in which it fires and sends what it has."""
        return self.front.fires[-1:] if self.once else self.front.fires

    @property
    def positions(self) -> int:
        """Computed at each firing."""
        return math.prod(self.lead) // self.front.firings

    @property
    def sizes(self) -> tuple[int, ...]:
        """Elements of each operand of the core."""
        return tuple(x.size for x in self.xs)

    def schedule(self, most_digits: int | None = None) -> Schedule:
        """What the core costs before any device; wires, where it has none. Of a recurrent layer its products alone."""
        if self.op.repeats is not None:
            return Schedule(products=self.op.work(()))
        return Schedule() if self.core is None else self.op.schedule(self.xs, self.type, most_digits)

    @property
    def interval(self) -> int:
        """Clocks between two firings; those of a recurrent layer its pipeline decides."""
        if self.core is None:
            return 1
        return max([1, *(loop.ii * loop.steps for loop in self.core.unrolled().loops if loop.ii)])


@dataclass(frozen=True, eq=False)
class Network:
    """Processes in topological order, and the streams between them.

    Args:
        processes: In order.
        streams: For each input and each process what it sends.
        inputs: For each input the numbers of its elements in the order in which they enter.
        outputs: For each output of the graph, in order, the value that leaves.
        leaving: For each output the numbers of its elements in the order in which they leave.
    """

    processes: tuple[Process, ...]
    streams: Mapping[str, Stream]
    inputs: Mapping[str, np.ndarray]
    outputs: tuple[str, ...]
    leaving: tuple[np.ndarray, ...]

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """(value, reader) for each source of each process, and (value, "") for each output."""
        found = [(s.value, p.name) for p in self.processes for s in p.front.sources]
        return (*found, *((name, "") for name in self.outputs))

    def entering(self, value: str, shape: Shape) -> int:
        """Positions of a token of an input, of its ``shape``, whose channels are the first axis or the last."""
        as_it_is = np.array_equal(self.inputs[value], np.arange(math.prod(shape)))
        return self.streams[value].size // (shape[-1] if as_it_is else shape[0])

    def readers(self, value: str) -> tuple[str, ...]:
        """The processes that read a value, "" for each output port."""
        return tuple(reader for v, reader in self.edges if v == value)
