"""When every token travels, in a schedule in which no FIFO is ever full, and what the FIFOs hold then.

Each event enters one interval after the one before it, the interval of the slowest process. Forward, every step comes as early
as its tokens; backward, as late as those who read its tokens allow, with outputs where they are; then whoever reads more bits
than it sends comes early again, as long as FIFOs hold less for it. These times can be kept with FIFOs as deep as what they hold
in it, and a network that runs as fast as it can, with FIFOs of these depths, is not later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.size.actors import Actor, Edge, Take, Timing, readers

EVENTS = 4  # of a trace


@dataclass(frozen=True, eq=False)
class Trace:
    """Times in clocks.

    Args:
        steps: For each actor, in order, (events, steps).
        interval: Clocks between two events.
    """

    actors: tuple[Actor, ...]
    steps: tuple[np.ndarray, ...]
    interval: int

    def written(self, number: int) -> np.ndarray:
        """(events, tokens): when each token of an actor is there."""
        actor = self.actors[number]
        return _written(actor, self.steps[number])

    def taken(self, number: int, take: Take) -> np.ndarray:
        """(events, tokens): when an actor takes each token."""
        return self.steps[number][:, take.start : take.start + take.tokens]


def trace(actors: Sequence[Actor], timing: Timing, events: int = EVENTS) -> Trace:
    """The schedule that holds the fewest bits of those that are tried."""
    interval = max(a.interval for a in actors)
    early = _early(actors, timing, interval, events)
    late = _late(actors, early, timing)
    found = [Trace(tuple(actors), times, interval) for times in (late, _eager(actors, late, timing))]
    return min(found, key=lambda t: bits(t, depths(t, timing)))


def bits(found: Trace, held: Mapping[Edge, int]) -> int:
    """Of all FIFOs."""
    widths = {a.name: a.bits for a in found.actors if a.name}
    return sum(n * widths[value] for (value, _), n in held.items())


def depths(found: Trace, timing: Timing) -> dict[Edge, int]:
    """What every FIFO holds at most, the token that is being written among it."""
    numbers = {a.name: k for k, a in enumerate(found.actors) if a.name}
    most: dict[Edge, int] = {}
    for k, actor in enumerate(found.actors):
        for take in actor.takes:
            written = found.written(numbers[take.value]).reshape(-1)
            free = found.taken(k, take).reshape(-1) + timing.free
            held = np.arange(1, written.size + 1) - np.searchsorted(free, written, side="right")
            most[take.value, actor.name] = max(1, int(held.max()))
    return most


def _written(actor: Actor, steps: np.ndarray) -> np.ndarray:
    first = steps[:, actor.fires] + actor.latency
    return np.asarray(first[:, :, None] + np.arange(actor.gives)).reshape(len(steps), -1)


def _early(actors: Sequence[Actor], timing: Timing, interval: int, events: int) -> tuple[np.ndarray, ...]:
    done: list[np.ndarray] = []
    written: dict[str, np.ndarray] = {}
    for actor in actors:
        ready = _ready(actor, written, timing, events)
        if not actor.takes:
            ready += np.arange(events)[:, None] * interval
        done.append(_paced(actor, ready))
        written[actor.name] = _written(actor, done[-1])
    return tuple(done)


def _ready(actor: Actor, written: Mapping[str, np.ndarray], timing: Timing, events: int) -> np.ndarray:
    """(events, steps): when the tokens of each step can be read."""
    ready = np.zeros((events, actor.steps), dtype=np.int64)
    for take in actor.takes:
        own = ready[:, take.start : take.start + take.tokens]
        np.maximum(own, written[take.value] + timing.write, out=own)
    return ready


def _eager(actors: Sequence[Actor], late: Sequence[np.ndarray], timing: Timing) -> tuple[np.ndarray, ...]:
    """Those early, after their operands, whose operands are more bits than what they send."""
    users = readers(actors)
    sends = {a.name: a.tokens * a.bits for a in actors if a.name}
    done: list[np.ndarray] = list(late)
    written: dict[str, np.ndarray] = {}
    for k, actor in enumerate(actors):
        own = sum(sends[t.value] for t in actor.takes)
        if actor.takes and own > sends.get(actor.name, own) * len(users.get(actor.name, ())):
            done[k] = _paced(actor, _ready(actor, written, timing, len(late[k])))
        if actor.name:
            written[actor.name] = _written(actor, done[k])
    return tuple(done)


def _paced(actor: Actor, ready: np.ndarray) -> np.ndarray:
    """The earliest steps that keep an actor's pace, none before it is ready."""
    gaps, turn = actor.gaps, actor.turn
    times = np.empty_like(ready)
    before: np.ndarray | None = None
    for event, own in enumerate(ready):
        own = own.copy()
        if before is not None:
            tail = before[turn:]
            own[0] = max(own[0], before[turn - 1] + 1)
            own[: len(tail)] = np.maximum(own[: len(tail)], tail)
            if len(actor.busy):
                first = actor.busy[0]
                own[first] = max(own[first], before[actor.busy[-1]] + gaps[-1])
        times[event] = before = _in_order(own, actor.busy, gaps)
    return times


def _in_order(ready: np.ndarray, fires: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Of one event: at least a clock between steps, and between those in which it is busy their gaps."""
    steps = np.arange(len(ready))
    alone = np.maximum.accumulate(ready - steps) + steps  # without gaps; exact for what comes before the first firing
    if not len(fires) or gaps[:-1].sum() == fires[-1] - fires[0]:
        return np.asarray(alone)
    waits = np.append(0, np.cumsum(gaps[:-1]))
    starts = np.append(0, fires[:-1] + 1)
    shifted = np.maximum.reduceat((ready - steps)[: fires[-1] + 1], starts)
    fired = np.maximum.accumulate(shifted + fires - waits) + waits
    ready = ready.copy()
    ready[fires] = np.maximum(ready[fires], fired)
    return np.asarray(np.maximum.accumulate(ready - steps) + steps)


def _late(actors: Sequence[Actor], early: Sequence[np.ndarray], timing: Timing) -> tuple[np.ndarray, ...]:
    numbers = {id(a): k for k, a in enumerate(actors)}
    users = readers(actors)
    done: list[np.ndarray] = list(early)
    for k in range(len(actors) - 1, -1, -1):
        actor = actors[k]
        reads = users.get(actor.name, ())
        if not reads:
            continue
        taken = [done[numbers[id(r)]][:, t.start : t.start + t.tokens] for r, t in reads]
        tokens = np.minimum.reduce(taken) - timing.write
        firing = (tokens.reshape(len(tokens), -1, actor.gives) - np.arange(actor.gives)).min(axis=2) - actor.latency
        until = np.full(early[k].shape, np.iinfo(np.int64).max // 4)
        until[:, actor.fires] = firing
        last = int(actor.fires[-1])  # what comes after it is late for nobody, and comes soon
        soon = firing[:, -1:] + np.arange(1, actor.steps - last)
        until[:, last + 1 :] = np.maximum(early[k][:, last + 1 :], soon)
        done[k] = -_paced(_mirrored(actor), -until[::-1, ::-1])[::-1, ::-1]
    return tuple(done)


def _mirrored(actor: Actor) -> Actor:
    """The actor with time running backward."""
    last = actor.steps - 1
    works = None if actor.works is None else last - actor.works[::-1]
    return replace(actor, takes=(), fires=last - actor.fires[::-1], works=works)
