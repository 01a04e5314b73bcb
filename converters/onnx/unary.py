"""ONNX functions of one tensor, and softmax."""

from __future__ import annotations

import math

import numpy as np

from nn2hls.converters.lower import activations, shape
from nn2hls.converters.lower.value import Refusal, trimmed
from nn2hls.converters.onnx.context import At, Handler, Value

# Operators without attributes, by the function that they are.
_FUNCTIONS = {
    "Abs": "abs",
    "Cos": "cos",
    "Erf": "erf",
    "Exp": "exp",
    "HardSwish": "hard_swish",
    "Log": "log",
    "LogSigmoid": "log_sigmoid",
    "Mish": "mish",
    "Neg": "neg",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
    "TanhShrink": "tanh_shrink",
}


def _function(at: At) -> Value:
    return activations.function(at, at.tensor(), _FUNCTIONS[at.node.op])


def _gelu(at: At) -> Value:
    approximate = at.attr("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise Refusal(f"approximate must be 'none' or 'tanh', not '{approximate}'")
    return activations.gelu(at, at.tensor(), approximate=approximate == "tanh")


def _selu(at: At) -> Value:
    alpha, gamma = (float(at.attr(name, value)) for name, value in zip(("alpha", "gamma"), activations.SELU, strict=True))
    return activations.elu(at, at.tensor(), alpha, gamma)


def _prelu(at: At) -> Value:
    x, slope = at.tensor(), at.array(1, "slope")
    if at.opset < 7 and slope.size > 1:
        slope = slope.reshape(-1, *(1,) * (x.rank - 2))
    elif slope.ndim > x.rank or (slope.ndim == x.rank and slope.shape[0] != 1):
        raise Refusal(f"its slope of shape {slope.shape} varies along the batch axis")
    return activations.leaky_relu(at, x, trimmed(slope))


def _softmax(at: At) -> Value:
    """Along one axis; before opset 13 over all axes from ``axis`` on, taken as one."""
    x, log = at.tensor(), at.node.op == "LogSoftmax"
    axis = x.axis(at.attr("axis", 1 if at.opset < 13 else -1))
    if at.opset >= 13 or axis == len(x.shape) - 1:
        return activations.softmax(at, x, axis, log=log)
    if not x.is_plain:
        raise Refusal("it takes several axes as one, and the first axis is the batch mixed with others")
    flat = shape.reshape(at.step("flat"), x, (*x.shape[:axis], math.prod(x.shape[axis:])))
    return shape.reshape(at, activations.softmax(at.step("softmax"), flat, axis, log=log), x.shape)


def _dropout(at: At) -> Value:
    training = at.has(2) and at.scalar(2, "training mode") != 0
    if training or (at.opset < 7 and not at.attr("is_test", 0)):
        raise Refusal("it is in training mode; export the model in evaluation mode")
    return at.tensor()


def _cast(at: At) -> Value:
    if at.attr("to") not in (1, 10, 11, 16):  # FLOAT, FLOAT16, DOUBLE, BFLOAT16
        raise Refusal("it casts a computed tensor to a type that is no float")
    return at.tensor()


def _threshold(at: At) -> Value:
    """ThresholdedRelu, or the Threshold that :mod:`patterns` found."""
    theta = at.attr("theta", at.attr("alpha", 1.0))
    return activations.step_threshold(at, at.tensor(), theta, at.attr("value", 0.0))


def _shrink(at: At) -> Value:
    """Soft where the bias is the threshold, hard without one."""
    threshold, bias = at.attr("lambd", 0.5), at.attr("bias", 0.0)
    if bias not in (0.0, threshold):
        raise Refusal(f"a bias of {bias:g} with a threshold of {threshold:g} is not offered; 0 and the threshold are")
    return (activations.soft_shrink if bias else activations.hard_shrink)(at, at.tensor(), threshold)


UNARY: dict[str, Handler] = {
    "Shrink": _shrink,
    **dict.fromkeys(_FUNCTIONS, _function),
    "Cast": _cast,
    "Celu": lambda at: activations.celu(at, at.tensor(), at.attr("alpha", 1.0)),
    "Dropout": _dropout,
    "Elu": lambda at: activations.elu(at, at.tensor(), at.attr("alpha", 1.0)),
    "Gelu": _gelu,
    "HardSigmoid": lambda at: activations.hard_sigmoid(at, at.tensor(), at.attr("alpha", 0.2), at.attr("beta", 0.5)),
    "Identity": lambda at: at.tensor(),
    "LeakyRelu": lambda at: activations.leaky_relu(at, at.tensor(), np.asarray(at.attr("alpha", 0.01))),
    "LogSoftmax": _softmax,
    "PRelu": _prelu,
    "Selu": _selu,
    "Softmax": _softmax,
    "Swish": lambda at: activations.swish(at, at.tensor(), at.attr("alpha", 1.0)),
    "Threshold": _threshold,
    "ThresholdedRelu": _threshold,
}
