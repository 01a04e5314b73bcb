"""Cases of the closed set of lowerings: attention, and softmax behind masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kit.lowerings import Case, draw, node

CAUSAL = np.tril(np.ones((3, 3), dtype=bool))
ADDED = np.where(CAUSAL, draw(3, 3), -np.inf).astype(np.float32)
KERNELS = {name: draw(4, 2, 3, seed=k) for k, name in enumerate(("query", "key", "value"))}
BIASES = {name: draw(2, 3, seed=k) for k, name in enumerate(("query", "key", "value"))}
BACK, BACK_BIAS = draw(2, 3, 4), draw(4)


def _torch() -> Any:
    import torch

    return torch


def _keras() -> Any:
    import keras

    return keras


def _dot_product(x: Any, **options: Any) -> Any:
    return _torch().nn.functional.scaled_dot_product_attention(x, x, x, **options)


def _multi_head(x: Any) -> Any:
    """Keras' layer with weights of its own."""
    layer = _keras().layers.MultiHeadAttention(2, 3, name="m")
    y = layer(x, x)
    arrays = [a for name in KERNELS for a in (KERNELS[name], BIASES[name])]
    layer.set_weights([*arrays, BACK, BACK_BIAS])
    return y


def _by_hand(x: Any) -> Any:
    """The same in PyTorch, with the batch in its place."""
    t = _torch()
    heads = [
        t.nn.functional.linear(x, t.tensor(KERNELS[n].reshape(4, 6).T.copy()), t.tensor(BIASES[n].reshape(6)))
        .unflatten(-1, (2, 3))
        .transpose(1, 2)
        for n in KERNELS
    ]
    seen = t.nn.functional.scaled_dot_product_attention(*heads)
    flat = seen.transpose(1, 2).flatten(2)
    return t.nn.functional.linear(flat, t.tensor(BACK.reshape(6, 4).T.copy()), t.tensor(BACK_BIAS))


def _moved(x: Any) -> Any:
    """The batch second, as torch.nn.MultiheadAttention has it."""
    return (x.transpose(0, 1) * 2).transpose(0, 1)


CASES: dict[str, Case] = {
    "attention": Case(
        "attention.attention", (3, 4), lambda x: _keras().layers.Attention()([x, x]), lambda x: _dot_product(x, scale=1.0),
        (
            node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "s"),
            node("Softmax", "s", "p"), node("MatMul", "p x"),
        ),
    ),
    "attention of heads": Case(
        "attention.attention", (2, 3, 4), None, _dot_product, (node("Attention", "x x x"),), opset=23, cannot_run=("onnx",)
    ),
    "attention causal": Case(
        "attention.attention", (3, 4), lambda x: _keras().layers.Attention()([x, x], use_causal_mask=True),
        lambda x: _dot_product(x, is_causal=True, scale=1.0),
    ),
    "attention masked": Case(
        "attention.attention", (3, 4), None, lambda x: _dot_product(x, attn_mask=_torch().tensor(CAUSAL))
    ),
    "attention with a sum": Case(
        "attention.attention", (3, 4), None, lambda x: _dot_product(x, attn_mask=_torch().tensor(ADDED))
    ),
    "masked_softmax": Case(
        "activations.masked_softmax", (3, 3), None,
        lambda x: _torch().softmax(x.masked_fill(~_torch().tensor(CAUSAL), float("-inf")), -1),
        (node("Where", "m x v", "h"), node("Softmax", "h")), {"m": CAUSAL, "v": np.float32(-np.inf)},
    ),
    "masked_softmax of all rows": Case(
        "activations.masked_softmax", (4, 3), None,
        lambda x: _torch().softmax(x.masked_fill(_torch().tensor([False, True, False]), float("-inf")), -1),
        (node("Where", "m v x", "h"), node("Softmax", "h")), {"m": np.array([False, True, False]), "v": np.float32(-np.inf)},
    ),
    "masked_softmax by a sum": Case(
        "activations.masked_softmax", (3, 3), None, lambda x: _torch().softmax(x + _torch().tensor(ADDED), 1),
        (node("Add", "x m", "h"), node("Softmax", "h", axis=1)), {"m": ADDED},
    ),
    "multi_head_attention": Case("attention.multi_head_attention", (3, 4), _multi_head),
    "additive_attention": Case(
        "attention.additive_attention", (3, 4), lambda x: _keras().layers.AdditiveAttention(use_scale=False)([x, x])
    ),
    "permute": Case("layout.permute", (3, 4), lambda x: x * 2, _moved),
    "regroup": Case(
        "layout.regroup", (3, 4), None,
        lambda x: _torch().relu(x.reshape(-1, 4)).reshape(-1, 3, 4),
        (node("Reshape", "x s", "f"), node("Relu", "f", "r"), node("Reshape", "r t")),
        {"s": np.array([-1, 4]), "t": np.array([-1, 3, 4])},
    ),
}  # fmt: skip
