"""MatMul on fractions, an element at a time."""

import itertools

import numpy as np


def matmul(xs, shape):
    a, b = xs
    out = np.empty(shape, dtype=object)
    for index in itertools.product(*map(range, shape)):
        *lead, i, j = index
        left, right = ([0 if n == 1 else k for n, k in _behind(x.shape[:-2], lead)] for x in (a, b))
        out[index] = sum(a[(*left, i, k)] * b[(*right, k, j)] for k in range(a.shape[-1]))
    return out


def _behind(shape, lead):
    return zip(shape, lead[len(lead) - len(shape) :], strict=True)
