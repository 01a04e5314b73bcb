"""Exact activations on fractions, from their equations. Each takes the resolved op and the value of one element."""

from fractions import Fraction

import numpy as np

from nn2hls.arith.fixed import FixedType
from tests.slow.constants import nearest_even
from tests.slow.fixed import cast_slow
from tests.slow.fixed import value_slow as value


def relu(op, x):
    return x if x > 0 else Fraction(0)


def leaky_relu(op, x, slope):
    return x if x >= 0 else x * value(slope, op.slope_t)


def clip(op, x):
    if op.low != -np.inf:
        x = max(x, nearest_even(op.low, op.bound_t))
    if op.high != np.inf:
        x = min(x, nearest_even(op.high, op.bound_t))
    return x


def hard_sigmoid(op, x):
    line = x * nearest_even(op.slope, op.slope_t) + nearest_even(op.offset, op.offset_t)
    return min(max(line, Fraction(0)), Fraction(1))


def hard_swish(op, x):
    return x * hard_sigmoid(op, x)


def unary(op, x):
    return {"abs": abs(x), "neg": -x, "square": x**2, "sign": Fraction((x > 0) - (x < 0))}[op.simple.value]


def threshold(op, x):
    return x if x > nearest_even(op.theta, op.bound_t) else nearest_even(op.value, op.bound_t)


def quantize(op, x):
    return value(cast_slow(x, op.kind), op.kind)


def quantize_each(op, x, width, integer, signed):
    kind = FixedType(width, integer, bool(signed), op.rounding, op.overflow) if width else None
    return value(cast_slow(x, kind), kind) if kind else Fraction(0)


def lookup(op, x, which):
    return value(op.table.array[which][cast_slow(x, op.kind) - op.kind.min_mantissa], op.table_t)


def steps(op, x, which):
    reached = [t for t in op.thresholds.array[which].tolist() if x >= Fraction(t)]
    return value(op.levels.array[which][len(reached)], op.level_t)
