"""Element-wise ops on fractions, from their equations: the resolved op and arrays of fractions in, one array out."""

import functools
import itertools
from fractions import Fraction

import numpy as np

from tests.slow.constants import nearest_even
from tests.slow.fixed import value_slow as value


def broadcast(array, shape):
    """NumPy's rule, written out: missing axes in front, axes of one repeat."""
    out = np.empty(shape, dtype=object)
    for index in itertools.product(*map(range, shape)):
        own = index[len(index) - array.ndim :] if array.ndim else ()
        out[index] = array[tuple(0 if n == 1 else k for k, n in zip(own, array.shape, strict=True))]
    return out


def elementwise(op, xs, shape):
    xs = [broadcast(x, shape).ravel() for x in xs]
    step = {
        "add": lambda a, b: a + b,
        "average": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "max": lambda a, b: a if a > b else b,
        "min": lambda a, b: b if a > b else a,
    }[op.merge.value]
    out = np.empty(len(xs[0]), dtype=object)
    for k in range(len(out)):
        out[k] = functools.reduce(step, [x[k] for x in xs])
        if op.merge.value == "average":
            n = len(xs)
            out[k] *= Fraction(1, n) if n & (n - 1) == 0 else nearest_even(1 / n, op.factor_t)
    return out.reshape(shape)


def portion(op, xs, shape):
    a, b = (broadcast(x, shape).ravel() for x in xs)
    out = np.empty(len(a), dtype=object)
    for k in range(len(out)):
        q = Fraction(0) if b[k] <= 0 else Fraction(op.count) * a[k] / b[k]
        size = min(abs(q), Fraction(op.count))
        whole = size.numerator // size.denominator
        left = size - whole
        up = left > Fraction(1, 2) or (left == Fraction(1, 2) and whole % 2 == 1 and op.rounding.name == "RND_CONV")
        out[k] = Fraction(whole + up) * (-1 if q < 0 else 1)
    return out.reshape(shape)


def scale(op, x):
    out = np.empty(x.shape, dtype=object)
    factors, offsets = broadcast(op.scale.array, x.shape), broadcast(op.bias.array, x.shape)
    for index in itertools.product(*map(range, x.shape)):
        out[index] = x[index] * value(factors[index], op.scale_t) + value(offsets[index], op.bias_t)
    return out
