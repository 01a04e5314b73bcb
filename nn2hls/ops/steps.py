"""Levels between thresholds, in a row for all elements or a row of its own for each: signs, ternary values, few bits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints, lift, round_constant
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Marks, Places, Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part
from nn2hls.ops.broadcast import fits
from nn2hls.ops.exact import given_or_derived

Mark = tuple[Fraction, bool]  # a threshold, and whether only what is above it reaches it
Row = tuple[Sequence[Mark], Sequence[float]]  # thresholds and levels
Ends = dict[tuple[int, int, int], tuple[int, int]]  # (row, least and largest x): least and largest level


@dataclass(frozen=True, eq=False)
class Steps(Op):
    """y = cast(levels[which][k]), k = how many of thresholds[which] x reaches: x >= threshold.

    Thresholds ascend and are compared as they are, however fine; levels are rounded half to even to ``level_t`` (config:
    ``level`` or ``param``). A sign is one threshold, a ternary value two; quantisers to powers of two have one for each.
    Behind a scale and a shift of each channel there is a row for each channel, and neither scale nor shift is left.

    Args:
        thresholds: (rows, thresholds), finite.
        levels: (rows, one more).
        which: The row of each element; broadcasts to x's shape without batch axis.
    """

    thresholds: Marks
    levels: Const
    which: Const = field(default_factory=lambda: Places(np.zeros((), np.int64)))
    level_t: FixedType | None = None
    called: ClassVar[tuple[str, ...]] = ("Activation", "BipolarQuant", "MultiThreshold")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    fresh: ClassVar[bool] = True
    decides: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ("which",)

    @classmethod
    def of(cls, thresholds: Sequence[float], levels: Sequence[float]) -> Steps:
        """The same row for all elements."""
        return cls(Marks(np.array([thresholds], np.float64)), Const(np.array([levels], np.float64)))

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        at, levels, which = self.thresholds.array, self.levels.array, self.which.array
        rows = at.ndim == levels.ndim == 2 and len(at) and levels.shape == (len(at), at.shape[1] + 1)
        if not rows or not np.isfinite(at).all() or (at[:, 1:] < at[:, :-1]).any():
            raise ModelError("Its thresholds must be finite and ascend, and there must be one level more.", where=where)
        if not which.size or which.min() < 0 or which.max() >= len(at):
            raise ModelError(f"Elements choose among {len(at)} rows of thresholds another one.", where=where)
        if not fits(which.shape, shapes[0]):
            raise ModelError(f"Rows for a shape {which.shape} do not fit a tensor of {shapes[0]}.", where=where)
        return shapes[0]

    def classes(self, shapes: Sequence[Shape]) -> int:
        return 2 if self.levels.array.shape[1] == 2 and (self.levels.array == [0, 1]).all() else 0

    def unscaled(self, scale: np.ndarray, shift: np.ndarray, within: tuple[float, float]) -> Steps | None:
        at = [[(Fraction(t), False) for t in row] for row in self.thresholds.array.tolist()]
        return behind(scale, shift, within, list(zip(at, self.levels.array.tolist(), strict=True)), self.which.array)

    def evaluate_float(self, x: Any) -> Any:
        return _levels(self.thresholds.array, self.levels.array, self.which.array, np.asarray(x, np.float64))

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Steps:
        kind = given_or_derived(hints, ("level", "param"), self.levels.array, hints.noise)
        resolved: Steps = self.replace(levels=Const(round_constant(self.levels.array, kind)), level_t=kind)
        return resolved

    def numbers(self, word: str, xs: Sequence[Range]) -> np.ndarray:
        return self.levels.array

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        assert self.level_t is not None
        reached, levels = _reached(self.thresholds.array, x), self.levels.array.tolist()
        ends: Ends = {}
        arrays = np.broadcast_arrays(self.which.array, x.least, x.most)
        alike = [not any(a.strides[axis] for a in arrays) for axis in range(arrays[0].ndim)]  # of a million equal elements one
        cores = [a[(..., *(slice(0, 1) if equal else slice(None) for equal in alike))] for a in arrays]
        found = [_ends(ends, reached, levels, key) for key in zip(*(a.reshape(-1).tolist() for a in cores), strict=True)]
        lo, hi = (ints([pair[k] for pair in found]).reshape(cores[0].shape) for k in range(2))
        return Range(lo, hi, self.level_t.fraction).broadcast(arrays[0].shape)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        at, levels = ints(_reached(self.thresholds.array, x)).reshape(self.thresholds.shape), ints(self.levels.array)
        which = self.which.array.astype(np.intp)
        bound = max(x.bound + 1, int(np.abs(levels).max(initial=0)), 1)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            values = lift(ops[0] if isinstance(ops[0], np.ndarray) else ints(ops[0]), bound)
            return _levels(at.astype(values.dtype), levels.astype(values.dtype), which, values)

        return run

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        assert self.level_t is not None
        row = int(self.which.array.item())
        (reached,) = _reached(self.thresholds.array[[row]], xs[0])
        return _tree(net, wires[0], reached, [net.const(int(v)) for v in self.levels.array[row]]), self.level_t.fraction

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        """Elements whose rows are one for all values of x, too."""
        first: dict[tuple[int, ...], int] = {}
        rows = zip(_reached(self.thresholds.array, xs[0]), self.levels.array.tolist(), strict=True)
        same = np.array([first.setdefault((*at, *levels), k) for k, (at, levels) in enumerate(rows)])
        return Op.parts(self.replace(which=Places(same[self.which.array])), xs, shape)


def _reached(thresholds: np.ndarray, x: Range) -> list[list[int]]:
    """For each row the smallest mantissa of x that reaches each threshold, or the one above all of x where none does."""
    up, low, above = Fraction(2) ** x.fraction, x.low, x.high + 1
    return [[min(max(math.ceil(Fraction(t) * up), low), above) for t in row] for row in thresholds.tolist()]


def behind(
    scale: np.ndarray, shift: np.ndarray, within: tuple[float, float], rows: Sequence[Row], which: np.ndarray | int = 0
) -> Steps | None:
    """What rows of levels make of x * scale + shift, brought between two ends, without scale, shift and ends.

    Args:
        scale, shift: Of each element, or broadcasting.
        within: The ends.
        rows: Thresholds and levels.
        which: The row of each element, or broadcasting.

    Returns:
        Exact for every x that float64 holds; None where it does not hold a threshold, because a scale is next to nothing.
    """
    arrays = np.broadcast_arrays(which, scale, shift)
    found: dict[tuple[int, float, float], int] = {}
    places = [found.setdefault(key, len(found)) for key in zip(*(a.reshape(-1).tolist() for a in arrays), strict=True)]
    try:
        rows = [_clamped(*row, *within) for row in rows]
        made = [_unscaled(*rows[row], Fraction(factor), Fraction(offset)) for row, factor, offset in found]
    except OverflowError:
        return None
    thresholds, levels = (np.array([row[k] for row in made], np.float64) for k in range(2))
    if not np.isfinite(thresholds).all():
        return None
    return Steps(Marks(thresholds), Const(levels), Places(np.array(places, np.int64).reshape(arrays[0].shape)))


def _clamped(at: Sequence[Mark], levels: Sequence[float], low: float, high: float) -> Row:
    """The row for values that come between two ends after it; a threshold that decides nothing stands beside one that does."""
    if low >= high:  # the upper end stands above the lower one
        level = levels[sum(high > t if beyond else high >= t for t, beyond in at)]
        return [(Fraction(0), False)] * len(at), [level] * len(levels)
    always = sum(low > t if beyond else low >= t for t, beyond in at)
    ever = sum(high > t if beyond else high >= t for t, beyond in at)
    left, spare = list(at[always:ever]), len(at) - (ever - always)
    end = left[-1] if left else (Fraction(0), False)
    return [*left, *[end] * spare], [*levels[always : ever + 1], *[levels[ever]] * spare]


def _unscaled(at: Sequence[Mark], levels: Sequence[float], scale: Fraction, shift: Fraction) -> tuple[list[float], list[float]]:
    """The row for x; a negative scale turns it round: what x * scale + shift no longer reaches, x has passed."""
    if not scale:
        count = sum(shift > t if beyond else shift >= t for t, beyond in at)
        return [0.0] * len(at), [levels[count]] * len(levels)
    marks = [((t - shift) / scale, beyond) for t, beyond in at]
    if scale < 0:
        marks, levels = [(t, not beyond) for t, beyond in reversed(marks)], levels[::-1]
    return [_next_float(t, beyond) for t, beyond in marks], list(levels)


def _next_float(value: Fraction, beyond: bool) -> float:
    """The least float64 that is not below the value; ``beyond``: that is above it."""
    near = float(value)
    behind_it = Fraction(near) > value or (Fraction(near) == value and not beyond)
    return near if behind_it else float(np.nextafter(near, np.inf))


def _levels(thresholds: np.ndarray, levels: np.ndarray, which: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The level of each x by halves: as many comparisons of whole arrays as the logarithm of the thresholds."""
    count = thresholds.shape[1]
    if len(thresholds) == 1:
        return np.asarray(levels[0][np.searchsorted(thresholds[0], x, side="right")])
    flat, start = thresholds.reshape(-1), which * count
    reached: Any = 0  # how many thresholds are known to be reached
    for bit in reversed(range(count.bit_length())):
        more = reached + (1 << bit)
        inside = np.minimum(more, count)
        reached = np.where((more <= count) & (flat.take(start + inside - 1) <= x), more, reached)
    return np.asarray(levels.reshape(-1).take(reached + which * (count + 1) + np.zeros(x.shape, np.intp)))


def _ends(
    known: dict[tuple[int, int, int], tuple[int, int]],
    reached: list[list[int]],
    levels: list[list[int]],
    key: tuple[int, int, int],
) -> tuple[int, int]:
    """The least and the largest level between two ends of x, of those that some value of x has; ``key``: row and ends."""
    if key not in known:
        row, low, high = key
        met = [levels[row][sum(t <= low for t in reached[row])]]
        for k, t in enumerate(reached[row]):
            if low < t <= high and (k + 1 == len(reached[row]) or reached[row][k + 1] > t):
                met.append(levels[row][k + 1])
        known[key] = min(met), max(met)
    return known[key]


def _tree(net: Net, x: int, reached: Sequence[int], levels: Sequence[int]) -> int:
    """The level of x by comparisons in halves: as many stages as the logarithm of the thresholds."""
    if not reached:
        return levels[0]
    middle = len(reached) // 2
    below = _tree(net, x, reached[:middle], levels[: middle + 1])
    above = _tree(net, x, reached[middle + 1 :], levels[middle + 1 :])
    return net.select(net.less(x, net.const(reached[middle])), below, above)
