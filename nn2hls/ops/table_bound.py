"""How far a table of a function is from the function: the largest error over every operand, and in what part it saturates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.arith.functions import SPLITS, Function
from nn2hls.arith.functions_float import defined_float, part_float, turns
from nn2hls.arith.ranges import Range

MOST_TURNS = 1 << 16
# float64 is this wrong at most: of a value (exp of an operand that is rounded, up to 2**-43), and anywhere.
RELATIVE, ABSOLUTE = 2.0**-43, 2.0**-50


@dataclass(frozen=True)
class Errors:
    """The error of table entries against the table part, which they stand for.

    Args:
        largest: Over all operands for which the function is defined; infinite where the function leaves float64.
        inside: Over those alone whose table part the entry type can hold.
        ends: The smallest and largest folded operand whose table part it can hold.
    """

    largest: float
    inside: float
    ends: tuple[float, float]


def table_errors(
    function: Function, alpha: float, x: Range, address_t: FixedType, words: np.ndarray, table_t: FixedType
) -> Errors:
    """Errors for every folded operand within ``x``, rounded up.

    The operands that share an entry are an interval. Between points where the table part turns it is monotonic, so that its
    error there is largest at the ends of the interval, or beside a turning point inside.
    """
    points, any_phase = _with_turns(function, _ends(x, address_t), x)
    address = cast_to(points, x.fraction, address_t).astype(np.int64)
    entry = words[address % len(words)].astype(np.float64) * table_t.step
    grid, want, defined = _values(function, alpha, points, x.fraction)
    if any_phase:
        want = np.where(entry > 0, -1.0, 1.0)
    with np.errstate(invalid="ignore"):
        errors = np.abs(entry - want) + RELATIVE * np.abs(want) + ABSOLUTE * (1 + np.abs(entry))
    errors[~defined] = 0.0
    inside = defined & ~_beyond(want, table_t, 0.5)
    kept = grid[inside] if inside.any() else np.zeros(1)
    largest, held = (float(e.max(initial=0.0)) for e in (errors, errors[inside]))
    return Errors(largest, held, (float(kept.min()), float(kept.max())))


def saturates(function: Function, alpha: float, x: Range, table_t: FixedType) -> bool:
    """Whether for some folded operand within ``x`` the table part leaves the type of the entries by more than a step."""
    points, any_phase = _with_turns(function, _clipped([x.low, x.high, -1, 0, 1], x), x)
    _, want, defined = _values(function, alpha, points, x.fraction)
    return bool(_beyond(np.array([-1.0, 1.0]) if any_phase else want[defined], table_t, 1.0).any())


def unsaturated(function: Function, alpha: float, points: Any, fraction: int, table_t: FixedType) -> np.ndarray:
    """Mantissas in ``table_t`` of the table part of folded operands, without saturation where that changes more than a step."""
    _, want, defined = _values(function, alpha, points, fraction)
    out = defined & _beyond(want, table_t, 1.0)
    far = 2.0 ** (table_t.width + 60)
    with np.errstate(over="ignore"):  # beyond the floats it is as far as anything
        mantissas = np.rint(np.clip(np.ldexp(np.where(out, want, 0.0), table_t.fraction), -far, far))
    return (
        mantissas if table_t.width <= 53 else np.array([int(m) for m in mantissas.flat], dtype=object).reshape(mantissas.shape)
    )


def _values(function: Function, alpha: float, points: Any, fraction: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(operands, table part, where it is defined) of folded mantissas."""
    grid = np.ldexp(points.astype(np.float64), -fraction)
    return grid, part_float(function, grid, alpha), defined_float(SPLITS[function].domain, grid)


def _beyond(values: np.ndarray, kind: FixedType, steps: float) -> np.ndarray:
    return (values < kind.min - steps * kind.step) | (values > kind.max + steps * kind.step)


def _with_turns(function: Function, points: list[int], x: Range) -> tuple[np.ndarray, bool]:
    """Mantissas, with those beside turning points; and whether these are so many that any value may occur at any entry."""
    found = turns(function, x.real_low, x.real_high, MOST_TURNS)
    beside = [_mantissa_below(t, x.fraction) for t in found or ()]
    return np.array(_clipped([*points, *beside, *(b + 1 for b in beside)], x), dtype=object), found is None


def _mantissa_below(value: float, fraction: int) -> int:
    """The largest mantissa that is not above ``value``; by shifts, since there may be tens of thousands of values."""
    numerator, denominator = value.as_integer_ratio()  # a power of two
    up = fraction - (denominator.bit_length() - 1)
    return numerator << up if up >= 0 else numerator >> -up


def _ends(x: Range, address_t: FixedType) -> list[int]:
    """The first and last mantissa of ``x`` at each address, and those around zero."""
    first, last = (int(cast_to(end, x.fraction, address_t)) for end in (x.low, x.high))
    down = x.fraction - address_t.fraction
    if down > 0:  # an address a stands for a * 2**down - 2**(down - 1) to half of 2**down above, which is not included
        half = 1 << (down - 1)
        edges = [(a << down) - half for a in range(first, last + 2)]
        points = [*edges, *(edge - 1 for edge in edges)]
    else:
        points = [(a >> -down) + more for a in range(first, last + 1) for more in (0, 1)]
    return _clipped([*points, x.low, x.high, -1, 0, 1], x)


def _clipped(points: list[int], x: Range) -> list[int]:
    return sorted({min(max(p, x.low), x.high) for p in points})
