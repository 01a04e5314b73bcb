"""Carry: the value of a state after an event, which is an input of the next event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nn2hls.arith.ranges import Range
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware.net import Net


@dataclass(frozen=True, eq=False)
class Carry(Op):
    """y = cast(x), in the type of the input ``carries``, which has the value in the next event.

    A state of one type on both sides needs no other cast between two events, wherever the loop is closed: by the emulator, by
    registers around the design, or by whoever calls it.

    Args:
        carries: The name of that input.
    """

    carries: str = ""
    pointwise: ClassVar[bool] = True

    def evaluate_float(self, *xs: Any) -> Any:
        return xs[0]

    def exact(self, xs: Sequence[Range]) -> Range:
        return xs[0]

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        return lambda operands, watch: operands[0]

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        return wires[0], xs[0].fraction
