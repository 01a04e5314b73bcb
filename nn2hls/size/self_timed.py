"""A network that runs as fast as its FIFOs let it, token by token.

A process is a pipeline that stands still as a whole while a FIFO has no room for the token at its end. A token that several
read is written to all of them at once. Where the next event may begin before the last firings of the one before, these go on
whether its tokens come or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nn2hls.size.actors import Actor, Edge, Timing, readers, settle


@dataclass(frozen=True, eq=False)
class Run:
    """What happened.

    Args:
        written: Of each value when its tokens were written.
        taken: Of each edge when its tokens were read.
        full: Clocks in which a pipeline stood still because of an edge.
        complete: Whether all events went through; else the network is in a deadlock.
    """

    written: Mapping[str, Sequence[int]]
    taken: Mapping[Edge, Sequence[int]]
    full: Mapping[Edge, int]
    complete: bool


def run(actors: Sequence[Actor], depths: Mapping[Edge, int], timing: Timing, events: int) -> Run:
    """Events one close after the other."""
    log = _Log({a.name: [] for a in actors if a.name}, {e: [] for e in depths}, dict.fromkeys(depths, 0))
    users = readers(actors)
    pipelines = [_Pipeline(a, [r.name for r, _ in users.get(a.name, ())], log, depths, timing, events) for a in actors]
    settle(actors, lambda k: pipelines[k].move())
    return Run(log.written, log.taken, log.full, all(p.step == p.total and not p.inside for p in pipelines))


@dataclass(frozen=True)
class _Log:
    written: dict[str, list[int]]
    taken: dict[Edge, list[int]]
    full: dict[Edge, int]


class _Pipeline:
    """One actor, as far as it has come."""

    def __init__(
        self,
        actor: Actor,
        users: Sequence[str],
        log: _Log,
        depths: Mapping[Edge, int],
        timing: Timing,
        events: int,
    ) -> None:
        self.actor, self.timing, self.full = actor, timing, log.full
        self.steps, self.total = _steps(actor), events * actor.steps
        self.sources = [(log.written[t.value], log.taken[t.value, actor.name]) for t in actor.takes]
        self.sends = [(log.taken[actor.name, r], depths[actor.name, r], (actor.name, r)) for r in users]
        self.written = log.written.get(actor.name, [])
        self.step, self.last, self.again = 0, -1, 0  # the next step; when the last one was; when it may fire again
        self.turned, self.tail = -1, [0] * (actor.steps - actor.turn)  # when the next event may begin; the steps left then
        self.inside: deque[int] = deque()  # when the tokens inside the pipeline come to its end
        self.frozen: list[tuple[int, int]] = []  # from when until when it stood still, after its last step

    def move(self) -> bool:
        """Go on as far as the others have come; whether there was anything to do."""
        moved = False
        while True:
            when = self._ready()
            if self.inside and (when is None or self.inside[0] <= when):
                if not self._send():
                    return moved
            elif when is None:
                return moved
            else:
                self._take(when)
            moved = True

    def _ready(self) -> int | None:
        """When the next step comes, as far as its tokens say; None: nobody knows yet, or there is none."""
        if self.step == self.total:
            return None
        number = self.step % self.actor.steps
        reads, works, _ = self.steps[number]
        when = (self.last if number else self.turned) + 1
        if number < len(self.tail) and self.tail[number] > when:
            when = self.tail[number]
        if works and self.again > when:
            when = self.again
        for k in reads:
            written, taken = self.sources[k]
            if len(taken) == len(written):
                return None
            there = written[len(taken)] + self.timing.write
            if there > when:
                when = there
        for begin, end in self.frozen:
            if begin <= when < end:
                when = end
        return when

    def _take(self, when: int) -> None:
        number, turn = self.step % self.actor.steps, self.actor.turn
        reads, works, gives = self.steps[number]
        for k in reads:
            self.sources[k][1].append(when)
        if number >= turn:
            self.tail[number - turn] = when
        elif number == turn - 1:
            self.turned = when
        if self.frozen and len(self.tail) <= number < turn:
            self.frozen = [f for f in self.frozen if f[1] > when]
        if works:
            self.again = self._thawed(when + self.actor.spacing)
        if gives:
            self.inside.extend(self._thawed(when + self.actor.latency + token) for token in range(self.actor.gives))
        self.last = when
        self.step += 1

    def _thawed(self, when: int) -> int:
        """The clock of what is due in a clock, later by the time in which the pipeline stands still."""
        for begin, end in self.frozen:
            when += end - begin if when >= begin else 0
        return when

    def _send(self) -> bool:
        """The token at the end of the pipeline, unless nobody knows yet when there is room for it."""
        due = when = self.inside[0]
        cause: Edge | None = None
        for taken, depth, edge in self.sends:
            before = len(self.written) - depth
            if before >= len(taken):
                return False
            if before >= 0 and taken[before] + self.timing.free > when:
                when, cause = taken[before] + self.timing.free, edge
        self.inside.popleft()
        self.written.append(when)
        if cause is not None:
            self.full[cause] += when - due
            self.frozen.append((due, when))
            self.inside = deque(t + when - due for t in self.inside)
            self.again += when - due if self.again >= due else 0
        return True


def _steps(actor: Actor) -> list[tuple[tuple[int, ...], bool, bool]]:
    """For each step which sources give a token, whether it is busy, and whether it gives something."""
    works, gives = {*actor.busy.tolist()}, {*actor.fires.tolist()}
    turns = [(t.start, t.start + t.tokens) for t in actor.takes]
    return [
        (tuple(k for k, (start, end) in enumerate(turns) if start <= step < end), step in works, step in gives)
        for step in range(actor.steps)
    ]
