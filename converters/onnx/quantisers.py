"""Quantisers of ONNX on computed tensors: QONNX and Brevitas, QuantizeLinear and DequantizeLinear, integer products."""

from __future__ import annotations

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.ranges import holding_type
from nn2hls.converters.lower import activations, arith, einsum, integers, linear, quantised, window
from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.converters.onnx import quantised_values as values
from nn2hls.converters.onnx.context import At, Handler, Value
from nn2hls.converters.onnx.windows import kernel_last, same_kernel, window_of

_MODES = {
    "ROUND": Rounding.RND_CONV,
    "HALF_EVEN": Rounding.RND_CONV,
    "FLOOR": Rounding.TRN,
    "DOWN": Rounding.TRN_ZERO,
    "HALF_UP": Rounding.RND_INF,
    "HALF_DOWN": Rounding.RND_ZERO,
}


_LAYOUTS = {3: "NWC"}  # what qonnx takes a tensor of so many axes for, where nothing says it; channels come first elsewhere


def _one(array: np.ndarray) -> np.ndarray:
    """One number where all are equal."""
    return array.reshape(-1)[:1].reshape(()) if array.size and (array == array.reshape(-1)[0]).all() else array


def _numbers(at: At, k: int, what: str, x: Tensor) -> np.ndarray:
    """Operand k, one number or one for each channel, without a batch axis."""
    array = np.asarray(at.per_event(k, x.rank), np.float64)
    try:
        fits = np.broadcast_shapes(array.shape, x.shape) == x.shape or array.size == 1
    except ValueError:
        fits = False
    if not fits:
        raise Refusal(f"its {what} of shape {array.shape} does not fit a tensor of {x.shape}")
    return _one(array)


def _mode(at: At) -> Rounding:
    mode = str(at.attr("rounding_mode", "ROUND")).upper()
    if mode not in _MODES:
        raise Refusal(f"rounding_mode '{mode[:20]}' is not offered for values; {', '.join(_MODES)} are")
    return _MODES[mode]


def quant(at: At) -> Value:
    """(clip(round(x / scale + zero)) - zero) * scale: a cast where the scale is a power of two."""
    values.check_words(at.node.op, {}, len(at.node.inputs))
    x = at.tensor()
    scale, zero = values.checked_scale(_numbers(at, 1, "scale", x)), _numbers(at, 2, "zero point", x)
    bits = values.whole_bits(at.array(3, "bit width"))
    signed, narrow = values.flag(at.node.attrs, "signed", 1), values.flag(at.node.attrs, "narrow", 0)
    low, high = values.ends(bits, signed=signed, narrow=narrow)
    values.checked_zero(zero, low, high)
    mode = _mode(at)
    if bits == 1 and signed:
        if np.any(zero):
            raise Refusal("a zero point beside one signed bit is not offered")
        return _bipolar(at, x, scale)
    kind = FixedType(bits, bits, signed, mode, Overflow.SAT_SYM if signed and narrow else Overflow.SAT)
    top = high if narrow and not signed else None
    if quantised.is_power(scale) and scale.ndim == 0 and not np.any(zero):
        size = quantised.integer_type(bits, float(scale), signed=signed, narrow=narrow, rounding=mode)
        return _cast(at, x, size, None if top is None else top * float(scale))
    whole = _cast(at.step("whole"), arith.scale(at.step("scaled"), x, 1 / scale, zero), kind, top)
    return integers.dequantized(at, whole, scale, zero)


def _cast(site: Site, x: Tensor, kind: FixedType, top: float | None) -> Tensor:
    if top is None:
        return quantised.quantize(site, x, kind)
    return activations.clip(site, quantised.quantize(site.step("cast"), x, kind), high=top)


def _bipolar(site: Site, x: Tensor, scale: np.ndarray) -> Tensor:
    """-scale below zero, else scale."""
    if scale.ndim == 0 and quantised.is_power(scale):
        return quantised.levels(site, x, [0.0], [-float(scale), float(scale)])
    return arith.scale(site, quantised.levels(site.step("sign"), x, [0.0], [-1.0, 1.0]), scale)


def bipolar(at: At) -> Value:
    """The sign, zero counted as positive, times the scale."""
    x = at.tensor()
    return _bipolar(at, x, values.checked_scale(_numbers(at, 1, "scale", x)))


def trunc(at: At) -> Value:
    """Low bits dropped: the whole numbers of the operand's scale divided by a power of two, rounded, clipped in version 2."""
    x = at.tensor()
    scale, zero = values.checked_scale(_numbers(at, 1, "scale", x)), _numbers(at, 2, "zero point", x)
    if scale.ndim or np.any(zero) or not quantised.is_power(scale):
        raise Refusal("a Trunc with a zero point, or scales that are not one power of two, is not offered")
    newer = len(at.node.inputs) > 5
    before, after = values.whole_bits(at.array(3, "bit width")), values.whole_bits(at.array(5 if newer else 4, "bit width"))
    mode = _MODES.get(str(at.attr("rounding_mode", "FLOOR")).upper())
    if mode is None:
        raise Refusal("its rounding_mode is not offered for values")
    step = float(values.checked_scale(at.scalar(4, "scale"))) if newer else float(scale) * 2.0 ** (before - after)
    power = quantised.exponent(step)
    signed, narrow = values.flag(at.node.attrs, "signed", 1), values.flag(at.node.attrs, "narrow", 0)
    on_grid = quantised.integer_type(64, float(scale), signed=True)
    x = quantised.quantize(at.step("whole"), x, on_grid)
    if newer:
        kind = quantised.integer_type(after, step, signed=signed, narrow=narrow, rounding=mode)
        return _cast(
            at, x, kind, float(values.ends(after, signed=False, narrow=True)[1]) * step if narrow and not signed else None
        )
    dropped = quantised.quantize(at.step("dropped"), x, FixedType(64, 64 + power, True, mode, Overflow.SAT))
    return arith.scale(at, dropped, float(scale) / step)


def multi_threshold(at: At) -> Value:
    """out_scale * (the number of thresholds that x reaches) + out_bias; a row of thresholds for all channels, or for each."""
    x, thresholds = at.tensor(), at.array(1, "thresholds")
    scale, bias = float(at.attr("out_scale", 1.0)), float(at.attr("out_bias", 0.0))
    layout = str(at.attr("data_layout", "")) or _LAYOUTS.get(x.rank, "NC")
    at.attr("out_dtype")  # says what type the levels fit in, which follows from them
    if layout.find("C") not in (1, len(layout) - 1):
        raise Refusal(f"data_layout '{layout[:20]}' is not understood; NCHW and NHWC are")
    if layout.find("C") != 1 and len(layout) != x.rank:
        raise Refusal(f"data_layout '{layout[:20]}' does not fit a tensor of {x.rank} axes")
    if thresholds.ndim != 2 or not thresholds.size:
        raise Refusal(f"its thresholds of shape {thresholds.shape} must be a row of them for all channels, or for each")
    axis = x.axis(1 if layout.find("C") == 1 else -1)
    if len(thresholds) not in (1, x.shape[axis]):
        raise Refusal(f"its {len(thresholds)} rows of thresholds do not fit {x.shape[axis]} channels")
    rows, whole = np.sort(thresholds, axis=1), np.arange(thresholds.shape[1] + 1)
    levels = scale * whole + bias
    if not np.isfinite(levels).all():
        raise Refusal(f"its out_scale {scale:g} and out_bias {bias:g} must be finite numbers")
    if holding_type(levels).width <= quantised.WHOLE_BITS:
        return quantised.levels_along(at, x, axis, rows, levels.tolist())
    return arith.scale(at, quantised.levels_along(at.step("levels"), x, axis, rows, whole.tolist()), scale, bias)


# ---- QuantizeLinear and what belongs to it -------------------------------------------------------------------------------


def _axis(at: At, k: int, x: Tensor, axis: int) -> np.ndarray:
    """Operand k along an axis of the framework, shaped for a node without batch axis."""
    array = at.array(k, "scale or zero point")
    if array.size == 1:
        return array.reshape(())
    if array.ndim != 1:
        raise Refusal("scales for blocks are not offered; one number, or one for each channel")
    place = x.axis(axis)
    if array.size != x.shape[place]:
        raise Refusal(f"its {array.size} scales do not fit an axis of {x.shape[place]}")
    return _one(array.reshape([-1, *(1,) * (len(x.shape) - 1 - place)]))


def _zero(at: At, k: int, x: Tensor, axis: int, kind: np.dtype) -> np.ndarray:
    if not at.has(k):
        return np.zeros(())
    zero: np.ndarray = values.checked_zero(_axis(at, k, x, axis), *values.integer_ends(kind))
    return zero


def _kind(at: At, k: int) -> np.dtype:
    """The type of a zero point in the file."""
    known = at.known(k)
    return values.kind_of(at.node.attrs, known)


def quantize_linear(at: At) -> Value:
    """Whole numbers; DequantizeLinear makes values of them again."""
    x, axis = at.tensor(), at.attr("axis", 1)
    if at.attr("block_size", 0):
        raise Refusal("scales for blocks are not offered; one number, or one for each channel")
    kind = _kind(at, 2)
    scale = values.checked_scale(_axis(at, 1, x, axis))
    return integers.quantized(at, x, scale, _zero(at, 2, x, axis, kind), *values.integer_ends(kind))


def dequantize_linear(at: At) -> Value:
    """(q - zero) * scale."""
    x, axis = at.tensor(), at.attr("axis", 1)
    if at.attr("block_size", 0):
        raise Refusal("scales for blocks are not offered; one number, or one for each channel")
    scale = values.checked_scale(_axis(at, 1, x, axis))
    zero = _axis(at, 2, x, axis) if at.has(2) else np.zeros(())
    return integers.dequantized(at, x, scale, zero)


def centred(at: At, k: int, zero: int, word: str = "") -> Tensor:
    """Whole numbers of a tensor without their zero point; ``word`` goes before the name of the step."""
    x = at.tensor(k)
    shift = at.array(zero, "zero point") if at.has(zero) else np.zeros(1)
    if shift.size != 1:
        raise Refusal("zero points for each row of a computed operand are not offered; one number is")
    step = at.step(f"{word}_centred" if word else "centred")
    return x if not shift.any() else arith.scale(step, x, 1.0, -shift.reshape(()))


def weights(at: At, k: int, zero: int, axis: int) -> np.ndarray:
    """Whole weights without their zero points, one for all or for each entry of an axis."""
    array = at.array(k, "weights")
    shift = at.array(zero, "zero point") if at.has(zero) else np.zeros(1)
    return np.asarray(array - values.along(shift, axis, array.ndim))


def requantised(at: At, product: Tensor, factor: np.ndarray, first: int, channels: int) -> Value:
    """Whole sums times the scales of both operands over that of the result, as whole numbers of its type."""
    factor = _one(factor)
    factor = factor.reshape([-1, *(1,) * channels]) if factor.ndim else factor
    return whole_numbers(at, product, first, factor)


def whole_numbers(at: At, x: Tensor, k: int, factor: np.ndarray | float = 1.0) -> Value:
    """x * factor as whole numbers by the scale, operand k, and the zero point behind it, of whose type they are."""
    scale, kind = values.checked_scale(at.scalar(k, "scale")), _kind(at, k + 1)
    return integers.quantized(at, x, np.asarray(scale / factor), zero_point(at, k + 1, kind), *values.integer_ends(kind))


def zero_point(at: At, k: int, kind: np.dtype | None = None) -> np.ndarray:
    """The one zero point, operand k, of a type, else of its own; none is zero."""
    if not at.has(k):
        return np.zeros(())
    zero: np.ndarray = values.checked_zero(np.asarray(at.scalar(k, "zero point")), *values.integer_ends(kind or _kind(at, k)))
    return zero


def _product(at: At, site: Site, first: int, zeros: tuple[int, int]) -> Tensor:
    """Operand 0 times operand ``first``, a tensor or a matrix of weights, both without their zero points."""
    if not at.is_known(first):
        return einsum.matmul_tensors(site, centred(at, 0, zeros[0]), centred(at, first, zeros[1], "second"))
    return linear.matmul(quantised.Exact(site), centred(at, 0, zeros[0]), weights(at, first, zeros[1], -1))


def matmul_integer(at: At) -> Value:
    """Products of whole numbers."""
    return _product(at, at, 1, (2, 3))


def factor_of(at: At, x: int, weight: int) -> np.ndarray:
    """The scale of operand 0 times those of its weights, of all or of each channel."""
    found: np.ndarray = values.checked_scale(at.scalar(x, "scale")) * values.checked_scale(at.array(weight, "scale"))
    if found.ndim > 1:
        raise Refusal("scales for blocks are not offered; one number, or one for each channel")
    return found


def qlinear_matmul(at: At) -> Value:
    """MatMulInteger, then the whole numbers of the result."""
    factor = factor_of(at, 1, 4)
    if factor.size > 1 and not at.is_known(3):
        raise Refusal("scales for each channel of a computed tensor are not offered; one number is")
    return requantised(at, _product(at, at.step("product"), 3, (2, 5)), factor, 6, 0)


def convolved(at: At, site: Site, x: Tensor, weight: np.ndarray, bias: np.ndarray | None) -> Tensor:
    """A convolution of whole numbers by the window that the node says."""
    same_kernel(at, weight.shape[2:])
    seen = window_of(at, weight.shape[2:], window.space_of(x, first=True))
    kernel = kernel_last(weight)
    return window.conv(quantised.Exact(site), x, kernel, bias, seen, groups=at.attr("group", 1), first=True)


def conv_integer(at: At) -> Value:
    """A convolution of whole numbers; its padding is the zero point."""
    return convolved(at, at, centred(at, 0, 2), weights(at, 1, 3, 0), None)


def qlinear_conv(at: At) -> Value:
    """ConvInteger with a whole bias, then the whole numbers of the result."""
    factor = factor_of(at, 1, 4)
    x, weight = centred(at, 0, 2), weights(at, 3, 5, 0)
    product = convolved(at, at.step("product"), x, weight, at.optional(8, "bias"))
    return requantised(at, product, factor, 6, weight.ndim - 2)


QUANTISERS: dict[str, Handler] = {
    **values.in_domains({"Quant": quant, "IntQuant": quant, "BipolarQuant": bipolar, "Trunc": trunc}),
    **values.in_domains({"MultiThreshold": multi_threshold}),
    "ConvInteger": conv_integer,
    **dict.fromkeys(values.both("DequantizeLinear"), dequantize_linear),
    **dict.fromkeys(values.both("QuantizeLinear"), quantize_linear),
    "MatMulInteger": matmul_integer,
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
}
