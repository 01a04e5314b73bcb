"""Functions with a pole or a steep end: the argument is normalised by its leading one, and the table interpolated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import Rounding, cast_to
from nn2hls.arith.functions import SPLITS, Function
from nn2hls.arith.functions_float import defined_float, evaluate_float, part_float
from nn2hls.arith.ranges import Range, ints
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.casts import cast, rounded
from nn2hls.hardware.net import Net
from nn2hls.ops.exact import looked_up
from nn2hls.ops.inverse_size import CORES, ROOTS, Sizes, log_of_exponents, segment_tables, sizes
from nn2hls.ops.table_size import MISSED, WARNED, above, likely_operands
from nn2hls.text import at_most

ODD = frozenset({Function.RECIPROCAL, Function.SOFTSIGN})  # f(-x) = -f(x): computed on |x|
TRIED = 12  # arguments of so many bits and fewer are all tried for the bound
POINTS = 16  # of a segment, at which its error is evaluated
FLOAT = 1 + 2.0**-40  # the bounds are computed in float64


@dataclass(frozen=True, eq=False)
class Normalised(Op):
    """log, sqrt, rsqrt, reciprocal or softsign, by tables of at most 1,024 words for operands of any width.

    On integers, for an operand of f = ``sizes.fraction`` fraction bits:

    1. a = x, or abs(x) for reciprocal; for softsign 1 + abs(x). Where a <= 0, it is one step: log, rsqrt (x <= 0) and
       reciprocal (x = 0) answer as there; sqrt(x <= 0) is 0.
    2. a = s * 2**e with 1 <= s < 2; s is cut to ``kept`` bits. j = the ``segments`` bits of s below its first; roots of odd e
       have the second half of the tables.
    3. t = value[j] - floor(slope[j] * (s - middle of segment j)), with a plus for log and sqrt, near 1 / s, ln(s), or for roots
       1 / sqrt(s * 2**p) or sqrt(s * 2**p) with p the last bit of e.
    4. y = t * 2**-e, t * 2**((p - e) / 2) or t * 2**((e - p) / 2), rounded to nearest with ``share`` fraction bits; for log t +
       power[e], for softsign 1 - y. Odd functions take the sign of x.
    5. y is saturated to ``sizes.clip``, which ends where a result type ends that the user named: it saturates as tables do.
    """

    function: Function
    sizes: Sizes
    inverse: Const
    slope: Const
    power: Const
    called: ClassVar[tuple[str, ...]] = ("Activation", "ParametrizedActivation")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ()  # all channels share the tables
    uses: ClassVar[tuple[str, ...]] = ("table_size",)  # with it the op is a Table instead

    @classmethod
    def of(cls, function: Function, x: Range, hints: Hints) -> Normalised:
        """With the tables for operands ``x``."""
        z = sizes(function, x, hints)
        value, slope = segment_tables(CORES[function], z)
        power = log_of_exponents(z) if function is Function.LOG else np.zeros(1, dtype=np.int64)
        return cls(function, z, Const(value), Const(slope), Const(power))

    def evaluate_float(self, x: Any) -> Any:
        return evaluate_float(self.function, x, 1.0)

    @property
    def core(self) -> Function:
        """The function of the normalised argument."""
        return CORES[self.function]

    @property
    def _drop(self) -> int:
        """Bits below those of the result, after the shift by the exponent."""
        return self.sizes.shifted(self.core) - self.sizes.share

    @property
    def _unlimited(self) -> Normalised:
        """Without step 5."""
        return self.replace(sizes=replace(self.sizes, clip=None))

    # ---- emulation -------------------------------------------------------------------------------------------------------

    def _argument(self, m: Any, x: Range) -> Any:
        a = np.abs(m) if self.function in ODD else m
        if self.function is Function.SOFTSIGN:
            a = (a << (self.sizes.fraction - x.fraction)) + (1 << self.sizes.fraction)
        return np.maximum(a, 1)

    def _unclipped(self, m: Any, x: Range) -> Any:
        """Exact results of int64 or object mantissas, before step 5."""
        z, core = self.sizes, self.core
        a = self._argument(m if z.width < 63 else ints(m), x)
        k = _bit_lengths(a) - 1
        s = np.asarray((a >> np.maximum(k - z.kept + 1, 0)) << np.maximum(z.kept - 1 - k, 0)).astype(np.int64)
        place = k + z.fraction % 2
        index = (s >> z.below) - (1 << z.segments)
        if core in ROOTS:
            index = index + ((place & 1) << z.segments)
        off = (s & ((1 << z.below) - 1)) - (1 << (z.below - 1))
        change = self.slope.array[index] * off >> z.below
        t = self.inverse.array[index] + (change if core in (Function.LOG, Function.SQRT) else -change)
        if core is Function.LOG:
            return t + self.power.array[k]
        most = z.most_up(core)
        up = most - k if core is Function.RECIPROCAL else most - (place >> 1) if core is Function.RSQRT else place >> 1
        wide = t if max(most + z.entry + 3 + max(-self._drop, 0), self._drop + 1) < 63 else ints(t)
        y = _shifted(wide << up, self._drop)
        if self.function is Function.SQRT:
            return np.where(m > 0, y, 0)
        if self.function is Function.SOFTSIGN:
            y = _one(z) - y
        return np.where(m < 0, -y, y) if self.function in ODD else y

    def _compute(self, m: Any, x: Range) -> Any:
        y, clip = self._unclipped(m, x), self.sizes.clip
        return y if clip is None else cast_to(y, clip.fraction, clip)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        whole, clip = looked_up(lambda m: self._compute(m, x), x), self.sizes.clip
        watched = self._clips(xs)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            m = ops[0] if ops[0].dtype == object else ops[0].astype(np.int64)
            if clip is not None and watched:
                watch("inverse", self._unclipped(m, x), clip.fraction, clip)
            return self._compute(m, x) if whole is None else whole.take(m.astype(np.intp))

        return run

    def _clips(self, xs: Sequence[Range]) -> bool:
        """Whether step 5 changes any result."""
        free, clip = self._unlimited.exact(xs), self.sizes.clip
        return clip is not None and (free.low < clip.min_mantissa or free.high > clip.max_mantissa)

    # ---- ranges and errors -----------------------------------------------------------------------------------------------

    def _magnitude(self, k: int) -> tuple[int, int]:
        """The smallest and largest result, without sign, of arguments whose leading one is at place k."""
        z, core = self.sizes, self.core
        change = (self.slope.array << (z.below - 1) >> z.below) + 1
        least, most = int((self.inverse.array - change).min()), int((self.inverse.array + change).max())
        if core is Function.LOG:
            return least + int(self.power.array[k]), most + int(self.power.array[k])
        place = (k + z.fraction % 2) >> 1
        up = {Function.RECIPROCAL: z.most_up(core) - k, Function.RSQRT: z.most_up(core) - place, Function.SQRT: place}[core]
        found = [_shifted(end << up, self._drop) for end in (least, most)]
        if self.function is Function.SOFTSIGN:
            return _one(z) - found[1], _one(z) - found[0]
        return found[0], found[1]

    def _between(self, low: int, high: int, x: Range) -> tuple[int, int]:
        """The smallest and largest exact result of mantissas ``low`` to ``high``."""
        pieces = [(low, high)]
        if self.function in ODD:  # the negative ones, turned, and the others
            pieces = [(max(low, 0), high)] if high >= 0 else []
            pieces += [(max(-high, 1), -low)] if low < 0 else []
        found = []
        for number, (first, last) in enumerate(pieces):
            places = {int(self._argument(np.array([end], dtype=object), x)[0]).bit_length() - 1 for end in (first, last)}
            ends = [v for k in places for v in self._magnitude(k)]
            minus = self.function in ODD and (number or high < 0)
            found += [-v for v in ends] if minus else ends
            found += [0] if self.function is Function.SQRT and first <= 0 else []
        clip = self.sizes.clip
        least, most = min(found), max(found)
        return (
            (least, most)
            if clip is None
            else (int(cast_to(least, clip.fraction, clip)), int(cast_to(most, clip.fraction, clip)))
        )

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        found: dict[tuple[int, int], tuple[int, int]] = {}
        lo, hi = np.empty(x.shape, dtype=object), np.empty(x.shape, dtype=object)
        for k, pair in enumerate(zip(x.lo.flat, x.hi.flat, strict=True)):
            if pair not in found:
                found[pair] = self._between(int(pair[0]), int(pair[1]), x)
            lo.flat[k], hi.flat[k] = found[pair]
        return Range(lo, hi, self.sizes.share)

    def bound(self, xs: Sequence[Range]) -> float:
        """The largest error against f over all values of ``xs``, in units of the result, before the cast to its type.

        Operands of few bits, among which errors are largest beside a pole, are all tried. Beyond them the error is at most that
        of the tables, shifted, and of the cuts. Inputs where f is undefined do not count; those where it saturates do.
        """
        return self._errors(xs[0])[0]

    def _errors(self, x: Range) -> tuple[float, float]:
        """(the largest error, the largest where f does not leave the ends)."""
        near = np.array(
            [m for m in range(-(1 << TRIED), (1 << TRIED) + 1) if x.low <= m <= x.high] + [x.low, x.high], dtype=object
        )
        grid = np.ldexp(near.astype(np.float64), -x.fraction)
        defined = defined_float(SPLITS[self.function].domain, grid)
        near, grid = near[defined], grid[defined]
        if not near.size:
            return 0.0, 0.0
        want = part_float(self.function, grid, 1.0)
        step = 2.0**-self.sizes.share
        got = self._compute(near if x.width > 62 else near.astype(np.int64), x).astype(np.float64) * step
        errors, clip = np.abs(got - want), self.sizes.clip
        inside = np.ones(errors.shape, dtype=bool)
        if clip is not None:
            inside = (want >= clip.min - step / 2) & (want <= clip.max + step / 2)
        beyond = self._far_error(x)
        largest, held = (max(float(e.max(initial=0.0)), beyond) for e in (errors, errors[inside]))
        return FLOAT * largest + 2.0**-50, FLOAT * held + 2.0**-50

    def _far_error(self, x: Range) -> float:
        """Of arguments of more than ``TRIED`` bits, where nothing saturates."""
        z, core = self.sizes, self.core
        least = (1 << z.fraction).bit_length() - 1 if self.function is Function.SOFTSIGN else TRIED
        if z.width - 1 < least:
            return 0.0
        error = self.segment_error() + (2.0 ** -(z.kept - 1) if z.width > z.kept else 0.0)
        if core is Function.LOG:
            return error + 2.0 ** -(z.entry + 1)
        e = (z.width - 1 if core is Function.SQRT else least) - z.fraction
        scale = {Function.RECIPROCAL: -e, Function.RSQRT: -(e >> 1), Function.SQRT: e >> 1}[core]
        return math.ldexp(error, scale) + (2.0 ** -(z.share + 1) if self._drop > 0 else 0.0)

    def segment_error(self) -> float:
        """Of t, for all s: at points of each segment, what may lie higher between two of them, and what floor drops.

        No core function has a second derivative above 2, so that between points ``apart`` the error rises by 2 * apart**2 / 8.
        """
        z, core = self.sizes, self.core
        index = np.arange(len(self.inverse.array))
        lows = 1 + (index % (1 << z.segments)) * 2.0**-z.segments
        times = 2.0 ** (index >> z.segments)
        worst = 0.0
        for off in np.linspace(-0.5, 0.5, POINTS + 1):
            change = self.slope.array * 2.0**-z.slope * off * 2.0**-z.segments
            got = self.inverse.array * 2.0**-z.entry + (change if core in (Function.LOG, Function.SQRT) else -change)
            want = part_float(core, (lows + (0.5 + off) * 2.0**-z.segments) * times, 1.0)
            worst = max(worst, float(np.abs(got - want).max()))
        return worst + (2.0**-z.segments / POINTS) ** 2 / 4 + 2.0**-z.entry

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        largest, inside = self._errors(xs[0])
        text = f"within {at_most(largest)} of the function for every input, before rounding"
        if largest > 2 * inside:
            text += f", and within {at_most(inside)} where it fits the result; beyond, it saturates"
        return [f"{text}.", *self._missed(xs[0], hints, MISSED, WARNED)]

    def warnings(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        return self._missed(xs[0], hints, WARNED, math.inf)

    def _missed(self, x: Range, hints: Hints, least: float, below: float) -> list[str]:
        """What to say where the largest tables miss the noise that is asked for by so many dB."""
        near = np.rint(np.ldexp(likely_operands(x, hints), x.fraction))
        points = np.array([min(max(int(p), x.low), x.high) for p in near], dtype=object)  # floats may round beyond the ends
        points = points[defined_float("nonzero" if self.function in ODD else SPLITS[self.function].domain, points).astype(bool)]
        want = part_float(self.function, np.ldexp(points.astype(np.float64), -x.fraction), 1.0)
        got = self._compute(points, x).astype(np.float64)
        errors = np.ldexp(got, -self.sizes.share) - want if points.size else np.zeros(1)
        if self.sizes.clip is not None and points.size:
            errors = errors[(want >= self.sizes.clip.min) & (want <= self.sizes.clip.max)]
        decibels = above(float(np.sqrt(np.mean(np.square(errors)))) if errors.size else 0.0, hints)
        if not least <= decibels < below:
            return []
        words = len(self.inverse.array)
        return [f"its tables of {words} words miss TargetSQNR by {decibels:.0f} dB on likely inputs; there are no larger ones."]

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        (m,), (x,), exact = wires, xs, self._unlimited.exact(xs)
        y = self._unsigned_value(net, self._argument_wire(net, m, x))
        if self.function is Function.SQRT:
            y = net.select(net.less(net.const(0), m), y, net.const(0))
        if self.function is Function.SOFTSIGN:
            y = net.sub(net.const(_one(self.sizes)), y)
        if self.function in ODD:
            y = net.select(net.less(m, net.const(0)), net.negate(y), y)
        y, clip = net.narrowed(y, exact.low, exact.high), self.sizes.clip
        return (y if clip is None else cast(net, y, clip.fraction, clip)), self.sizes.share

    def _argument_wire(self, net: Net, m: int, x: Range) -> int:
        a = net.absolute(m) if self.function in ODD else m
        if self.function is Function.SOFTSIGN:
            a = net.add(net.shift(a, self.sizes.fraction - x.fraction), net.const(1 << self.sizes.fraction))
        return net.clip(a, 1, None)

    def _unsigned_value(self, net: Net, a: int) -> int:
        """Steps 2 to 4 without signs."""
        t, moved = self.entry(net, a)
        if self.core is Function.LOG:
            place = net.total([(net.shift(net.sub(net.const(1), small), k), False) for k, small in moved])
            power = net.lookup(net.narrowed(place, 0, self.sizes.width - 1), self.power.array.tolist())
            return net.add(t, power)
        return rounded(net, self.moved_up(net, t, moved), self._drop, Rounding.RND)

    def entry(self, net: Net, a: int) -> tuple[int, list[tuple[int, int]]]:
        """Steps 2 and 3 of a wire above zero: (t, (places, whether the leading one was moved up so far) step by step)."""
        z, core = self.sizes, self.core
        steps = max(1, (z.width - 1).bit_length())
        top = 1 << steps  # bits in which the leading one ends at the highest, so that its place is the shift's complement
        moved = []
        for k in reversed(range(steps)):
            small = net.less(a, net.const(1 << (top - (1 << k))))
            a = net.select(small, net.shift(a, 1 << k), a)
            moved.append((k, small))
        a = net.narrowed(a, 1 << (top - 1), (1 << top) - 1)
        s = net.narrowed(net.shift(a, z.kept - top), 1 << (z.kept - 1), (1 << z.kept) - 1)
        index = net.wrap(net.shift(s, -z.below), z.segments, signed=False)
        odd = net.sub(net.const(1), moved[-1][1])  # the lowest bit of the leading one's place
        if core in ROOTS:
            parity = moved[-1][1] if z.fraction % 2 else odd
            index = net.add(index, net.shift(parity, z.segments))
        off = net.sub(net.wrap(s, z.below, signed=False), net.const(1 << (z.below - 1)))
        change = net.shift(net.mul(net.lookup(index, self.slope.array.tolist()), off), -z.below)
        entry = net.lookup(index, self.inverse.array.tolist())
        return (net.add if core in (Function.LOG, Function.SQRT) else net.sub)(entry, change), moved

    def moved_up(self, net: Net, t: int, moved: Sequence[tuple[int, int]]) -> int:
        """A wire shifted up as the exponent says, by the wires that moved the leading one."""
        z, core = self.sizes, self.core
        parity, steps = z.fraction % 2, len(moved)
        least = 0
        for k, small in moved:
            by = 1 << k if core is Function.RECIPROCAL else 1 << (k - 1) if k else parity
            given = net.sub(net.const(1), small) if core is Function.SQRT else small  # of others, larger arguments less
            t = net.select(given, net.shift(t, by), t) if by else t
        if core is Function.RECIPROCAL:
            least = z.most_up(core) - ((1 << steps) - 1)
        elif core is Function.RSQRT:
            least = z.most_up(core) - ((1 << (steps - 1)) - 1) - parity
        return net.shift(t, least)


def _one(z: Sizes) -> int:
    """1 at the fraction of the result, or 0 where that has none of it."""
    return 1 << z.share if z.share >= 0 else 0


def _shifted(value: Any, drop: int) -> Any:
    """Without its last ``drop`` bits, rounded to nearest; with zeros for a negative number."""
    return (value + (1 << drop >> 1)) >> drop if drop > 0 else value << -drop


def _bit_lengths(a: Any) -> Any:
    """Bits of positive integers, int64."""
    if a.dtype == object:
        return np.frompyfunc(int.bit_length, 1, 1)(a).astype(np.int64)
    found = np.zeros(a.shape, dtype=np.int64)
    for bits in (32, 16, 8, 4, 2, 1):
        large = (a >> bits) != 0
        found += bits * large
        a = np.where(large, a >> bits, a)
    return found + 1
