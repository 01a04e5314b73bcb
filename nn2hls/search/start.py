"""The guided start of a search: which width can fall first, and from there downhill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nn2hls.search.result import Candidate, Sensitivity
from nn2hls.search.space import Params, Space

_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the allowed loss, for each width alone

Evaluate = Callable[[Sequence[Params]], list[Candidate | None]]


@dataclass(frozen=True)
class Goal:
    """What the chosen design must keep.

    Args:
        max_loss: The loss against float that it may have, surely (``Candidate.loss_bound``).
        max_latency: Nanoseconds that it may take; None: any.
    """

    max_loss: float
    max_latency: float | None = None

    def rank(self, c: Candidate) -> tuple[Any, ...]:
        """The smaller the better: what keeps the goal by its cost, then what is fast enough by its loss."""
        slow = self.max_latency is not None and c.latency_ns > self.max_latency
        if slow or c.loss_bound > self.max_loss:
            return 1, slow, c.latency_ns if slow else 0, c.loss_bound, c.cost
        return 0, c.cost, c.latency_ns, c.loss


def sensitivity(evaluate: Evaluate, space: Space, max_loss: float) -> tuple[list[Sensitivity], list[Candidate]]:
    """Lower each width alone, then all together as far as each one bears a share of the loss.

    Returns:
        How each width bears it, and the designs of all together.
    """
    first, widths = space.start(), space.widths()
    (top,) = evaluate([first])
    if top is None:
        return [], []
    single = {v.name: [{**first, v.name: bits} for bits in range(v.high - 1, v.low - 1, -1)] for v in widths}
    found = iter(evaluate([p for points in single.values() for p in points]))
    losses: dict[str, dict[int, float | None]] = {}
    for name, points in single.items():
        tried = {p[name]: next(found) for p in points}
        losses[name] = {bits: None if c is None else c.loss - top.loss for bits, c in tried.items()}
    combined = []
    for share in _SHARES:
        for more in (2, 1, 0):
            lowest = {v.name: min(v.high, _lowest(losses[v.name], v.high, share * max_loss) + more) for v in widths}
            combined.append({**first, **lowest})
    designs = [top, *(c for c in evaluate(combined) if c is not None)]
    return [Sensitivity(v.name, v.high, losses[v.name], _lowest(losses[v.name], v.high, max_loss)) for v in widths], designs


def _lowest(losses: Mapping[int, float | None], high: int, allowed: float) -> int:
    """The fewest bits down to which every width keeps the loss."""
    width = high
    for bits, loss in sorted(losses.items(), reverse=True):
        if loss is None or loss > allowed:
            break
        width = bits
    return width


def descend(evaluate: Evaluate, space: Space, goal: Goal, designs: Sequence[Candidate], budget: int) -> None:
    """From the best of some designs to its best neighbour, one variable changed, until none is better.

    Args:
        budget: Designs that may be tried.
    """
    if not designs:
        return
    best = min(designs, key=goal.rank)
    while budget > 0:
        around = _neighbours(space, best.params)[:budget]
        budget -= len(around)
        found = [c for c in evaluate(around) if c is not None]
        better = min([best, *found], key=goal.rank)
        if better is best:
            return
        best = better


def _neighbours(space: Space, params: Params) -> list[dict[str, Any]]:
    around: list[dict[str, Any]] = []
    for v in space.variables:
        here = params[v.name]
        values = v.choices or [bits for bits in (here - 1, here + 1) if v.low <= bits <= v.high]
        around += [{**params, v.name: value} for value in values if value != here]
    return around
