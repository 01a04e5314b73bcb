"""Functions of one variable through a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast_to
from nn2hls.arith.functions import SELU_SCALE, SPLITS, Fold, Function, Linear, Split, entries
from nn2hls.arith.functions_float import evaluate_float
from nn2hls.arith.ranges import Range, ints, lift, round_constant
from nn2hls.errors import ModelError, TypeResolutionError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.casts import cast
from nn2hls.hardware.net import Net
from nn2hls.ops.exact import given_or_derived, hull, looked_up, scaled
from nn2hls.ops.inverse import Normalised
from nn2hls.ops.inverse_size import suits
from nn2hls.ops.table_bound import Errors, saturates, table_errors, unsaturated
from nn2hls.ops.table_size import MAX_ADDRESS, MAX_ASKED, MISSED, WARNED, choose_address, choose_entry, missed
from nn2hls.text import at_most

MAX_ENTRY = 64  # bits of an entry: the constants of C++ have no more
MAX_REACH = 512  # integer bits of an operand: its square is a float64
NEAR = 2.0**-10


@dataclass(frozen=True, eq=False)
class Table(Op):
    """y = cast(slope * linear(x) + table[a]) with a = cast(fold(x) to address_t).

    The splits f(x) = slope * linear(x) + part(fold(x)) are listed in :mod:`nn2hls.arith.functions`; ``slope`` is 1 except for
    SELU. The mantissa a, as the bits of its two's complement, is the address; ``address_t`` rounds to nearest and saturates,
    so every entry stands in the middle of the inputs it serves, and f(0) is as exact as the entries. An entry is part(a),
    rounded half to even to ``table_t`` and saturated to it: exp, log and the like stop at the ends of that type. The sum is
    exact.

    log, rsqrt (x <= 0) and reciprocal (x = 0) answer there with the value at half an address step; sqrt(x < 0) is 0.

    Operands of many values make a log, root, reciprocal or softsign a :class:`Normalised`, unless the config names the table.

    Config: ``table`` is the type of the entries; TableSize, a power of two, their number. Without them the smallest table is
    taken that keeps to the noise asked for, at most 4,096 entries, or fewer when the input has no more values.
    """

    function: Function
    alpha: float = 1.0
    address_t: FixedType | None = None
    table_t: FixedType | None = None
    slope_t: FixedType | None = None
    table: Const | None = None
    called: ClassVar[tuple[str, ...]] = ("Activation", "ParametrizedActivation")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ()  # all channels share the table
    uses: ClassVar[tuple[str, ...]] = ("table_size",)

    @property
    def probability(self) -> str:
        return "sigmoid" if self.function is Function.SIGMOID else ""

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if self.function is Function.CELU and not self.alpha > 0:
            raise ModelError(f"CELU needs an alpha above zero, not {self.alpha}.", where=where)
        return shapes[0]

    def evaluate_float(self, x: Any) -> Any:
        return evaluate_float(self.function, x, self.alpha)

    def measured(self) -> Op:
        return self if self.split.domain == "all" else _Measured(self.function, self.alpha)

    @property
    def split(self) -> Split:
        """How the function is computed."""
        return SPLITS[self.function]

    # ---- types -----------------------------------------------------------------------------------------------------------

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Table | Normalised:
        (x,) = xs
        if suits(self.function, x, hints):
            return Normalised.of(self.function, x, hints)
        slope_t = FixedType(1, 1, False)
        if self.function is Function.SELU:
            slope_t = given_or_derived(hints, ("slope",), [SELU_SCALE], hints.noise / max(1.0, x.real_high))
        folded = fold(self.split.fold, x)
        table_t = hints.given.get("table") or choose_entry(self.function, self.alpha, folded, hints)
        _check(x, table_t, slope_t)
        table_t = table_t.with_modes(Rounding.RND_CONV, Overflow.SAT)  # as all constants
        address_t = choose_address(self.function, self.alpha, folded, table_t, hints)
        words = np.array(
            _table(self.function, self.alpha, address_t, table_t), dtype=np.int64 if table_t.width < 63 else object
        )
        resolved: Table = self.replace(address_t=address_t, table_t=table_t, slope_t=slope_t, table=Const(words))
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
        lo, hi = np.empty(x.shape, dtype=object), np.empty(x.shape, dtype=object)
        for k, pair in enumerate(zip(addresses.lo.flat, addresses.hi.flat, strict=True)):
            if pair not in ends:
                reached = ordered[pair[0] - first : pair[1] - first + 1]
                ends[pair] = int(reached.min()) << up, int(reached.max()) << up
            lo.flat[k], hi.flat[k] = ends[pair]
        line = hull([_linear(self.split.linear, end) * slope for end in (x.lo, x.hi)], fraction)
        return Range(ints(lo + line.lo), ints(hi + line.hi), fraction)

    # ---- errors ----------------------------------------------------------------------------------------------------------

    def bound(self, xs: Sequence[Range]) -> float:
        """The largest error against f over all values of ``xs``, in units of the result, before the cast to its type.

        Inputs where f is undefined do not count; those where an entry saturates do.
        """
        return self._errors(xs).largest

    def _errors(self, xs: Sequence[Range]) -> Errors:
        (x,) = xs
        address_t, table_t, slope_t, words = self._types()
        found = table_errors(self.function, self.alpha, fold(self.split.fold, x), address_t, words, table_t)
        if self.function is not Function.SELU:
            return found
        slope = float(round_constant(np.array(SELU_SCALE), slope_t)) * slope_t.step
        line = abs(slope - SELU_SCALE) * max(0.0, x.real_high)  # above zero the entry is exactly 0
        return replace(found, largest=max(found.largest, line), inside=max(found.inside, line))

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        folded = fold(self.split.fold, xs[0])
        _, table_t, _, _ = self._types()
        found = self._errors(xs)
        text = f"within {at_most(found.largest)} of the function for every input, before rounding"
        if saturates(self.function, self.alpha, folded, table_t):
            low, high = found.ends
            at = f" (inputs from {low:.4g} to {high:.4g})" if self.split.fold is Fold.NONE and low < high else ""
            text += f", and within {at_most(found.inside)} where it fits its table's type {table_t}{at}; beyond, it saturates"
        return [f"{text}.", *self._missed(xs, hints, MISSED, WARNED)]

    def warnings(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        return self._missed(xs, hints, WARNED, math.inf)

    def _missed(self, xs: Sequence[Range], hints: Hints, least: float, below: float) -> list[str]:
        """What to say where derived types miss the noise that is asked for by so many dB, with the setting that meets it."""
        x, (address_t, table_t, _, words) = fold(self.split.fold, xs[0]), self._types()
        asked = hints.table_size is not None or "table" in hints.given
        decibels = missed(self.function, self.alpha, x, address_t, table_t, hints)
        if asked or not least <= decibels < below:
            return []
        fix = "No TableSize meets it: use calibration data, or a narrower type of its input."
        for bits in range(MAX_ADDRESS + 1, MAX_ASKED + 1):
            larger = choose_address(self.function, self.alpha, x, table_t, replace(hints, table_size=1 << bits))
            if missed(self.function, self.alpha, x, larger, table_t, hints) < MISSED:
                fix = f"TableSize: {1 << bits} meets it."
                break
        return [f"its table of {len(words)} entries misses TargetSQNR by {decibels:.0f} dB on likely inputs. {fix}"]

    # ---- emulation -------------------------------------------------------------------------------------------------------

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        watched, compute = self._watched(x), self._computed(x)
        whole = looked_up(compute, x)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            if watched is not None:
                watched(ops[0], watch)
            return compute(ops[0]) if whole is None else whole.take(ops[0].astype(np.intp))

        return run

    def _watched(self, x: Range) -> Callable[[Any, Any], None] | None:
        """What reports operands whose table part leaves the type of the entries; None where there are none."""
        _, table_t, _, _ = self._types()
        folded = fold(self.split.fold, x)
        if not saturates(self.function, self.alpha, folded, table_t):
            return None

        def see(values: Any, watch: Any) -> None:
            points = _folded(self.split.fold, values)
            watch("table", unsaturated(self.function, self.alpha, points, x.fraction, table_t), table_t.fraction, table_t)

        return see

    def _computed(self, x: Range) -> Callable[[Any], Any]:
        """The sums for mantissas of the operand; what does not depend on them is computed once."""
        address_t, _, _, words = self._types()
        _, slope, up = self._sum(x)
        down = x.fraction - address_t.fraction
        # the operand, rounded to the address, and the sum with the linear part must be exact
        bound = max(self.exact([x]).bound, max(1, x.bound) * max(1, slope), x.bound + (1 << max(down, 0)))

        def compute(values: Any) -> Any:
            wide = lift(values, bound)
            address = cast_to(_folded(self.split.fold, wide), x.fraction, address_t)
            entry = scaled(words.astype(wide.dtype), up)[np.asarray(address, dtype=np.intp)]
            return entry + _linear(self.split.linear, wide) * slope if slope else entry

        return compute

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        (a,), (x,) = wires, xs
        address_t, _, _, words = self._types()
        fraction, slope, up = self._sum(x)
        address = net.wrap(cast(net, _FOLDED[self.split.fold](net, a), x.fraction, address_t), address_t.width, signed=False)
        entry = net.shift(net.lookup(address, [int(w) for w in words]), up)
        return net.add(entry, net.scale(_LINE[self.split.linear](net, a), slope)), fraction


class _Measured(Table):
    """With operands outside its domain mirrored, and none nearer to the pole than ``NEAR``: those would outweigh all others."""

    def evaluate_float(self, x: Any) -> Any:
        return super().evaluate_float(np.where(np.abs(x) < NEAR, NEAR, np.abs(x) if self.split.domain == "positive" else x))


def fold(kind: Fold, x: Range) -> Range:
    """The range of the folded operand."""
    if kind is Fold.NEG:
        return Range(ints(np.maximum(ints(-x.hi), 0)), ints(np.maximum(ints(-x.lo), 0)), x.fraction)
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


def _check(x: Range, table_t: FixedType, slope_t: FixedType) -> None:
    for what, width, most in (("an entry", table_t.width, MAX_ENTRY), ("a slope", slope_t.width, MAX_ENTRY - 2)):
        if width > most:
            raise TypeResolutionError(f"A table has {what} of at most {most} bits, not {width}.", fix="Use a narrower type.")
    if max(x.bound.bit_length() - x.fraction, -x.fraction) > MAX_REACH:
        reach = x.bound.bit_length() - x.fraction
        what = f"A function by table takes operands of up to {MAX_REACH} integer bits, not {reach}."
        raise TypeResolutionError(what, fix="Give its input fewer integer bits.")


_FOLDED: dict[Fold, Callable[[Net, int], int]] = {
    Fold.NONE: lambda net, a: a,
    Fold.ABS: Net.absolute,
    Fold.NEG: lambda net, a: net.negate(net.clip(a, None, 0)),
}
_LINE: dict[Linear, Callable[[Net, int], int]] = {
    Linear.NONE: lambda net, a: net.const(0),
    Linear.RELU: lambda net, a: net.clip(a, 0, None),
    Linear.MIN: lambda net, a: net.clip(a, None, 0),
    Linear.IDENTITY: lambda net, a: a,
}


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
