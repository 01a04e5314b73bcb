"""What QKeras' quantisers make of trained weights: numbers of a type, and scales for each channel, in float32 as there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn2hls.converters.keras.qkeras_options import Quantiser
from nn2hls.converters.lower.value import Refusal

EPSILON = np.float32(1e-7)  # keras.backend.epsilon()
_LOG2 = np.float32(np.log(2.0))
_UNROLLS = 5
Array = np.ndarray


def weights(quantiser: Quantiser, x: Array) -> tuple[Array, Array]:
    """(numbers, scale): the quantised weights are numbers * scale, which broadcasts to them; float64.

    QKeras hands x + (q - x) on, which in float32 may differ from q in the last bit; q is meant.
    """
    if quantiser.kind not in _WEIGHTS:
        raise Refusal(f"'{quantiser.kind}' is not offered for weights; {', '.join(_WEIGHTS)} are")
    if quantiser.options.get("qnoise_factor", 1.0) != 1.0:
        raise Refusal("its quantiser has a 'qnoise_factor' other than 1: it was still fading in; train it to the end")
    if not np.isfinite(x).all():
        raise Refusal("weights that are to be quantised hold NaN or Inf; train the model again")
    numbers, scale = _WEIGHTS[quantiser.kind](quantiser, np.asarray(x, np.float32))
    return np.asarray(numbers, np.float64), np.asarray(scale, np.float64)


def clip_range(q: Quantiser) -> tuple[int, int, int]:
    """(fraction bits, smallest and largest mantissa) of ``quantized_bits``."""
    unsigned = q.bits - q.flag("keep_negative")
    low = -(1 << unsigned) + q.flag("symmetric") if q.flag("keep_negative") else 0
    return unsigned - q.integer("integer"), low, (1 << unsigned) - 1


def _bits(q: Quantiser, x: Array) -> tuple[Array, Array]:
    alpha = q.alpha()
    if isinstance(alpha, str):
        return _auto_bits(q, x, alpha)
    if q.bits == q.flag("keep_negative"):
        sign = _sign(x)
        return sign if q.flag("keep_negative") else (sign + 1) / 2, alpha
    fraction, low, high = clip_range(q)
    step = np.float32(2.0**-fraction)
    return np.clip(np.rint(x / step), low, high) * step, alpha


def _auto_bits(q: Quantiser, x: Array, alpha: str) -> tuple[Array, Array]:
    """Symmetric, the scale from the largest weight of each channel, then for powers of two five steps of least squares."""
    levels = (2 ** (q.bits - 1) - 1) * 2
    if levels < 1:
        raise Refusal(f"its quantized_bits has {q.bits} bit, which leaves no level for an alpha of '{alpha}'")
    size = np.float32(2.0 ** q.integer("integer"))
    y, axes = x / size, _axes(q, x.ndim)
    scale = np.max(np.abs(y), axis=axes, keepdims=True) * np.float32(2) / np.float32(levels)
    z = _levels(y, scale, levels)
    if alpha == "auto_po2":
        scale = _power(scale)
        for _ in range(_UNROLLS):  # the levels stay those before the last step
            z = _levels(y, scale, levels)
            scale = _fitted(y, z, axes, alpha)
    return z, scale * size


def _levels(y: Array, scale: Array, levels: int) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        v = np.floor(np.abs(y) / scale + np.float32(0.5))
    half = np.float32(levels / 2)
    return np.asarray(np.sign(y) * np.where(v < half, v, half))


def _axes(q: Quantiser, rank: int) -> tuple[int, ...] | None:
    """What a scale is shared along; a vector has a single one."""
    axis = q.options.get("scale_axis")
    if rank < 2:
        return (0,)
    kept = rank - 1 if axis is None else q.integer("scale_axis")
    return tuple(k for k in range(rank) if k != kept)


def _power(scale: Array) -> Array:
    return np.asarray(np.exp2(np.rint(np.log(scale + EPSILON) / _LOG2)), np.float32)


def _fitted(x: Array, q: Array, axes: tuple[int, ...] | None, alpha: Any) -> Array:
    """The scale of least squares; along a vector each weight has its own."""
    if not isinstance(alpha, str):
        return np.asarray(alpha, np.float32)
    if x.ndim > 1:
        xq, qq = (np.mean(a, axis=axes, keepdims=True, dtype=np.float32) for a in (x * q, q * q))
    else:
        xq, qq = x * q, q * q
    scale = np.asarray(xq / (qq + EPSILON))
    return _power(scale) if alpha == "auto_po2" else scale


def _sign(x: Array) -> Array:
    return np.where(x < 0, np.float32(-1), np.float32(1))


def _binary(q: Quantiser, x: Array) -> tuple[Array, Array]:
    sign = _sign(x)
    sign = (sign + 1) / 2 if q.kind == "binary" and q.flag("use_01") else sign
    return sign, _fitted(x, sign, _axes(q, x.ndim), q.alpha())


def _ternary(q: Quantiser, x: Array) -> tuple[Array, Array]:
    alpha = q.alpha()
    if not isinstance(alpha, str):
        threshold = np.float32(0.33 if q.options.get("threshold") is None else q.number("threshold"))
        return np.where(np.abs(x) >= threshold, np.sign(x), np.float32(0)), alpha
    axes = _axes(q, x.ndim) if x.ndim > 1 else None
    scale = np.float32(2) * np.max(np.abs(x), axis=axes, keepdims=True) / np.float32(3)
    scale = _power(scale) if alpha == "auto_po2" else scale
    number = np.zeros_like(x)
    for _ in range(q.integer("number_of_unrolls")):
        with np.errstate(divide="ignore", invalid="ignore"):
            v = scale * np.rint(x / scale)
        number = np.where(np.abs(v) >= scale / 2, np.sign(x), np.float32(0))
        scale = _fitted(x, number, axes, alpha)
    return number, scale


def power_ends(q: Quantiser) -> tuple[int, int]:
    """The smallest and the largest exponent of a quantiser to powers of two."""
    top = None if q.options["max_value"] is None else q.number("max_value")
    if top is not None and top <= 0:
        raise Refusal(f"'max_value' = {top:g} of its {q.kind} must be above zero")
    sign = 1 if top is None or top > 1 else 0
    effective = q.bits - sign - (q.kind == "quantized_po2")
    if effective < 0 or effective > 9:
        raise Refusal(f"its {q.kind} of {q.bits} bits has exponents out of reach; take more than its signs need, and up to 11")
    high = 2**effective - 1
    return -(2**effective), 2 * (high // 2) if q.flag("quadratic_approximation") else high


def power_of(q: Quantiser, x: Array) -> Array:
    """Exponents of magnitudes, as QKeras rounds their logarithms."""
    low, high = power_ends(q)
    factor = 2 if q.flag("quadratic_approximation") else 1
    inside = np.where(x < EPSILON, EPSILON, x).astype(np.float32)
    if q.options["max_value"] is not None:
        inside = np.minimum(inside, np.float32(q.number("max_value")))
    log = np.log(np.sqrt(inside) if factor == 2 else inside) / _LOG2
    rounded = np.floor(log) if q.options["log2_rounding"] == "floor" else np.rint(log)
    return np.asarray(np.where(x < EPSILON, low, factor * np.clip(rounded, low, high)))


def _po2(q: Quantiser, x: Array) -> tuple[Array, Array]:
    return _sign(x) * np.exp2(power_of(q, np.abs(x))), np.ones((), np.float32)


def _relu_po2(q: Quantiser, x: Array) -> tuple[Array, Array]:
    positive = np.exp2(power_of(q, np.maximum(x, 0)))
    slope = np.float32(q.number("negative_slope"))
    if not slope:
        return positive, np.ones((), np.float32)
    return np.where(x >= 0, positive, -np.exp2(power_of(q, np.maximum(-x, 0) * slope))), np.ones((), np.float32)


_WEIGHTS: Mapping[str, Callable[[Quantiser, Array], tuple[Array, Array]]] = {
    "quantized_bits": _bits,
    "binary": _binary,
    "stochastic_binary": _binary,
    "ternary": _ternary,
    "stochastic_ternary": _ternary,
    "quantized_po2": _po2,
    "quantized_relu_po2": _relu_po2,
}
