"""What a quantised model does to its values: a cast to a type of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast_to
from nn2hls.arith.ranges import Range, lift
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware import casts
from nn2hls.hardware.net import Net

# A type that is part of what the network computes, in both graphs, and not one that resolving derives.
ModelType = FixedType


@dataclass(frozen=True, eq=False)
class Quantize(Op):
    """y = cast(q), q = x rounded and brought into ``kind`` by the modes of ``kind``.

    The model computes so in floating point as well: the float reference rounds, too. Its own type needs no more than ``kind``,
    so that the second cast changes nothing unless the user names a narrower type.
    """

    kind: ModelType
    called: ClassVar[tuple[str, ...]] = ("Activation", "FixedPointQuantizer", "Quant")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    fresh: ClassVar[bool] = True

    def types(self) -> dict[str, FixedType]:
        return {}

    @property
    def casts_to(self) -> FixedType:
        return self.kind

    def evaluate_float(self, x: Any) -> Any:
        return quantised(x, self.kind)

    def exact(self, xs: Sequence[Range]) -> Range:
        return xs[0].cast(self.kind)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,), kind = xs, self.kind
        bound = max(x.bound, x.rounded(kind).bound)
        return lambda ops, watch: cast_to(lift(ops[0], bound), x.fraction, kind)

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        exact = self.exact(xs)
        return net.narrowed(casts.cast(net, wires[0], xs[0].fraction, self.kind), exact.low, exact.high), exact.fraction


def quantised(x: Any, kind: FixedType) -> Any:
    """Floats rounded and brought into a type by its modes, float64, exactly where float64 holds the type's mantissas."""
    scaled = np.ldexp(np.asarray(x, dtype=np.float64), kind.fraction)
    whole = _ROUNDED[kind.rounding](scaled)
    low, high = float(kind.min_mantissa), float(kind.max_mantissa)
    if kind.overflow is Overflow.WRAP:
        start = float(-(1 << (kind.width - 1)) if kind.signed else 0)
        folded = np.mod(whole - start, 2.0**kind.width) + start
    elif kind.overflow is Overflow.SAT_ZERO:
        folded = np.where((whole < low) | (whole > high), 0.0, whole)
    else:
        folded = np.clip(whole, low, high)
    return np.ldexp(folded, -kind.fraction) + 0.0  # no negative zero


def _nearest(x: Any, tie: Any) -> Any:
    """To nearest; where a tie goes is what ``tie`` makes of x: np.floor, np.ceil or np.trunc.

    What np.trunc leaves of x is exact; what np.floor leaves is not, for negative x close to a tie.
    """
    return np.where(np.abs(x - np.trunc(x)) == 0.5, tie(x), np.rint(x))


_ROUNDED: dict[Rounding, Callable[[Any], Any]] = {
    Rounding.TRN: np.floor,
    Rounding.TRN_ZERO: np.trunc,
    Rounding.RND: lambda x: _nearest(x, np.ceil),
    Rounding.RND_ZERO: lambda x: _nearest(x, np.trunc),
    Rounding.RND_INF: lambda x: _nearest(x, lambda v: np.copysign(np.ceil(np.abs(v)), v)),
    Rounding.RND_MIN_INF: lambda x: _nearest(x, np.floor),
    Rounding.RND_CONV: np.rint,
}
