"""Constants as docs say: rounded to nearest, ties to even, saturated, whatever the modes of their type."""

from fractions import Fraction

from tests.slow.fixed import fold_slow, round_slow


def nearest_even(number, kind):
    """The value, a fraction, that a float has as a constant of the type `kind`."""
    scaled = Fraction(float(number)) * Fraction(2) ** kind.fraction
    return fold_slow(round_slow(scaled, "RND_CONV"), kind.width, kind.signed, "SAT") / Fraction(2) ** kind.fraction
