"""Functions of one variable through a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from nn2hls.errors import ModelError
from nn2hls.fixed import FixedType, Overflow, Rounding, cast_to
from nn2hls.functions import (
    SELU_SCALE,
    SPLITS,
    Fold,
    Function,
    Linear,
    Split,
    defined_float,
    entries,
    evaluate_float,
    part_float,
)
from nn2hls.ir import Const, Shape
from nn2hls.ops.base import Call, Hints, Kernel, Op, Rom
from nn2hls.ops.parts import given_or_derived, hull, lift, multiplier, pointwise_schedule, scaled, signed_width, simple_call
from nn2hls.ops.table_size import choose_address, choose_entry
from nn2hls.ranges import Range, carrier, ints, round_constant
from nn2hls.schedule import Kind, Memory, Operator, Schedule

WHOLE = 1 << 16  # operands of at most this many values are emulated by one lookup of the whole layer


@dataclass(frozen=True, eq=False)
class Table(Op):
    """y = cast(slope * linear(x) + table[a]) with a = cast(fold(x) to address_t).

    The splits f(x) = slope * linear(x) + part(fold(x)) are listed in :mod:`nn2hls.functions`; ``slope`` is 1 except for SELU.
    The mantissa a, as the bits of its two's complement, is the address; ``address_t`` rounds to nearest and saturates, so every
    entry stands in the middle of the inputs it serves, and f(0) is as exact as the entries. An entry is part(a), rounded half
    to even to ``table_t`` and saturated to it: exp, log and the like stop at the ends of that type. The sum is exact.

    log, rsqrt (x <= 0) and reciprocal (x = 0) answer there with the value at half an address step; sqrt(x < 0) is 0.

    Config: ``table`` is the type of the entries; TableSize, a power of two, their number. Without them the smallest table is
    taken that keeps to the noise asked for, at most 4,096 entries, or fewer when the input has no more values.
    """

    function: Function
    alpha: float = 1.0
    address_t: FixedType | None = None
    table_t: FixedType | None = None
    slope_t: FixedType | None = None
    table: Const | None = None
    pointwise: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ()  # all channels share the table

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if self.function is Function.CELU and not self.alpha > 0:
            raise ModelError(f"CELU needs an alpha above zero, not {self.alpha}.", where=where)
        return shapes[0]

    def evaluate_float(self, x: Any) -> Any:
        return evaluate_float(self.function, x, self.alpha)

    @property
    def split(self) -> Split:
        """How the function is computed."""
        return SPLITS[self.function]

    # ---- types -----------------------------------------------------------------------------------------------------------

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Table:
        (x,) = xs
        slope = [SELU_SCALE if self.function is Function.SELU else 1.0]
        slope_t = given_or_derived(hints, ("slope",), slope, hints.noise / max(1.0, x.bound * 2.0**-x.fraction))
        folded = fold(self.split.fold, x)
        table_t = hints.given.get("table") or choose_entry(self.function, self.alpha, folded, hints)
        table_t = table_t.with_modes(Rounding.RND_CONV, Overflow.SAT)  # as all constants
        address_t = choose_address(self.function, self.alpha, folded, table_t, hints)
        words = _table(self.function, self.alpha, address_t, table_t)
        resolved: Table = self.replace(address_t=address_t, table_t=table_t, slope_t=slope_t, table=Const(np.array(words)))
        return resolved

    def _types(self) -> tuple[FixedType, FixedType, FixedType, np.ndarray]:
        assert self.address_t is not None
        assert self.table_t is not None
        assert self.slope_t is not None
        assert self.table is not None
        return self.address_t, self.table_t, self.slope_t, self.table.array

    def _sum(self, x: Range) -> tuple[int, int, int]:
        """(exact fraction, factor of the linear part, bits that an entry moves up)."""
        _, table_t, slope_t, _ = self._types()
        if self.split.linear is Linear.NONE:
            return table_t.fraction, 0, 0
        product = x.fraction + slope_t.fraction
        fraction = max(product, table_t.fraction)
        slope = int(round_constant(np.array(SELU_SCALE if self.function is Function.SELU else 1.0), slope_t))
        return fraction, slope << (fraction - product), fraction - table_t.fraction

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        address_t, _, _, words = self._types()
        fraction, slope, up = self._sum(x)
        addresses = fold(self.split.fold, x).cast(address_t)
        ordered = ints(np.roll(words, len(words) // 2) if address_t.signed else words)
        first = -(len(words) // 2) if address_t.signed else 0
        ends: dict[tuple[int, int], tuple[int, int]] = {}
        lo, hi = np.empty(x.lo.shape, dtype=object), np.empty(x.lo.shape, dtype=object)
        for k, pair in enumerate(zip(addresses.lo.flat, addresses.hi.flat, strict=True)):
            if pair not in ends:
                reached = ordered[pair[0] - first : pair[1] - first + 1]
                ends[pair] = int(reached.min()) << up, int(reached.max()) << up
            lo.flat[k], hi.flat[k] = ends[pair]
        line = hull([_linear(self.split.linear, end) * slope for end in (x.lo, x.hi)], fraction)
        return Range(ints(lo + line.lo), ints(hi + line.hi), fraction)

    def bound(self, xs: Sequence[Range]) -> float:
        """The largest error against f over all values of ``xs``, in units of the result, before the cast to its type.

        exp and the like are compared with f saturated to ``table_t``; inputs where f is undefined do not count. Between the
        ends of the inputs that share an entry a monotonic part cannot leave what it has there; others by curvature / 8 times
        the square of that width.
        """
        (x,) = xs
        address_t, table_t, slope_t, words = self._types()
        folded = fold(self.split.fold, x)
        points, width = _test_points(folded, address_t)
        grid = points * 2.0**-folded.fraction
        entry = words[cast_to(points, folded.fraction, address_t) % len(words)] * table_t.step
        want = np.clip(part_float(self.function, grid, self.alpha), table_t.min, table_t.max)
        errors = np.abs(entry - want)[defined_float(self.split.domain, grid)]
        bound = float(errors.max(initial=0.0)) + self.split.curvature * (width * 2.0**-folded.fraction) ** 2 / 8
        if self.function is not Function.SELU:
            return bound
        slope = float(round_constant(np.array(SELU_SCALE), slope_t)) * slope_t.step
        return max(bound, abs(slope - SELU_SCALE) * max(0, x.high) * 2.0**-x.fraction)  # above zero the entry is exactly 0

    # ---- emulation -------------------------------------------------------------------------------------------------------

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        if x.high - x.low < WHOLE:
            low, high = min(x.low, 0), max(x.high, 0)
            mantissas = np.concatenate([np.arange(0, high + 1), np.arange(low, 0)])  # in the order that negative indices read
            whole = self._compute(mantissas, x)
            kind = carrier(int(np.abs(whole).max(initial=0)))
            values = whole.astype(kind) if kind is not None else whole
            return lambda ops, watch: values.take(ops[0].astype(np.intp))
        return lambda ops, watch: self._compute(ops[0], x)

    def _compute(self, values: Any, x: Range) -> Any:
        address_t, _, _, words = self._types()
        _, slope, up = self._sum(x)
        down = x.fraction - address_t.fraction
        # the operand, rounded to the address, and the sum with the linear part must be exact
        bound = max(self.exact([x]).bound, x.bound * max(1, slope), x.bound + (1 << max(down, 0)))
        wide = lift(values, bound)
        address = cast_to(_folded(self.split.fold, wide), x.fraction, address_t)
        entry = scaled(words.astype(wide.dtype), up)[np.asarray(address, dtype=np.intp)]
        return entry + _linear(self.split.linear, wide) * slope if slope else entry

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def rom(self, lookups: int = 1) -> Rom:
        """The entries, addressed by the bits of the address, for so many lookups side by side."""
        _, table_t, _, words = self._types()
        return Rom(words, table_t.width, table_t.signed, lookups)

    def schedule(self, xs: Sequence[Range], result: FixedType) -> Schedule:
        (x,) = xs
        address_t, table_t, _, words = self._types()
        n, exact, (_, slope, _) = x.lo.size, self.exact(xs), self._sum(x)
        w = x.width
        before = [Operator(Kind.NEGATE, (w,)), Operator(Kind.SELECT, (w, 2))] if self.split.fold and x.signed else []
        if x.fraction > address_t.fraction:
            before.append(Operator(Kind.ROUND, (w, w - x.fraction + address_t.fraction + 1)))
        rounded = fold(self.split.fold, x).rounded(address_t)
        if rounded.low < address_t.min_mantissa or rounded.high > address_t.max_mantissa:
            before.append(Operator(Kind.SATURATE, (rounded.width, address_t.width)))
        lookup = Operator(Kind.ROM, (address_t.width, table_t.width))
        add = [Operator(Kind.ADD, (exact.width,))] if self.split.linear else []
        side = list(multiplier(w, np.array([slope], dtype=object))) if self.split.linear else []
        if self.split.linear in (Linear.RELU, Linear.MIN) and x.signed:
            side.append(Operator(Kind.SELECT, (w, 2)))
        main = pointwise_schedule(n, [*before, lookup, *add], exact, result)
        return Schedule(
            operators=(*main.operators, *(Operator(o.kind, o.widths, n) for o in side)),
            memories=(Memory(len(words), table_t.width, copies=math.ceil(n / 2)),),
            path=main.path,
            results=main.results,
        )

    def call(self, xs: Sequence[Range], result: FixedType) -> Call:
        (x,) = xs
        address_t, _, _, _ = self._types()
        exact, (_, slope, up) = self.exact(xs), self._sum(x)
        top = int(np.abs(ints(self.rom(x.lo.size).values)).max(initial=1))
        members = {
            "width": signed_width(exact.low, exact.high, 2 * x.bound * max(1, slope), top << up),
            "in_width": signed_width(-x.bound, x.bound),
            "fold": int(self.split.fold),
            "linear": int(self.split.linear),
            "slope": slope >> _zeros(slope),
            "slope_up": _zeros(slope),
            "address_width": address_t.width,
            "address_signed": int(address_t.signed),
            "address_shift": x.fraction - address_t.fraction,
            "entry_up": up,
        }
        return simple_call("table.h", "table", exact, result, members, {"table": self.rom(x.lo.size)})


def fold(kind: Fold, x: Range) -> Range:
    """The range of the folded operand."""
    if kind is Fold.NEG:
        return Range(ints(np.maximum(-x.hi, 0)), ints(np.maximum(-x.lo, 0)), x.fraction)
    if kind is Fold.ABS:
        nearest_zero = np.minimum(np.maximum(x.lo, 0), x.hi)
        return hull([np.abs(x.lo), np.abs(x.hi), np.abs(ints(nearest_zero))], x.fraction)
    return x


def _folded(kind: Fold, x: Any) -> Any:
    if kind is Fold.NEG:
        return np.maximum(-x, 0)
    return np.abs(x) if kind is Fold.ABS else x


def _linear(kind: Linear, x: Any) -> Any:
    if kind is Linear.RELU:
        return np.maximum(x, 0)
    if kind is Linear.MIN:
        return np.minimum(x, 0)
    return x


def _zeros(value: int) -> int:
    """Zero bits at the end."""
    return (value & -value).bit_length() - 1 if value else 0


@lru_cache(maxsize=256)
def _table(function: Function, alpha: float, address_t: FixedType, table_t: FixedType) -> tuple[int, ...]:
    """Entries in the order of the address bits: 0 .. max, then the negative addresses."""
    half = 1 << (address_t.width - address_t.signed)
    addresses = [*range(half), *(range(-half, 0) if address_t.signed else ())]
    low, high = table_t.min_mantissa, table_t.max_mantissa
    return tuple(entries(function, alpha, addresses, address_t.fraction, table_t.fraction, low, high))


def _test_points(x: Range, address_t: FixedType) -> tuple[np.ndarray, int]:
    """(mantissas of x between which the error of a monotonic part is largest, the widest gap between two of one entry)."""
    down = x.fraction - address_t.fraction
    low, high = x.low, x.high
    if high - low < WHOLE:
        return np.arange(low, high + 1), 0
    centers = np.arange(address_t.min_mantissa, address_t.max_mantissa + 1, dtype=np.int64)
    half = 1 << (down - 1) if down > 0 else 0
    centers = centers << down if down > 0 else centers >> -down
    tails = np.linspace(low, high, 4097).astype(np.int64)
    near = np.array([-1, 0, 1, low, high])
    points = np.concatenate([centers - half, centers + max(half - 1, 0), tails, near])
    return np.unique(np.clip(points, low, high)), max(2 * half, math.ceil((high - low) / 4096))
