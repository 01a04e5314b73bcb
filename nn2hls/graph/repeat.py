"""A graph that an op repeats: the copies of its nodes, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nn2hls.arith.fixed import FixedType


@dataclass(frozen=True)
class Copy:
    """A node of the repeated graph in one of the steps.

    Args:
        name: The node's.
        step: The step, from 0.
        op: The Op that computes it.
        inputs: For each operand the number of an earlier copy; -1 - k is operand k of the op that repeats.
        given: Types that the model itself gives the node.
    """

    name: str
    step: int
    op: Any
    inputs: tuple[int, ...]
    given: Mapping[str, FixedType] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Copies:
    """All steps of an op side by side.

    Args:
        nodes: Operands stand before those that read them.
        joined: What makes the op's result of some of them.
        inputs: Their numbers.
        identity: Of two ops that read the same operands equal where their copies are.
    """

    nodes: tuple[Copy, ...]
    joined: Any
    inputs: tuple[int, ...]
    identity: tuple[Any, ...]
