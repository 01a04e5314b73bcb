"""Fixed-point types and the one cast that rounds and saturates.

A value is an integer mantissa ``m`` with a :class:`FixedType`; it stands for ``m / 2**fraction`` with
``fraction = width - integer``. ``integer`` may be negative or larger than ``width``. The modes are those of AMD UG1399
(``ap_fixed``) and IEEE 1666 (``sc_fixed``).
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from nn2hls.errors import Nn2hlsError, suggest

MAX_WIDTH = 1024  # AP_INT_MAX_W, the default limit of ap_int
MAX_FRACTION = 1022  # either way, so that one step is a normal float64


class Rounding(enum.IntEnum):
    """What happens to the bits below the new least significant bit. The numbers are shared with the C++."""

    TRN = 0  # toward minus infinity: the bits are dropped
    TRN_ZERO = 1  # toward zero
    RND = 2  # to nearest, ties toward plus infinity
    RND_ZERO = 3  # to nearest, ties toward zero
    RND_INF = 4  # to nearest, ties away from zero
    RND_MIN_INF = 5  # to nearest, ties toward minus infinity
    RND_CONV = 6  # to nearest, ties to even


class Overflow(enum.IntEnum):
    """What happens to values beyond the range. The numbers are shared with the C++."""

    WRAP = 0  # the upper bits are dropped
    SAT = 1  # the nearest end of the range
    SAT_ZERO = 2  # zero
    SAT_SYM = 3  # the nearest end of the symmetric range -max..max


class TypeSyntaxError(Nn2hlsError):
    """A type is not written as nn2hls reads it."""


_SPELLING = re.compile(
    r"\s*(?P<ap>ap_|ac_)?(?P<u>u?)(?P<kind>fixed|int)\s*"
    r"(?:<(?P<args>[^<>]*)>|(?P<short>\d+))\s*\Z",
    re.IGNORECASE,
)
_INTEGER = re.compile(r"[+-]?\d{1,9}\Z")


@dataclass(frozen=True, slots=True)
class FixedType:
    """``ap_[u]fixed<width, integer, AP_rounding, AP_overflow>``.

    Args:
        width: Bits of the mantissa, sign included; 1 to 1024.
        integer: Bits left of the binary point, sign included; may be negative or larger than ``width``.
        signed: Two's complement when true.
        rounding: What a cast to this type does with bits that do not fit below.
        overflow: What a cast to this type does with values that do not fit.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            raise TypeSyntaxError(f"A fixed-point width must be 1 to {MAX_WIDTH}, not {self.width}.")
        if abs(self.fraction) > MAX_FRACTION:
            what = f"A fixed-point type must have -{MAX_FRACTION} to {MAX_FRACTION} fraction bits (width - integer bits)"
            raise TypeSyntaxError(f"{what}, not {self.fraction}.")

    @property
    def fraction(self) -> int:
        """Bits right of the binary point: value = mantissa / 2**fraction; may be negative."""
        return self.width - self.integer

    @property
    def min_mantissa(self) -> int:
        """The smallest mantissa a cast can produce."""
        if not self.signed:
            return 0
        low = -(1 << (self.width - 1))
        return low + 1 if self.overflow is Overflow.SAT_SYM else low

    @property
    def max_mantissa(self) -> int:
        """The largest mantissa."""
        return (1 << (self.width - 1 if self.signed else self.width)) - 1

    @property
    def step(self) -> float:
        """The value of one least significant bit."""
        return float(2.0**-self.fraction)

    @property
    def min(self) -> float:
        """The smallest value a cast can produce; infinite beyond float64."""
        return value_of(self.min_mantissa, self.fraction)

    @property
    def max(self) -> float:
        """The largest value; infinite beyond float64."""
        return value_of(self.max_mantissa, self.fraction)

    def with_modes(self, rounding: Rounding, overflow: Overflow) -> FixedType:
        """The same bits with other modes."""
        return replace(self, rounding=rounding, overflow=overflow)

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Read ``ap_fixed<16,6,AP_RND,AP_SAT>``, ``ap_ufixed<>``, ``ap_int<>``, ``ap_uint<>``, ``fixed<16,6>``, ``int8``,
        ``ac_fixed<16,6,true,AC_RND,AC_SAT>``, ``ac_int<8,false>``.

        Raises:
            TypeSyntaxError: The text is not such a type; the message says what is wrong with it.
        """
        return _parse(cls, text)

    def __str__(self) -> str:
        name = "ap_fixed" if self.signed else "ap_ufixed"
        modes = ""
        if self.rounding or self.overflow:
            modes = f",AP_{self.rounding.name}"
            modes += f",AP_{self.overflow.name}" if self.overflow else ""
        return f"{name}<{self.width},{self.integer}{modes}>"


def value_of(mantissa: int, fraction: int) -> float:
    """mantissa / 2**fraction; infinite beyond float64."""
    try:
        return mantissa / (1 << fraction) if fraction >= 0 else float(mantissa << -fraction)
    except OverflowError:
        return math.inf if mantissa > 0 else -math.inf


_EXAMPLE = "Write it like ap_fixed<16,6>, ap_ufixed<8,0,AP_RND,AP_SAT>, ap_int<8> or fixed<16,6>."
_FLOATS = re.compile(
    r"\s*(float|double|half|bfloat16|float(8|16|32|64)|fp(16|32|64)|(ap|ac|ac_std|std)_float\s*(<.*>)?|ac_ieee_float.*)\s*\Z",
    re.I,
)
_SIGN = {"true": True, "1": True, "false": False, "0": False}
E_ = TypeVar("E_", Rounding, Overflow)


def _parse(cls: type[FixedType], text: str) -> FixedType:
    match = _SPELLING.match(text) if isinstance(text, str) else None
    if match is None or (match["short"] is not None and match["kind"].lower() == "fixed"):
        raise _no_type(text)
    is_int, ac = match["kind"].lower() == "int", (match["ap"] or "").lower() == "ac_"
    args = [a.strip() for a in (match["args"] if match["short"] is None else match["short"]).split(",")]
    numbers = 1 if is_int else 2
    signed = not match["u"]
    if len(args) > numbers and args[numbers].lower() in _SIGN:
        signed = _sign(signed, args.pop(numbers), ac, text)
    if len(args) < numbers or len(args) > (1 if is_int else 5):
        raise TypeSyntaxError(f"{text!r} has {len(args)} arguments.", fix=_EXAMPLE)
    for arg in args[:numbers]:
        if not _INTEGER.match(arg):
            raise TypeSyntaxError(f"{arg!r} in {text!r} is not a whole number.", fix=_EXAMPLE)
    if len(args) == 5 and args[4] != "0":
        raise TypeSyntaxError(
            f"{text!r} asks for {args[4]} saturated bits under wrapping.",
            fix="nn2hls offers ap_fixed with N = 0 only: drop the fifth argument.",
        )
    width = int(args[0])
    integer = width if is_int else int(args[1])
    rounding = _mode(Rounding, args[2], text) if len(args) > 2 else Rounding.TRN
    overflow = _mode(Overflow, args[3], text) if len(args) > 3 else Overflow.WRAP
    return cls(width, integer, signed, rounding, overflow)


def _no_type(text: object) -> TypeSyntaxError:
    if isinstance(text, str) and _FLOATS.match(text):
        what = f"{text.strip()!r} is a floating-point type; a design here computes in fixed point."
        return TypeSyntaxError(what, fix="Write a wide type, like ap_fixed<32,16>, or auto.")
    return TypeSyntaxError(f"{text!r} is not a fixed-point type.", fix=_EXAMPLE)


def _sign(signed: bool, word: str, ac: bool, text: str) -> bool:
    """The sign argument that the ac_ types have: ``ac_fixed<8,3,true>``, ``ac_int<8,false>``."""
    if ac and signed:
        return _SIGN[word.lower()]
    fix = "Drop it." if signed == _SIGN[word.lower()] else f"Write {'ap_ufixed' if signed else 'ap_fixed'} or ac_fixed."
    raise TypeSyntaxError(f"{text!r} has a sign argument, {word}, which only ac_fixed and ac_int have.", fix=fix)


def _mode(kind: type[E_], word: str, text: str) -> E_:
    name = re.sub(r"\A(AP|SC|AC)_", "", word.strip().upper())
    try:
        return kind[name]
    except KeyError:
        known = [f"AP_{m.name}" for m in kind]
        what = "a rounding" if kind is Rounding else "an overflow"
        fix = suggest(f"AP_{name}", known) or f"Known are {', '.join(known)}."
        raise TypeSyntaxError(f"{word!r} in {text!r} is not {what} mode.", fix=fix) from None


def cast(
    mantissa: Any, shift: int, width: int, signed: bool, rounding: Rounding, overflow: Overflow, *, fits: bool = False
) -> Any:
    """Round ``mantissa / 2**shift`` to an integer and bring it into ``width`` bits.

    Everything that rounds or saturates goes through here, and through its namesake in ``firmware_lib/``.

    Args:
        mantissa: A Python int, a :class:`nn2hls.arith.wide.Wide`, or an array of int64, of Python ints (object), or of
            float32 or float64 that hold integers of magnitude up to 2**24 or 2**53.
        shift: Bits to drop below; negative to append zeros. Any number.
        width, signed, rounding, overflow: As in :class:`FixedType`.
        fits: The caller has proved that every rounded value fits, so nothing is folded.

    Returns:
        A new number of the kind of ``mantissa``, or of the next kind (float32, float64, int64, object) when the result type
        does not fit there: float32 holds up to 24 bits, float64 up to 53, int64 up to 63. No float is a negative zero unless
        it was one before. A Wide becomes int64, or an object array beyond 63 bits.
    """
    if isinstance(mantissa, np.ndarray):
        if mantissa.ndim == 0:  # NumPy turns results of 0-d arrays into scalars, which would lose their kind
            one = cast(mantissa.reshape(1), shift, width, signed, rounding, overflow, fits=fits)
            return one.reshape(())
        kind = _kind(mantissa, shift, width, fits)
        if mantissa.dtype.kind == "f" and kind.kind == "f" and -64 <= shift <= _BITS[kind]:
            m = mantissa.astype(kind, copy=False)
            rounded = _round_float(m, shift if fits else max(shift, -width), rounding)
            return rounded if fits else _fold_float(rounded, width, signed, overflow)
        result = _cast_ints(_as_ints(mantissa, kind), shift, width, signed, rounding, overflow, fits)
        return result.astype(kind, copy=False)
    if isinstance(mantissa, int | np.integer):
        rounded = _round_int(int(mantissa), shift, rounding) if shift > 0 else int(mantissa) << -shift
        return rounded if fits else _fold_int(rounded, width, signed, overflow)
    return mantissa.cast(shift, width, signed, rounding, overflow, fits=fits)


def common_type(kinds: Sequence[FixedType]) -> FixedType:
    """The narrowest type that holds the values of all: the type itself, with its modes, where all are equal."""
    first, *others = kinds
    if all(kind == first for kind in others):
        return first
    signed = any(kind.signed for kind in kinds)
    integer = max(kind.integer - kind.signed for kind in kinds) + signed
    fraction = max(kind.fraction for kind in kinds)
    return FixedType(integer + fraction, integer, signed)


def cast_to(mantissa: Any, fraction: int, target: FixedType, *, fits: bool = False) -> Any:
    """Cast mantissas with ``fraction`` fraction bits to ``target``."""
    shift = fraction - target.fraction
    return cast(mantissa, shift, target.width, target.signed, target.rounding, target.overflow, fits=fits)


_BITS: dict[Any, int] = {np.dtype(np.float32): 24, np.dtype(np.float64): 53, np.dtype(np.int64): 63}
_OBJECT = np.dtype(object)


def _kind(m: np.ndarray, shift: int, width: int, fits: bool) -> np.dtype[Any]:
    """The kind of array a cast returns: that of ``m``, or a wider one."""
    have = m.dtype if m.dtype in _BITS or m.dtype.kind == "O" else np.dtype(np.int64)
    if have == _OBJECT or (fits and shift >= 0):
        return have
    return next((kind for kind, bits in _BITS.items() if bits >= max(width, _BITS[have])), _OBJECT)


def _as_ints(m: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    """int64, or Python ints when ``kind`` is object."""
    whole = m if m.dtype.kind == "O" else m.astype(np.int64)
    return whole.astype(object) if kind == _OBJECT else whole


def _cast_ints(
    m: np.ndarray, shift: int, width: int, signed: bool, rounding: Rounding, overflow: Overflow, fits: bool
) -> np.ndarray:
    """Cast an array of int64, with ``width`` <= 63, or of Python ints."""
    if shift > 0:
        m = np.asarray(_round_int(m, shift, rounding))
        return m if fits else np.asarray(_fold_int(m, width, signed, overflow))
    if fits or shift == 0 or overflow is Overflow.WRAP or m.dtype == object:
        # Beyond `width` bits up nothing is left under WRAP; below that int64 keeps the low bits that count.
        up = -shift if m.dtype == object else min(-shift, 63)
        return m << up if fits else np.asarray(_fold_int(m << up, width, signed, overflow))
    up = min(-shift, width)
    low, high = _limits(width, signed, overflow)
    over, under = m > high >> up, m < -(-low >> up)  # before the shift, which could leave int64
    if overflow is Overflow.SAT_ZERO:
        low = high = 0
    return np.where(over, high, np.where(under, low, m << up))


def _round_int(m: Any, shift: int, rounding: Rounding) -> Any:
    """Drop ``shift`` > 0 bits. Nothing is added before the shift, so int64 cannot overflow."""
    if isinstance(m, np.ndarray) and m.dtype != object and shift > 62:
        extra = min(shift, 66) - 62  # beyond 66 no value comes near a half; the last bit stands for all below it
        m, shift = (m >> extra) | ((m & ((1 << extra) - 1)) != 0), 62
    floor = m >> shift
    if rounding is Rounding.TRN:
        return floor
    half = 1 << (shift - 1)
    if rounding is Rounding.RND:
        return floor + ((m & half) >> (shift - 1))
    rest = m & ((1 << shift) - 1)
    if rounding is Rounding.TRN_ZERO:
        return floor + ((rest > 0) & (m < 0))
    if rounding is Rounding.RND_MIN_INF:
        return floor + (rest > half)
    if rounding is Rounding.RND_ZERO:
        return floor + (rest + (m < 0) > half)
    if rounding is Rounding.RND_INF:
        return floor + (rest - (m < 0) >= half)
    return floor + (rest + (floor & 1) > half)


def _limits(width: int, signed: bool, overflow: Overflow) -> tuple[int, int]:
    high = (1 << (width - 1 if signed else width)) - 1
    low = -high - 1 if signed else 0
    return (low + 1 if signed and overflow is Overflow.SAT_SYM else low), high


def _fold_int(m: Any, width: int, signed: bool, overflow: Overflow) -> Any:
    low, high = _limits(width, signed, overflow)
    array = isinstance(m, np.ndarray)
    if overflow is Overflow.WRAP:
        if array and m.dtype != object:
            return (m << (64 - width)) >> (64 - width) if signed else m & high
        wrapped = m & ((1 << width) - 1)
        return wrapped - (((wrapped >> (width - 1)) & 1) << width) if signed else wrapped
    if overflow is Overflow.SAT_ZERO:
        if array:
            return np.where((m < low) | (m > high), 0, m)
        return m if low <= m <= high else 0
    return np.clip(m, low, high) if array else min(max(m, low), high)


def _round_float(m: Any, shift: int, rounding: Rounding) -> Any:
    """Round m * 2**-shift in floating point, exactly, for at most 24 or 53 bits dropped from as many.

    The scaling is exact. A half is added to a number that is a multiple of 2**-shift: the sum needs a bit more than the format
    has only if its dropped part was at least a half, and then its own rounding cannot reach the next integer. (The one
    exception, just below a half, needs a shift by one more bit.)
    """
    q = np.multiply(m, m.dtype.type(2.0**-shift))
    if shift <= 0:
        return q
    if rounding is Rounding.TRN:
        return np.floor(q, out=q)
    half = m.dtype.type(0.5)
    if rounding is Rounding.RND:
        q += half
        return np.floor(q, out=q)
    if rounding is Rounding.RND_CONV:
        np.rint(q, out=q)
    elif rounding is Rounding.TRN_ZERO:
        np.trunc(q, out=q)
    elif rounding is Rounding.RND_MIN_INF:
        q -= half
        np.ceil(q, out=q)
    else:
        magnitude = np.abs(q)
        if rounding is Rounding.RND_ZERO:
            magnitude -= half
            np.ceil(magnitude, out=magnitude)
        else:
            magnitude += half
            np.floor(magnitude, out=magnitude)
        np.copysign(magnitude, q, out=q)
    q += m.dtype.type(0)  # a negative zero becomes zero
    return q


def _fold_float(q: Any, width: int, signed: bool, overflow: Overflow) -> Any:
    """Bring whole numbers into a type that the format holds exactly."""
    low, high = _limits(width, signed, overflow)
    if overflow is Overflow.WRAP:
        span = q.dtype.type(2.0**width)
        q -= span * np.floor(q * q.dtype.type(2.0**-width))
        if signed:
            q -= span * (q > high)
        return q
    if overflow is Overflow.SAT_ZERO:
        q[(q < low) | (q > high)] = 0
        return q
    return np.clip(q, low, high, out=q)
