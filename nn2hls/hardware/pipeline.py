"""Layers one after the other in time: the stage in which each value of a design is there, and what waits for what.

A layer starts in the stage of its latest operand; earlier ones wait in registers. Nothing forces a register between layers: a
value may be ready anywhere within its stage, and the layer that reads it goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Net
from nn2hls.hardware.reload import banks
from nn2hls.hardware.split import paced
from nn2hls.hardware.stages import Delay, Moment, Stages, place
from nn2hls.hardware.steps import Steps, reused

Placed = dict[tuple[int, tuple[tuple[int, Moment], ...]], Stages]  # by the number of a net, and when its inputs are there


@dataclass(frozen=True, eq=False)
class Turns:
    """A pipeline that runs once for each element of a sequence: what it keeps of one step, it begins the next one with.

    Args:
        step: The pipeline of one step; its inputs are an element of each sequence, the states, and what is the same in all
            steps; its outputs the states after it, then what is read of it.
        length: Steps.
        sequences, states, held: Bits of an element of each sequence, of each state, and of each operand that stays.
        found: Bits of each output after the states.
        reads: (its number, step) of each of these values that is read, in the order of the result.
        results: Elements of the result.
        equation: What a person wants to read above it.
        initial: None: the operands of all steps come at once. Else they come step by step, states stay from one to the next,
            and the result is all that is found in a step; for each state the bits that the first step of an event begins
            with, None where they are an operand of that step.
    """

    step: Pipeline
    length: int
    sequences: tuple[int, ...]
    states: tuple[int, ...]
    held: tuple[int, ...]
    found: tuple[int, ...]
    reads: tuple[tuple[int, int], ...]
    results: int
    equation: str = ""
    initial: tuple[int | None, ...] | None = None

    @property
    def operands(self) -> tuple[int, ...]:
        """Bits of each operand."""
        if self.initial is None:
            return (*(bits * self.length for bits in self.sequences), *self.states, *self.held)
        given = (bits for bits, initial in zip(self.states, self.initial, strict=True) if initial is None)
        return (*self.sequences, *given, *self.held)

    @property
    def clocks(self) -> int:
        """From step to step: the states are registers."""
        return self.step.latency + 1

    @property
    def interval(self) -> int:
        """Clocks between two times that operands come."""
        return self.clocks * (self.length if self.initial is None else 1)

    @property
    def latency(self) -> int:
        """Clock edges from the operands, which are held while the steps run, to the result."""
        return 1 + self.interval if self.initial is None else self.clocks

    @property
    def counter_bits(self) -> int:
        """Bits of the number of a step."""
        return max(1, (self.length - 1).bit_length())

    @property
    def result_bits(self) -> int:
        """Bits of the result."""
        return sum(self.found[output] for output, _ in self.reads) if self.initial is None else sum(self.found)

    @property
    def registers(self) -> int:
        """Flip-flops: operands, states, results, those of a step, the counter, and the bit that begins a step."""
        at_once = self.length * sum(self.sequences) + self.result_bits
        kept = at_once if self.initial is None else sum(self.sequences)
        return kept + sum(self.states) + sum(self.held) + self.step.registers + self.counter_bits + 1


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer in time.

    Args:
        name: Of the layer.
        hardware: What it is made of.
        operands: The layers or inputs that it reads.
        start: The stage in which its operands are there.
        steps: What it does step by step, before its straight lines; None without reuse.
        stages: Of each straight-line loop, all with the same latency.
        turns: What it is in place of all that, where it repeats a pipeline.
    """

    name: str
    hardware: Hardware
    operands: tuple[str, ...]
    start: int
    steps: Steps | None
    stages: tuple[Stages, ...]
    turns: Turns | None = None

    @property
    def straight(self) -> tuple[Loop, ...]:
        """Its straight-line loops."""
        return tuple(loop for loop in self.hardware.loops if not loop.ii)

    @property
    def latency(self) -> int:
        """Clock edges between its operands and its result."""
        if self.turns is not None:
            return self.turns.latency
        own = max((s.latency for s in self.stages), default=0)
        return own if self.steps is None else self.steps.latency + own

    @property
    def interval(self) -> int:
        """Clocks between two events."""
        if self.turns is not None:
            return self.turns.interval
        return 1 if self.steps is None else self.steps.count

    @cached_property
    def registers(self) -> int:
        """Flip-flops inside the layer."""
        if self.turns is not None:
            return self.turns.registers
        own = sum(s.registers * loop.lanes for s, loop in zip(self.stages, self.straight, strict=True))
        own += sum(bank.width for bank in banks([self]) if bank.single)
        return own if self.steps is None else own + self.steps.registers


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A design in time.

    Args:
        layers: In order.
        stage: In which each input (0) and each layer's result is there.
        bits: Of each input and each layer's result.
        latency: The last stage, in which all outputs stand together.
        outputs: The names that leave the design.
    """

    layers: tuple[Layer, ...]
    stage: Mapping[str, int]
    bits: Mapping[str, int]
    latency: int
    outputs: tuple[str, ...]

    @property
    def interval(self) -> int:
        """Clocks between two events."""
        return max((layer.interval for layer in self.layers), default=1)

    @cached_property
    def waits(self) -> Mapping[str, int]:
        """For how many stages each input and each result must be kept for those that read it later; none: left out."""
        last = dict.fromkeys(self.outputs, self.latency)
        for layer in self.layers:
            for operand in layer.operands:
                last[operand] = max(last.get(operand, 0), layer.start)
        found = {name: until - self.stage[name] for name, until in last.items()}
        return {name: n for name, n in found.items() if n > 0 and name not in self.constants}

    @cached_property
    def constants(self) -> frozenset[str]:
        """Layers without operands: what they give is there in every stage."""
        return frozenset(layer.name for layer in self.layers if not layer.operands)

    @cached_property
    def registers(self) -> int:
        """Flip-flops of the whole design, those of its control among them."""
        control = self.latency + ((self.interval - 1).bit_length() if self.interval > 1 else 0)
        return control + sum(x.registers for x in self.layers) + sum(self.waiting(n) for n in self.waits)

    def waiting(self, name: str) -> int:
        """Flip-flops in which a value waits."""
        return self.waits.get(name, 0) * self.bits[name]


def pipeline(
    layers: Iterable[tuple[str, Hardware | Turns, Sequence[str]]],
    inputs: Mapping[str, tuple[int, int]],
    bits: Mapping[str, int],
    outputs: Sequence[str],
    delay: Delay,
    period: float,
    placed: Placed | None = None,
) -> Pipeline:
    """Place every layer.

    Args:
        layers: (name, hardware, names of the operands) in topological order.
        inputs: (elements, bits) of each input.
        bits: Of each layer's result.
        outputs: The names that leave the design.
        delay: Of an operator, in nanoseconds.
        period: Nanoseconds that a stage may fill.
        placed: What was placed before with the same delay and period; what is new is added.
    """
    placed = {} if placed is None else placed
    stage = dict.fromkeys(inputs, 0)
    ready = {name: np.zeros((elements, 2)) for name, (elements, _) in inputs.items()}
    done = []
    for name, hardware, operands in layers:
        start = max((stage[o] for o in operands), default=0)
        # A register holds what is there earlier.
        arrivals = [ready[o] if stage[o] == start else np.zeros_like(ready[o]) for o in operands]
        if isinstance(hardware, Turns):
            layer = Layer(name, Hardware((), (), hardware.results), tuple(operands), start, None, (), hardware)
            ready[name] = np.zeros((hardware.results, 2))
        else:
            layer, ready[name] = _place(name, hardware, tuple(operands), start, arrivals, delay, period, placed)
        stage[name] = start + layer.latency
        done.append(layer)
    latency = max((stage[o] for o in outputs), default=0)
    widths = dict(bits) | {name: size for name, (_, size) in inputs.items()}
    return Pipeline(tuple(done), stage, widths, latency, tuple(outputs))


def _place(
    name: str,
    hardware: Hardware,
    operands: tuple[str, ...],
    start: int,
    arrivals: Sequence[np.ndarray],
    delay: Delay,
    period: float,
    placed: Placed,
) -> tuple[Layer, np.ndarray]:
    """The layer, and when in its last stage each element of its result is ready: (elements, 2), a Moment in each row."""
    hardware = paced(hardware.unrolled(), delay, period)
    rest = np.zeros((hardware.elements - hardware.first_result, 2))
    times = np.concatenate([*arrivals, rest])
    steps = None
    for loop in hardware.loops:
        if loop.ii:
            steps = reused(loop, _stages(loop.body, delay, period, {}, placed))
    straight = [loop for loop in hardware.loops if not loop.ii]
    stages = [_stages(loop.body, delay, period, _arrivals(loop, times), placed) for loop in straight]
    latency = max((s.latency for s in stages), default=0)
    stages = [s.until(latency) for s in stages]
    for loop, own in zip(straight, stages, strict=True):
        for j, moment in enumerate(own.arrivals()):
            times[loop.writes[0, :, j]] = moment.low, moment.high
    layer = Layer(name, hardware, operands, start, steps, tuple(stages))
    return layer, times[hardware.first_result : hardware.first_result + hardware.results]


def _stages(body: Net, delay: Delay, period: float, arrivals: Mapping[int, Moment], placed: Placed) -> Stages:
    key = id(body), tuple(arrivals.items())  # the stages keep the net, so that no other one has its number
    if key not in placed:
        placed[key] = place(body, delay, period, arrivals)
    return placed[key]


def _arrivals(loop: Loop, times: np.ndarray) -> dict[int, Moment]:
    """When the last of all lanes has each input."""
    found = {}
    for k, column in enumerate(loop.reads[0].T):
        read = times[column[column >= 0]]
        found[k] = Moment(*read.max(axis=0, initial=0.0).tolist())
    return found
