"""Fixed-point types and the one cast that rounds and saturates.

A value is an integer mantissa ``m`` with a :class:`FixedType`; it stands for ``m / 2**fraction`` with
``fraction = width - integer``. ``integer`` may be negative or larger than ``width``. The modes are those of AMD UG1399
(``ap_fixed``) and IEEE 1666 (``sc_fixed``).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from nn2hls.errors import Nn2hlsError, suggest

MAX_WIDTH = 1024  # AP_INT_MAX_W, the default limit of ap_int


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
_INTEGER = re.compile(r"[+-]?\d+\Z")


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
        """The smallest value a cast can produce."""
        return self.min_mantissa * self.step

    @property
    def max(self) -> float:
        """The largest value."""
        return self.max_mantissa * self.step

    def with_modes(self, rounding: Rounding, overflow: Overflow) -> FixedType:
        """The same bits with other modes."""
        return replace(self, rounding=rounding, overflow=overflow)

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Read ``ap_fixed<16,6,AP_RND,AP_SAT>``, ``ap_ufixed<>``, ``ap_int<>``, ``ap_uint<>``, ``fixed<16,6>``, ``int8``.

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


_EXAMPLE = "Write it like ap_fixed<16,6>, ap_ufixed<8,0,AP_RND,AP_SAT>, ap_int<8> or fixed<16,6>."
E_ = TypeVar("E_", Rounding, Overflow)


def _parse(cls: type[FixedType], text: str) -> FixedType:
    match = _SPELLING.match(text) if isinstance(text, str) else None
    if match is None:
        raise TypeSyntaxError(f"{text!r} is not a fixed-point type.", fix=_EXAMPLE)
    is_int = match["kind"].lower() == "int"
    args = [a.strip() for a in (match["args"] if match["short"] is None else match["short"]).split(",")]
    numbers = 1 if is_int else 2
    if match["short"] is not None and not is_int:
        raise TypeSyntaxError(f"{text!r} is not a fixed-point type.", fix=_EXAMPLE)
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
    return cls(width, integer, not match["u"], rounding, overflow)


def _mode(kind: type[E_], word: str, text: str) -> E_:
    name = re.sub(r"\A(AP|SC|AC)_", "", word.strip().upper())
    try:
        return kind[name]
    except KeyError:
        known = [f"AP_{m.name}" for m in kind]
        what = "rounding" if kind is Rounding else "overflow"
        fix = suggest(f"AP_{name}", known) or f"Known are {', '.join(known)}."
        raise TypeSyntaxError(f"{word!r} in {text!r} is not an {what} mode.", fix=fix) from None


def cast(
    mantissa: Any, shift: int, width: int, signed: bool, rounding: Rounding, overflow: Overflow, *, fits: bool = False
) -> Any:
    """Round ``mantissa / 2**shift`` to an integer and bring it into ``width`` bits.

    Everything that rounds or saturates goes through here, and through its namesake in ``firmware_lib/``.

    Args:
        mantissa: A Python int, or an array of int64, of Python ints (object), or of float32/float64 that hold integers of at
            most 24 or 53 bits.
        shift: Bits to drop below; negative to append zeros.
        width, signed, rounding, overflow: As in :class:`FixedType`.
        fits: The caller has proved that every rounded value fits, so nothing is folded.

    Returns:
        The same kind of number as ``mantissa``. An int64 array must leave room for the shift: a left shift or the half that
        rounding adds must not exceed 63 bits.
    """
    if isinstance(mantissa, np.ndarray) and mantissa.dtype.kind == "f":
        rounded = _round_float(mantissa, shift, rounding)
        return rounded if fits else _fold_float(rounded, width, signed, overflow)
    if shift > 0:
        rounded = _round_int(mantissa, shift, rounding)
    else:
        rounded = mantissa * (1 << -shift) if shift else mantissa
    return rounded if fits else _fold_int(rounded, width, signed, overflow)


def cast_to(mantissa: Any, fraction: int, target: FixedType, *, fits: bool = False) -> Any:
    """Cast mantissas with ``fraction`` fraction bits to ``target``."""
    shift = fraction - target.fraction
    return cast(mantissa, shift, target.width, target.signed, target.rounding, target.overflow, fits=fits)


def _round_int(m: Any, shift: int, rounding: Rounding) -> Any:
    if isinstance(m, np.ndarray) and m.dtype != object and shift > 62:
        m = m.astype(object)
    half = 1 << (shift - 1)
    if rounding is Rounding.TRN:
        return m >> shift
    if rounding is Rounding.TRN_ZERO:
        return (m + (m < 0) * ((1 << shift) - 1)) >> shift
    if rounding is Rounding.RND:
        return (m + half) >> shift
    if rounding is Rounding.RND_MIN_INF:
        return (m + (half - 1)) >> shift
    if rounding is Rounding.RND_ZERO:
        return (m + (half - 1) + (m < 0)) >> shift
    if rounding is Rounding.RND_INF:
        return (m + half - (m < 0)) >> shift
    return (m + (half - 1) + ((m >> shift) & 1)) >> shift


def _fold_int(m: Any, width: int, signed: bool, overflow: Overflow) -> Any:
    high = (1 << (width - 1 if signed else width)) - 1
    low = -high - 1 if signed else 0
    if overflow is Overflow.WRAP:
        if isinstance(m, np.ndarray) and m.dtype != object:
            if width >= 64 - (not signed):
                return m
        wrapped = m & ((1 << width) - 1)
        if not signed:
            return wrapped
        if isinstance(m, np.ndarray):
            return np.where(wrapped > high, wrapped - (1 << width), wrapped)
        return wrapped - (wrapped > high) * (1 << width)
    if overflow is Overflow.SAT_SYM and signed:
        low += 1
    if isinstance(m, np.ndarray):
        if overflow is Overflow.SAT_ZERO:
            return np.where((m < low) | (m > high), 0, m)
        if m.dtype != object:
            return np.clip(m, max(low, -(1 << 63)), min(high, (1 << 63) - 1))
        return np.clip(m, low, high)
    if low <= m <= high:
        return m
    if overflow is Overflow.SAT_ZERO:
        return 0
    return high if m > high else low


def _round_float(m: Any, shift: int, rounding: Rounding) -> Any:
    """Round m * 2**-shift in floating point, exactly: the scaling is exact, and a half is added to at most 24 or 53 bits.

    Adding the half can only carry into a longer number when the dropped part was at least a half, and then the result lies less
    than a half above an integer, so its own rounding cannot reach the next one.
    """
    q = np.multiply(m, m.dtype.type(2.0**-shift))
    if shift <= 0:
        return q
    if rounding is Rounding.TRN:
        return np.floor(q, out=q)
    if rounding is Rounding.RND_CONV:
        return np.rint(q, out=q)
    if rounding is Rounding.TRN_ZERO:
        return np.trunc(q, out=q)
    half = m.dtype.type(0.5)
    if rounding is Rounding.RND:
        q += half
        return np.floor(q, out=q)
    if rounding is Rounding.RND_MIN_INF:
        q -= half
        return np.ceil(q, out=q)
    magnitude = np.abs(q)
    if rounding is Rounding.RND_ZERO:
        magnitude -= half
        np.ceil(magnitude, out=magnitude)
    else:
        magnitude += half
        np.floor(magnitude, out=magnitude)
    return np.copysign(magnitude, q, out=magnitude)


def _fold_float(q: Any, width: int, signed: bool, overflow: Overflow) -> Any:
    high = float((1 << (width - 1 if signed else width)) - 1)
    low = -high - 1.0 if signed else 0.0
    if overflow is Overflow.WRAP:
        span = q.dtype.type(2.0**width)
        if signed:
            return q - span * np.floor((q - q.dtype.type(low)) / span)
        return q - span * np.floor(q / span)
    if overflow is Overflow.SAT_SYM and signed:
        low += 1.0
    if overflow is Overflow.SAT_ZERO:
        q[(q < low) | (q > high)] = 0
        return q
    return np.clip(q, low, high, out=q)
