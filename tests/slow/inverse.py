"""Functions of a normalised argument on fractions, step by step as the docstring of Normalised says; tables from mpmath."""

import math
from fractions import Fraction

import mpmath
from mpmath import mpf

from tests.slow.fixed import fold_slow, round_slow

mpmath.mp.dps = 60
CORES = {
    "log": (mpmath.log, lambda s: 1 / s),
    "reciprocal": (lambda s: 1 / s, lambda s: 1 / s**2),
    "sqrt": (mpmath.sqrt, lambda t: 1 / (2 * mpmath.sqrt(t))),
    "rsqrt": (lambda t: 1 / mpmath.sqrt(t), lambda t: 1 / (2 * t * mpmath.sqrt(t))),
}


def nearest(value, fraction):
    return Fraction(int(mpmath.nint(value * mpf(2) ** fraction))) / Fraction(2) ** fraction


def down(value, fraction):
    return Fraction(math.floor(value * Fraction(2) ** fraction)) / Fraction(2) ** fraction


def normalised(op, x):
    """One element: a fraction in, the exact result before the cast out."""
    z, name = op.sizes, op.function.value
    step = 1 / Fraction(2) ** z.fraction
    a = abs(x) if name in ("reciprocal", "softsign") else x
    a = a + 1 if name == "softsign" else a
    a = max(a, step)
    e = 0
    while Fraction(2) ** e > a:
        e -= 1
    while Fraction(2) ** (e + 1) <= a:
        e += 1
    s = down(a / Fraction(2) ** e, z.kept - 1)
    core = "reciprocal" if name == "softsign" else name
    p = e % 2 if core in ("sqrt", "rsqrt") else 0
    j = math.floor((s - 1) * 2**z.segments)
    middle = 1 + (Fraction(j) + Fraction(1, 2)) / 2**z.segments
    value, slope = CORES[core]
    at = mpf(middle.numerator) / middle.denominator * 2**p
    change = down(nearest(slope(at) * 2**p, z.slope) * (s - middle), z.entry)
    t = nearest(value(at), z.entry) + (change if core in ("log", "sqrt") else -change)
    if core == "log":
        y = t + nearest(e * mpmath.log(2), z.entry)
    else:
        exponent = {"reciprocal": -e, "rsqrt": (p - e) // 2, "sqrt": (e - p) // 2}[core]
        y = Fraction(round_slow(t * Fraction(2) ** exponent * Fraction(2) ** z.share, "RND")) / Fraction(2) ** z.share
    if name == "sqrt" and x <= 0:
        y = Fraction(0)
    if name == "softsign":
        y = 1 - y
    y = -y if name in ("reciprocal", "softsign") and x < 0 else y
    if z.clip is None:
        return y
    whole = y * Fraction(2) ** z.share
    assert whole.denominator == 1
    return Fraction(fold_slow(int(whole), z.clip.width, z.clip.signed, z.clip.overflow.name)) / Fraction(2) ** z.share
