"""QKeras layers: Keras' own with quantised weights, the quantised activation behind them. QKeras is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nn2hls.converters.keras import layers, norms, windows
from nn2hls.converters.keras.activations import activation
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.qkeras_adaptive import adaptive
from nn2hls.converters.keras.qkeras_options import FUNCTIONS, Quantiser, read
from nn2hls.converters.keras.qkeras_weights import weights as quantised_weights
from nn2hls.converters.keras.scaled import scaled_product
from nn2hls.converters.lower import quantised
from nn2hls.converters.lower.value import Refusal, Tensor

_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def quantisers_of(layer: Layer, names: Mapping[str, str]) -> dict[str, Quantiser]:
    """The quantisers of weights, by the weight."""
    found = {weight: read(layer.value(key)) for weight, key in names.items()}
    return {weight: quantiser for weight, quantiser in found.items() if quantiser is not None}


def _plain(layer: Layer, kind: str, **config: object) -> Layer:
    """The layer as one of Keras, without its activation."""
    # Names of weights are those of Keras 2, whatever version QKeras ran on.
    return replace(layer, kind=kind, keras=2, config={**layer.config, "activation": "linear", **config})


def as_quantiser(layer: Layer) -> Layer:
    """The layer, names that QKeras has for other functions than Keras, bare or in a form, written as quantisers."""
    value = layer.value("activation")
    name = value.get("config") if isinstance(value, dict) and value.get("class_name") == "function" else value
    if isinstance(name, str) and name in FUNCTIONS:
        return replace(layer, config={**layer.config, "activation": {"class_name": name, "config": {}}})
    return layer


def _product(kind: str, keras: Entry, kernels: Mapping[str, str]) -> Entry:
    """A layer of products: weights by name -> the key of their quantiser."""

    def entry(layer: Layer) -> Prepared:
        function = activation(as_quantiser(layer))
        quantisers = quantisers_of(layer, {**kernels, "bias": "bias_quantizer"})
        inner = _plain(layer, kind)
        prepared = keras(inner)

        def product(site: Site) -> Tensor:
            found, scale = _quantised(layer, layer.weights, quantisers, kernels)
            exact = all(name in quantisers for name in kernels)
            return scaled_product(replace(site, exact=exact), inner, prepared, found, scale)

        return lambda site: site.then(function, product)

    return entry


def _quantised(
    layer: Layer, arrays: Mapping[str, np.ndarray], quantisers: Mapping[str, Quantiser], kernels: Mapping[str, str]
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The weights as QKeras computes with them; a scale for each channel apart where it is no power of two."""
    found, apart = dict(arrays), None
    for name, quantiser in quantisers.items():
        if name not in arrays:
            continue
        numbers, scale = quantised_weights(quantiser, arrays[name])
        splits = len(kernels) == 1 and name in kernels and not quantised.is_power(np.where(scale == 0, 1, scale))
        if splits and windows.is_first(layer):
            raise Refusal("a scale for each channel that is no power of two is not offered with channels first")
        if splits:
            apart = _of_channels(name, scale, numbers.shape)
            found[name] = numbers
        else:
            found[name] = numbers * scale
    return found, apart


def quantised_weights_of(layer: Layer, quantisers: Mapping[str, Quantiser]) -> dict[str, np.ndarray]:
    """All weights as QKeras computes with them."""
    return _quantised(layer, layer.weights, quantisers, {})[0]


def _of_channels(name: str, scale: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One scale for each channel of the result."""
    if scale.size == 1:
        return scale.reshape(())
    kept = 2 if name.startswith("depthwise") else 1
    if scale.ndim != len(shape) or any(n != 1 for n in scale.shape[:-kept]):
        raise Refusal("its scale is not one for each channel of the result; leave out 'scale_axis'")
    return np.broadcast_to(scale, (*scale.shape[:-kept], *shape[-kept:])).reshape(-1)


def q_activation(layer: Layer) -> Prepared:
    """QActivation, whose only content is the quantiser."""
    if layer.value("activation") is None:
        raise Refusal("it has no 'activation', its quantiser; give it one, or leave the layer out")
    function = activation(as_quantiser(layer)).apply
    return (lambda site: site.tensor) if function is None else lambda site: function(site, site.tensor)


def batch_norm(layer: Layer) -> Prepared:
    """BatchNormalization with quantised parameters; the root of the variance is taken of the quantised one."""
    if read(layer.value("inverse_quantizer")) is not None:
        raise Refusal("'inverse_quantizer' of QBatchNormalization is not offered; leave it out")
    keys = {name: f"{name.removeprefix('moving_')}_quantizer" for name in _BATCH_NORM}
    quantisers, inner = quantisers_of(layer, keys), _plain(layer, "BatchNormalization")
    prepared = norms.batch_norm(inner)

    def lower(site: Site) -> Tensor:
        inner.weights, _ = _quantised(layer, layer.weights, quantisers, {})
        found = prepared(site)
        assert isinstance(found, Tensor)
        return found

    return lower


def folded(kind: str, keras: Entry, kernel: str) -> Entry:
    """A convolution whose weights hold the BatchNormalization behind it before they are quantised."""

    def entry(layer: Layer) -> Prepared:
        if layer.value("renorm", default=False) or layer.value("folding_mode") not in (None, *_FOLDING):
            raise Refusal("'renorm', or a 'folding_mode' that is not understood")
        if layer.value("axis", default=-1) not in (-1, 3, [-1], [3]):
            raise Refusal("its BatchNormalization is not over the channels, the last axis")
        quantiser = "kernel_quantizer" if kernel == "kernel" else "depthwise_quantizer"
        inner = replace(layer, kind=kind, config={**layer.config, "use_bias": True})
        prepared = _product(kind, keras, {kernel: quantiser})(inner)
        epsilon = layer.number("epsilon", default=1e-3)

        def lower(site: Site) -> Tensor:
            inner.weights = _with_norm(layer.weights, kernel, epsilon)
            found = prepared(site)
            assert isinstance(found, Tensor)
            return found

        return lower

    return entry


def _with_norm(w: Mapping[str, np.ndarray], kernel: str, epsilon: float) -> dict[str, np.ndarray]:
    """In float32, as the layer folds at inference."""
    of = {k: np.asarray(v, np.float32) for k, v in w.items()}
    factor = np.float32(1) / np.sqrt(of["moving_variance"] + np.float32(epsilon))
    factor = factor * of.get("gamma", np.float32(1))
    bias = factor * (of.get("bias", np.float32(0)) - of["moving_mean"]) + of.get("beta", np.float32(0))
    array = of[kernel]
    spread = factor if kernel == "kernel" else factor.reshape(array.shape[-2:])
    return {kernel: array * spread, "bias": bias}


_FOLDING = ("ema_stats_folding", "batch_stats_folding")
_KERNEL, _DEPTHWISE = {"kernel": "kernel_quantizer"}, {"depthwise_kernel": "depthwise_quantizer"}
_SEPARABLE = {**_DEPTHWISE, "pointwise_kernel": "pointwise_quantizer"}
_CONV = windows.LAYERS

LAYERS: dict[str, Entry] = {
    "QActivation": q_activation,
    "QAdaptiveActivation": adaptive,
    "QBatchNormalization": batch_norm,
    "QDense": _product("Dense", layers.dense, _KERNEL),
    **{f"QConv{n}D": _product(f"Conv{n}D", _CONV[f"Conv{n}D"], _KERNEL) for n in (1, 2)},
    "QDepthwiseConv2D": _product("DepthwiseConv2D", _CONV["DepthwiseConv2D"], _DEPTHWISE),
    **{f"QSeparableConv{n}D": _product(f"SeparableConv{n}D", _CONV[f"SeparableConv{n}D"], _SEPARABLE) for n in (1, 2)},
    "QConv2DBatchnorm": folded("Conv2D", _CONV["Conv2D"], "kernel"),
    "QDepthwiseConv2DBatchnorm": folded("DepthwiseConv2D", _CONV["DepthwiseConv2D"], "depthwise_kernel"),
}
