"""Operators that the schedules of several ops share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn2hls.arith.csd import digit_count
from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.ranges import Range, signed_width
from nn2hls.hardware.schedule import Kind, Operator, Schedule


def cast_operators(exact: Range, result: FixedType) -> tuple[Operator, ...]:
    """What the cast of one value to its result type costs: an addition if it rounds, a clamp if it may saturate."""
    out: list[Operator] = []
    rounded = exact.rounded(result)
    free = result.rounding is Rounding.TRN or (result.rounding is Rounding.TRN_ZERO and not exact.signed)
    if exact.fraction > result.fraction and not free:
        out.append(Operator(Kind.ROUND, (exact.width, rounded.width)))
    fits = result.min_mantissa <= rounded.low and rounded.high <= result.max_mantissa
    if result.overflow is not Overflow.WRAP and not fits:
        out.append(Operator(Kind.SATURATE, (rounded.width, result.width)))
    return tuple(out)


def pointwise_schedule(n: int, each: Sequence[Operator], exact: Range, result: FixedType, products: int = 0) -> Schedule:
    """A fully parallel layer of ``n`` equal elements, each a chain of ``each`` and the cast."""
    path = (*each, *cast_operators(exact, result))
    operators = tuple(Operator(o.kind, o.widths, o.count * n) for o in path)
    return Schedule(operators=operators, path=path, results=n * result.width, products=products)


def multiplier(a: int, constants: np.ndarray) -> tuple[Operator, ...]:
    """One product of an ``a``-bit number with the costliest of ``constants``: nothing, an addition or a multiplier."""
    digits = int(digit_count(np.ravel(constants)).max(initial=0))
    if digits <= 1:
        return ()
    bits = max(signed_width(int(c)) for c in np.ravel(constants))
    return (Operator(Kind.ADD, (a + bits,)) if digits == 2 else Operator(Kind.MUL_CONST, (a, bits)),)
