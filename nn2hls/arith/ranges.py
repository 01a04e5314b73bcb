"""Exact bounds of tensors of mantissas: the proof behind widths, data types and sound integer bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast_to, value_of

FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53
INT64_EXACT = (1 << 63) - 1
MAX_AUTO_ACCUMULATOR = 53  # bits: beyond them float64 is not exact any more


def _array(values: Any) -> np.ndarray:
    """An array; one of Python ints where NumPy would take uint64, or for large integers of both signs floats."""
    array = np.asarray(values)
    if array.dtype.kind == "u":
        return array.astype(object)
    if array.dtype.kind == "f" and not isinstance(values, np.ndarray):
        exact = np.array(values, dtype=object)
        return exact if all(isinstance(v, int) for v in exact.flat) else array
    return array


def ints(values: Any) -> np.ndarray:
    """An object array of Python ints, so that nothing overflows."""
    array = _array(values)
    if array.dtype == object:
        return array
    out = np.empty(array.shape, dtype=object)
    if array.size:
        out[...] = array.astype(np.int64).tolist() if array.ndim else int(array)
    return out


def compact(values: Any) -> np.ndarray:
    """Integers as an int64 array where that holds all of them, else an object array; axes along which all are equal have
    stride 0, so that the bounds of a million equal elements take the room of one."""
    array = _array(values)
    if array.dtype == object:
        core = _core(array)
        narrow = not core.size or -INT64_EXACT <= min(core.flat) <= max(core.flat) <= INT64_EXACT
        array = np.broadcast_to(core.astype(np.int64), array.shape) if narrow else array
    elif array.dtype != np.int64:
        array = array.astype(np.int64)
    core = _core(array)
    for axis in range(core.ndim):
        first = core[(slice(None),) * axis + (slice(1),)]
        if core.shape[axis] > 1 and np.all(core == first):
            core = first
    if core.size < array.size:
        array = np.broadcast_to(np.array(core), array.shape)
    return array


def _core(array: np.ndarray) -> np.ndarray:
    """The array with one element along axes of stride 0."""
    return array[(*(slice(None if step else 1) for step in array.strides), ...)] if array.size else array


class Range:
    """``lo <= mantissa <= hi`` for each element; value = mantissa / 2**fraction.

    Args:
        lo, hi: Arrays of integers, or of Python ints, that broadcast to the tensor's shape without batch axis.
        fraction: Fraction bits of the mantissas; may be negative.
        zeros: How many low bits of each mantissa are zero, an array that broadcasts to ``lo``; None where no bit is known.
    """

    def __init__(self, lo: np.ndarray, hi: np.ndarray, fraction: int, zeros: np.ndarray | None = None) -> None:
        self.least = compact(lo)
        self.most = self.least if hi is lo else compact(hi)
        self.fraction = fraction
        known = zeros is not None and np.any(zeros)
        self.zeros: np.ndarray | None = np.broadcast_to(compact(zeros), self.least.shape) if known else None

    @classmethod
    def of_type(cls, kind: FixedType) -> Range:
        """All that a type can hold."""
        return cls(ints(kind.min_mantissa), ints(kind.max_mantissa), kind.fraction)

    @classmethod
    def of_mantissas(cls, mantissas: Any, fraction: int) -> Range:
        """Constants: both ends are the value itself."""
        array = compact(mantissas)
        return cls(array, array, fraction)

    @property
    def lo(self) -> np.ndarray:
        """The smallest mantissas as Python ints, which never overflow; ``least`` holds them as int64 if it can."""
        return _as_python(self.least)

    @property
    def hi(self) -> np.ndarray:
        """The largest mantissas as Python ints; ``most`` has the same as int64 where that holds them."""
        return _as_python(self.most)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor without batch axis."""
        return self.least.shape

    @property
    def size(self) -> int:
        """How many elements."""
        return self.least.size

    @cached_property
    def low(self) -> int:
        """The smallest mantissa of all elements."""
        return int(_core(self.least).min()) if self.least.size else 0

    @cached_property
    def high(self) -> int:
        """The largest mantissa of all elements."""
        return int(_core(self.most).max()) if self.most.size else 0

    @property
    def bound(self) -> int:
        """The largest magnitude of a mantissa."""
        return max(abs(self.low), abs(self.high))

    @property
    def real_low(self) -> float:
        """The smallest value of all elements; infinite beyond float64."""
        return value_of(self.low, self.fraction)

    @property
    def real_high(self) -> float:
        """The largest value of all elements; infinite beyond float64."""
        return value_of(self.high, self.fraction)

    @property
    def width(self) -> int:
        """Bits of the narrowest integer that holds every mantissa, sign included if any is negative; at least 1."""
        return width_of(self.low, self.high)

    @property
    def signed(self) -> bool:
        """True when a mantissa can be negative."""
        return self.low < 0

    @property
    def bits(self) -> np.ndarray:
        """For each element how many bits of a magnitude count: none of a sign, of zeros above all values and below them."""
        if self.least is self.most:
            return enclosed(self.least)
        # Never below 0. The kind is said, since of one number alone NumPy would choose it anew.
        kind = object if object in (self.least.dtype, self.most.dtype) else np.int64
        top = np.maximum(np.asarray(-1 - self.least, dtype=kind), np.asarray(self.most, dtype=kind))
        below = 0 if self.zeros is None else self.zeros
        return np.asarray(np.maximum(np.asarray(_bit_length(top)).astype(np.int64) - below, 0))

    def alike(self, other: Range) -> bool:
        """Whether the other one says the same of every element."""
        if self.fraction != other.fraction or self.shape != other.shape or (self.zeros is None) != (other.zeros is None):
            return False
        pairs = [(self.least, other.least), (self.most, other.most)]
        pairs += [] if self.zeros is None or other.zeros is None else [(self.zeros, other.zeros)]
        return all(np.array_equal(_core(a), _core(b)) for a, b in pairs)

    def bounds(self, channel: int) -> tuple[int, int]:
        """The smallest and the largest mantissa of one element of the last axis, over all others."""
        lo, hi = (a if np.ndim(a) == 0 or a.shape[-1] == 1 else a[..., channel] for a in (self.least, self.most))
        return int(np.min(_core(lo))), int(np.max(_core(hi)))

    def ends(self, reach: int) -> tuple[np.ndarray, np.ndarray]:
        """``least`` and ``most`` for arithmetic that gives no number larger than ``reach``: int64 where it holds that."""
        return (self.least, self.most) if max(reach, self.bound) <= INT64_EXACT else (self.lo, self.hi)

    def broadcast(self, shape: Sequence[int]) -> Range:
        """The same bounds, one pair per element of ``shape``."""
        return self.moved(lambda array: np.broadcast_to(array, shape))

    def flat(self, places: np.ndarray) -> Range:
        """The bounds of the elements of these numbers, row-major."""
        return self.moved(lambda array: array.reshape(-1)[places])

    def moved(self, change: Callable[[np.ndarray], np.ndarray]) -> Range:
        """The bounds of the elements that ``change`` picks of an array of the tensor's shape, or reduces it to."""
        zeros = None if self.zeros is None else change(self.zeros)
        return Range(change(self.least), change(self.most), self.fraction, zeros)

    def joined(self, axis: int = 0) -> Range:
        """What holds for all elements along an axis, which goes."""
        zeros = None if self.zeros is None else self.zeros.min(axis=axis)
        return Range(self.least.min(axis=axis), self.most.max(axis=axis), self.fraction, zeros)

    def at(self, fraction: int) -> Range:
        """The same values as mantissas with ``fraction`` fraction bits, not fewer than now."""
        up = fraction - self.fraction
        if up < 0:
            raise ValueError(f"cannot drop {-up} fraction bits exactly")
        if not up:
            return self
        lo, hi = self.ends(self.bound << up)
        return Range(lo << up, hi << up, fraction, self._zeros(up))

    def _zeros(self, up: int) -> np.ndarray | None:
        """The zero bits of mantissas that have ``up`` fraction bits more; rounding leaves those that it does not reach."""
        return None if self.zeros is None else np.maximum(self.zeros + up, 0)

    def rounded(self, target: FixedType) -> Range:
        """The bounds once rounded to ``target``'s fraction bits by its mode, whether or not they fit it."""
        lo, hi = self.ends((self.bound + 1) << max(target.fraction - self.fraction, 0))
        lo, hi = (np.asarray(cast_to(a, self.fraction, target, fits=True)) for a in (lo, hi))
        return Range(lo, hi, target.fraction, self._zeros(target.fraction - self.fraction))

    def cast(self, target: FixedType) -> Range:
        """The bounds after a cast to ``target``. Casts are monotonic unless something wraps or goes to zero."""
        rounded = self.rounded(target)
        full_lo, full_hi = target.min_mantissa, target.max_mantissa
        if full_lo <= rounded.low and rounded.high <= full_hi:
            return rounded
        lo, hi = rounded.ends(max(full_hi, -full_lo))
        if target.overflow in (Overflow.WRAP, Overflow.SAT_ZERO):
            out = (lo < full_lo) | (hi > full_hi)
            if np.any(out):
                lo, hi = np.where(out, full_lo, lo), np.where(out, full_hi, hi)
        zeros = rounded.zeros if target.overflow in (Overflow.WRAP, Overflow.SAT_ZERO) else None
        if zeros is not None:
            zeros = np.minimum(zeros, target.width - target.signed)
        return Range(np.clip(lo, full_lo, full_hi), np.clip(hi, full_lo, full_hi), target.fraction, zeros)


_bit_length = np.frompyfunc(lambda v: int(v).bit_length(), 1, 1)


def enclosed(mantissas: np.ndarray) -> np.ndarray:
    """How many bits lie between the highest and the lowest one that is set, both counted; 0 for zero."""
    lowest = np.maximum(np.asarray(mantissas & -mantissas, mantissas.dtype), 1)  # of a scalar NumPy makes a Python integer
    return np.asarray(_bit_length(np.abs(mantissas) // lowest)).astype(np.int64)


def _as_python(array: np.ndarray) -> np.ndarray:
    return array if array.dtype == object else np.broadcast_to(ints(_core(array)), array.shape)


def width_of(low: int, high: int) -> int:
    """Bits of the narrowest integer type that holds ``low`` to ``high``; two's complement when ``low`` is negative."""
    if low < 0:
        return max((-low - 1).bit_length(), high.bit_length() if high > 0 else 0) + 1
    return max(1, high.bit_length())


def round_constant(values: np.ndarray, kind: FixedType) -> np.ndarray:
    """Mantissas of constants: half to even, saturated, whatever the modes of ``kind``; exact for any float64.

    Returns:
        int64, or object when the type is wider than 62 bits.
    """
    target = kind.with_modes(Rounding.RND_CONV, Overflow.SAT)
    with np.errstate(over="ignore"):  # what leaves float64 is beyond the type by far
        scaled = np.ldexp(np.asarray(values, dtype=np.float64), kind.fraction)
    if kind.width <= 53:
        return np.clip(np.rint(scaled), target.min_mantissa, target.max_mantissa).astype(np.int64)
    exact = [min(max(_half_even(float(v), kind.fraction), target.min_mantissa), target.max_mantissa) for v in np.ravel(values)]
    out = np.empty(len(exact), dtype=object)
    out[:] = exact
    return out.reshape(np.shape(values))


def _half_even(value: float, fraction: int) -> int:
    from fractions import Fraction

    return round(Fraction(value) * Fraction(2) ** fraction)


def carrier(bound: int) -> np.dtype[Any] | None:
    """The fastest array type in which integers of this magnitude are exact; None beyond int64 (see ``nn2hls.arith.wide``)."""
    if bound <= FLOAT32_EXACT:
        return np.dtype(np.float32)
    if bound <= FLOAT64_EXACT:
        return np.dtype(np.float64)
    return np.dtype(np.int64) if bound <= INT64_EXACT else None


def exact_fraction(values: np.ndarray, most: int) -> int:
    """The fewest fraction bits that hold all values exactly, or ``most`` when that many do not."""
    scaled = np.ldexp(np.abs(np.asarray(values, dtype=np.float64)), most)
    whole = np.rint(scaled)
    if not np.array_equal(whole, scaled) or whole.max(initial=0) >= FLOAT64_EXACT:
        return most
    bits = int(np.bitwise_or.reduce(whole.astype(np.int64), axis=None)) if whole.size else 0
    return most - ((bits & -bits).bit_length() - 1) if bits else 0


def holding_type(values: np.ndarray) -> FixedType:
    """The narrowest type that holds each of these finite floats as it is, however wide that is."""
    array = np.asarray(values, dtype=np.float64)
    signed, top = bool(np.any(array < 0)), float(np.abs(array).max(initial=0.0))
    if top == 0.0:
        return FixedType(1, 1, False)
    digits, powers = np.frexp(array[array != 0])
    whole = np.ldexp(np.abs(digits), 53).astype(np.int64)
    lowest = int(np.min(powers - 53 + np.frexp((whole & -whole).astype(np.float64))[1] - 1))
    low, high = (int(np.ldexp(end, -lowest)) for end in (float(array.min()), float(array.max())))
    width = signed_width(low, high) if signed else width_of(0, high)
    return FixedType(width, width + lowest, signed)


def constant_type(values: np.ndarray, step: float, max_width: int) -> FixedType:
    """The narrowest type for constants.

    Args:
        values: Finite float64 values.
        step: The largest step that is precise enough.
        max_width: No wider than this: the low bits go first.
    """
    import math

    top = float(np.abs(values).max(initial=0.0))
    signed = bool(np.any(np.asarray(values) < 0))
    if top == 0.0:
        return FixedType(1, 1, False)
    integer = math.frexp(top)[1]
    fraction = exact_fraction(values, math.ceil(-math.log2(max(step, 2.0**-1000))))
    fraction = max(min(fraction, max_width - integer - signed), 1 - integer - signed)
    for extra in (0, 1):  # rounding can carry the largest value into one more integer bit
        fraction = min(fraction, max_width - integer - extra - signed)
        kind = FixedType(max(1, integer + extra + fraction + signed), integer + extra + signed, signed)
        worst = np.rint(np.ldexp(np.asarray(values), kind.fraction))
        if worst.max(initial=0) <= kind.max_mantissa and worst.min(initial=0) >= kind.min_mantissa:
            break
    return kind


def signed_width(*values: int) -> int:
    """Bits of the narrowest two's complement integer that holds every value."""
    low, high = min(-1, *values), max(0, *values)
    return width_of(low, high)


def lift(x: Any, bound: int) -> Any:
    """``x``, integers of magnitude up to ``bound``, in an array type in which all of that magnitude are exact.

    That is its own type if it is one; Python integers only where int64 does not hold ``bound``, so that they never meet floats
    in one array. A Wide stays what it is.
    """
    if not isinstance(x, np.ndarray):
        return x
    kind = carrier(bound)
    if kind is None:
        return ints(x)
    if x.dtype.kind == "i":
        return x
    limit = {"float64": FLOAT64_EXACT, "float32": FLOAT32_EXACT}.get(x.dtype.name, -1)
    return x if bound <= limit else x.astype(kind)
