"""Move on fractions, an element at a time."""

import numpy as np


def move(op, xs):
    values = [v for x in xs for v in x.ravel().tolist()]
    out = np.empty(op.index.array.size, dtype=object)
    for k, number in enumerate(op.index.array.ravel().tolist()):
        out[k] = 0 if number == -1 else values[number]
    return out.reshape(op.index.shape)
