"""Keras attention layers: masks are those of the call, ``use_causal_mask`` among them, and constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import attention
from nn2hls.converters.lower.attention import Projection
from nn2hls.converters.lower.value import Refusal, Tensor, plain

# Sub-layers with weights of their own: their folder in a .keras file, without a leading underscore, and the weights' names.
PARTS = {"query_dense": "query", "key_dense": "key", "value_dense": "value", "output_dense": "attention_output"}
SETTINGS = ("use_causal_mask",)  # arguments of a call that these layers take


def part_names(layer: Layer) -> list[str]:
    """Names of the weights, in Keras' order."""
    own = ["kernel", "bias"] if layer.flag("use_bias", True) else ["kernel"]
    return [f"{part}/{name}" for part in PARTS.values() for name in own]


def _plain_only(layer: Layer, **defaults: Any) -> None:
    """Refuse options that are set to anything but the given value."""
    for key, default in defaults.items():
        if layer.value(key, default=default) != default:
            raise Refusal(f"'{key}' = {layer.value(key)!r:.80} is not supported")


def _operands(site: Site) -> tuple[Tensor, Tensor, Tensor]:
    """(query, key, value); the key is the value where it is left out, and the third operand."""
    found = site.tensors
    if len(found) not in (2, 3):
        raise Refusal(f"called with {len(found)} values; query, value and perhaps key are expected")
    query, value = found[:2]
    return query, found[2] if len(found) > 2 else value, value


def multi_head(layer: Layer) -> Prepared:
    """MultiHeadAttention and GroupQueryAttention over one axis of places."""
    _plain_only(layer, use_gate=False, sliding_window=None, output_shape=None, flash_attention=None)
    axes = layer.value("attention_axes")

    def lower(site: Site) -> Tensor:
        query, key, value = _operands(site)
        if len(plain(query)) != 2 or (axes is not None and tuple(np.atleast_1d(axes).tolist()) not in ((1,), (-2,))):
            raise Refusal(f"attention over the axes {axes} of {query.shape} is not offered; over one axis of places it is")
        weights = layer.weights
        projections = [Projection(weights[f"{p}/kernel"], weights.get(f"{p}/bias")) for p in PARTS.values()]
        causal = bool(site.settings.get("use_causal_mask"))
        of_query, of_key, of_value, back = projections
        return attention.multi_head_attention(site, query, key, value, (of_query, of_key, of_value, back), causal=causal)

    return lower


def dot_product(layer: Layer) -> Prepared:
    """Attention: scores are products, times a trained scale if there is one."""
    _plain_only(layer, score_mode="dot")

    def lower(site: Site) -> Tensor:
        query, key, value = _operands(site)
        factor = float(layer.weights["scale"].item()) if "scale" in layer.weights else 1.0
        causal = bool(site.settings.get("use_causal_mask"))
        return attention.attention(site, query, key, value, factor=factor, causal=causal)

    return lower


def additive(layer: Layer) -> Prepared:
    """AdditiveAttention."""

    def lower(site: Site) -> Tensor:
        query, key, value = _operands(site)
        causal = bool(site.settings.get("use_causal_mask"))
        return attention.additive_attention(site, query, key, value, layer.weights.get("scale"), causal=causal)

    return lower


LAYERS: dict[str, Entry] = {
    "AdditiveAttention": additive,
    "Attention": dot_product,
    **dict.fromkeys(("GroupQueryAttention", "GroupedQueryAttention", "MultiHeadAttention"), multi_head),
}
MULTI_HEAD = tuple(kind for kind, entry in LAYERS.items() if entry is multi_head)
