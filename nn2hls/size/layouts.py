"""How a layer's products can be laid out: a reuse factor, and without reuse the strategy of its sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nn2hls.arith.csd import digit_count
from nn2hls.graph.op import Op

LATENCY, DISTRIBUTED = "Latency", "DistributedArithmetic"
DEPTHS = (0, 1, 2, 4)  # additions beyond the fewest on the longest way, of which a choice is offered
SEARCHED = 12_000  # digits of weights that are searched for what sums have in common where nobody asked: a few seconds


class Layout(NamedTuple):
    """One way to lay out a layer's products.

    Args:
        reuse: The reuse factor.
        strategy: As the config calls it; empty where the op has none.
        depth: AdderDepth.
    """

    reuse: int
    strategy: str = ""
    depth: int = 0

    def __str__(self) -> str:
        if self.reuse > 1 or not self.strategy:
            return str(self.reuse)
        return f"{self.reuse} {self.strategy}{f' +{self.depth}' if self.depth else ''}"

    def of(self, op: Op) -> Op:
        """The op laid out so."""
        own: dict[str, Any] = {"reuse": self.reuse, "strategy": self.strategy, "adder_depth": self.depth}
        return op.configured(**{word: value for word, value in own.items() if word in op.uses})

    def settings(self) -> dict[str, Any]:
        """What the config says of it, by field."""
        if self.reuse > 1 or not self.strategy:
            return {"reuse": self.reuse}
        return {"reuse": self.reuse, "strategy": self.strategy, "adder_depth": self.depth}


def layout_of(op: Op) -> Layout:
    """How an op is laid out now."""
    strategy = getattr(op, "strategy", None)
    return Layout(op.reuse, strategy.value if strategy else "", getattr(op, "adder_depth", 0))


def by_strategy(op: Op) -> Iterator[Layout]:
    """The ways to lay out an op's products side by side, its own first; one that no time is for is left out."""
    now = layout_of(op)._replace(reuse=1)
    yield now
    if "strategy" not in op.uses:
        return
    if now.strategy != LATENCY:
        yield Layout(1, LATENCY, now.depth)
    if searchable(op):
        yield from (found for depth in DEPTHS if (found := Layout(1, DISTRIBUTED, depth)) != now)


def searchable(op: Op, most: int = SEARCHED) -> bool:
    """Whether an op's sums can be searched for what they have in common in a few seconds."""
    return digits(op) <= most


def digits(op: Op) -> int:
    """Canonical signed digits of an op's weights."""
    return int(digit_count(op.linear[0]).sum()) if op.linear else 0
