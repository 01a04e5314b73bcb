"""1/x and 1/sqrt(x) of a normalised argument, on fractions; tables from mpmath."""

import itertools
from fractions import Fraction
from math import prod

import numpy as np
from mpmath import mpf

from tests.slow.elementwise import broadcast
from tests.slow.fixed import round_slow, value_slow
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


def normalise(op, xs, shape):
    (x,) = xs
    scale, bias = broadcast(op.scale.array, shape), broadcast(op.bias.array, shape)
    n = prod(shape[k] for k in op.axes)
    out = np.empty(shape, dtype=object)
    for index in itertools.product(*map(range, shape)):
        row = x[tuple(slice(None) if k in op.axes else i for k, i in enumerate(index))].ravel().tolist()
        squares = sum(v * v for v in row)
        total = sum(row) if op.center else 0
        c, v = n * x[index] - total, n * squares - total**2
        unit = Fraction(2) ** op.sizes.fraction
        a = v + round_slow(Fraction(op.epsilon) * n * n * unit, "RND_CONV") / unit
        y = c * factor("rsqrt", a, op.sizes)
        out[index] = y * value_slow(scale[index], op.scale_t) + value_slow(bias[index], op.bias_t)
    return out
