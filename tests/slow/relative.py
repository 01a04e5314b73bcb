"""1/x and 1/sqrt(x) of a normalised argument, on fractions; tables from mpmath."""

from fractions import Fraction

from mpmath import mpf

from tests.slow.inverse import CORES, down, nearest


def factor(name, a, sizes):
    """Of a fraction a > 0."""
    a = max(a, 1 / Fraction(2) ** sizes.fraction)
    e = 0
    while Fraction(2) ** e > a:
        e -= 1
    while Fraction(2) ** (e + 1) <= a:
        e += 1
    p = e % 2 if name == "rsqrt" else 0
    s = down(a / Fraction(2) ** e, sizes.kept - 1)
    j = int((s - 1) * 2**sizes.segments)
    middle = 1 + Fraction(2 * j + 1, 2 * 2**sizes.segments)
    value, slope = CORES[name]
    at = mpf(middle.numerator) / middle.denominator * 2**p
    change = down(nearest(slope(at) * 2**p, sizes.entry - sizes.segments) * (s - middle), sizes.entry)
    t = nearest(value(at), sizes.entry) - change
    return t * Fraction(2) ** (-e if name == "reciprocal" else (p - e) // 2)


def divide(op, xs, shape):
    import numpy as np

    from tests.slow.elementwise import broadcast

    a, b = (broadcast(x, shape).ravel() for x in xs)
    out = np.empty(len(a), dtype=object)
    for k in range(len(a)):
        out[k] = a[k] * factor("reciprocal", abs(b[k]), op.sizes) * (-1 if b[k] < 0 else 1)
    return out.reshape(shape)
