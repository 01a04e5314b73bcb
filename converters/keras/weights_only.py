"""What ``model.quantize()`` of Keras 3 makes of layers: weights of 8 or 4 bits, a scale for each channel.

Values are as they are, or whole numbers by the largest one of each event: :mod:`nn2hls.converters.keras.each_event`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nn2hls.converters.keras import each_event
from nn2hls.converters.keras.activations import activation
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.scaled import scaled_product
from nn2hls.converters.lower.each_event import Steps, Weights
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
    try:
        _steps(layer, word)
    except Refusal as reason:
        return f"{what}, and {reason}; {_WAY}, or {_FLOAT}"
    if layer.kind in _OFFERED.get(word.partition("/")[0], ()):
        return ""
    return f"{what}, which is offered for {', '.join(_OFFERED['int8'])} with int8; {_WAY}, or {_FLOAT}"


def _steps(layer: Layer, word: str) -> Steps | None:
    """How its values become whole numbers; None where they are as they are."""
    if layer.kind == "Embedding":
        return None
    found = each_event.steps(layer.value("quantization_config", default=None), word)
    policy = layer.value("dtype", default="")
    source = policy["config"].get("source_name", "float32") if isinstance(policy, dict) else "float32"
    if found and source != "float32":
        raise Refusal(f"its scales are those of values in {source!r:.40}, not in float32")
    return found


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


def _numbers(layer: Layer, own: str, columns: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole weights, and their scales: the weights are ``numbers * scale``.

    Args:
        layer: Whose they are.
        own: The name of its weights.
        columns, channels: Of the weights, and how many scales there are; zero where the layer itself does not say.

    Raises:
        Refusal: Arrays of these sizes are not there, or a scale is none, or one of several blocks of a channel.
    """
    packed, given = layer.weights[own], np.asarray(layer.weights[f"{own}_scale"], np.float64)
    zero, groups = layer.weights.get(f"{own}_zero"), layer.weights.get("g_idx", np.zeros(1))
    if np.any(groups != 0):
        blocks = len(np.unique(groups))
        raise Refusal(
            f"its weights have scales for {blocks} blocks; Int4QuantizationConfig(block_size=-1) has one for a channel"
        )
    positive(given)
    eight = mode(layer) == "int8"
    if columns:
        wide = columns if eight else -(-columns // 2)
        if (
            packed.ndim != 2
            or packed.shape[1] != wide
            or given.size != channels
            or (zero is not None and zero.size != channels)
        ):
            raise Refusal(f"its weights of shape {packed.shape} and {given.size} scales do not fit; save it again")
    numbers = packed if eight else _unpacked(packed, columns)
    if zero is None:
        return numbers, 1 / given
    return numbers - (zero.reshape(-1) if own == "kernel" else zero.reshape(-1, 1)), given


def read(layer: Layer) -> tuple[np.ndarray, np.ndarray, Steps | None]:
    """Whole weights of a layer of products, their scales as they meet a result, and how its values become whole numbers."""
    units = layer.integer("units") if layer.kind == "Dense" else 0
    kernel, scale = _numbers(layer, "kernel", units, units)
    return kernel, scale[0] if scale.ndim > 1 and scale.shape[0] == 1 else scale, _steps(layer, mode(layer))


def product(keras: Entry) -> Entry:
    """A layer of products, whose weights may be of this kind."""

    def entry(layer: Layer) -> Prepared:
        if not mode(layer):
            return keras(layer)
        function = activation(layer)
        inner = replace(layer, config={**layer.config, "activation": "linear"})
        prepared = keras(inner)

        def compute(site: Site) -> Tensor:
            kernel, scale, steps = read(layer)
            if steps:
                return each_event.product(site, inner, Weights(kernel, scale, layer.weights.get("bias")), steps)
            own = {name: array for name, array in layer.weights.items() if name == "bias"}
            return scaled_product(replace(site, exact=True), inner, prepared, {"kernel": kernel, **own}, scale)

        return lambda site: site.then(function, compute)

    return entry


def rows(keras: Callable[[Layer], Prepared]) -> Entry:
    """A table of rows with a scale each; its values are those of float32 that the layer answers."""

    def entry(layer: Layer) -> Prepared:
        prepared = keras(layer)
        if not mode(layer):
            return prepared

        def lower(site: Site) -> Tensor:
            if "embeddings_scale" in layer.weights:
                numbers, scale = _numbers(layer, "embeddings", layer.integer("output_dim"), len(layer.weights["embeddings"]))
                values = numbers * scale.reshape(-1, 1)
                layer.weights = {"embeddings": np.asarray(values.astype(np.float32), np.float64)}
            found = prepared(site)
            assert isinstance(found, Tensor)
            return found

        return lower

    return entry
