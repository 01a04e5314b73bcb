"""What a quantised model does to its values: a cast to a type of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast_to
from nn2hls.arith.ranges import Range, lift
from nn2hls.graph.op import Kernel, Op
from nn2hls.hardware import casts
from nn2hls.hardware.net import Net
from nn2hls.ops.steps import Row, behind

# A type that is part of what the network computes, in both graphs, and not one that resolving derives.
ModelType = FixedType

FEW_BITS = 4  # of a type whose values may be levels between thresholds


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

    def unscaled(self, scale: np.ndarray, shift: np.ndarray, within: tuple[float, float]) -> Op | None:
        return behind(scale, shift, within, [_as_row(self.kind)]) if _few_levels(self.kind) else None

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


def _few_levels(kind: FixedType) -> bool:
    """Whether what is cast to the type rises with the operand in so few steps that thresholds may stand for it."""
    return kind.width <= FEW_BITS and kind.overflow in (Overflow.SAT, Overflow.SAT_SYM)


def _as_row(kind: FixedType) -> Row:
    """The cast as levels between thresholds, which lie at halves of its step: between them, quarters tell what it does."""
    levels = range(_quarters(kind, kind.min_mantissa - 1, 0), kind.max_mantissa + 1)
    marks = []
    for level in levels[1:]:
        reached = next(k for k in range(-4, 1) if _quarters(kind, level, k) >= level)  # the first quarter of a step up to it
        marks.append((Fraction(2 * level + (reached - reached % 2) // 2, 2) / Fraction(2) ** kind.fraction, bool(reached % 2)))
    return marks, [float(Fraction(level) / Fraction(2) ** kind.fraction) for level in levels]


def _quarters(kind: FixedType, whole: int, more: int) -> int:
    """The mantissa that the cast makes of ``whole + more / 4`` steps of the type."""
    return int(cast_to(np.array([4 * whole + more], dtype=np.int64), kind.fraction + 2, kind)[0])


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
