"""HGQ2's attention: projections, a softmax by table, sums by its weights, all between casts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nn2hls.converters.keras import attention, hgq, hgq_lut, hgq_tables
from nn2hls.converters.keras.emit import Activation, Entry, Prepared, Site
from nn2hls.converters.keras.hgq_inner import BACK, PROJECTIONS, SHORTER, SOFTMAX, fused, inner
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import einsum
from nn2hls.converters.lower.einsum import Equation
from nn2hls.converters.lower.value import Refusal, Tensor, plain

# What the layers inside are made of, which :mod:`nn2hls.converters.keras.hgq_inner` reads.
_INSIDE = """
    use_bias output_shape attention_axes fuse key_dim stable_softmax share_kv_proj lin_kv_proj_mode lin_kv_proj_dim
    qkvo_iq_conf qkvo_kq_conf qkvo_bq_conf qkvo_oq_conf qkvo_toq_conf softmax_iq_conf softmax_exp_iq_conf
    softmax_exp_oq_conf softmax_inv_iq_conf softmax_inv_oq_conf softmax_oq_conf softmax_allow_heterogeneous_table
    n_hl d_hl subnn_activation batch_norm bn_center bn_scale bn_momentum bn_epsilon table_spec enable_iq enable_oq
"""
_ENTRIES: Mapping[str, Entry] = {**hgq.LAYERS, **hgq_lut.LAYERS}


def attend(layer: Layer) -> Prepared:
    """QMultiHeadAttention and QLinformerAttention, and those whose projections are tables."""
    layer.read.update((*hgq.IDLE, *_INSIDE.split()))
    for key in ("use_gate", "sliding_window"):
        if layer.value(key):
            raise Refusal(f"'{key}' = {layer.value(key)!r:.40} is not offered; leave it out")
    fused(layer)
    outside = hgq.quantiser(layer, "oq")

    def lower(site: Site) -> list[Tensor]:
        query, key, value = attention.operands(site)
        if layer.kind.startswith("QLinformer"):
            key, value = _shorter(layer, site, key, value)
        words = ("query", "key", "value")
        q, k, v = _projected(layer, site, dict(zip(words, (query, key, value), strict=True)))
        axes = layer.integers("attention_axes") if layer.value("attention_axes") is not None else range(1, len(q.shape) - 1)
        scores_of, seen_of = _equations(len(q.shape), [a % (len(plain(query)) + 1) for a in axes])
        scores = einsum.einsum(site.step("scores"), Equation.read(scores_of, [(1, *k.shape), (1, *q.shape)]), k, q)
        weights = _weights(layer, site, scores, len(axes))
        seen = einsum.einsum(site.step("seen"), Equation.read(seen_of, [(1, *weights.shape), (1, *v.shape)]), weights, v)
        back = inner(layer, BACK)
        cast = hgq.cast_of(layer, "oq", outside)

        def to_result(at: Site) -> Tensor:
            return _single(_ENTRIES[back.kind](back)(replace(at, operands=(seen,), keywords=("",))))

        result = site.then(Activation("oq", cast), to_result)
        return [result, weights] if site.settings.get("return_attention_scores") else [result]

    return lower


def _single(found: object) -> Tensor:
    assert isinstance(found, Tensor)
    return found


def _applied(layer: Layer, folder: str, site: Site, word: str, x: Tensor, **flags: bool) -> Tensor:
    """A layer inside, on the way."""
    held = inner(layer, folder)
    held = replace(held, config={**held.config, **flags})
    return _single(_ENTRIES[held.kind](held)(site.at(word, x)))


def _projected(layer: Layer, site: Site, operands: Mapping[str, Tensor]) -> list[Tensor]:
    """Queries, keys and values as (.., heads, size); a quantiser that several share is applied once to each tensor."""
    shared, known, found = fused(layer), dict[str, Tensor](), []
    for folder, (word, x) in zip(PROJECTIONS, operands.items(), strict=True):
        if folder not in shared:
            found.append(_applied(layer, folder, site, word, x))
            continue
        if x.node not in known:
            first = inner(layer, "key_dense")
            cast = hgq.cast_of(first, "iq", hgq.quantiser(first, "iq"))
            known[x.node] = x if cast is None else cast(site.at(f"{word}_iq", x), x)
        found.append(_applied(layer, folder, site, word, known[x.node], enable_iq=False))
    return found


def _shorter(layer: Layer, site: Site, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of fewer places; one projection of one tensor is computed once."""
    shared = layer.flag("share_kv_proj", False)
    one = _applied(layer, SHORTER[0], site, "shorter_key", key)
    if shared and key.node == value.node:
        return one, one
    return one, _applied(layer, SHORTER[0 if shared else 1], site, "shorter_value", value)


def _equations(rank: int, places: list[int]) -> tuple[str, str]:
    """Scores of keys and queries, and sums of values by weights; places along the axes given, the batch being axis 0.

    Scores are (batch, axes that are no places, heads, places of queries, places of keys).
    """
    letters = "abcdefghijklm"[: rank + 1]  # of queries: batch, axes, heads, size
    queries, keys = dict.fromkeys(letters), dict(zip((letters[a] for a in places), "nopqrstuvw", strict=False))
    of_keys = "".join(keys.get(c, c) for c in queries)
    apart = "".join(c for c in letters[:-1] if c not in keys)
    scores = apart + "".join(keys) + "".join(keys.values())
    values, out = of_keys[:-1] + "z", letters[:-1] + "z"
    return f"{of_keys},{letters}->{scores}", f"{scores},{values}->{out}"


def _weights(layer: Layer, site: Site, scores: Tensor, axes: int) -> Tensor:
    """How much each key counts for each query; keys that a constant mask hides do not count."""
    held = inner(layer, SOFTMAX)
    held = replace(held, config={**held.config, "axes": list(range(-axes, 0))})
    keep = _mask(site, scores, axes)
    return hgq_tables.softmax(held, keep)(site.at("softmax", scores))


def _mask(site: Site, scores: Tensor, axes: int) -> np.ndarray | None:
    """Which scores count; None where all do."""
    keep = attention.seen_keys(site)
    if (keep is not None or site.settings.get("use_causal_mask")) and axes != 1:
        raise Refusal("a mask with attention over several axes is not offered; reshape them into one")
    if site.settings.get("use_causal_mask"):
        causal = np.tril(np.ones(scores.shape[-2:], dtype=bool))
        keep = causal if keep is None else keep & causal
    if keep is None:
        return None
    full = np.broadcast_to(keep, scores.shape)
    if not full.any(axis=-1).all():
        raise Refusal("its mask hides all keys from a query, whose answer would be of no value; leave such places out")
    return full


KINDS = tuple(f"Q{kind}Attention{t}" for kind in ("MultiHead", "Linformer") for t in ("", "T"))
LAYERS: dict[str, Entry] = dict.fromkeys(KINDS, attend)
TAKES = dict.fromkeys(KINDS, attention.TAKES["MultiHeadAttention"])
