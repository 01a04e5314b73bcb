"""What a quantised model does to its values: a cast to a type of its own, and levels between thresholds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast_to
from nn2hls.arith.ranges import Range, ints, lift, round_constant
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware import casts
from nn2hls.hardware.net import Net
from nn2hls.ops.exact import given_or_derived

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


@dataclass(frozen=True, eq=False)
class Steps(Op):
    """y = cast(level[k]), k = how many of the thresholds x reaches: x >= threshold.

    Thresholds ascend and are compared as they are, however fine; levels are rounded half to even to ``level_t`` (config:
    ``level`` or ``param``). A sign is one threshold, a ternary value two; quantisers to powers of two have one for each.

    Args:
        thresholds: Finite numbers.
        levels: One more.
    """

    thresholds: tuple[float, ...]
    levels: tuple[float, ...]
    level_t: FixedType | None = None
    called: ClassVar[tuple[str, ...]] = ("Activation", "BipolarQuant", "MultiThreshold")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    fresh: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        rising = all(a <= b for a, b in itertools.pairwise(self.thresholds))
        if (
            len(self.levels) != len(self.thresholds) + 1
            or not rising
            or not np.isfinite([*self.thresholds, *self.levels]).all()
        ):
            raise ModelError("Its thresholds must be finite and ascend, and there must be one level more.", where=where)
        return shapes[0]

    def classes(self, shapes: Sequence[Shape]) -> int:
        return 2 if tuple(self.levels) == (0.0, 1.0) else 0

    def evaluate_float(self, x: Any) -> Any:
        return np.asarray(self.levels)[np.searchsorted(np.asarray(self.thresholds), x, side="right")]

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Steps:
        resolved: Steps = self.replace(level_t=given_or_derived(hints, ("level", "param"), self.levels, hints.noise))
        return resolved

    def numbers(self, word: str, xs: Sequence[Range]) -> np.ndarray:
        return np.asarray(self.levels)

    def _tables(self, x: Range) -> tuple[list[int], list[int]]:
        """The smallest mantissa of x that reaches each threshold, and the levels as mantissas."""
        assert self.level_t is not None
        reached = [math.ceil(Fraction(t) * Fraction(2) ** x.fraction) for t in self.thresholds]
        return reached, [int(v) for v in round_constant(np.asarray(self.levels), self.level_t)]

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        assert self.level_t is not None
        reached, levels = self._tables(x)
        steps = ints(reached)
        first, last = (np.searchsorted(steps, end, side="right") for end in (x.lo, x.hi))
        # Of levels between the first and the last only those count that some value of x has.
        used = [k for k in range(len(levels)) if k in (0, len(reached)) or reached[k - 1] < reached[k]]
        pairs = {
            (i, j): [levels[k] for k in {i, j, *(u for u in used if i <= u <= j)}]
            for i, j in set(zip(np.ravel(first).tolist(), np.ravel(last).tolist(), strict=True))
        }
        lo, hi = (
            ints([end(pairs[i, j]) for i, j in zip(np.ravel(first).tolist(), np.ravel(last).tolist(), strict=True)])
            for end in (min, max)
        )
        return Range(lo.reshape(x.lo.shape), hi.reshape(x.lo.shape), self.level_t.fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        reached, levels = self._tables(x)
        bound = max(x.bound, *map(abs, reached), *map(abs, levels), 1)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            values = lift(ops[0] if isinstance(ops[0], np.ndarray) else ints(ops[0]), bound)
            kind = values.dtype
            steps, table = (ints(a) if kind.kind == "O" else np.asarray(a, dtype=kind) for a in (reached, levels))
            return table[np.searchsorted(steps, values, side="right")]

        return run

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        assert self.level_t is not None
        reached, levels = self._tables(xs[0])
        return _tree(net, wires[0], reached, [net.const(v) for v in levels]), self.level_t.fraction


def _tree(net: Net, x: int, reached: Sequence[int], levels: Sequence[int]) -> int:
    """The level of x by comparisons in halves: as many stages as the logarithm of the thresholds."""
    if not reached:
        return levels[0]
    middle = len(reached) // 2
    below = _tree(net, x, reached[:middle], levels[: middle + 1])
    above = _tree(net, x, reached[middle + 1 :], levels[middle + 1 :])
    return net.select(net.less(x, net.const(reached[middle])), below, above)


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
