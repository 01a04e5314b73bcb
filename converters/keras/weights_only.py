"""What ``model.quantize()`` of Keras 3 makes of layers: weights of 8 or 4 bits, a scale for each channel, values as they are.

Where it quantises values as well, their scale is the largest one of each event, which no fixed type has: that is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.keras.activations import activation
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.scaled import scaled_product
from nn2hls.converters.lower.quantised import positive
from nn2hls.converters.lower.value import Refusal, Tensor

_OFFERED = {"int8": ("Dense", "EinsumDense", "Embedding"), "int4": ("Dense", "Embedding")}
_WAY = "model.quantize(config=keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)) quantises weights alone"
_FLOAT = "convert the model as it was before quantize()"


def mode(layer: Layer) -> str:
    """``int8``, ``int4/128`` ...: what the policy of a layer asks for; empty where its weights are floats."""
    policy = layer.value("dtype", default="")
    inner = policy.get("config") if isinstance(policy, dict) else None
    settings = inner if isinstance(inner, dict) else {}
    word = str(settings.get("mode") or settings.get("name") or (policy if isinstance(policy, str) else ""))
    return word.partition("_from_")[0] if word.startswith(("int", "float8", "gptq", "awq")) else ""


def refusal(layer: Layer) -> str:
    """Why the quantised weights of a layer of Keras are not read; empty where they are, or are none."""
    word = mode(layer)
    if not word or layer.kind == "InputLayer":
        return ""
    what = f"its weights are quantised ('{word[:40]}')"
    if _each_event(layer, word):
        return f"{what}, and its activations by the largest value of each event; {_WAY}, or {_FLOAT}"
    if layer.kind in _OFFERED.get(word.partition("/")[0], ()):
        return ""
    return f"{what}, which is offered for {', '.join(_OFFERED['int8'])} with int8; {_WAY}, or {_FLOAT}"


def _each_event(layer: Layer, word: str) -> bool:
    """Whether its values have a scale of each event, which is the default of eight bits where a file does not say."""
    settings = layer.value("quantization_config", default=None)
    inner: Any = settings.get("config") if isinstance(settings, dict) else None
    if not isinstance(inner, dict):
        return word == "int8" and layer.kind != "Embedding"
    return inner.get("activation_quantizer") is not None and layer.kind != "Embedding"


def arrays(layer: Layer) -> list[str]:
    """The names of the arrays that such a layer has behind its others."""
    word = mode(layer)
    if not word or refusal(layer):
        return []
    own = "embeddings" if layer.kind == "Embedding" else "kernel"
    blocks = word.startswith("int4/") and word != "int4/-1"
    return [f"{own}_scale", *([f"{own}_zero", "g_idx"] if blocks else [])]


def _unpacked(packed: np.ndarray, count: int) -> np.ndarray:
    """Numbers of four bits, two in each of eight along the last axis, the lower ones first."""
    whole = packed.astype(np.int64)
    both = np.stack([whole & 15, (whole >> 4) & 15], axis=-1)
    return np.asarray(((both ^ 8) - 8).reshape(*packed.shape[:-1], -1)[..., :count], np.float64)


def _numbers(layer: Layer, own: str, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole weights, and their scales: ``weights * scale``, in float32 for the scale as Keras has it."""
    packed, given = layer.weights[own], np.asarray(layer.weights[f"{own}_scale"], np.float64)
    positive(given)
    if f"{own}_zero" not in layer.weights:
        return packed if mode(layer) == "int8" else _unpacked(packed, channels), 1 / given
    if np.any(layer.weights["g_idx"] != 0):
        blocks = len(np.unique(layer.weights["g_idx"]))
        raise Refusal(
            f"its weights have scales for {blocks} blocks; Int4QuantizationConfig(block_size=-1) has one for a channel"
        )
    return _unpacked(packed, channels) - layer.weights[f"{own}_zero"], given


def product(keras: Entry) -> Entry:
    """A layer of products, whose weights may be of this kind."""

    def entry(layer: Layer) -> Prepared:
        if not mode(layer):
            return keras(layer)
        function = activation(layer)
        inner = replace(layer, config={**layer.config, "activation": "linear"})
        prepared = keras(inner)

        def compute(site: Site) -> Tensor:
            kernel, scale = _numbers(layer, "kernel", layer.integer("units") if layer.kind == "Dense" else 0)
            own = {name: array for name, array in layer.weights.items() if name == "bias"}
            return scaled_product(replace(site, exact=True), inner, prepared, {"kernel": kernel, **own}, _behind(scale))

        return lambda site: site.then(function, compute)

    return entry


def _behind(scale: np.ndarray) -> np.ndarray:
    """Scales as they meet a result, without its batch axis."""
    return scale[0] if scale.ndim > 1 and scale.shape[0] == 1 else scale


def rows(keras: Callable[[Layer], Prepared]) -> Entry:
    """A table of rows with a scale each; its values are those of float32 that the layer answers."""

    def entry(layer: Layer) -> Prepared:
        prepared = keras(layer)
        if not mode(layer):
            return prepared

        def lower(site: Site) -> Tensor:
            if "embeddings_scale" in layer.weights:
                numbers, scale = _numbers(layer, "embeddings", layer.integer("output_dim"))
                values = numbers * (scale if scale.ndim == 2 else scale[:, None])
                layer.weights = {"embeddings": np.asarray(values.astype(np.float32), np.float64)}
            found = prepared(site)
            assert isinstance(found, Tensor)
            return found

        return lower

    return entry
