"""The fraction of a turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.ranges import Range, ints
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware.net import Net


@dataclass(frozen=True, eq=False)
class Phase(Op):
    """y = cast(x - floor(x))."""

    called: ClassVar[tuple[str, ...]] = ("Activation", "Phase")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    def evaluate_float(self, x: Any) -> Any:
        return x - np.floor(x)

    def exact(self, xs: Sequence[Range]) -> Range:
        bits = max(xs[0].fraction, 0)
        zero = ints(np.zeros(xs[0].shape, dtype=np.int64))
        return Range(zero, zero + ((1 << bits) - 1), bits)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        turn = 1 << max(xs[0].fraction, 0)  # of a wholly integral operand every value is whole turns
        return lambda ops, watch: np.mod(ops[0], turn)

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        bits = max(xs[0].fraction, 0)
        return (net.wrap(wires[0], bits, signed=False) if bits else net.const(0)), bits
