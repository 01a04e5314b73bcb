"""Keras attention layers and keras.ops.dot_product_attention: masks are constants, of the call or causal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.keras import weights_only
from nn2hls.converters.keras.calls import mask_of
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import attention
from nn2hls.converters.lower.attention import Projection
from nn2hls.converters.lower.moves import repeat
from nn2hls.converters.lower.shape import transpose
from nn2hls.converters.lower.value import Refusal, Tensor, plain

# Sub-layers with weights of their own: their folder in a .keras file, without a leading underscore, and the weights' names.
PARTS = {
    "query_dense": "query",
    "key_dense": "key",
    "gate_dense": "gate",
    "value_dense": "value",
    "output_dense": "attention_output",
}
# Where a config says how projections are quantised, by their names: Keras' own leaves it out, a live model is asked.
QUANTISED = "quantized_projections"
_MASKS = ("query_mask", "value_mask", "key_mask", "attention_mask")
SETTINGS = ("use_causal_mask", "return_attention_scores")  # arguments of a call that these layers take
_NAMES = ("query", "value", "key")  # in Keras' order of the arguments


def part_names(layer: Layer) -> list[str]:
    """Names of the weights, in Keras' order."""
    own = ["kernel", "bias"] if layer.flag("use_bias", True) else ["kernel"]
    parts = [part for part in PARTS.values() if part != "gate" or layer.flag("use_gate", False)]
    return [f"{part}/{name}" for part in parts for name in (*own, *weights_only.arrays(_part(layer, part)))]


def _part(layer: Layer, part: str) -> Layer:
    """A projection as the layer that it is in Keras, with what :data:`QUANTISED` says of it."""
    said = layer.value(QUANTISED, default={})
    config = said.get(part) if isinstance(said, dict) else None
    weights = {name.partition("/")[2]: array for name, array in layer.weights.items() if name.startswith(f"{part}/")}
    return replace(layer, kind="EinsumDense", config=config if isinstance(config, dict) else {}, weights=weights, calls=())


def _projection(layer: Layer) -> Projection:
    reason = weights_only.refusal(layer)
    if reason:
        raise Refusal(f"of a projection {reason}")
    if not weights_only.mode(layer):
        return Projection(layer.weights["kernel"], layer.weights.get("bias"))
    kernel, scale, steps = weights_only.read(layer)
    return Projection(kernel, layer.weights.get("bias"), scale, steps)


def _plain_only(layer: Layer, **defaults: Any) -> None:
    """Refuse options that are set to anything but the given value."""
    for key, default in defaults.items():
        if layer.value(key, default=default) != default:
            raise Refusal(f"'{key}' = {layer.value(key)!r:.80} is not supported")


def operands(site: Site) -> tuple[Tensor, Tensor, Tensor]:
    """(query, key, value), by their names where the call has them; the key is the value where it is left out."""
    found = {name: x for name, x in site.arguments(*_NAMES).items() if isinstance(x, Tensor)}
    if len(found) != len(site.tensors) or not {"query", "value"} <= set(found):
        raise Refusal(f"called with {len(site.tensors)} values; query, value and perhaps key are expected")
    return found["query"], found.get("key", found["value"]), found["value"]


def _given(site: Site, name: str) -> list[np.ndarray | None]:
    """The constant masks that the call has under a name."""
    found = mask_of(site.settings.get(name), site.layer.where)
    if found is None:
        raise Refusal(f"called with '{name}' that is computed; a constant is expected")
    return found


def _one_event(mask: np.ndarray, rank: int, name: str) -> np.ndarray:
    """A mask of ``rank`` axes with the batch, without it."""
    if mask.ndim != rank or mask.shape[0] != 1:
        raise Refusal(f"its '{name}' of shape {mask.shape} must have a batch axis of size one, and {rank - 1} more")
    return np.asarray(mask[0], dtype=bool)


def seen_keys(site: Site) -> np.ndarray | None:
    """Which keys (.., queries, keys) the masks of the call let each query see; None without masks."""
    keep = None
    for name, rank in zip(_MASKS, (2, 2, 2, 3), strict=True):
        (mask,) = _given(site, name) if name in site.settings else [None]
        if mask is not None:
            one = _one_event(mask, rank, name)
            one = one if rank == 3 else one[:, None] if name == "query_mask" else one[None]
            keep = one if keep is None else keep & one
    return keep


def _with_scores(site: Site, found: Sequence[Tensor]) -> list[Tensor]:
    """The result, and the weights where the call asks for them."""
    return list(found[: 2 if site.settings.get("return_attention_scores") else 1])


def multi_head(layer: Layer) -> Prepared:
    """MultiHeadAttention and GroupQueryAttention, over one axis of places or several."""
    _plain_only(layer, sliding_window=None)
    axes = None if layer.value("attention_axes") is None else layer.integers("attention_axes")

    def lower(site: Site) -> Sequence[Tensor]:
        query, key, value = operands(site)
        weights = layer.weights
        own = [p for p in PARTS.values() if f"{p}/kernel" in weights]
        parts = {p: _projection(_part(layer, p)) for p in own}
        places = None if axes is None else query.axes(axes)
        keep = seen_keys(site)
        if places is not None and len(places) > 1 and keep is not None:
            raise Refusal(f"a mask with attention over the axes {list(axes or ())} is not offered; reshape them into one")
        of_query, of_key, of_value, back = (parts[p] for p in PARTS.values() if p != "gate")
        found = attention.multi_head_attention(
            site, query, key, value, (of_query, of_key, of_value, back), axes=places, gate=parts.get("gate"), mask=keep,
            causal=bool(site.settings.get("use_causal_mask")),
        )  # fmt: skip
        return _with_scores(site, found)

    return lower


def _value_mask(site: Site) -> np.ndarray | None:
    """The mask of keys of Attention and AdditiveAttention; that of queries makes their rows zero."""
    masks = _given(site, "mask") if "mask" in site.settings else [None]
    if len(masks) > 1 and masks[0] is not None and not masks[0].all():
        raise Refusal("called with a mask of queries, whose results would be zero; multiply the result with the mask instead")
    mask = masks[1] if len(masks) > 1 else None
    return None if mask is None else _one_event(mask, 2, "mask")


def _trained(layer: Layer, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A weight of the layer, which has this shape."""
    weight = layer.weights[name]
    if weight.shape != shape:
        raise Refusal(f"its weight {name!r} has shape {list(weight.shape)}, which must be {list(shape)}")
    return weight


def dot_product(layer: Layer) -> Prepared:
    """Attention: scores are products, times a trained scale if there is one, or those of AdditiveAttention (``concat``)."""
    mode = layer.value("score_mode", default="dot")
    if mode not in ("dot", "concat"):
        raise Refusal(f"'score_mode' = {mode!r:.80} is not one of 'dot', 'concat'")

    def lower(site: Site) -> Sequence[Tensor]:
        query, key, value = operands(site)
        scale = float(_trained(layer, "scale", ())) if "scale" in layer.weights else None
        causal, mask = bool(site.settings.get("use_causal_mask")), _value_mask(site)
        if mode == "concat":
            weight = _trained(layer, "concat_score_weight", ())
            found = attention.additive_attention(site, query, key, value, weight, inner=scale, mask=mask, causal=causal)
            return _with_scores(site, found)
        found = attention.attention(site, query, key, value, factor=1.0 if scale is None else scale, mask=mask, causal=causal)
        return _with_scores(site, found)

    return lower


def additive(layer: Layer) -> Prepared:
    """AdditiveAttention."""

    def lower(site: Site) -> Sequence[Tensor]:
        query, key, value = operands(site)
        causal = bool(site.settings.get("use_causal_mask"))
        scale = _trained(layer, "scale", query.shape[-1:]) if "scale" in layer.weights else None
        found = attention.additive_attention(site, query, key, value, scale, mask=_value_mask(site), causal=causal)
        return _with_scores(site, found)

    return lower


def weight_names(layer: Layer) -> list[str]:
    """Names of the weights of Attention and AdditiveAttention, in Keras' order."""
    own = ["scale"] if layer.flag("use_scale", layer.kind == "AdditiveAttention") else []
    return [*own, "concat_score_weight"] if layer.value("score_mode") == "concat" else own


def dot_product_operation(layer: Layer) -> Prepared:
    """``keras.ops.dot_product_attention``: (places, heads, size) each; keys and values may have fewer heads."""
    _plain_only(layer, attn_logits_soft_cap=None)
    causal = layer.flag("is_causal", False)

    def lower(site: Site) -> Tensor:
        given = site.arguments("query", "key", "value", "bias", "mask", "scale")
        arrays = {k: given.get(k) for k in ("bias", "mask", "scale")}
        if "mask" in site.settings:
            (arrays["mask"],) = _given(site, "mask")
        tensors = [x for k in attention.WORDS if isinstance(x := given.get(k), Tensor)]
        if len(tensors) != 3 or not all(len(plain(x)) == 3 for x in tensors):
            raise Refusal("it needs queries, keys and values of places, heads and features")
        turned = [transpose(site.step(word), x, (1, 0, 2)) for word, x in zip(attention.WORDS, tensors, strict=True)]
        times = turned[0].shape[0] // max(turned[1].shape[0], 1)
        query, key, value = turned[0], *(repeat(site.step("shared"), x, [times], 0) for x in turned[1:])
        mask, bias, scale = (_array(arrays[k], k) for k in ("mask", "bias", "scale"))
        if mask is not None and bias is not None:
            raise Refusal("a mask together with a bias is not offered; add minus infinity to the bias instead")
        added = None if bias is None else _of_one(bias)
        keep = added if mask is None else _of_one(mask).astype(bool)
        if scale is not None and scale.size != 1:
            raise Refusal(f"its scale is one number, not an array of shape {list(scale.shape)}")
        factor = None if scale is None else float(scale.item())
        step = site.step("attention")
        seen, _ = attention.attention(step, query, key, value, factor=factor, mask=keep, causal=causal)
        return transpose(site, seen, (1, 0, 2))

    return lower


def _array(value: Any, name: str) -> np.ndarray | None:
    if value is not None and not isinstance(value, np.ndarray):
        raise Refusal(f"its {name} must be a constant")
    return value


def _of_one(mask: np.ndarray) -> np.ndarray:
    """A mask (batch, heads, queries, keys) or less, without the batch."""
    if mask.ndim == 4 and mask.shape[0] != 1:
        raise Refusal(f"its mask of shape {mask.shape} must have a batch axis of size one")
    return np.asarray(mask[0] if mask.ndim == 4 else mask)


LAYERS: dict[str, Entry] = {
    "AdditiveAttention": additive,
    "Attention": dot_product,
    **dict.fromkeys(("GroupQueryAttention", "GroupedQueryAttention", "MultiHeadAttention"), multi_head),
}
OPERATIONS: dict[str, Entry] = {"DotProductAttention": dot_product_operation}
MULTI_HEAD = tuple(kind for kind, entry in LAYERS.items() if entry is multi_head)
# Arguments of a call that a layer takes.
TAKES = {kind: (*SETTINGS, *(_MASKS if kind in MULTI_HEAD else ("mask",))) for kind in LAYERS} | {
    "DotProductAttention": ("mask",)
}
