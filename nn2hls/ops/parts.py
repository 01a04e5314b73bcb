"""Parts that the facets of several ops share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nn2hls.csd import digit_count
from nn2hls.errors import LimitError
from nn2hls.fixed import FixedType, Overflow, Rounding
from nn2hls.ops.base import Call, Hints, Rom
from nn2hls.ranges import FLOAT32_EXACT, FLOAT64_EXACT, Range, carrier, constant_type, ints, width_of
from nn2hls.schedule import Kind, Operator, Schedule

SQRT12 = 12**0.5  # a uniform error of one step has the variance step**2 / 12 (Widrow)


def lift(x: Any, bound: int) -> Any:
    """``x``, integers of magnitude up to ``bound``, in an array type in which all of that magnitude are exact.

    That is its own type if it is one; Python integers only where int64 does not hold ``bound``, so that they never meet floats
    in one array. A Wide stays what it is.
    """
    if not isinstance(x, np.ndarray):
        return x
    kind = carrier(bound)
    if kind is None:
        return ints(x)
    if x.dtype.kind == "i":
        return x
    limit = {"float64": FLOAT64_EXACT, "float32": FLOAT32_EXACT}.get(x.dtype.name, -1)
    return x if bound <= limit else x.astype(kind)


def scaled(x: Any, up: int) -> Any:
    """``x * 2**up``; ``x`` itself when ``up`` is zero."""
    if not up:
        return x
    return x << up if x.dtype.kind in "iO" else x * x.dtype.type(2.0**up)


def hull(candidates: Sequence[Any], fraction: int) -> Range:
    """The smallest range that holds every candidate, element by element."""
    arrays = np.broadcast_arrays(*(ints(c) for c in candidates))
    lo, hi = arrays[0], arrays[0]
    for a in arrays[1:]:
        lo, hi = np.minimum(lo, a), np.maximum(hi, a)
    return Range(ints(lo), ints(hi), fraction)


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


def signed_width(*values: int) -> int:
    """Bits of the narrowest two's complement integer that holds every value."""
    low, high = min(-1, *values), max(0, *values)
    return width_of(low, high)


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


def period(shape: Sequence[int], full: Sequence[int]) -> tuple[int, int] | None:
    """How a flat index i of ``full`` reads an operand of ``shape``: element (i // inner) % size; None if that fails."""
    padded = (1,) * (len(full) - len(shape)) + tuple(shape)
    kept = [k for k, (a, b) in enumerate(zip(padded, full, strict=True)) if a == b and b > 1]
    if not kept:
        return 1, 1
    first, last = kept[0], kept[-1]
    if any(padded[k] != full[k] for k in range(first, last + 1)):
        return None
    return int(np.prod(full[last + 1 :], dtype=int)), int(np.prod(full[first : last + 1], dtype=int))


def constant_rom(array: np.ndarray, full: Sequence[int]) -> tuple[Rom, dict[str, int]]:
    """A constant that broadcasts to ``full`` as ROM, and ``inner`` and ``size`` of its index: element (i / inner) % size."""
    found = period(array.shape, full)
    values = np.broadcast_to(array, full) if found is None else array
    inner, size = found or (1, int(np.prod(full, dtype=int)))
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    return Rom(values.reshape(-1), width_of(low, high), low < 0), {"inner": inner, "size": size}


def simple_call(
    header: str,
    function: str,
    exact: Range,
    result: FixedType,
    config: Mapping[str, int],
    roms: Mapping[str, Rom] | None = None,
    values: Mapping[str, int] | None = None,
) -> Call:
    """A call whose config has ``n`` elements and the ``shift`` of the final cast besides ``config``."""
    members = {"n": exact.lo.size, "shift": exact.fraction - result.fraction, **config}
    return Call(header, function, members, roms or {}, values or {})


MAX_OPERANDS = 64  # that firmware_lib/nn2hls/common.h has names for


def check_operands(count: int) -> None:
    """Refuse more operands than a C++ function can take."""
    if count > MAX_OPERANDS:
        raise LimitError(
            f"It joins {count} tensors, and at most {MAX_OPERANDS} can be joined at once.",
            fix="Join them in groups, and then the groups.",
        )
