"""Normalisation by statistics of the event itself: LayerNorm, GroupNorm, InstanceNorm, RMSNorm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.functions import Function
from nn2hls.arith.ranges import INT64_EXACT, Range, compact, ints, round_constant
from nn2hls.arith.wide import added, product
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Hints, Kernel, Op, same_along
from nn2hls.hardware.casts import cast
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part
from nn2hls.ops.broadcast import fits
from nn2hls.ops.exact import given_or_derived
from nn2hls.ops.inverse_size import MAX_BITS, Sizes
from nn2hls.ops.places import places
from nn2hls.ops.relative import Relative, relative_sizes
from nn2hls.ops.table_size import WARNED, above
from nn2hls.text import at_most

FLOAT = 1 + 2.0**-30  # bounds are computed in float64


@dataclass(frozen=True, eq=False)
class Norm(Op):
    """y = cast((x - mean) / sqrt(variance + epsilon) * scale + bias), mean and variance over ``axes``; the root by tables.

    On the n values that are normalised together, exactly:

    1. S = sum of x, or 0 without ``center``, for which the mean is 0; c = n * x - S; V = n * sum of x**2 - S**2, which is n**2
       times the variance.
    2. A = V + n**2 * epsilon, the constant rounded half to even to ``sizes.fraction`` fraction bits.
    3. y = cast(c * r(A) * scale + bias), where r(A) is near 1 / sqrt(A) by the tables of :mod:`nn2hls.ops.relative`, and scale
       and bias, which broadcast to x, are rounded half to even to ``scale_t`` and ``bias_t``.
    """

    axes: tuple[int, ...]
    epsilon: float
    scale: Const
    bias: Const
    center: bool = True
    scale_t: FixedType | None = None
    bias_t: FixedType | None = None
    sizes: Sizes | None = None
    value: Const | None = None
    slope: Const | None = None
    called: ClassVar[tuple[str, ...]] = ("LayerNormalization",)
    fresh: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        (shape,) = shapes
        if not self.axes or len(set(self.axes)) < len(self.axes) or not all(0 <= k < len(shape) for k in self.axes):
            raise ModelError(f"{self.axes} are not axes of a tensor of shape {shape} to normalise over.", where=where)
        if self.epsilon < 0:
            raise ModelError(f"Its epsilon is {self.epsilon}, and has to be zero or more.", where=where)
        for const in (self.scale, self.bias):
            if not fits(const.shape, shape):
                raise ModelError(f"Constants of shape {const.shape} do not fit a tensor of {shape}.", where=where)
        return shape

    def positions(self, shapes: Sequence[Shape]) -> int:
        return min([*self.axes, *(same_along(c.shape, len(shapes[0])) for c in (self.scale, self.bias))])

    def evaluate_float(self, x: Any) -> Any:
        axes = tuple(k + 1 for k in self.axes)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            mean = x.mean(axis=axes, keepdims=True) if self.center else 0.0
            square = np.square(x - mean).mean(axis=axes, keepdims=True)
            return np.nan_to_num((x - mean) / np.sqrt(square + self.epsilon)) * self.scale.array + self.bias.array

    # ---- types -----------------------------------------------------------------------------------------------------------

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Norm:
        (x,) = xs
        error = hints.noise / math.sqrt(3)
        scale_t = given_or_derived(hints, ("scale", "weight"), self.scale.array, error)
        bias_t = given_or_derived(hints, ("bias",), self.bias.array, error)
        relative = error / max(float(np.sqrt(np.mean(np.square(self.scale.array)))), 2.0**-30)
        most, more = self._most(x), self._more(x, relative)
        addend = self._addend(x.shape, 2 * x.fraction + more)
        z = relative_sizes(Function.RSQRT, (most << more) + addend, 2 * x.fraction + more, relative)
        tables = Relative(Function.RSQRT, z).tables
        resolved: Norm = self.replace(
            scale=Const(round_constant(self.scale.array, scale_t)),
            bias=Const(round_constant(self.bias.array, bias_t)),
            scale_t=scale_t,
            bias_t=bias_t,
            sizes=z,
            value=tables.inverse,
            slope=tables.slope,
        )
        return resolved

    def _count(self, shape: Shape) -> int:
        return math.prod(shape[k] for k in self.axes)

    def _most(self, x: Range) -> int:
        """The largest V: n times the sum of all squares, at least one."""
        return max(1, x.bound**2 * self._count(x.shape) ** 2)

    def _more(self, x: Range, relative: float) -> int:
        """Fraction bits of A beyond those of V: rounding the addend is to matter less than ``relative`` where V is not 0."""
        bits = min(max(math.ceil(-math.log2(max(relative, 2.0**-60))), 0), MAX_BITS)
        inside = Fraction(self.epsilon) * self._count(x.shape) ** 2 * Fraction(2) ** (2 * x.fraction)
        return max(0, bits - int(1 + inside).bit_length()) if self.epsilon else 0

    def _addend(self, shape: Shape, fraction: int) -> int:
        """n**2 * epsilon."""
        return round(Fraction(self.epsilon) * self._count(shape) ** 2 * Fraction(2) ** fraction)

    @cached_property
    def _root(self) -> Relative:
        assert self.sizes is not None
        return Relative(Function.RSQRT, self.sizes, self.value, self.slope)

    def _argument(self, x: Range) -> tuple[int, int]:
        """(bits that V moves up, what is added to it)."""
        fraction = self._root.sizes.fraction
        return fraction - 2 * x.fraction, self._addend(x.shape, fraction)

    # ---- values ----------------------------------------------------------------------------------------------------------

    def _reach(self, n: int) -> float:
        """The largest c / sqrt(V): one value far from n - 1 others that are equal, or zero."""
        return math.sqrt(n - 1 if self.center else n)

    def _aligned(self, x: Range) -> tuple[int, np.ndarray, np.ndarray]:
        """(exact fraction, scale, bias) as factors and mantissas for it."""
        assert self.scale_t is not None
        assert self.bias_t is not None
        product = x.fraction + self._root.fraction + self.scale_t.fraction
        fraction = max(product, self.bias_t.fraction) if np.any(self.bias.array) else product
        scale, bias = ints(self.scale.array), ints(self.bias.array)
        return fraction, ints(scale << (fraction - product)), ints(bias << max(fraction - self.bias_t.fraction, 0))

    def _shares(self, x: Range) -> int:
        """The largest magnitude of c * r(A)."""
        n, root = self._count(x.shape), self._root
        _, addend = self._argument(x)
        reach = Fraction(self._reach(n) * FLOAT * (1 + root.error())) * Fraction(2) ** (x.fraction + root.fraction)
        deviation = (n - 1) * (x.high - x.low) if self.center else n * x.bound
        return min(math.ceil(reach), deviation * root.ends(addend, addend)[1])

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        most, (fraction, scale, bias) = self._shares(x), self._aligned(x)
        around = np.broadcast_to(ints(np.abs(scale) * most), x.shape)
        return Range(bias - around, bias + around, fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,), n = xs, self._count(xs[0].shape)
        (up, addend), root = self._argument(x), self._root
        _, scale, bias = self._aligned(x)
        bound, biased = self.exact(xs).bound, bool(np.any(bias))
        steps = (self._most(x) << max(up, 0)) + addend, self._shares(x), root.ends(1, 1)[1], int(np.max(np.abs(scale)))
        narrow = max(steps) <= INT64_EXACT
        axes = tuple(k + 1 for k in self.axes)
        scale = compact(scale) if narrow else scale

        def run(ops: Sequence[Any], watch: Any) -> Any:
            m = ops[0].astype(np.int64) if narrow else ints(ops[0])
            v, c = n * np.sum(m * m, axis=axes, keepdims=True), n * m
            if self.center:
                total = np.sum(m, axis=axes, keepdims=True)
                v, c = v - total * total, c - total
            factor = root.factors((v << up) + addend)
            y = product(c * (factor if narrow else ints(factor)), scale, bound)
            return added(y, bias, bound) if biased else y

        return run

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [np.broadcast_to(needed.any(axis=self.axes, keepdims=True), shapes[0])]

    def error(self, xs: Sequence[Range]) -> float:
        """The largest error of any result over all values of ``xs``, in units of the result, before the cast."""
        (x,), n = xs, self._count(xs[0].shape)
        assert self.scale_t is not None
        assert self.bias_t is not None
        up, addend = self._argument(x)
        inside = float(Fraction(addend) / Fraction(2) ** up)
        relative = self._root.error() + 2.0 ** -(up + 2) / max(1.0, inside) * FLOAT
        largest = float(np.abs(self.scale.array.astype(np.float64)).max()) * self.scale_t.step
        return FLOAT * (self._reach(n) * (largest * relative + self.scale_t.step / 2 * (1 + relative)) + self.bias_t.step / 2)

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        return [f"within {at_most(self.error(xs))} of the function for every input, before rounding."]

    def warnings(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        assert self.scale_t is not None
        scale = math.sqrt(float(np.mean(np.square(self.scale.array.astype(np.float64))))) * self.scale_t.step
        decibels = above(self._root.error() * scale / math.sqrt(3), hints)  # of values as evenly spread as errors are
        if decibels < WARNED:
            return []
        words = len(self._root.tables.inverse.array)
        return [f"its tables of {words} words miss TargetSQNR by {decibels:.0f} dB; there are no larger ones."]

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        """A lane for all that is normalised together; those with the same constants have one body."""
        (x,), n = xs, self._count(shape)

        def rows(array: np.ndarray) -> np.ndarray:
            return np.moveaxis(np.broadcast_to(array, shape), self.axes, range(-len(self.axes), 0)).reshape(-1, n)

        numbers, scale, bias = (rows(a) for a in (places(shape)[0], self.scale.array, self.bias.array))
        groups: dict[tuple[Any, ...], list[int]] = {}
        for k, both in enumerate(zip(scale.tolist(), bias.tolist(), strict=True)):
            groups.setdefault((*both[0], *both[1]), []).append(k)
        for taken in groups.values():
            own = x.flat(numbers[taken])
            bounds = own.joined()
            lane = self.replace(axes=(0,), scale=Const(scale[taken[0]]), bias=Const(bias[taken[0]]))
            yield Part(lane, (bounds,), (numbers[taken],), numbers[taken])

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        """Of all elements of one axis."""
        (x,), wires = xs, words[0].tolist()
        n, root, (up, addend) = len(wires), self._root, self._argument(x)
        total = net.total([(a, False) for a in wires]) if self.center else net.const(0)
        v = net.scale(net.total([(net.mul(a, a), False) for a in wires]), n)
        v = net.sub(v, net.mul(total, total))
        v = net.narrowed(v, 0, self._most(x))
        t, moved = root.entry(net, net.add(net.shift(v, up), net.const(addend)))
        most, (fraction, scale, bias) = self._shares(x), self._aligned(x)
        found = []
        for a, s, b in zip(wires, scale.tolist(), bias.tolist(), strict=True):
            product = net.mul(net.sub(net.scale(a, n), total), t)
            share = net.narrowed(root.scaled(net, product, moved), -most, most)
            found.append(cast(net, net.add(net.scale(share, s), net.const(b)), fraction, result))
        return np.array(found)
