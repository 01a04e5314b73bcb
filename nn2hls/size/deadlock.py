"""The smallest FIFOs with which no network of streams can get stuck, whatever its processes and FIFOs take in time.

What a step needs is known: all steps before it, and those that sent its tokens. A value that several read is there for all of
them once one needs it; what a reader has not taken by then its FIFO holds. With less, a network is stuck for certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nn2hls.size.actors import Actor, Edge, readers, settle

EVENTS = 3  # that have to go through


def tight(actors: Sequence[Actor]) -> dict[Edge, int]:
    """The depths."""
    depths = needed(actors)
    least = dict(depths)
    while full := stuck(actors, depths):
        smallest = min(full, key=lambda e: (depths[e], e))
        depths[smallest] += 1
    for edge in [e for e in depths if depths[e] > least[e]]:
        while depths[edge] > least[edge] and not stuck(actors, {**depths, edge: depths[edge] - 1}):
            depths[edge] -= 1
    return depths


def needed(actors: Sequence[Actor]) -> dict[Edge, int]:
    """Of every FIFO the most that it has to hold for one of its reader's steps: no network runs with less."""
    users = readers(actors)
    last = {value: max(k for k, a in enumerate(actors) if any(a is r for r, _ in rs)) for value, rs in users.items() if rs}
    forks = {value for value, rs in users.items() if len(rs) > 1}
    depths: dict[Edge, int] = {}
    tokens: dict[str, dict[str, np.ndarray]] = {}  # of each value, for each token, how many of each fork are needed before
    for k, actor in enumerate(actors):
        needs = {fork: np.zeros(actor.steps, dtype=np.int64) for t in actor.takes for fork in tokens[t.value]}
        for take in actor.takes:
            for fork, need in tokens[take.value].items():
                own = needs[fork][take.start : take.start + take.tokens]
                np.maximum(own, need, out=own)
        needs = {fork: np.maximum.accumulate(need) for fork, need in needs.items()}
        for take in actor.takes:
            before = np.clip(np.arange(actor.steps) - take.start, 0, take.tokens)
            held = (needs[take.value] - before).max() if take.value in needs else 1
            depths[take.value, actor.name] = max(1, int(held))
        if actor.name:
            kept = {fork: np.repeat(need[actor.fires], actor.gives) for fork, need in needs.items() if last[fork] > k}
            own_tokens = {actor.name: np.arange(1, actor.tokens + 1)} if actor.name in forks else {}
            tokens[actor.name] = {**kept, **own_tokens}
    return depths


def stuck(actors: Sequence[Actor], depths: Mapping[Edge, int], events: int = EVENTS) -> list[Edge]:
    """The FIFOs that are full once nobody can go on; empty if all events go through."""
    counts = _Counts(actors, depths, events)
    settle(actors, counts.move)
    return [] if counts.complete else [edge for k in range(len(actors)) for edge in counts.blocked(k)]


class _Counts:
    """How far everyone has come, without time. A step that fires waits for room, as if nothing could be inside a process."""

    def __init__(self, actors: Sequence[Actor], depths: Mapping[Edge, int], events: int) -> None:
        self.actors, self.depths, self.events = actors, depths, events
        users = readers(actors)
        self.edges = [[(a.name, r.name) for r, _ in users.get(a.name, ())] for a in actors]
        self.fires = [np.isin(np.arange(a.steps), a.fires).tolist() for a in actors]
        self.sent = dict.fromkeys(users, 0)
        self.taken = {(t.value, a.name): 0 for a in actors for t in a.takes}
        self.steps, self.owed = [0] * len(actors), [0] * len(actors)

    @property
    def complete(self) -> bool:
        """Whether all events went through."""
        done = [n == self.events * a.steps for n, a in zip(self.steps, self.actors, strict=True)]
        return all(done) and not any(self.owed)

    def blocked(self, k: int) -> list[Edge]:
        """The FIFOs of an actor that are full."""
        return [e for e in self.edges[k] if self.sent[e[0]] - self.taken[e] >= self.depths[e]]

    def move(self, k: int) -> bool:
        """Go on as far as the others have come."""
        moved = False
        while self._send(k) if self.owed[k] else self._step(k):
            moved = True
        return moved

    def _send(self, k: int) -> bool:
        """One token of those that a firing has left to send."""
        if self.blocked(k):
            return False
        self.sent[self.actors[k].name] += 1
        self.owed[k] -= 1
        return True

    def _step(self, k: int) -> bool:
        actor = self.actors[k]
        event, step = divmod(self.steps[k], actor.steps)
        if event == self.events or (self.fires[k][step] and self.blocked(k)):
            return False
        due = [(t.value, actor.name) for t in actor.takes if t.start <= step < t.start + t.tokens]
        if any(self.sent[e[0]] == self.taken[e] for e in due):
            return False
        for edge in due:
            self.taken[edge] += 1
        self.steps[k] += 1
        self.owed[k] = actor.gives if self.fires[k][step] else 0
        return True
