"""A design in streams clock by clock, without values: what its Verilog does, so that latency and interval are the RTL's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nn2hls.streams.build import Built
from nn2hls.streams.network import Network

EVENTS = 4  # one close after the other: the interval is that of the last two, the latency that of the first


@dataclass(frozen=True)
class Pace:
    """How fast a design goes.

    Args:
        latency: Clocks from the first token that enters to the last one that leaves, of the first event.
        interval: Clocks from the last token of an event but one to that of the last event; 0 with one event only.
        complete: Whether all events went through; else its processes wait for each other.
        clocks: That it took.
    """

    latency: int
    interval: int
    complete: bool
    clocks: int


def clocked(network: Network, built: Sequence[Built], depths: Mapping[tuple[str, str], int], events: int = EVENTS) -> Pace:
    """Run events that are always there, into readers that always take.

    Args:
        network, built: The design.
        depths: Tokens of each FIFO, by (value, reader).
        events: One close after the other.
    """
    return _Run(network, built, depths, events).pace()


class _Run:
    def __init__(self, network: Network, built: Sequence[Built], depths: Mapping[tuple[str, str], int], events: int) -> None:
        self.events, edges = events, network.edges
        self.held = [0] * len(edges)  # tokens of each FIFO
        self.depths = [depths[e] for e in edges]
        own = {v: [k for k, (value, _) in enumerate(edges) if value == v] for v in network.streams}
        number = {edge: k for k, edge in enumerate(edges)}
        self.inputs = [own[v] for v in network.inputs]
        self.left = [network.streams[v].tokens * events for v in network.inputs]
        self.machines = [
            _Machine(b, [number[s.value, b.process.name] for s in b.front.sources], own[b.process.name]) for b in built
        ]
        self.outputs = [k for k, (_, reader) in enumerate(edges) if not reader]
        self.tokens = [network.streams[edges[k][0]].tokens for k in self.outputs]
        self.patience = 1 + sum(b.front.steps * b.spacing + b.latency for b in built)  # clocks in which no token moves

    def pace(self) -> Pace:
        """Until all has left or nothing moves any more."""
        got, finished = [0] * len(self.outputs), [[0] * self.events for _ in self.outputs]
        clock, idle, first = 0, 0, -1
        while any(n < t * self.events for n, t in zip(got, self.tokens, strict=True)) and idle <= self.patience:
            taken = list(self._decide(clock))
            for n, k in enumerate(self.outputs):
                if self.held[k]:
                    taken.append((k, -1))
                    got[n] += 1
                    event, rest = divmod(got[n], self.tokens[n])
                    if not rest:
                        finished[n][event - 1] = clock
            entered = list(self._enter())
            first = clock if entered and first < 0 else first
            idle = 0 if taken or entered else idle + 1
            for k, change in (*taken, *entered):
                self.held[k] += change
            clock += 1
        last = [max(ends) for ends in zip(*finished, strict=True)]
        interval = last[-1] - last[-2] if self.events > 1 else 0
        return Pace(last[0] - first, interval, idle <= self.patience, clock)

    def _decide(self, clock: int) -> Iterator[tuple[int, int]]:
        """(FIFO, change) of all processes; each sees what the clock before left."""
        for machine in self.machines:
            yield from machine.move(clock, self.held, self.depths)

    def _enter(self) -> Iterator[tuple[int, int]]:
        for n, queues in enumerate(self.inputs):
            if self.left[n] and all(self.held[k] < self.depths[k] for k in queues):
                self.left[n] -= 1
                yield from ((k, 1) for k in queues)


class _Machine:
    """A process, as its module is."""

    def __init__(self, built: Built, reads: Sequence[int], writes: Sequence[int]) -> None:
        front = built.front
        self.end, self.turn, self.parts = front.steps, built.turn, built.parts
        self.latency, self.credit = built.latency, built.credit
        self.spacing = built.placed.interval if built.placed else 1
        fires = {*front.fires.tolist()}
        self.fires = [s in fires for s in range(front.steps)]
        sends = {*built.process.sends.tolist()}
        self.sends = [s in sends for s in range(front.steps)]
        both = list(zip(reads, front.sources, strict=True))
        self.reads = [[k for k, s in both if s.start <= step < s.end] for step in range(front.steps)]
        self.begins = None if built.waits_for is None else reads[built.waits_for]
        self.writes = writes
        self.step = self.ahead = self.part = self.again = 0
        self.results: deque[int] = deque()  # when each that has been fired stands at the end of the buffer

    def move(self, clock: int, held: Sequence[int], depths: Sequence[int]) -> list[tuple[int, int]]:
        """One clock: the changes of FIFOs."""
        credit, changes = self.credit, self._send(clock, held, depths)
        trailing = self.step >= self.turn
        reads = self.reads[self.ahead if trailing else self.step]
        have = all(held[k] for k in reads) and (self.begins is None or self.step > 0 or held[self.begins] > 0)
        bubble = trailing and not self.ahead and not have
        fires, sends = self.fires[self.step], self.sends[self.step]
        if not (have or bubble) or (sends and not credit) or (fires and clock < self.again):
            return changes
        if not bubble:
            changes += [(k, -1) for k in reads]
        if fires:
            self.again = clock + self.spacing
        if sends:
            self.credit -= 1
            self.results.append(clock + self.latency)
        following = 0 if bubble else self.ahead + 1
        last = self.step == self.end - 1
        self.step = (following if trailing else 0) if last else self.step + 1
        self.ahead = following if trailing and not last else 0
        return changes

    def _send(self, clock: int, held: Sequence[int], depths: Sequence[int]) -> list[tuple[int, int]]:
        if not self.results or self.results[0] > clock or not all(held[k] < depths[k] for k in self.writes):
            return []
        self.part += 1
        if self.part == self.parts:
            self.part = 0
            self.results.popleft()
            self.credit += 1
        return [(k, 1) for k in self.writes]
