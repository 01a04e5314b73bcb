"""The piecewise activations with a sloped middle: hard sigmoid and hard swish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints, lift, round_constant
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.net import Net
from nn2hls.ops.exact import given_or_derived, hull, operand_rms, within


@dataclass(frozen=True, eq=False)
class _Hard(Op):
    """The clamped line min(max(x * slope + offset, 0), 1), exact, and the types of its constants.

    They are rounded half to even to ``slope_t`` and ``offset_t`` (config: ``slope`` and ``shift``, or ``param``).
    """

    slope: float
    offset: float
    slope_t: FixedType | None = None
    offset_t: FixedType | None = None
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    def resolve(self, xs: Sequence[Range], hints: Hints) -> _Hard:
        reach = min(operand_rms(xs[0], hints), 1 / max(abs(self.slope), 2.0**-30))  # beyond it the line is clamped
        error = hints.noise / math.sqrt(2) / self._gain(reach)
        slope_t = given_or_derived(hints, ("slope", "param"), [self.slope], error / reach)
        offset_t = given_or_derived(hints, ("shift", "offset", "param"), [self.offset], error)
        resolved: _Hard = self.replace(slope_t=slope_t, offset_t=offset_t)
        return resolved

    def _gain(self, reach: float) -> float:
        return 1.0

    def _line(self, x: Range) -> tuple[int, int, int]:
        """(fraction, slope, offset) such that the line is x * slope + offset at that fraction; one is 1 << fraction."""
        assert self.slope_t is not None
        assert self.offset_t is not None
        fraction = max(x.fraction + self.slope_t.fraction, self.offset_t.fraction, 0)
        slope = int(round_constant(np.array(self.slope), self.slope_t)) << (fraction - x.fraction - self.slope_t.fraction)
        offset = int(round_constant(np.array(self.offset), self.offset_t)) << (fraction - self.offset_t.fraction)
        return fraction, slope, offset

    def _clamped_line(self, net: Net, a: int, x: Range) -> int:
        fraction, slope, offset = self._line(x)
        return net.clip(net.add(net.scale(a, slope), net.const(offset)), 0, 1 << fraction)

    def _line_bound(self, x: Range) -> int:
        fraction, slope, offset = self._line(x)
        return max(max(1, x.bound) * abs(slope) + abs(offset), 1 << fraction)


@dataclass(frozen=True, eq=False)
class HardSigmoid(_Hard):
    """y = cast(min(max(x * slope + offset, 0), 1)), exact before the cast.

    Keras 3 and PyTorch have slope 1/6 and offset 0.5, Keras 2 has 0.2 and 0.5. They are rounded half to even to ``slope_t`` and
    ``offset_t``.
    """

    called: ClassVar[tuple[str, ...]] = ("Activation", "HardActivation")

    @property
    def probability(self) -> str:
        return "sigmoid"

    def evaluate_float(self, x: Any) -> Any:
        return np.clip(x * self.slope + self.offset, 0.0, 1.0)

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        fraction, slope, offset = self._line(x)
        return hull([np.clip(ints(end * slope + offset), 0, 1 << fraction) for end in (x.lo, x.hi)], fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        fraction, slope, offset = self._line(xs[0])
        bound = max(self._line_bound(xs[0]), xs[0].bound)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            line = lift(ops[0], bound) * slope
            line += offset
            return np.clip(line, 0, 1 << fraction, out=line)

        return run

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        return self._clamped_line(net, wires[0], xs[0]), self._line(xs[0])[0]


@dataclass(frozen=True, eq=False)
class HardSwish(_Hard):
    """y = cast(x * min(max(x * slope + offset, 0), 1)), exact before the cast (slope 1/6, offset 0.5).

    The constants are rounded half to even to ``slope_t`` and ``offset_t``.
    """

    called: ClassVar[tuple[str, ...]] = ("Activation",)

    def evaluate_float(self, x: Any) -> Any:
        return x * np.clip(x * self.slope + self.offset, 0.0, 1.0)

    def _gain(self, reach: float) -> float:
        return reach

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        fraction, slope, offset = self._line(x)
        turns = [x.lo, x.hi]
        if slope:  # the ends of the line and the vertex of its parabola, and their neighbours on the grid
            for point in (-offset // slope, ((1 << fraction) - offset) // slope, -offset // (2 * slope)):
                turns += [within(point, x), within(point + 1, x)]
        return hull([t * np.clip(ints(t * slope + offset), 0, 1 << fraction) for t in turns], x.fraction + fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        fraction, slope, offset = self._line(xs[0])
        bound = max(self._line_bound(xs[0]), xs[0].bound << fraction)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            values = lift(ops[0], bound)
            line = values * slope
            line += offset
            np.clip(line, 0, 1 << fraction, out=line)
            return np.multiply(line, values, out=line)

        return run

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        exact = self.exact(xs)
        product = net.mul(wires[0], self._clamped_line(net, wires[0], xs[0]))
        return net.narrowed(product, exact.low, exact.high), exact.fraction
