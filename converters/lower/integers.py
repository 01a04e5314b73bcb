"""Values as whole numbers by a scale and a zero point, and back; sums of products of whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.converters.lower import activations, arith, quantised
from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.graph.builder import Builder
from nn2hls.ops import Op

_WIDER = 2  # bits before a zero point is added: a value that saturates there does so behind it


def quantized(site: Site, x: Tensor, scale: np.ndarray, zero: np.ndarray, low: int, high: int) -> Tensor:
    """clip(round(x / scale) + zero, low, high), half to even; scale and zero are numbers or broadcast to x.

    Raises:
        Refusal: The scale is none, a zero point is no whole number from low to high, or these are none that are offered.
    """
    quantised.positive(scale)
    _checked(zero, low, high)
    kind = _type_of(low, high)
    if not np.any(zero) and kind is not None and scale.ndim == 0 and quantised.is_power(scale):
        power = quantised.exponent(float(scale))
        exact = FixedType(kind.width, kind.integer + power, kind.signed, kind.rounding, kind.overflow)
        cast = quantised.quantize(site.step("cast"), x, exact)
        return cast if scale == 1 else arith.scale(site, cast, 1 / scale)
    scaled = arith.scale(site.step("scaled"), x, 1 / scale)
    if not np.any(zero) and kind is not None:
        return quantised.quantize(site, scaled, kind)
    width = (high - low).bit_length() + _WIDER
    rounded = quantised.quantize(site.step("rounded"), scaled, FixedType(width, width, True, *_NEAREST))
    if zero.ndim == 0:
        kept = activations.clip(site.step("kept"), rounded, low=low - float(zero), high=high - float(zero))
        return arith.scale(site, kept, 1.0, zero)
    shifted = arith.scale(site.step("shifted"), rounded, 1.0, zero)
    return activations.clip(site, shifted, low, high) if kind is None else quantised.quantize(site, shifted, kind)


def dequantized(site: Site, x: Tensor, scale: np.ndarray, zero: np.ndarray) -> Tensor:
    """(x - zero) * scale."""
    quantised.positive(scale)
    return arith.scale(site, arith.scale(site.step("centred"), x, 1.0, -zero) if np.any(zero) else x, scale)


_NEAREST = (Rounding.RND_CONV, Overflow.SAT)


def _type_of(low: int, high: int) -> FixedType | None:
    """The type that saturates at these ends; None where there is none."""
    bits = high.bit_length() + (low < 0)
    if low == 0 and high == (1 << bits) - 1:
        return FixedType(bits, bits, False, *_NEAREST)
    if bits > 1 and high == (1 << (bits - 1)) - 1 and low in (-high - 1, -high):
        return FixedType(bits, bits, True, Rounding.RND_CONV, Overflow.SAT if low < -high else Overflow.SAT_SYM)
    return None


def _checked(zero: np.ndarray, low: int, high: int) -> None:
    if not low < high:
        raise Refusal(f"its whole numbers from {low} to {high} are none")
    values = np.asarray(zero, np.float64)
    wrong = values[~((values == np.floor(values)) & (values >= low) & (values <= high))]
    if wrong.size:
        raise Refusal(f"its zero point {wrong[0]:g} is no whole number from {low} to {high}")


def products(
    add: Callable[[Op, Sequence[str], str], str],
    builder: Builder,
    op: Op,
    nodes: Sequence[str],
    word: str,
    scales: Sequence[np.ndarray],
    most: int = 24,
) -> str:
    """Add a sum of products, a node named after ``word``, whose constants are numbers of a quantised model with these scales.

    Weights of a scale that is no power of two are whole numbers, and the scale stands behind their sum. Other constants keep
    the types that hold them as they are, where that takes less than ``most`` bits.
    """
    parts = next(filter(None, (quantised.apart(op, scale) for scale in scales)), None)
    if parts is None:
        node = add(op, nodes, word)
        quantised.own(builder, node, op, most=most)
        return node
    product = add(parts[0], nodes, f"{word}_sum" if word else "sum")
    quantised.own(builder, product, parts[0])
    return add(parts[1], [product], word)
