"""Functions of one variable in float64: the reference, and their table parts with the points where these turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nn2hls.arith.functions import SELU_ALPHA, SELU_SCALE, Function

TINY = 2.0**-64  # log, rsqrt and reciprocal of floats nearer to their pole count as those of this


def defined_float(domain: str, x: Any) -> Any:
    """Where a function of this domain is defined, as booleans."""
    return x > 0 if domain == "positive" else x != 0 if domain == "nonzero" else np.ones(x.shape, dtype=bool)


_ERF, _ERFC = np.frompyfunc(math.erf, 1, 1), np.frompyfunc(math.erfc, 1, 1)


def erf(x: Any) -> Any:
    """The error function of float64 arrays."""
    return np.asarray(_ERF(x), dtype=np.float64)


def _erfc(x: Any) -> Any:
    return np.asarray(_ERFC(x), dtype=np.float64)


def _sigmoid(x: Any) -> Any:
    return 0.5 * np.tanh(0.5 * x) + 0.5


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


_FLOAT: dict[Function, Callable[[Any, float], Any]] = {
    Function.SIGMOID: lambda x, _: _sigmoid(x),
    Function.TANH: lambda x, _: np.tanh(x),
    Function.SOFTPLUS: lambda x, _: _softplus(x),
    Function.SOFTSIGN: lambda x, _: x / (1 + np.abs(x)),
    Function.ELU: lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    Function.SELU: lambda x, _: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0))),
    Function.CELU: lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
    Function.GELU: lambda x, _: x * 0.5 * (1 + erf(x * math.sqrt(0.5))),
    Function.GELU_TANH: lambda x, _: x * _sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
    Function.SILU: lambda x, _: x * _sigmoid(x),
    Function.EXP: lambda x, _: np.exp(np.minimum(x, 700.0)),
    Function.MISH: lambda x, _: x * np.tanh(_softplus(x)),
    Function.LOG: lambda x, _: np.log(np.maximum(x, TINY)),
    Function.SQRT: lambda x, _: np.sqrt(np.maximum(x, 0)),
    Function.RSQRT: lambda x, _: 1 / np.sqrt(np.maximum(x, TINY)),
    Function.RECIPROCAL: lambda x, _: 1 / np.where(np.abs(x) < TINY, TINY, x),
    Function.ERF: lambda x, _: erf(x),
    Function.SIN: lambda x, _: np.sin(x),
    Function.COS: lambda x, _: np.cos(x),
    Function.LOG_SIGMOID: lambda x, _: -_softplus(-x),
    Function.TANH_SHRINK: lambda x, _: x - np.tanh(x),
}


def evaluate_float(function: Function, x: Any, alpha: float) -> Any:
    """The function of float64 arrays, finite everywhere: log, rsqrt and reciprocal stop at ``TINY``, exp at exp(700)."""
    return _FLOAT[function](np.asarray(x, dtype=np.float64), alpha)


def _gelu_tanh_part(a: Any, _: float) -> Any:
    return -a / (1 + np.exp(2 * math.sqrt(2 / math.pi) * a * (1 + 0.044715 * a * a)))


def _mish_part(x: Any, _: float) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x > 0, -2 * x * e * e / (1 + 2 * e + 2 * e * e), x * e * (e + 2) / (e * (e + 2) + 2))


# Without the difference of the function and its linear part, in which far from zero all digits would cancel.
_PART: dict[Function, Callable[[Any, float], Any]] = {
    **_FLOAT,
    Function.SOFTPLUS: lambda a, _: np.log1p(np.exp(-a)),
    Function.LOG_SIGMOID: lambda a, _: -np.log1p(np.exp(-a)),
    Function.ELU: lambda a, alpha: alpha * np.expm1(-a),
    Function.SELU: lambda a, _: SELU_SCALE * SELU_ALPHA * np.expm1(-a),
    Function.CELU: lambda a, alpha: alpha * np.expm1(-a / alpha),
    Function.GELU: lambda a, _: -0.5 * a * _erfc(a * math.sqrt(0.5)),
    Function.GELU_TANH: _gelu_tanh_part,
    Function.SILU: lambda a, _: -a / (1 + np.exp(a)),
    Function.EXP: lambda x, _: np.exp(x),
    Function.MISH: _mish_part,
    Function.LOG: lambda x, _: np.log(x),
    Function.RSQRT: lambda x, _: 1 / np.sqrt(x),
    Function.RECIPROCAL: lambda x, _: 1 / x,
    Function.TANH_SHRINK: lambda x, _: -np.tanh(x),
}


def part_float(function: Function, folded: Any, alpha: float) -> Any:
    """The table part of folded float64 values; infinite where it leaves float64, and NaN or infinite where it is undefined."""
    with np.errstate(all="ignore"):
        return _PART[function](np.asarray(folded, dtype=np.float64), alpha)


# Where a table part that is not monotonic turns, by the folded value.
_TURNS = {
    Function.GELU: (0.7517915246935645,),
    Function.GELU_TANH: (0.7524614220710163,),
    Function.SILU: (1.2784645427610738,),
    Function.MISH: (-1.1924312145154952, 0.0, 0.795768593555345),
}
_FIRST_TURN = {Function.SIN: 0.5, Function.COS: 0.0}  # in units of pi, as is their distance: 1


def turns(function: Function, low: float, high: float, most: int) -> list[float] | None:
    """The points from ``low`` to ``high`` between which the table part is monotonic; None for more than ``most``."""
    if function not in _FIRST_TURN:
        return list(_TURNS.get(function, ()))
    first = _FIRST_TURN[function]
    begin, end = low / math.pi - first, high / math.pi - first
    if not end - begin < most:
        return None
    return [(k + first) * math.pi for k in range(math.ceil(begin), math.floor(end) + 1)]
