"""Dense by its docstring, one Fraction at a time."""

from fractions import Fraction

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from tests.slow.fixed import cast_slow, value_slow


def constant_slow(value: float, kind: FixedType) -> int:
    """Constants: to nearest, ties to even, saturated."""
    return cast_slow(Fraction(value), kind.with_modes(Rounding.RND_CONV, Overflow.SAT))


def dense_slow(x, x_t, weight, weight_t, bias, bias_t, result_t, accum_t=None):
    """Result mantissas of one event.

    Args:
        x: Mantissas (n_in,) of type ``x_t``.
        weight, bias: Mantissas (n_in, n_out) and (n_out,).
        accum_t: The type every addition is cast to; None: exact sums.
    """
    answers = []
    for j in range(weight.shape[1]):
        total = value_slow(bias[j], bias_t)
        if accum_t is not None:
            total = value_slow(cast_slow(total, accum_t), accum_t)
        for i in range(weight.shape[0]):
            if weight[i, j] == 0:
                continue
            total += value_slow(x[i], x_t) * value_slow(weight[i, j], weight_t)
            if accum_t is not None:
                total = value_slow(cast_slow(total, accum_t), accum_t)
        answers.append(cast_slow(total, result_t))
    return np.array(answers, dtype=object)
