"""BinaryNet's layers, as hls4ml's example models have them: weights of two or three values times H, and their functions.

They are classes of people's own that share a name and a config: H, which weights are clipped to, and two learning rates.
With w = weight / H in float32, a binary weight is H where 0.5 w + 0.5 is above a half, else -H; a ternary one is H where
w > 0.5, -H where w <= -0.5, else 0. A class of that config that does otherwise cannot be told from these, so that each is
named in a warning.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from nn2hls.converters.keras import layers, windows
from nn2hls.converters.keras.activations import activation
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.scaled import scaled_product
from nn2hls.converters.lower import quantised
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.guard import shortened

_HALF = np.float32(0.5)


def binary(w: np.ndarray) -> np.ndarray:
    """Signs of float32 numbers; what is lost when a half is added counts as zero, and zero as below."""
    return np.where(np.float32(0.5) * w + _HALF > _HALF, 1.0, -1.0)


def ternary(w: np.ndarray) -> np.ndarray:
    """The nearest of -1, 0 and 1 to float32 numbers, a half down."""
    return np.where(w > _HALF, 1.0, np.where(w <= -_HALF, -1.0, 0.0))


def _size(layer: Layer, shape: tuple[int, ...]) -> np.float32:
    """H, a number, or by the numbers of connections that enter and leave."""
    value = layer.value("H")
    if value == "Glorot":
        places = math.prod(shape[:-2])
        return np.float32(np.sqrt(1.5 / (places * (shape[-2] + shape[-1]))))
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and np.float32(value) > 0):
        raise Refusal(f"'H' = {shortened(value)} must be a finite number above zero, or 'Glorot'")
    return np.float32(value)


def _product(kind: str, keras: Entry, numbers: Callable[[np.ndarray], np.ndarray], said: str) -> Entry:
    """A layer of products with such weights."""

    def entry(layer: Layer) -> Prepared:
        function = activation(layer)
        _size(layer, (1, 1))
        layer.read.update(("kernel_lr_multiplier", "bias_lr_multiplier"))
        inner = replace(layer, kind=kind, config={**layer.config, "activation": "linear"})
        prepared = keras(inner)

        def product(site: Site) -> Tensor:
            kernel = np.asarray(layer.weights["kernel"], np.float32)
            size = _size(layer, kernel.shape)
            what = f"{layer.where}: a {layer.kind} as BinaryNet has it, whose weights are {said}."
            warnings.warn(what, UserWarning, stacklevel=2)
            found, scale = {**layer.weights, "kernel": numbers(kernel / size)}, np.asarray(size, np.float64)
            at = replace(site, exact=True)
            if quantised.is_power(scale):
                return scaled_product(at, inner, prepared, {**found, "kernel": found["kernel"] * scale}, None)
            if windows.is_first(layer):
                raise Refusal("an H that is no power of two is not offered with channels first; save it with channels last")
            return scaled_product(at, inner, prepared, found, scale)

        return lambda site: site.then(function, product)

    return entry


_BINARY = binary, "-H up to zero and H above"
_TERNARY = ternary, "H above H/2, -H up to -H/2 and 0 between"
LAYERS: Mapping[str, Entry] = {
    "BinaryDense": _product("Dense", layers.dense, *_BINARY),
    "TernaryDense": _product("Dense", layers.dense, *_TERNARY),
    "BinaryConv2D": _product("Conv2D", windows.LAYERS["Conv2D"], *_BINARY),
    "TernaryConv2D": _product("Conv2D", windows.LAYERS["Conv2D"], *_TERNARY),
}
