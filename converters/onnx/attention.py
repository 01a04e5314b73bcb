"""ONNX Attention (opset 23): heads as axes of their own, or within the last axis."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.lower import attention, moves, shape
from nn2hls.converters.lower.value import Refusal, Site, Tensor, plain
from nn2hls.converters.onnx.context import At, Handler, Value


def _attention(at: At) -> Value:
    if any(at.has(k) for k in (4, 5, 6)) or at.attr("softcap", 0.0) or at.attr("qk_matmul_output_mode", 0):
        raise Refusal("past keys, lengths, softcap and qk_matmul_output_mode are not supported")
    split = len(at.tensor(0, plain=True).shape) == 2
    counts = (at.attr("q_num_heads", 0), at.attr("kv_num_heads", 0), at.attr("kv_num_heads", 0))
    names = ("query", "key", "value")
    query, key, value = (
        _heads(at.step(name), at.tensor(k), count) if split else at.tensor(k)
        for k, (name, count) in enumerate(zip(names, counts, strict=True))
    )
    times = query.shape[0] // max(key.shape[0], 1)
    key, value = (moves.repeat(at.step("shared"), x, [times], 0) for x in (key, value))
    mask = _mask(at, query.rank)
    site: Site = at.step("attention" if split else "")
    factor = at.attr("scale")
    seen = attention.attention(site, query, key, value, factor=factor, mask=mask, causal=bool(at.attr("is_causal", 0)))[0]
    if not split:
        return seen
    turned = shape.transpose(at.step("places"), seen, (1, 0, 2))
    return shape.reshape(at, turned, (turned.shape[0], turned.shape[1] * turned.shape[2]))


def _mask(at: At, rank: int) -> np.ndarray | None:
    if not at.has(3):
        return None
    array = at.raw(3, "mask")
    if array.ndim == rank:
        if array.shape[0] != 1:
            raise Refusal("its mask varies along the batch axis")
        array = array[0]
    value = at.value(3)
    boolean = not isinstance(value, Tensor) and value.arrays[0].dtype == bool
    return array.astype(bool) if boolean else array


def _heads(site: Site, x: Tensor, count: int) -> Tensor:
    """(places, heads * size) as (heads, places, size)."""
    size = plain(x)
    if count < 1 or size[-1] % count:
        raise Refusal(f"{size[-1]} features do not make {count} heads")
    split = shape.reshape(site.step("split"), x, (size[0], count, size[-1] // count))
    return shape.transpose(site, split, (1, 0, 2))


ATTENTION: dict[str, Handler] = {"Attention": _attention}
