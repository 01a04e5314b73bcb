"""Softmax and LogSoftmax, on integers, with guarantees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast_to
from nn2hls.arith.ranges import Range, ints, lift
from nn2hls.errors import LimitError, ModelError
from nn2hls.graph.const import Const, Places, Shape
from nn2hls.graph.op import Hints, Kernel, Op, same_along
from nn2hls.hardware.casts import cast, rounded
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part, slices
from nn2hls.ops.exact import scaled
from nn2hls.ops.softmax_size import Plan, exp_tables, inverse_tables, inverse_type, log_of_powers, plan, slope_fraction
from nn2hls.text import at_most

MAX_CLASSES = 1 << 16  # sums of as many exponentials keep within 53 bits
FLOAT = 1 + 2.0**-40  # the bounds are computed in float64
WHOLE = 1 << 17  # with at most so many distances, or addresses, the emulator looks exp up in one table of all of them


@dataclass(frozen=True, eq=False)
class Softmax(Op):
    """y[i] = exp(x[i]) / sum over j of exp(x[j]) along ``axis`` (without batch axis, not negative), or its logarithm.

    On integers, for n values along the axis:

    1. d[i] = max over j of x[j] - x[i], exact; a[i] = cast(d[i] to distance_t), which rounds to nearest and saturates.
    2. e[i] = (exp_high[a[i] >> low_bits] * exp_low[a[i] % 2**low_bits]) >> drop, in exp_t; a = 0 gives exactly 1.
    3. S = sum of e, exact, 1 <= S <= n; S = s * 2**k with 1 <= s < 2; j = the ``segments`` bits of s below its first.
    4. r = inverse[j] - floor(slope[j] * (s - middle of segment j)), near 1 / s.
    5. y[i] = cast(min(round(e[i] * r / 2**k), top)), rounded to nearest at ``share_t``; top is 1, or the largest result below.

    The logarithm: 4. L = max(power[k] + inverse[j] + floor(slope[j] * (s - middle)), 0), near ln S. 5. y[i] = cast(-d[i] - L).

    Guarantees: y[i] >= y[j] whenever x[i] > x[j], because every step is monotonic in x[i] and r is common. With derived tables
    and a result type that reaches 1, or 1 but for a step, the sum of y differs from 1 by at most n/2 + 1 steps of share_t: the
    sum of e * r / 2**k is S * r / 2**k, within ``inverse_error`` < 1 step of 1 whatever errors e has, and each rounding adds
    half a step. ``bound`` is the error of each y.

    ``present``, in the shape of x with axes of one element where it is the same all along, is 0 where an element is left out:
    it gets 0 and the others are computed as if it were not there, which is what attention asks of its mask.

    Config: TableSize, ``exp_table`` and ``inv_table`` choose one table each for exp and 1/s, without slopes.
    """

    axis: int
    log: bool = False
    distance_t: FixedType | None = None
    exp_t: FixedType | None = None
    inverse_t: FixedType | None = None
    share_t: FixedType | None = None
    low_bits: int = 0
    drop: int = 0
    segments: int = 0
    tangent: bool = False
    top: int = 0
    exp_high: Const | None = None
    exp_low: Const | None = None
    inverse: Const | None = None
    slope: Const | None = None
    power: Const | None = None
    present: Places | None = None
    activation: ClassVar[bool] = True
    uses: ClassVar[tuple[str, ...]] = ("table_size",)

    @property
    def probability(self) -> str:
        return "softmax"

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if not 0 <= self.axis < len(shapes[0]):
            raise ModelError(f"Axis {self.axis} is not one of a tensor of shape {shapes[0]}.", where=where)
        if shapes[0][self.axis] > MAX_CLASSES:
            what = f"A softmax over {shapes[0][self.axis]:,} classes is beyond the limit of {MAX_CLASSES:,}."
            raise LimitError(what, where=where, fix="Cut it off: the largest of its inputs has the largest answer.")
        self._check_mask(shapes[0], where)
        return shapes[0]

    def _check_mask(self, shape: Shape, where: str) -> None:
        if self.present is None:
            return
        mask = self.present.shape
        if len(mask) != len(shape) or any(a not in (1, b) for a, b in zip(mask, shape, strict=True)):
            raise ModelError(f"Its mask has shape {mask}, its operand {shape}.", where=where)
        if self.log:
            raise ModelError("The logarithm of what a mask leaves out is minus infinity.", where=where)
        if not self._present(shape).any(axis=self.axis).all():
            raise ModelError("Its mask leaves nothing of one of its sums.", where=where)

    def _present(self, shape: Shape) -> np.ndarray:
        """Which elements are not left out."""
        return np.asarray(np.broadcast_to(1 if self.present is None else self.present.array, shape) != 0)

    def positions(self, shapes: Sequence[Shape]) -> int:
        same = self.axis if self.present is None else same_along(self.present.shape, len(shapes[0]))
        return min(self.axis, same)

    def evaluate_float(self, x: Any) -> Any:
        if self.present is not None:
            x = np.where(self._present(x.shape[1:]), x, -np.inf)
        shifted = x - x.max(axis=self.axis + 1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=self.axis + 1, keepdims=True)
        return shifted - np.log(total) if self.log else e / total

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [np.broadcast_to(needed.any(axis=self.axis, keepdims=True), needed.shape) & self._present(needed.shape)]

    # ---- types -----------------------------------------------------------------------------------------------------------

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Softmax:
        (x,) = xs
        n = int(x.shape[self.axis])
        p = plan(x, n, hints, self.log)
        high, low, drop = exp_tables(p)
        inverse, slope = inverse_tables(p, self.log)
        top = 1 << p.fraction
        if hints.result is not None:
            top = min(top, max(0, math.floor(hints.result.max * top)))
        resolved: Softmax = self.replace(
            distance_t=p.distance_t,
            exp_t=p.exp_t,
            inverse_t=p.inverse_t,
            share_t=FixedType(p.fraction + 1, 1, False),
            low_bits=p.low_bits,
            drop=drop,
            segments=p.segments,
            tangent=p.tangent,
            top=top,
            exp_high=Const(high),
            exp_low=Const(low),
            inverse=Const(inverse),
            slope=Const(slope),
            power=Const(log_of_powers(p, n)) if self.log else None,
        )
        return resolved

    def plan(self) -> Plan:
        """The sizes again."""
        assert self.share_t is not None
        assert self.distance_t is not None
        assert self.exp_t is not None
        assert self.inverse_t is not None
        fraction = self.share_t.fraction
        return Plan(fraction, self.distance_t, self.low_bits, self.exp_t, self.segments, self.inverse_t, self.tangent)

    def words(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The tables exp_high, exp_low, inverse, slope and power."""
        tables = [c.array if c is not None else np.zeros(1, dtype=np.int64) for c in self._tables()]
        return tables[0], tables[1], tables[2], tables[3], tables[4]

    def _tables(self) -> tuple[Const | None, ...]:
        return self.exp_high, self.exp_low, self.inverse, self.slope, self.power

    def exponentials(self, a: np.ndarray) -> np.ndarray:
        """exp(-a) of addresses, by the tables."""
        high, low, *_ = self.words()
        coarse, fine = high[a >> self.low_bits], low[a & ((1 << self.low_bits) - 1)]
        limb = min(self.drop, 16)  # the product of two 30 bit numbers in two parts, so that int64 holds them
        part = coarse * (fine & ((1 << limb) - 1)) >> limb
        return np.asarray((coarse * (fine >> limb) + part) >> (self.drop - limb))

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        p, shape = self.plan(), x.shape
        if not self.log:
            return Range(np.zeros(shape, dtype=np.int64), self.top * self._present(shape), p.fraction)
        fraction = max(x.fraction, p.inverse_t.fraction)
        *_, inverse, slope, power = self.words()
        n = shape[self.axis]
        most = int(power.max()) + int(inverse.max()) + int(slope.max() << max(0, p.inverse_t.fraction - slope_fraction(p)))
        far = (ints(x.hi.max(axis=self.axis, keepdims=True)) - x.lo) << (fraction - x.fraction)
        low = -ints(np.maximum(far, 0)) - (most << (fraction - p.inverse_t.fraction))
        return Range(ints(low), ints(0), fraction).broadcast(shape) if n else x

    # ---- emulation -------------------------------------------------------------------------------------------------------

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        n, bits = x.shape[self.axis], self._product_bits(x.shape[self.axis])
        kind: Any = np.float64 if bits <= 52 else np.int64 if bits <= 62 else object
        exp = self._exp_lookup(x, kind)
        masked, mask = self.present is not None, np.moveaxis(self._present(x.shape), self.axis, 0)[:, None]

        def run(ops: Sequence[Any], watch: Any) -> Any:
            moved = np.moveaxis(lift(ops[0], 2 * x.bound), self.axis + 1, 0)  # classes first: NumPy reduces whole rows
            rows = np.ascontiguousarray(moved.reshape(n, -1))
            if masked:
                here = np.broadcast_to(mask, moved.shape).reshape(n, -1)
                d = np.where(here, rows, x.low).max(axis=0) - rows
                e = exp(np.where(here, d, 0)) * here
            else:
                d = rows.max(axis=0) - rows
                e = exp(d)
            y = self._log_share(d, e, x) if self.log else self._share(e, n)
            return np.ascontiguousarray(np.moveaxis(y.reshape(moved.shape), 0, self.axis + 1))

        return run

    def _product_bits(self, n: int) -> int:
        p = self.plan()
        return p.exp_t.fraction + p.inverse_t.fraction + n.bit_length() + 2

    def _exp_lookup(self, x: Range, kind: Any) -> Any:
        """A function from distances to exp(-d) as mantissas in arrays of ``kind``."""
        t, span = self.plan().distance_t, x.high - x.low
        if span < WHOLE:
            whole = self.exponentials(cast_to(np.arange(span + 1), x.fraction, t)).astype(kind)
            return lambda d: whole.take(d.astype(np.intp))
        if 1 << t.width <= WHOLE:
            entries = self.exponentials(np.arange(1 << t.width)).astype(kind)
            return lambda d: entries.take(np.asarray(cast_to(lift(d, 4 * span), x.fraction, t)).astype(np.intp))
        return lambda d: self.exponentials(np.asarray(cast_to(lift(d, 4 * span), x.fraction, t), dtype=np.int64)).astype(kind)

    def _normalised(self, e: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(shift K - k to the left, segment, distance from the segment's middle) of the sums, int64."""
        p, n = self.plan(), len(e)
        total = e.sum(axis=0).astype(np.int64)
        most = n.bit_length() - 1
        up = most + p.exp_t.fraction + 1 - np.frexp(total.astype(np.float64))[1]
        bits = p.exp_t.fraction + most  # s = (total << up) / 2**bits
        s = total << up.astype(np.int64)
        below = bits - p.segments
        return up, (s >> below) - (1 << p.segments), (s & ((1 << below) - 1)) - ((1 << below) >> 1)

    def _corrections(self, segment: np.ndarray, off: np.ndarray, n: int) -> Any:
        """floor(slope * (s - middle)) at the fraction of ``inverse_t``."""
        p = self.plan()
        drop = slope_fraction(p) + p.exp_t.fraction + n.bit_length() - 1 - p.inverse_t.fraction
        product = self.words()[3][segment] * off
        return product >> drop if drop >= 0 else product << -drop

    def _share(self, e: Any, n: int) -> Any:
        p = self.plan()
        up, segment, off = self._normalised(e)
        r = self.words()[2][segment]
        if self.tangent:
            r = r - self._corrections(segment, off, n)
        drop = p.exp_t.fraction + p.inverse_t.fraction + n.bit_length() - 1 - p.fraction
        if e.dtype == np.float64:
            y = e * np.ldexp(r.astype(np.float64), up - drop)
            y += 0.5
            np.floor(y, out=y)
            narrow = y.astype(np.float32) if self.top <= 1 << 24 else y
            return np.minimum(narrow, self.top, out=narrow)
        product = e * (r << up).astype(e.dtype)
        return np.minimum((product + (1 << drop >> 1)) >> drop, self.top)

    def _log_share(self, d: Any, e: Any, x: Range) -> Any:
        p, n = self.plan(), len(e)
        up, segment, off = self._normalised(e)
        _, _, inverse, _, power = self.words()
        total = power[n.bit_length() - 1 - up] + inverse[segment]
        if self.tangent:
            total = total + self._corrections(segment, off, n)
        fraction, bound = max(x.fraction, p.inverse_t.fraction), self.exact([x]).bound
        logarithm = scaled(lift(np.maximum(total, 0), bound), fraction - p.inverse_t.fraction)
        wide = scaled(lift(d, bound), fraction - x.fraction)
        return -wide - logarithm.astype(wide.dtype)

    # ---- errors ----------------------------------------------------------------------------------------------------------

    def bound(self, xs: Sequence[Range]) -> float:
        """The largest error of any result over all values of ``xs``, in units of the result, before the cast to its type.

        With |error of e| <= rel * e + abs, e = 1 exact for the maximum, and S >= 1: numerator and denominator together move
        y by at most rel * 2 y (1 - y) + abs * (n - 1), to first order, and ln S by rel + abs * (n - 1); the second order is a
        factor of 1 / (1 - that).
        """
        (x,) = xs
        n = int(x.shape[self.axis])
        relative, absolute = self._exp_errors(x)
        total = relative + (n - 1) * absolute
        inverse = self.inverse_error(n)
        if self.log:  # computed or not, the sum lies between 1 and n
            moved = min(total / (1 - total) if total < 1 else math.inf, math.log(n))
            return FLOAT * (moved + inverse + self._power_error())
        if total >= 0.5:
            return 1.0
        step = float(2.0 ** -self.plan().fraction)
        moved = (relative / 2 + (n - 1) * absolute) / (1 - total) + inverse
        return FLOAT * (step / 2 + moved + max(0.0, 1 - self.top * step))

    def _power_error(self) -> float:
        """The largest error of k ln 2 beyond rounding, where the type of the table does not hold it."""
        *_, power = self.words()
        wanted = np.arange(len(power)) * math.log(2)
        off = np.abs(power * self.plan().inverse_t.step - wanted)
        return max(0.0, float(off.max()) - self.plan().inverse_t.step / 2)

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        found = [f"within {at_most(self.bound(xs))} of the function for every input, before rounding."]
        t, n = self.plan().inverse_t, int(xs[0].shape[self.axis])
        if self.log and self._power_error() > 0:
            most = f"{t} of inv_table ends at {t.max:.3g}, and the logarithm of a sum of {n} reaches {math.log(n):.3g}."
            found.append(
                f"{most} Use one like {inverse_type(t.fraction, n, self.log).with_modes(Rounding.TRN, Overflow.WRAP)}."
            )
        return found

    def _exp_errors(self, x: Range) -> tuple[float, float]:
        """(relative, absolute) error of exp(-d) over all distances: rounding the address, and the rest."""
        t, unit = self.plan().distance_t, self.plan().exp_t.step
        half = t.step / 2 if t.fraction < x.fraction else 0.0
        relative = float(math.expm1(half))
        if t.width > 18:
            return relative, self._product_error() + math.exp(-t.max)
        words = self.exponentials(np.arange(1 << t.width)) * unit
        a = np.arange(len(words)) * t.step
        last = max((x.high - x.low) * 2.0**-x.fraction, float(a[-1]))
        ends = (np.exp(-np.maximum(a - half, 0)), np.exp(-np.append(a[:-1] + half, last)))
        rest = [np.abs(words - e) - relative * e for e in ends]
        return relative, max(0.0, float(np.max(rest)))

    def _product_error(self) -> float:
        """Absolute error of exp(-a) from the errors of both tables, where the addresses are too many to try."""
        p = self.plan()
        high, low, *_ = self.words()
        scales = (2.0 ** (p.exp_t.fraction + 2), 2.0 ** (p.exp_t.fraction + 1))
        steps = (p.distance_t.step * 2**self.low_bits, p.distance_t.step)
        both = zip((high, low), scales, steps, strict=True)
        coarse, fine = (float(np.max(np.abs(w / scale - np.exp(-np.arange(len(w)) * step)))) for w, scale, step in both)
        return coarse + fine + coarse * fine + p.exp_t.step

    def inverse_error(self, n: int) -> float:
        """The largest |r * s - 1|, or error of L, at the ends and middle of the segments, plus what floor drops."""
        p = self.plan()
        _, _, inverse, slope, _ = self.words()
        lows = 1 + np.arange(len(inverse)) * 2.0**-p.segments
        worst = 0.0
        for off in (-0.5, 0.0, 0.5):
            s = lows + (0.5 + off) * 2.0**-p.segments
            change = slope * 2.0 ** -slope_fraction(p) * off * 2.0**-p.segments
            value = inverse * p.inverse_t.step + (change if self.log else -change)
            worst = max(worst, float(np.max(np.abs(value - np.log(s) if self.log else value * s - 1))))
        steps = (2.0 if self.tangent else 0.0) + (0.5 if self.log and n > 1 else 0.0)
        return worst + steps * p.inverse_t.step

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        every = slices(self.replace(axis=0), xs[0], shape, self.axis)
        if self.present is None:
            yield every
            return
        masks, which = np.unique(every.writes_of(self._present(shape)), axis=0, return_inverse=True)
        for k, mask in enumerate(masks):
            yield every.lanes_of(which.reshape(-1) == k, self.replace(axis=0, present=Places(mask)))

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        (x,), (wires,) = xs, words
        p, n, here = self.plan(), len(wires), self._present(wires.shape).tolist()
        largest = net.tree(net.maximum, [a for a, counts in zip(wires.tolist(), here, strict=True) if counts])
        distances = [
            net.narrowed(net.sub(largest, a), 0, max(0, x.high - x.low)) if counts else net.const(0)
            for a, counts in zip(wires.tolist(), here, strict=True)
        ]
        e = [self._exponential(net, d, x) if counts else d for d, counts in zip(distances, here, strict=True)]
        total = net.narrowed(net.total([(a, False) for a in e]), 1 << p.exp_t.fraction, n << p.exp_t.fraction)
        s, shifts = self._normalise(net, total, n)
        if self.log:
            ys = self._log_shares(net, distances, s, shifts, x)
            return np.array([cast(net, y, self.exact(xs).fraction, result) for y in ys])
        return np.array([cast(net, y, p.fraction, result) for y in self._shares(net, e, s, shifts)])

    def _exponential(self, net: Net, d: int, x: Range) -> int:
        """exp(-d) by the tables."""
        high, low, *_ = self.words()
        a = cast(net, d, x.fraction, self.plan().distance_t)
        coarse = net.lookup(net.shift(a, -self.low_bits), high.tolist())
        fine = net.lookup(net.wrap(a, self.low_bits, signed=False), low.tolist()) if self.low_bits else net.const(1)
        product = net.shift(net.mul(coarse, fine), -self.drop)
        return net.narrowed(product, 0, 1 << self.plan().exp_t.fraction)

    def _normalise(self, net: Net, total: int, n: int) -> tuple[int, list[tuple[int, int]]]:
        """(the sum shifted up until its leading one stands at its place, (bits, whether so many were shifted) step by step)."""
        most = n.bit_length() - 1
        top = self.plan().exp_t.fraction + most + 1  # bits of the shifted sum
        shifts: list[tuple[int, int]] = []
        for k in reversed(range(most.bit_length())):
            by = 1 << k
            small = net.less(total, net.const(1 << (top - by)))
            up, kept = net.shift(total, by), net.cells[total]
            low = min(max(kept.lo, 1 << (top - by)), kept.lo << by)
            total = net.select(small, up, total, low, max(kept.hi, min(kept.hi << by, (1 << top) - 1)))
            shifts.append((by, small))
        return net.narrowed(total, 1 << (top - 1), (1 << top) - 1), shifts

    def _segment(self, net: Net, s: int, n: int) -> tuple[int, int]:
        """(entry of the table ``inverse``, what the slope adds to it) for a shifted sum."""
        p = self.plan()
        *_, inverse, slope, _ = self.words()
        bits = p.exp_t.fraction + n.bit_length() - 1
        j = net.wrap(net.shift(s, p.segments - bits), p.segments, signed=False)
        entry = net.lookup(j, inverse.tolist())
        if not self.tangent:
            return entry, net.const(0)
        off = net.sub(net.wrap(s, bits - p.segments, signed=False), net.const(1 << (bits - p.segments) >> 1))
        drop = slope_fraction(p) + bits - p.inverse_t.fraction
        return entry, net.shift(net.mul(net.lookup(j, slope.tolist()), off), -drop)

    def _shares(self, net: Net, e: Sequence[int], s: int, shifts: Sequence[tuple[int, int]]) -> Iterator[int]:
        p, n = self.plan(), len(e)
        entry, change = self._segment(net, s, n)
        r = net.sub(entry, change)
        for by, shifted in shifts:
            r = net.select(shifted, net.shift(r, by), r)
        drop = p.exp_t.fraction + p.inverse_t.fraction + n.bit_length() - 1 - p.fraction
        for a in e:
            share = rounded(net, net.mul(a, r), drop, Rounding.RND)
            yield net.narrowed(net.minimum(share, net.const(self.top)), 0, self.top)

    def _log_shares(self, net: Net, d: Sequence[int], s: int, shifts: Sequence[tuple[int, int]], x: Range) -> Iterator[int]:
        p, n, exact = self.plan(), len(d), self.exact([x])
        entry, change = self._segment(net, s, n)
        up = net.total([(net.shift(shifted, by.bit_length() - 1), False) for by, shifted in shifts])
        power = net.lookup(net.narrowed(up, 0, n.bit_length() - 1), self.words()[4][::-1].tolist())
        total = net.clip(net.total([(entry, False), (change, False), (power, False)]), 0, None)
        total = net.shift(total, exact.fraction - p.inverse_t.fraction)
        for a in d:
            y = net.total([(net.shift(a, exact.fraction - x.fraction), True), (total, True)])
            yield net.narrowed(y, exact.low, 0)
