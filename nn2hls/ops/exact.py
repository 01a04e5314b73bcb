"""Ranges and values that the facets of several ops share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, carrier, constant_type, ints
from nn2hls.graph.op import Hints

WHOLE = 1 << 16  # operands of at most this many values, zero included, are emulated by one lookup of the whole layer

SQRT12 = 12**0.5  # a uniform error of one step has the variance step**2 / 12 (Widrow)


def scaled(x: Any, up: int) -> Any:
    """``x * 2**up``; ``x`` itself when ``up`` is zero."""
    if not up:
        return x
    # floats hold results below 2**53: what goes further up is zero, and 2.0**up might be no float
    return x << up if x.dtype.kind in "iO" else x * x.dtype.type(2.0 ** min(up, 64))


def hull(candidates: Sequence[Any], fraction: int) -> Range:
    """The smallest range that holds every candidate, element by element."""
    arrays = np.broadcast_arrays(*(ints(c) for c in candidates))
    lo, hi = arrays[0], arrays[0]
    for a in arrays[1:]:
        lo, hi = np.minimum(lo, a), np.maximum(hi, a)
    return Range(ints(lo), ints(hi), fraction)


def one_of(xs: Sequence[Range], join: Callable[[Sequence[np.ndarray]], np.ndarray]) -> Range:
    """The bounds of a tensor that ``join`` makes of the elements of operands that have one fraction."""
    zeros = None
    if any(x.zeros is not None for x in xs):
        zeros = join([np.zeros(x.shape, dtype=np.int64) if x.zeros is None else x.zeros for x in xs])
    return Range(join([x.least for x in xs]), join([x.most for x in xs]), xs[0].fraction, zeros)


def within(points: Any, x: Range) -> Any:
    """``points``, moved to the nearest end of ``x`` where they lie outside."""
    return ints(np.minimum(np.maximum(ints(points), x.lo), x.hi))


def given_or_derived(hints: Hints, words: Sequence[str], values: Any, error: float) -> FixedType:
    """The type of constants: the user's, by the first of ``words`` that is named, else derived.

    Args:
        values: The constants.
        error: The root mean square error that rounding them may have.
    """
    for word in words:
        if word in hints.given:
            return hints.given[word]
    return constant_type(np.asarray(values, dtype=np.float64), max(error, 2.0**-60) * SQRT12, hints.max_width)


def operand_rms(x: Range, hints: Hints, k: int = 0) -> float:
    """Root mean square of an operand: measured, else that of uniform values over its range."""
    if len(hints.operand_rms) > k and hints.operand_rms[k] > 0:
        return hints.operand_rms[k]
    return max(1, x.bound) * 2.0**-x.fraction / 3**0.5


def looked_up(compute: Callable[[Any], Any], x: Range) -> np.ndarray | None:
    """What ``compute`` makes of all mantissas of ``x``, in the order that negative indices read; None for too many."""
    low, high = min(x.low, 0), max(x.high, 0)
    if high - low >= WHOLE:
        return None
    answers = np.asarray(compute(np.concatenate([np.arange(0, high + 1), np.arange(low, 0)])))
    kind = carrier(int(np.abs(answers).max(initial=0)))
    return answers.astype(kind) if kind is not None else answers
