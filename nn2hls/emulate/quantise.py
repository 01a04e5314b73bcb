"""Floats to mantissas, exactly rounded."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType, Rounding, cast, cast_to
from nn2hls.arith.ranges import FLOAT64_EXACT, carrier, ints
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.errors import DataError
from nn2hls.graph.graph import Node


def _as_mantissas(x: np.ndarray, node: Node) -> np.ndarray:
    kind = node.result_type
    out = carrier(max(kind.max_mantissa, -kind.min_mantissa))
    if x.size and (x.min() < kind.min_mantissa or x.max() > kind.max_mantissa):
        raise DataError(f"Mantissas leave the range of {kind}.", where=node.name)
    return x.astype(out) if out is not None else x


def quantise(x: np.ndarray, node: Node, log: OverflowLog) -> np.ndarray:
    """Floats to mantissas of the input's type, rounded by its mode, exactly; values that do not fit are noted."""
    kind = node.result_type
    scaled = _scaled(x, kind.fraction)
    least, most = (scaled.min(), scaled.max()) if scaled.size else (0, 0)
    if not (np.isfinite(least) and np.isfinite(most)):
        if not np.isfinite(x).all():
            fix = "Clean the data first: fixed point has no such values."
            raise DataError("The input holds NaN or Inf.", where=node.name, fix=fix)
        rounded = ints_of(x, kind)
    elif scaled.size and (max(-least, most) > FLOAT64_EXACT or not _is_float64(x)):
        rounded = ints_of(x, kind)
    else:
        rounded = round_exact(scaled, kind.rounding)
    known = "result" in node.given  # the model saturates these, which is no news
    fits = not (OverflowLog() if known else log).see(node.name, rounded, kind.fraction, kind)
    mantissas: np.ndarray = rounded if fits else cast_to(rounded, kind.fraction, kind)
    out = carrier(max(kind.max_mantissa, -kind.min_mantissa))
    return mantissas.astype(out, copy=False) if out is not None else ints(mantissas)


def _is_float64(x: np.ndarray) -> bool:
    """Whether float64 holds every value, which it may not of the larger integers and of longer floats."""
    if x.dtype.itemsize < 8 or x.dtype == np.float64:
        return True
    if x.dtype.kind == "f":
        return bool(np.all(x.astype(np.float64) == x))
    return max(-int(x.min()), int(x.max())) <= FLOAT64_EXACT


def _scaled(x: np.ndarray, fraction: int) -> np.ndarray:
    """x * 2**fraction, exact unless it becomes infinite, or, as float64, smaller than any normal number."""
    kind = np.float32 if x.dtype == np.float32 and 0 <= fraction <= 64 else np.float64  # down, float32 would underflow
    if abs(fraction) > 1000:
        return np.asarray(np.ldexp(x.astype(np.float64), fraction))
    return np.asarray(np.multiply(x, kind(2.0**fraction), dtype=kind))


def ints_of(values: np.ndarray, kind: FixedType) -> np.ndarray:
    """The same as Python integers, for values or mantissas that float64 does not hold."""
    exact = [Fraction(*v.as_integer_ratio()) * Fraction(2) ** kind.fraction for v in values.ravel().tolist()]
    mantissas = [
        cast(v.numerator, v.denominator.bit_length() - 1, 1, True, kind.rounding, kind.overflow, fits=True) for v in exact
    ]
    out = np.empty(len(mantissas), dtype=object)
    out[:] = mantissas
    return out.reshape(values.shape)


def round_exact(q: np.ndarray, rounding: Rounding) -> np.ndarray:
    """Round floats to whole numbers by ``rounding``; unlike adding a half, right for every float."""
    if rounding is Rounding.TRN:
        return np.asarray(np.floor(q))
    if rounding is Rounding.TRN_ZERO:
        return np.asarray(np.trunc(q))
    nearest: np.ndarray = np.rint(q)  # half to even; only ties differ between the other modes
    if rounding is not Rounding.RND_CONV:
        rest = np.subtract(q, nearest)  # exact
        up, down = _TIES[rounding]
        if up is not None:
            nearest += np.logical_and(rest == 0.5, up(q, 0)) if up is not _always else rest == 0.5
        if down is not None:
            nearest -= np.logical_and(rest == -0.5, down(q, 0)) if down is not _always else rest == -0.5
    return nearest


def _always(q: np.ndarray, zero: int) -> bool:
    return True


# Which ties move up from the even number below them, and down from the one above: always, never, or by the sign.
_TIES: dict[Rounding, tuple[Any, Any]] = {
    Rounding.RND: (_always, None),
    Rounding.RND_MIN_INF: (None, _always),
    Rounding.RND_INF: (np.greater, np.less),
    Rounding.RND_ZERO: (np.less, np.greater),
}
