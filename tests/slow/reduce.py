"""Reduce on fractions, a result at a time."""

import itertools
from fractions import Fraction
from math import prod

import numpy as np

from tests.slow.constants import nearest_even

STEP = {"sum": sum, "mean": sum, "max": max, "min": min, "prod": prod}


def reduced(op, xs, shape):
    (x,) = xs
    out = {}
    for index in itertools.product(*map(range, x.shape)):
        place = tuple(0 if k in op.axes else i for k, i in enumerate(index) if op.keepdims or k not in op.axes)
        mask = op.present.array if op.present is not None else np.ones((1,) * x.ndim)
        if mask[tuple(0 if n == 1 else i for n, i in zip(mask.shape, index, strict=True))]:
            out.setdefault(place, []).append(Fraction(x[index]))
    every = [len(values) for values in out.values()]
    exact = all(n & (n - 1) == 0 for n in every)
    found = np.empty(shape, dtype=object)
    for place, values in out.items():
        found[place] = STEP[op.kind.value](values)
        if op.kind.value == "mean":
            found[place] *= Fraction(1, len(values)) if exact else nearest_even(1 / len(values), op.factor_t)
    return found
