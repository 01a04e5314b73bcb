"""How deep the FIFOs of a design in streams have to be, and the pace that it has with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nn2hls.errors import LimitError
from nn2hls.size.actors import Actor, Edge, Timing, actors
from nn2hls.size.deadlock import tight as smallest
from nn2hls.size.self_timed import Run, run
from nn2hls.size.traces import Trace, depths, trace
from nn2hls.streams.network import Network
from nn2hls.text import table

EVENTS = 5  # that run to measure the interval
MOST_STEPS = 1_000_000  # of all events and processes together that run to confirm a schedule
TRIED = 50_000  # steps that run in all to find out whether less deep FIFOs do
ROUNDS = 4  # times that FIFOs which hold a pipeline up become deeper


@dataclass(frozen=True)
class Pace:
    """How fast a process goes.

    Args:
        name: Of the value that it sends.
        layer: The user's layer.
        first, last: The clocks in which its first and its last token of one event leave, counted from the first that enters.
        tokens: Of an event.
        own: Clocks that an event takes it if nobody makes it wait.
        interval: Clocks between two events of the design.
    """

    name: str
    layer: str
    first: int
    last: int
    tokens: int
    own: int
    interval: int

    @property
    def rate(self) -> float:
        """Tokens a clock."""
        return self.tokens / self.interval

    @property
    def busy(self) -> float:
        """The share of time in which it does not wait."""
        return min(1.0, self.own / self.interval)


@dataclass(frozen=True)
class Fifos:
    """Depths, and what they lead to.

    Args:
        depths: In tokens, of each (value, reader); the reader of an output port is "".
        bits: Of a token of each value.
        interval: Clocks between two events.
        latency: Clocks from the first token that enters to the last that leaves, of one event.
        pace: Of inputs and processes, in order.
        bottleneck: The name of the slowest one.
        tight: Whether the depths are the smallest without deadlock.
    """

    depths: Mapping[Edge, int]
    bits: Mapping[str, int]
    interval: int
    latency: int
    pace: tuple[Pace, ...]
    bottleneck: str
    tight: bool = False

    @property
    def memory(self) -> int:
        """Bits of all FIFOs."""
        return sum(depth * self.bits[value] for (value, _), depth in self.depths.items())

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        fifos = [
            {"value": value, "reader": reader, "depth": depth, "bits": self.bits[value]}
            for (value, reader), depth in self.depths.items()
        ]
        pace = [
            {
                "name": p.name,
                "layer": p.layer,
                "first_token": p.first,
                "last_token": p.last,
                "tokens": p.tokens,
                "tokens_per_clock": p.rate,
                "own_interval": p.own,
                "busy": p.busy,
            }
            for p in self.pace
        ]
        head = {"interval": self.interval, "latency": self.latency, "bottleneck": self.bottleneck}
        head |= {"fifo_bits": self.memory, "fifo_depths": "tight" if self.tight else "fast"}
        return {**head, "fifos": fifos, "pace": pace}

    def __str__(self) -> str:
        rows = [
            [p.name, p.tokens, f"{p.first:,}", f"{p.rate:.3g}", f"{p.own:,}", f"{100 * p.busy:.0f}%", self._depth(p.name)]
            for p in self.pace
        ]
        head = ["value", "tokens", "first", "per clock", "own interval", "busy", "FIFO"]
        whole = f"{self.interval:,} clocks between events, latency {self.latency:,}; {self.bottleneck} is the slowest.\n"
        return f"{table(head, rows)}{whole}{self.queues}\n"

    @property
    def queues(self) -> str:
        """What all of them hold, and by which rule, in a sentence."""
        rule = "the least without deadlock (FifoDepths: tight)" if self.tight else "the least found that keep the pace"
        return f"FIFOs hold {self.memory:,} bits, {rule}."

    def _depth(self, value: str) -> str:
        return " ".join(str(depth) for (sent, _), depth in self.depths.items() if sent == value)


def fifos(network: Network, timing: Timing | None = None, *, tight: bool = False) -> Fifos:
    """The depths of a network.

    Args:
        network: A design in streams.
        timing: Latencies of its processes and FIFOs.
        tight: The smallest depths without deadlock, in place of the smallest found that make nobody wait.

    Raises:
        LimitError: Two of its processes wait for each other with FIFOs of any depth.
    """
    timing = timing or Timing()
    found = actors(network, timing)
    planned = trace(found, timing)
    if tight:
        held = smallest(found)
        ran = run(found, held, timing, EVENTS)
        if not ran.complete:
            raise LimitError("Its streams wait for each other.", fix="Set IOType: io_parallel.")
        return replace(_result(found, held, ran, planned), tight=True)
    held = depths(planned, timing)
    steps = EVENTS * sum(a.steps for a in found)
    if steps > MOST_STEPS:
        return _result(found, held, None, planned)
    held, ran = _confirmed(found, held, timing, planned)
    return _result(found, *_trimmed(found, held, ran, timing, TRIED // steps), planned)


def measured(actors: Sequence[Actor], ran: Run, events: int = EVENTS) -> tuple[int, int]:
    """(interval between the last two events, latency of the first) of a run."""
    ends = [
        [own[(event + 1) * a.steps - 1] for event in range(events)]
        for a in actors
        if not a.name
        for own in [ran.taken[a.takes[0].value, ""]]
    ]
    last = [max(own) for own in zip(*ends, strict=True)]
    starts = [ran.written[a.name][0] for a in actors if not a.takes and a.name]
    return last[-1] - last[-2], last[0] - min(starts, default=0)


def _confirmed(actors: Sequence[Actor], held: dict[Edge, int], timing: Timing, planned: Trace) -> tuple[dict[Edge, int], Run]:
    """Depths with which a run keeps the schedule's interval; a pipeline that stood still gets room for what is inside it."""
    inside = {a.name: -(-a.latency // a.spacing) * a.gives for a in actors}
    ran = run(actors, held, timing, EVENTS)
    for _ in range(ROUNDS):
        if ran.complete and measured(actors, ran)[0] <= planned.interval:
            break
        held = {edge: depth + (inside[edge[0]] if ran.full[edge] else 0) for edge, depth in held.items()}
        ran = run(actors, held, timing, EVENTS)
    return held, ran


def _trimmed(
    actors: Sequence[Actor], held: dict[Edge, int], ran: Run, timing: Timing, runs: int
) -> tuple[dict[Edge, int], Run]:
    """Less deep FIFOs, those with the most bits first, as far as so many runs find out that nothing is lost."""
    widths = {a.name: a.bits for a in actors if a.name}
    goal = measured(actors, ran)
    for edge in sorted(held, key=lambda e: -held[e] * widths[e[0]]):
        low, high = 1, held[edge]
        while low < high and runs:
            middle, runs = (low + high) // 2, runs - 1
            tried = run(actors, {**held, edge: middle}, timing, EVENTS)
            if tried.complete and all(a <= b for a, b in zip(measured(actors, tried), goal, strict=True)):
                high, ran = middle, tried
            else:
                low = middle + 1
        held = {**held, edge: high}
    return held, ran


def _result(actors: Sequence[Actor], held: Mapping[Edge, int], ran: Run | None, planned: Trace) -> Fifos:
    written = ran.written if ran else {a.name: planned.written(k).reshape(-1) for k, a in enumerate(actors) if a.name}
    starts = [int(written[a.name][0]) for a in actors if a.name and not a.takes]
    start = min(starts, default=0)
    if ran:
        interval, latency = measured(actors, ran)
    else:
        interval = planned.interval
        latency = max(int(planned.steps[k][0, -1]) for k, a in enumerate(actors) if not a.name) - start
    named = [a for a in actors if a.name]
    times = {a.name: (int(written[a.name][0]) - start, int(written[a.name][a.tokens - 1]) - start) for a in named}
    pace = tuple(Pace(a.name, a.layer, *times[a.name], a.tokens, a.interval, interval) for a in named)
    slowest = max(pace, key=lambda p: p.own)
    return Fifos(dict(held), {a.name: a.bits for a in named}, interval, latency, pace, slowest.name)
