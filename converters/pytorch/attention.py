"""Attention as PyTorch's own operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nn2hls.converters.lower import attention, moves
from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.pytorch.context import Args, Lowering, Value


def _attention(c: Lowering, a: Args) -> Value:
    query, key, value = (a.tensor(name) for name in ("query", "key", "value"))
    mask = a.const("attn_mask")
    if mask is not None:
        kind = bool if mask.dtype == bool else np.float64
        mask = c.without_batch(mask, query.rank).astype(kind)
    if a.get("enable_gqa", False) and len(query.shape) > 2:
        times = query.shape[-3] // max(key.shape[-3], 1)
        key, value = (moves.repeat(c.step("shared"), x, [times], len(x.shape) - 3) for x in (key, value))
    if a.number("dropout_p", 0):
        raise Refusal("it was exported in training mode; call model.eval() before torch.export.export")
    factor = a.number("scale") if "scale" in a else None
    return attention.attention(c, query, key, value, factor=factor, mask=mask, causal=bool(a.get("is_causal", False)))[0]


ATTENTION: Mapping[str, Callable[[Lowering, Args], Value]] = {
    "scaled_dot_product_attention.default": _attention,
    "_scaled_dot_product_flash_attention_for_cpu.default": _attention,
}
