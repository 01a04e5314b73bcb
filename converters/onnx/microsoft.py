"""Operators of onnxruntime's quantiser on whole numbers: operands with scales and zero points, the result with its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn2hls.converters.lower import activations, arith, integers, linear, pooling, quantised, shape, window
from nn2hls.converters.lower.value import Operand, Refusal, Tensor
from nn2hls.converters.onnx import quantised_values as values
from nn2hls.converters.onnx.context import At, Handler, Value
from nn2hls.converters.onnx.quantisers import centred, factor_of, requantised, weights, whole_numbers, zero_point
from nn2hls.converters.onnx.windows import sizes, window_of
from nn2hls.ops import Reduction

_ALONG_ONE = 13  # the version of Softmax from which on its axis is the only one
_SCALE_AND_ZERO = 2  # operands behind a value that say what it stands for


def _value(at: At, k: int, word: str) -> Operand:
    """What the whole numbers of operand k stand for; a scale and a zero point follow it."""
    scale = np.asarray(values.checked_scale(at.scalar(k + 1, "scale")))
    zero = zero_point(at, k + 2)
    if at.is_known(k):
        return np.asarray((at.array(k, "constant") - zero) * scale)
    return integers.dequantized(at.step(word), at.tensor(k), scale, zero)


def _two(meaning: Callable[..., Tensor]) -> Handler:
    def handler(at: At) -> Value:
        first, second = _value(at, 0, "first"), _value(at, 1 + _SCALE_AND_ZERO, "second")
        return whole_numbers(at, meaning(at.step("value"), first, second), 2 * (1 + _SCALE_AND_ZERO))

    return handler


def _one(meaning: Callable[[At, Tensor], Tensor]) -> Handler:
    def handler(at: At) -> Value:
        x = _value(at, 0, "first")
        if not isinstance(x, Tensor):
            raise Refusal(f"its operand '{at.name(0)}' is a constant")
        return whole_numbers(at, meaning(at, x), 1 + _SCALE_AND_ZERO)

    return handler


def gemm(at: At) -> Value:
    """alpha * (x @ W + C) with a whole C, whose scale has alpha in it; a value where the scale of the result is left out."""
    if at.attr("transA", 0):
        raise Refusal("transA would transpose the batch axis; export the layer without it")
    turned, alpha = bool(at.attr("transB", 0)), float(at.attr("alpha", 1.0))
    factor = alpha * factor_of(at, 1, 4)
    weight = weights(at, 3, 5, 0 if turned else -1)
    bias = at.per_event(6, 2) if at.has(6) else None
    exact = quantised.Exact(at.step("product"))
    product = linear.dense(exact, centred(at, 0, 2), weight.T if turned else weight, bias)
    return requantised(at, product, factor, 7, 0) if at.has(7) else arith.scale(at, product, factor)


def _softmax(at: At, x: Tensor) -> Tensor:
    """Along one axis; before version 13 of Softmax, which ``opset`` says, along all from there on, which must be the last."""
    old = int(at.attr("opset", at.opset)) < _ALONG_ONE
    axis = int(at.attr("axis", 1 if old else -1))
    if old and axis % x.rank != x.rank - 1:
        raise Refusal("its axis is not the last; before opset 13 all axes from there on are one, which is not offered")
    return activations.softmax(at.step("value"), x, x.axis(axis))


def _last(at: At) -> bool:
    return bool(at.attr("channels_last", 0))


def _global_pool(at: At, x: Tensor) -> Tensor:
    return pooling.global_pool(at.step("mean"), x, Reduction.MEAN, keepdims=True, first=not _last(at))


def _pool(at: At, x: Tensor) -> Tensor:
    space = window.space_of(x, first=not _last(at))
    seen = window_of(at, sizes(at, "kernel_shape", len(space)), space)
    counts, ceil = bool(at.attr("count_include_pad", 0)), bool(at.attr("ceil_mode", 0))
    return pooling.pool(at.step("mean"), x, Reduction.MEAN, seen, counts=counts, ceil=ceil, first=not _last(at))


def concat(at: At) -> Value:
    """Scale and zero point of the result come first, then each operand with its own."""
    places = range(2, len(at.node.inputs), 1 + _SCALE_AND_ZERO)
    if not places:
        raise Refusal("it joins no operands")
    parts = [_value(at, k, f"part{n}") for n, k in enumerate(places)]
    if not all(isinstance(x, Tensor) for x in parts):
        raise Refusal("one of its operands is a constant")
    found = [x for x in parts if isinstance(x, Tensor)]
    joined = shape.concatenate(at.step("value"), found, found[0].axis(at.attr("axis", 1)))
    return whole_numbers(at, joined, 0)


_OPERATORS: dict[str, Handler] = {
    "QGemm": gemm,
    "QLinearAdd": _two(arith.add),
    "QLinearAveragePool": _one(_pool),
    "QLinearConcat": concat,
    "QLinearGlobalAveragePool": _one(_global_pool),
    "QLinearLeakyRelu": _one(lambda at, x: activations.leaky_relu(at.step("value"), x, float(at.attr("alpha", 0.01)))),
    "QLinearMul": _two(arith.multiply),
    "QLinearSigmoid": _one(lambda at, x: activations.function(at.step("value"), x, "sigmoid")),
    "QLinearSoftmax": _one(_softmax),
}
MICROSOFT: dict[str, Handler] = {f"{values.MICROSOFT}.{name}": handler for name, handler in _OPERATORS.items()}
