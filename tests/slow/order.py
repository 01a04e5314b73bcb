"""TopK and Embedding on fractions."""

import itertools

import numpy as np

from tests.slow.fixed import round_slow, value_slow


def top(op, x, shape):
    out = np.empty(shape, dtype=object)
    for index in itertools.product(*map(range, shape)):
        line = [x[(*index[: op.axis], k, *index[op.axis + 1 :])] for k in range(x.shape[op.axis])]
        order = sorted(range(len(line)), key=lambda k: (line[k] if op.smallest else -line[k], k))
        place = order[index[op.axis]]
        out[index] = place if op.places else line[place]
    return out


def embedding(op, x, shape):
    out = np.empty(shape, dtype=object)
    for index in itertools.product(*map(range, shape)):
        row = min(max(round_slow(x[index[:-1]], "RND"), 0), len(op.table.array) - 1)
        out[index] = value_slow(op.table.array[row, index[-1]], op.table_t)
    return out


def gather(op, x, index, shape):
    """Every element by itself; along an axis of size one an operand has the same element everywhere."""
    out = np.empty(shape, dtype=object)
    for place in itertools.product(*map(range, shape)):
        number = index[tuple(0 if n == 1 else k for k, n in zip(place, index.shape, strict=True))]
        row = min(max(round_slow(number, "RND"), 0), x.shape[op.axis] - 1)
        source = [0 if n == 1 else k for k, n in zip(place, x.shape, strict=True)]
        source[op.axis] = row
        out[place] = x[tuple(source)]
    return out
