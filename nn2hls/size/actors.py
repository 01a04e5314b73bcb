"""A network of streams as it is in time: who takes and gives how many tokens in which step; no values."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from nn2hls.streams.build import turn
from nn2hls.streams.network import Network, Process, Stream

Edge = tuple[str, str]  # (value, who reads it; "" for an output port)


@dataclass(frozen=True)
class Take:
    """What an actor reads: in each step from ``start`` on one token of ``value``, until it has ``tokens`` of the event."""

    value: str
    tokens: int
    start: int = 0


@dataclass(frozen=True, eq=False)
class Actor:
    """A process, an input port or an output port.

    Args:
        name: Of the value that it gives; "" for an output port.
        layer: The user's layer.
        takes: What it reads.
        steps: Of one event, at least one clock each.
        fires: The steps that give something, rising.
        turn: The step of an event in which the next one may begin; ``steps`` where they follow each other.
        gives: Tokens of each firing, which leave one a clock.
        spacing: Clocks between two steps in which it is busy, at least.
        latency: Clocks from a firing to its first token.
        bits: Of a token that it gives.
        works: The steps in which it is busy, rising, where they are others than those that give something.
    """

    name: str
    layer: str
    takes: tuple[Take, ...]
    steps: int
    fires: np.ndarray
    turn: int
    gives: int = 1
    spacing: int = 1
    latency: int = 0
    bits: int = 1
    works: np.ndarray | None = None

    @property
    def busy(self) -> np.ndarray:
        """The steps in which it is busy."""
        return self.fires if self.works is None else self.works

    @property
    def tokens(self) -> int:
        """That it gives of each event."""
        return len(self.fires) * self.gives

    @cached_property
    def gaps(self) -> np.ndarray:
        """Clocks from each step in which it is busy to the next one, the first of the next event after the last."""
        steps = np.diff(np.append(self.busy, self.busy[:1] + self.turn))
        return np.maximum(steps, self.spacing)

    @cached_property
    def interval(self) -> int:
        """Clocks between two events, if nobody makes it wait."""
        return int(self.gaps.sum()) if len(self.busy) else self.steps


@dataclass(frozen=True)
class Timing:
    """Of what is built.

    Args:
        latency: Of a process, by its name: clocks from a firing to its first token; 1 for others.
        write: Clocks from writing into a FIFO until the token can be read.
        free: Clocks from reading until its place can be written again.
        interval: Clocks between two firings of a process, where it is not what its core says.
        overlap: Whether the first tokens of an event may enter while the last firings of the one before go on.
    """

    latency: Mapping[str, int] = field(default_factory=dict)
    write: int = 1
    free: int = 1
    overlap: bool = False
    interval: Mapping[str, int] = field(default_factory=dict)


def actors(network: Network, timing: Timing) -> tuple[Actor, ...]:
    """Inputs, processes in their order, and outputs."""
    streams = network.streams
    ports = dict.fromkeys(network.outputs)
    leaving = [
        Actor("", n, (Take(n, streams[n].tokens),), streams[n].tokens, np.empty(0, np.int64), streams[n].tokens) for n in ports
    ]
    entering = [
        Actor(n, n, (), streams[n].tokens, np.arange(streams[n].tokens), streams[n].tokens, bits=streams[n].bits)
        for n in network.inputs
    ]
    return (*entering, *(_actor(p, streams[p.name], timing) for p in network.processes), *leaving)


def _actor(process: Process, stream: Stream, timing: Timing) -> Actor:
    front = process.front
    gives = stream.tokens // len(process.sends)
    return Actor(
        process.name,
        process.layer,
        tuple(Take(s.value, s.tokens, s.start) for s in front.sources),
        front.steps,
        process.sends,
        turn(front) if timing.overlap else front.steps,
        gives,
        max(timing.interval.get(process.name, process.interval), gives),
        timing.latency.get(process.name, 1),
        stream.bits,
        front.fires if process.once else None,
    )


def readers(network: Sequence[Actor]) -> Mapping[str, tuple[tuple[Actor, Take], ...]]:
    """Of each value who takes it."""
    found: dict[str, list[tuple[Actor, Take]]] = {a.name: [] for a in network if a.name}
    for actor in network:
        for take in actor.takes:
            found[take.value].append((actor, take))
    return {name: tuple(rs) for name, rs in found.items()}


def settle(network: Sequence[Actor], move: Callable[[int], bool]) -> None:
    """Let actors move, by their numbers, until none can; each again after one that it shares a FIFO with has moved."""
    numbers = {a.name: k for k, a in enumerate(network) if a.name}
    met: list[set[int]] = [{numbers[t.value] for t in a.takes} for a in network]
    for k, actor in enumerate(network):
        for take in actor.takes:
            met[numbers[take.value]].add(k)
    todo, waiting = deque(range(len(network))), set(range(len(network)))
    while todo:
        k = todo.popleft()
        waiting.discard(k)
        if move(k):
            new = sorted(met[k] - waiting)
            waiting.update(new)
            todo.extend(new)
