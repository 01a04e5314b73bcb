"""Activations that are exact in fixed point: comparisons, shifts and products with a constant, then one cast."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, value_of
from nn2hls.arith.ranges import Range, ints, lift, round_constant
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.net import Net
from nn2hls.ops.exact import given_or_derived, hull, operand_rms, scaled
from nn2hls.ops.steps import Row, behind


@dataclass(frozen=True, eq=False)
class Relu(Op):
    """y = cast(max(x, 0))."""

    called: ClassVar[tuple[str, ...]] = ("Activation",)
    activation: ClassVar[bool] = True
    overwrites: ClassVar[bool] = True
    follows: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True

    @property
    def clamps(self) -> tuple[float, float]:
        return 0.0, math.inf

    def evaluate_float(self, x: Any) -> Any:
        return np.maximum(x, 0.0)

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        return Range(ints(np.maximum(x.lo, 0)), ints(np.maximum(x.hi, 0)), x.fraction, x.zeros)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        top = max(xs[0].high, 0)

        def run(ops: Sequence[Any], watch: Any, out: Any = None) -> Any:
            # The same, for no value is above the top; NumPy compares with two numbers several times faster than with one.
            floats = isinstance(ops[0], np.ndarray) and ops[0].dtype.kind == "f"
            return np.clip(ops[0], 0, top, out=out) if floats else np.maximum(ops[0], 0, out=out)

        return run

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        return net.clip(wires[0], 0, None), xs[0].fraction


@dataclass(frozen=True, eq=False)
class LeakyRelu(Op):
    """y = cast(x if x >= 0 else x * slope), exact before the cast; ``slope`` broadcasts to x's shape (PReLU: one per channel).

    Slopes are rounded half to even to ``slope_t`` (config: ``slope`` or ``param``).
    """

    slope: Const
    slope_t: FixedType | None = None
    called: ClassVar[tuple[str, ...]] = ("Activation", "ParametrizedActivation", "PReLU")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ("slope",)

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        try:
            fits = np.broadcast_shapes(shapes[0], self.slope.shape) == shapes[0]
        except ValueError:
            fits = False
        if not fits:
            raise ModelError(f"Slopes of shape {self.slope.shape} do not fit a tensor of {shapes[0]}.", where=where)
        return shapes[0]

    def evaluate_float(self, x: Any) -> Any:
        return np.where(x >= 0, x, x * self.slope.array)

    def resolve(self, xs: Sequence[Range], hints: Hints) -> LeakyRelu:
        error = hints.noise / operand_rms(xs[0], hints)
        kind = given_or_derived(hints, ("slope", "param"), self.slope.array, error)
        resolved: LeakyRelu = self.replace(slope=Const(round_constant(self.slope.array, kind)), slope_t=kind)
        return resolved

    def _factors(self) -> tuple[int, np.ndarray]:
        """(bits that x moves up where it is positive, factors where it is negative), for the exact fraction."""
        assert self.slope_t is not None
        up = max(self.slope_t.fraction, 0)
        return up, ints(ints(self.slope.array) << (up - self.slope_t.fraction))

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        up, slope = self._factors()
        ends = [np.where(end >= 0, ints(end << up), ints(end * slope)) for end in (x.lo, x.hi)]
        zero = np.where((x.lo < 0) & (x.hi >= 0), 0, ends[0])
        nearest = np.where(x.lo < 0, ints(np.minimum(x.hi, -1) * slope), ends[0])
        return hull([*ends, zero, nearest], x.fraction + up)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        up, slope = self._factors()
        bound = max(self.exact(xs).bound, xs[0].bound, int(np.max(np.abs(slope), initial=0)), 1 << up)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            values = lift(ops[0], bound)
            factor = np.where(values < 0, slope.astype(values.dtype), np.asarray(1 << up, values.dtype))
            return np.multiply(factor, values, out=factor)

        return run

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        (a,), (up, slope), exact = wires, self._factors(), self.exact(xs)
        negative = net.less(a, net.const(0))
        wire = net.select(negative, net.scale(a, int(slope.item())), net.shift(a, up), exact.low, exact.high)
        return wire, exact.fraction


@dataclass(frozen=True, eq=False)
class Clip(Op):
    """y = cast(min(max(x, low), high)); relu6 is Clip(0, 6), hard_tanh Clip(-1, 1); an end may be infinite.

    The ends are rounded half to even to ``bound_t`` (config: ``bound`` or ``param``). Resolving types makes an end infinite
    that no value of x passes.
    """

    low: float
    high: float
    bound_t: FixedType | None = None
    called: ClassVar[tuple[str, ...]] = ("Activation",)
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    unlimited: ClassVar[tuple[str, ...]] = ("low", "high")

    def identity(self, shapes: Sequence[Shape]) -> bool:
        return self.low == -np.inf and self.high == np.inf

    @property
    def clamps(self) -> tuple[float, float]:
        return self.low, self.high

    def evaluate_float(self, x: Any) -> Any:
        return np.clip(x, self.low, self.high)

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Clip:
        (x,) = xs
        low = self.low if _mantissas(self.low, x.fraction) > x.low else -np.inf
        high = self.high if _mantissas(self.high, x.fraction) < x.high else np.inf
        ends = [end for end in (low, high) if np.isfinite(end)]
        kind = given_or_derived(hints, ("bound", "param"), ends, hints.noise)
        resolved: Clip = self.replace(low=low, high=high, bound_t=kind)
        return resolved

    def numbers(self, word: str, xs: Sequence[Range]) -> np.ndarray:
        ends = np.array([self.low, self.high])
        return np.asarray(ends[np.isfinite(ends)])

    def _ends(self, x: Range) -> tuple[int, int | None, int | None]:
        """(exact fraction, low and high as mantissas of it; None where there is no end)."""
        assert self.bound_t is not None
        fraction = max(x.fraction, self.bound_t.fraction)
        up = fraction - self.bound_t.fraction
        low, high = (_mantissa(e, self.bound_t) << up if np.isfinite(e) else None for e in (self.low, self.high))
        return fraction, low, high

    def exact(self, xs: Sequence[Range]) -> Range:
        fraction, low, high = self._ends(xs[0])
        x = xs[0].at(fraction)
        return Range(ints(_clip(x.lo, low, high)), ints(_clip(x.hi, low, high)), fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        fraction, low, high = self._ends(x)
        up = fraction - x.fraction
        bound = max(x.bound << up, abs(low or 0), abs(high or 0))
        return lambda ops, watch: _clip(scaled(lift(ops[0], bound), up), low, high)

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        fraction, low, high = self._ends(xs[0])
        return net.clip(net.shift(wires[0], fraction - xs[0].fraction), low, high), fraction


def _mantissas(value: float, fraction: int) -> Fraction | float:
    """``value * 2**fraction``, exact; infinite as it is."""
    return Fraction(value) * Fraction(2) ** fraction if np.isfinite(value) else value


def _mantissa(value: float, kind: FixedType) -> int:
    return int(round_constant(np.array(value), kind))


def _clip(x: Any, low: int | None, high: int | None) -> Any:
    return x if low is None and high is None else np.clip(x, low, high)


class Simple(enum.Enum):
    """The operations of :class:`Unary`."""

    ABS = "abs"
    NEG = "neg"
    SQUARE = "square"
    SIGN = "sign"


# Of a net: sign is 0 < x minus x < 0.
_SIMPLE: dict[Simple, Callable[[Net, int], int]] = {
    Simple.ABS: lambda net, a: net.absolute(a),
    Simple.NEG: lambda net, a: net.negate(a),
    Simple.SQUARE: lambda net, a: net.mul(a, a),
    Simple.SIGN: lambda net, a: net.sub(net.less(net.const(0), a), net.less(a, net.const(0))),
}
_SIGN: Row = ([(Fraction(0), False), (Fraction(0), True)], [-1.0, 0.0, 1.0])
_FLOAT = {Simple.ABS: np.abs, Simple.NEG: np.negative, Simple.SQUARE: np.square, Simple.SIGN: np.sign}


@dataclass(frozen=True, eq=False)
class Unary(Op):
    """y = cast(|x|), cast(-x), cast(x * x) or cast(sign(x)) with sign(0) = 0."""

    simple: Simple
    called: ClassVar[tuple[str, ...]] = ("Activation",)
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    @property
    def homogeneous(self) -> bool:
        return self.simple in (Simple.ABS, Simple.NEG)

    def unscaled(self, scale: np.ndarray, shift: np.ndarray, within: tuple[float, float]) -> Op | None:
        return behind(scale, shift, within, [_SIGN]) if self.simple is Simple.SIGN else None

    def evaluate_float(self, x: Any) -> Any:
        return _FLOAT[self.simple](x)

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        fraction = {Simple.SQUARE: 2 * x.fraction, Simple.SIGN: 0}.get(self.simple, x.fraction)
        nearest_zero = ints(np.minimum(np.maximum(x.lo, 0), x.hi))
        return hull([_simple(self.simple, p) for p in (x.lo, x.hi, nearest_zero)], fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        bound = max(self.exact(xs).bound, xs[0].bound)
        return lambda ops, watch: _simple(self.simple, lift(ops[0], bound))

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        return _SIMPLE[self.simple](net, wires[0]), self.exact(xs).fraction


def _simple(simple: Simple, x: Any) -> Any:
    if simple is Simple.SIGN and x.dtype == object:
        return ints((x > 0).astype(np.int64) - (x < 0).astype(np.int64))
    return _FLOAT[simple](x)


@dataclass(frozen=True, eq=False)
class Threshold(Op):
    """y = cast(x if x > theta else value): ThresholdedReLU has value 0.

    Both are rounded half to even to ``bound_t`` (config: ``bound`` or ``param``). Where that type is derived, theta is moved
    down to a value that x may have, or near the end of x when it lies beyond, which changes no answer and saves bits.
    """

    theta: float
    value: float = 0.0
    bound_t: FixedType | None = None
    called: ClassVar[tuple[str, ...]] = ("Activation", "ParametrizedActivation")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    def evaluate_float(self, x: Any) -> Any:
        return np.where(x > self.theta, x, self.value)

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Threshold:
        (x,) = xs
        error = min(hints.noise, 2.0 ** -(x.fraction + 2))  # the comparison is finer than x
        # Powers of two, which every derived type holds exactly.
        below = -value_of(1 << max(-x.low, 0).bit_length(), x.fraction)
        above = value_of(1 << max(x.high, 0).bit_length(), x.fraction)
        near = value_of(math.floor(_mantissas(min(max(self.theta, below), above), x.fraction)), x.fraction)
        kind = given_or_derived(hints, ("bound", "param"), [near, self.value], error)
        theta = self.theta if {"bound", "param"} & hints.given.keys() else near
        resolved: Threshold = self.replace(theta=theta, bound_t=kind)
        return resolved

    def numbers(self, word: str, xs: Sequence[Range]) -> np.ndarray:
        return np.array([self.theta, self.value])

    def _constants(self, x: Range) -> tuple[int, int, int]:
        """(exact fraction, theta, value), as mantissas of it."""
        assert self.bound_t is not None
        fraction = max(x.fraction, self.bound_t.fraction)
        up = fraction - self.bound_t.fraction
        return fraction, _mantissa(self.theta, self.bound_t) << up, _mantissa(self.value, self.bound_t) << up

    def exact(self, xs: Sequence[Range]) -> Range:
        fraction, theta, value = self._constants(xs[0])
        x, grid = xs[0].at(fraction), 1 << (fraction - xs[0].fraction)
        first = ints(np.maximum(x.lo, (theta // grid + 1) * grid))  # the smallest x that passes
        lo = np.where(x.lo > theta, x.lo, np.where(x.hi > theta, ints(np.minimum(first, value)), value))
        hi = np.where(x.lo > theta, x.hi, np.where(x.hi > theta, ints(np.maximum(x.hi, value)), value))
        return Range(ints(lo), ints(hi), fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        fraction, theta, value = self._constants(x)
        up = fraction - x.fraction
        bound = max(x.bound << up, abs(theta), abs(value))

        def run(ops: Sequence[Any], watch: Any) -> Any:
            values = scaled(lift(ops[0], bound), up)
            return np.where(values > theta, values, np.asarray(value, values.dtype))

        return run

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        fraction, theta, value = self._constants(xs[0])
        exact, a = self.exact(xs), net.shift(wires[0], fraction - xs[0].fraction)
        passes = net.less(net.const(theta), a)
        return net.select(passes, a, net.const(value), exact.low, exact.high), fraction
