"""Keras activations by name, as functions or as layers used as activations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.converters.keras.model import Layer, foreign
from nn2hls.errors import UnsupportedError, suggest
from nn2hls.graph.const import Const, Shape
from nn2hls.guard import shortened
from nn2hls.known_layers import QUANTISED_ACTIVATIONS, not_offered
from nn2hls.ops import Clip, Function, HardSigmoid, HardSwish, LeakyRelu, Op, Relu, Softmax, Table, Threshold

# The ops, one after the other, that a function becomes on a tensor of a shape (without batch axis); none for the identity.
Ops = Callable[[Shape], tuple[Op, ...]]


@dataclass(frozen=True)
class Activation:
    """A function of one tensor, and the word it adds to its layer's name."""

    word: str
    ops: Ops


def scalar(value: float) -> Const:
    """A constant of no axes."""
    return Const(np.asarray(value, dtype=np.float64))


def leaky(slope: float) -> tuple[Op, ...]:
    """The identity above zero, a line of another slope below."""
    return (LeakyRelu(scalar(slope)),) if slope else (Relu(),)


PLAIN: dict[str, tuple[Op, ...]] = {
    "linear": (),
    "relu": (Relu(),),
    "relu6": (Clip(0.0, 6.0),),
    "leaky_relu": leaky(0.2),
    "elu": (Table(Function.ELU),),
    "selu": (Table(Function.SELU),),
    "celu": (Table(Function.CELU),),
    "gelu": (Table(Function.GELU),),
    "silu": (Table(Function.SILU),),
    "swish": (Table(Function.SILU),),
    "hard_silu": (HardSwish(1 / 6, 0.5),),
    "hard_swish": (HardSwish(1 / 6, 0.5),),
    "sigmoid": (Table(Function.SIGMOID),),
    "sparse_sigmoid": (HardSigmoid(0.5, 0.5),),
    "tanh": (Table(Function.TANH),),
    "hard_tanh": (Clip(-1.0, 1.0),),
    "softplus": (Table(Function.SOFTPLUS),),
    "softsign": (Table(Function.SOFTSIGN),),
    "exponential": (Table(Function.EXP),),
    "mish": (Table(Function.MISH),),
    "log_sigmoid": (Table(Function.LOG_SIGMOID),),
    "tanh_shrink": (Table(Function.TANH_SHRINK),),
}
OTHERS = ("softmax", "log_softmax", "hard_sigmoid")
REFUSED = ("glu", "hard_shrink", "soft_shrink", "sparse_plus", "sparsemax", "squareplus", "threshold")


def named(name: str, layer: Layer) -> Activation:
    """A function of ``keras.activations`` with its default arguments.

    Raises:
        UnsupportedError: There is no such function, or no op for it.
    """
    if name in PLAIN:
        return Activation(name, lambda shape: PLAIN[name])
    if name in ("softmax", "log_softmax"):
        return Activation(name, lambda shape: (Softmax(len(shape) - 1, log=name == "log_softmax"),))
    if name == "hard_sigmoid":
        op = hard_sigmoid(layer)
        return Activation(name, lambda shape: (op,))
    if name in REFUSED:
        raise UnsupportedError(f"activation {not_offered('activation', name)}")
    if name.partition("(")[0] in QUANTISED_ACTIVATIONS:
        raise UnsupportedError(f"quantised activations (QKeras) such as '{name[:80]}' are not offered yet")
    hint = suggest(name, [*PLAIN, *OTHERS])
    raise UnsupportedError(f"'{name[:80]}' is not an activation of Keras; functions of your own are not run. {hint}".rstrip())


def hard_sigmoid(layer: Layer) -> Op:
    """Keras 2: clip(0.2 x + 0.5, 0, 1). Keras 3: clip(x / 6 + 0.5, 0, 1). The version that saved the file decides."""
    if layer.keras > 2:
        return HardSigmoid(1 / 6, 0.5)
    warnings.warn(
        f"{layer.where}: saved by Keras 2, so hard_sigmoid is clip(0.2 * x + 0.5, 0, 1); Keras 3 would compute x / 6 + 0.5.",
        UserWarning,
        stacklevel=2,
    )
    return HardSigmoid(0.2, 0.5)


def relu(layer: Layer) -> Ops:
    """ReLU with ``max_value``, ``negative_slope`` and ``threshold``: max_value above, 0 or a line below the threshold."""
    top = None if layer.value("max_value") is None else layer.number("max_value", default=0.0)
    slope = layer.number("negative_slope", default=0.0)
    threshold = layer.number("threshold", "theta", default=0.0)
    if threshold and slope:
        raise UnsupportedError("'threshold' together with 'negative_slope' is not supported")
    if threshold:
        ops: tuple[Op, ...] = (Threshold(threshold), *(() if top is None else (Clip(0.0, top),)))
    elif slope:
        ops = (*leaky(slope), *(() if top is None else (Clip(-np.inf, top),)))
    else:
        ops = (Relu(),) if top is None else (Clip(0.0, top),)
    return lambda shape: ops


def softmax(layer: Layer, *, log: bool = False) -> Ops:
    """Softmax along one axis, counted with the batch axis."""
    axes = layer.integers("axis") if layer.value("axis") is not None else (-1,)
    if len(axes) != 1:
        raise UnsupportedError(f"'axis' = {list(axes)}: only one axis is supported")
    return lambda shape: (Softmax(axis_of(axes[0], shape), log=log),)


def axis_of(axis: int, shape: Shape) -> int:
    """An axis counted with the batch axis (or from the end) as an axis without it."""
    k = axis - 1 if axis > 0 else len(shape) + axis
    if axis == 0 or not 0 <= k < len(shape):
        raise UnsupportedError(f"axis {axis} is not one of {len(shape)} axes after the batch axis")
    return k


def table(function: Function, *keys: str, default: float = 1.0) -> Callable[[Layer], Ops]:
    """A table with a parameter from the config."""

    def prepare(layer: Layer) -> Ops:
        op = Table(function, layer.number(*keys, default=default))
        return lambda shape: (op,)

    return prepare


def _leaky(layer: Layer) -> Ops:
    ops = leaky(layer.number("negative_slope", "alpha", default=0.3))
    return lambda shape: ops


def _thresholded(layer: Layer) -> Ops:
    op = Threshold(layer.number("theta", default=1.0))
    return lambda shape: (op,)


# Layers without weights that compute a function of one tensor; any of them can also be another layer's activation.
LAYERS: dict[str, Callable[[Layer], Ops]] = {
    "ReLU": relu,
    "LeakyReLU": _leaky,
    "ELU": table(Function.ELU, "alpha"),
    "Softmax": softmax,
    "ThresholdedReLU": _thresholded,
}
WORDS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax", "ThresholdedReLU": "thresholded_relu"}


def activation(layer: Layer) -> Activation:
    """What the config key ``activation`` holds: a name, a serialised function or a layer; absent means linear.

    Raises:
        UnsupportedError: It is not one of Keras' own, or there is no op for it.
    """
    value: Any = layer.value("activation", default="linear")
    if isinstance(value, str):
        return named(value, layer)
    if not isinstance(value, dict):
        raise UnsupportedError(f"activation {value!r} is not one of Keras")
    kind, config = value.get("class_name"), value.get("config")
    if kind in ("__lambda__", None):  # the second from activations.serialize
        raise UnsupportedError("its activation is a lambda, and Python code in a file is never run")
    if isinstance(kind, str) and kind in LAYERS and isinstance(config, dict) and not foreign(value):
        return Activation(WORDS[kind], LAYERS[kind](Layer(layer.name, layer.path, kind, config, keras=layer.keras)))
    shown = shortened(config if isinstance(config, str) else kind)
    way = (
        "; write a function of Keras by its name, such as 'relu'"
        if isinstance(config, str) and config in (*PLAIN, *OTHERS)
        else ""
    )
    raise UnsupportedError(f"activation {shown} is not one of Keras; functions of your own are not run{way}")
