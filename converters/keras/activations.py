"""Keras activations by name, as functions or as layers used as activations."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn2hls.converters.keras.calls import mask_of
from nn2hls.converters.keras.emit import Activation, Apply, Site, per_event
from nn2hls.converters.keras.model import Layer, foreign
from nn2hls.converters.keras.qkeras_activations import ABOVE_ZERO
from nn2hls.converters.keras.qkeras_activations import activation as quantised_activation
from nn2hls.converters.keras.qkeras_options import is_quantiser
from nn2hls.converters.lower import activations as lower
from nn2hls.converters.lower import moves, over_axes, quantised
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.errors import ReadWarning, suggest
from nn2hls.guard import shortened
from nn2hls.known_layers import QUANTISED_ACTIVATIONS, not_offered

# Functions that have another name in the lowering than in Keras.
_RENAMED = {"swish": "silu", "hard_silu": "hard_swish", "exponential": "exp"}
_SAME = """
    relu relu6 selu gelu silu hard_swish sigmoid sparse_sigmoid tanh hard_tanh softplus softsign mish log_sigmoid tanh_shrink
"""


def function(name: str) -> Apply:
    """A function without parameters, by its name in the lowering."""
    return functools.partial(_apply, name=name)


def _apply(site: Any, x: Any, name: str) -> Any:
    return lower.function(site, x, name)


# Of BinaryNet: 0 and what is not above it are -1, and of three values those above a half are 1, from minus a half on -1.
_HALVES = [math.nextafter(-0.5, math.inf), math.nextafter(0.5, math.inf)]
PLAIN: Mapping[str, Apply] = {
    **{name: function(name) for name in _SAME.split()},
    **{name: function(other) for name, other in _RENAMED.items()},
    "leaky_relu": lambda site, x: lower.leaky_relu(site, x, 0.2),
    "elu": lower.elu,
    "glu": lambda site, x: moves.glu(site, x, len(x.shape) - 1),
    "hard_shrink": lambda site, x: lower.hard_shrink(site, x),
    "soft_shrink": lambda site, x: lower.soft_shrink(site, x),
    "squareplus": lambda site, x: lower.squareplus(site, x),
    "celu": lower.celu,
    "binary_tanh": lambda site, x: quantised.levels(site, x, [ABOVE_ZERO], [-1.0, 1.0]),
    "ternary_tanh": lambda site, x: quantised.levels(site, x, _HALVES, [-1.0, 0.0, 1.0]),
}
OTHERS = ("softmax", "log_softmax", "hard_sigmoid")
REFUSED = ("sparse_plus", "sparsemax", "threshold")


def named(name: str, layer: Layer) -> Activation:
    """A function of ``keras.activations`` with its default arguments.

    Raises:
        Refusal: There is no such function, or no op for it.
    """
    if name == "linear":
        return Activation(name, None)
    if name in PLAIN:
        return Activation(name, PLAIN[name])
    if name in ("softmax", "log_softmax"):
        log = name == "log_softmax"
        return Activation(name, lambda site, x: lower.softmax(site, x, len(x.shape) - 1, log=log))
    if name == "hard_sigmoid":
        return Activation(name, hard_sigmoid(layer))
    if name in REFUSED:
        raise Refusal(f"activation {not_offered('activation', name)}")
    if name.partition("(")[0] in QUANTISED_ACTIVATIONS:
        raise Refusal(f"quantised activations (QKeras) such as '{name[:80]}' are not offered yet")
    hint = suggest(name, ["linear", *PLAIN, *OTHERS])
    raise Refusal(f"'{name[:80]}' is not an activation of Keras; functions of your own are not run. {hint}".rstrip())


def hard_sigmoid(layer: Layer) -> Apply:
    """Keras 2: clip(0.2 x + 0.5, 0, 1). Keras 3: clip(x / 6 + 0.5, 0, 1). The version that saved the file decides."""
    if layer.keras > 2:
        return lambda site, x: lower.hard_sigmoid(site, x)
    warnings.warn(
        f"{layer.where}: saved by Keras 2, so hard_sigmoid is clip(0.2 * x + 0.5, 0, 1); Keras 3 would compute x / 6 + 0.5.",
        ReadWarning,
        stacklevel=2,
    )
    return lambda site, x: lower.hard_sigmoid(site, x, 0.2, 0.5)


def relu(layer: Layer) -> Apply:
    """ReLU with ``max_value``, ``negative_slope`` and ``threshold``: max_value above, 0 or a line below the threshold."""
    top = math.inf if layer.value("max_value") is None else layer.number("max_value", default=0.0)
    slope = layer.number("negative_slope", default=0.0)
    threshold = layer.number("threshold", "theta", default=0.0)
    if threshold and slope:
        raise Refusal("'threshold' together with 'negative_slope' is not supported")
    return lambda site, x: lower.relu(site, x, top, slope, threshold)


def softmax(layer: Layer, *, log: bool = False) -> Apply:
    """Softmax along axes, counted with the batch axis; the layer's call may have a mask, true where an element counts."""
    if layer.config.get("axis", -1) is None:
        raise Refusal("'axis' = None: it works along all axes, the batch among them; name the axes, such as axis=-1")
    axes = layer.integers("axis") if layer.value("axis") is not None else (-1,)

    def apply(site: Site, x: Tensor) -> Tensor:
        mask = _mask(site, x)
        x = x if mask is None else moves.hide(x, ~mask)
        return over_axes.softmax_over(site, x, x.axes(axes), log=log)

    return apply


def _mask(site: Site, x: Tensor) -> np.ndarray | None:
    """The constant mask that the call has, for one event."""
    if "mask" not in site.settings:
        return None
    found = mask_of(site.settings["mask"], site.layer.where)
    if found is None or len(found) != 1:
        raise Refusal("called with a mask that is computed; a constant is expected")
    return None if found[0] is None else per_event(found[0], x.rank).astype(bool)


def elu(layer: Layer) -> Apply:
    """ELU."""
    alpha = layer.number("alpha", default=1.0)
    return lambda site, x: lower.elu(site, x, alpha)


def leaky_relu(default: float) -> Callable[[Layer], Apply]:
    """Leaky ReLU, with the slope where the config has none."""

    def prepare(layer: Layer) -> Apply:
        slope = layer.number("negative_slope", "alpha", default=default)
        return lambda site, x: lower.leaky_relu(site, x, slope)

    return prepare


def _thresholded(layer: Layer) -> Apply:
    theta = layer.number("theta", default=1.0)
    return lambda site, x: lower.step_threshold(site, x, theta)


# Layers without weights that compute a function of one tensor; any of them can also be another layer's activation.
LAYERS: dict[str, Callable[[Layer], Apply]] = {
    "ReLU": relu,
    "LeakyReLU": leaky_relu(0.3),
    "ELU": elu,
    "Softmax": softmax,
    "ThresholdedReLU": _thresholded,
}
WORDS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax", "ThresholdedReLU": "thresholded_relu"}


def activation(layer: Layer) -> Activation:
    """What the config key ``activation`` holds: a name, a serialised function or a layer; absent means linear.

    Raises:
        Refusal: It is not one of Keras' own, or there is no op for it.
    """
    value: Any = layer.value("activation", default="linear")
    if is_quantiser(value):
        return quantised_activation(value)
    if isinstance(value, str):
        return named(value, layer)
    if not isinstance(value, dict):
        raise Refusal(f"activation {value!r} is not one of Keras")
    kind, config = value.get("class_name"), value.get("config")
    if kind in ("__lambda__", None):  # the second from activations.serialize
        raise Refusal("its activation is a lambda, and Python code in a file is never run")
    if isinstance(kind, str) and kind in LAYERS and isinstance(config, dict) and not foreign(value):
        return Activation(WORDS[kind], LAYERS[kind](Layer(layer.name, layer.path, kind, config, keras=layer.keras)))
    shown = shortened(config if isinstance(config, str) else kind)
    way = (
        "; write a function of Keras by its name, such as 'relu'"
        if isinstance(config, str) and config in ("linear", *PLAIN, *OTHERS)
        else ""
    )
    raise Refusal(f"activation {shown} is not one of Keras; functions of your own are not run{way}")
