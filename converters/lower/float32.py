"""Casts of constants as the packages of quantised models compute them: in float32, by sign, integer and fraction bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nn2hls.arith.fixed import Overflow, Rounding

_HALF = np.float32(0.5)
_ROUND: Mapping[Rounding, Callable[[np.ndarray], np.ndarray]] = {
    Rounding.TRN: np.floor,
    Rounding.TRN_ZERO: np.trunc,
    Rounding.RND: lambda x: np.floor(x + _HALF),
    Rounding.RND_ZERO: lambda x: -np.floor(-np.abs(x) + _HALF) * np.sign(x),
    Rounding.RND_INF: lambda x: np.floor(np.abs(x) + _HALF) * np.sign(x),
    Rounding.RND_MIN_INF: lambda x: -np.floor(-x + _HALF),
    Rounding.RND_CONV: np.rint,
}


def cast(
    values: np.ndarray,
    k: np.ndarray,
    i: np.ndarray,
    f: np.ndarray,
    rounding: Rounding,
    overflow: Overflow,
    *,
    only_rounds: bool = False,
) -> np.ndarray:
    """Values in types of their own: signs ``k``, integer bits ``i`` without the sign, fraction bits ``f``, all of one shape.

    Args:
        values: Constants; k, i and f broadcast to them.
        k, i, f: Of each element; one without bits is zero.
        rounding, overflow: The modes.
        only_rounds: Values are rounded and no more, as weights are that never wrap.

    Raises:
        ValueError: The arrays do not broadcast.
    """
    x = np.asarray(values, np.float32)
    sign, whole, fraction = (np.broadcast_to(a, x.shape) for a in (k, np.maximum(i, -f), f))
    step, top = np.exp2(-fraction).astype(np.float32), np.exp2(whole).astype(np.float32)
    if overflow is not Overflow.WRAP:
        low = -(top - step) * sign if overflow is Overflow.SAT_SYM else -top * sign
        x = np.clip(x, low.astype(np.float32), top - step)
    x = _ROUND[rounding](x / step) * step
    if only_rounds:
        return np.asarray(x)
    if overflow is Overflow.WRAP:
        bias = np.where(sign == 1, top, np.float32(0))
        x = np.mod(x + bias, top * (1 + sign).astype(np.float32)) - bias
    return np.asarray(np.where(np.broadcast_to(k + i + f, x.shape) > 0, x, np.float32(0)))
