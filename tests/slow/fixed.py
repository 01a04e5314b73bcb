"""The cast as IEEE 1666 and UG1399 describe it, on fractions: slow, plain, and shared with no other code of the project."""

from fractions import Fraction
from math import ceil, floor

from nn2hls.arith.fixed import FixedType


def round_slow(value: Fraction, rounding: str) -> int:
    """Round to a whole number by the name of a mode, without AP_."""
    below, above = floor(value), ceil(value)
    if below == above:
        return below
    toward_zero, away = (below, above) if value > 0 else (above, below)
    even = below if below % 2 == 0 else above
    direct = {"TRN": below, "TRN_ZERO": toward_zero}
    if rounding in direct:
        return direct[rounding]
    if value - below != above - value:
        return below if value - below < above - value else above
    return {"RND": above, "RND_ZERO": toward_zero, "RND_INF": away, "RND_MIN_INF": below, "RND_CONV": even}[rounding]


def fold_slow(number: int, width: int, signed: bool, overflow: str) -> int:
    """Bring a whole number into ``width`` bits by the name of a mode, without AP_."""
    lowest, highest = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)
    if overflow == "WRAP":
        return (number - lowest) % 2**width + lowest
    if overflow == "SAT_SYM" and signed:
        lowest = -highest
    if lowest <= number <= highest:
        return number
    if overflow == "SAT_ZERO":
        return 0
    return lowest if number < lowest else highest


def cast_slow(value: Fraction, kind: FixedType) -> int:
    """The mantissa that represents ``value`` in a type."""
    scaled = Fraction(value) * Fraction(2) ** (kind.width - kind.integer)
    return fold_slow(round_slow(scaled, kind.rounding.name), kind.width, kind.signed, kind.overflow.name)


def value_slow(mantissa: int, kind: FixedType) -> Fraction:
    """The value of a mantissa."""
    return Fraction(int(mantissa)) / Fraction(2) ** (kind.width - kind.integer)
