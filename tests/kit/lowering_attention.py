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
    "attention and weights": Case(
        "attention.attention", (3, 4),
        lambda x: _keras().layers.Attention()([x, x], return_attention_scores=True)[1],
        lambda x: _torch().softmax(x @ x.transpose(1, 2), -1),
        (node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "s"), node("Softmax", "s")),
    ),
    "dot_product_attention": Case(
        "attention.attention", (3, 2, 4), lambda x: _keras().ops.dot_product_attention(x, x, x, is_causal=True),
        lambda x: _torch().nn.functional.scaled_dot_product_attention(
            x.transpose(1, 2), x.transpose(1, 2), x.transpose(1, 2), is_causal=True
        ).transpose(1, 2),
    ),
    "multi_head_attention over the second axis": Case(
        "attention.multi_head_attention", (2, 3, 4),
        lambda x: _keras().layers.MultiHeadAttention(2, 3, attention_axes=2, output_shape=(2, 5))(x, x),
    ),
    "multi_head_attention over the first axis, masked": Case(
        "attention.multi_head_attention", (3, 2, 4),
        lambda x: _keras().layers.MultiHeadAttention(2, 3, attention_axes=1, use_gate=True)(
            x, x, attention_mask=CAUSAL[None]
        ),
    ),
    "softmax_over": Case(
        "over_axes.softmax_over", (3, 4, 2), lambda x: _keras().layers.Softmax(axis=(1, 3))(x),
        lambda x: _torch().softmax(x.permute(0, 2, 1, 3).reshape(-1, 4, 6), -1).reshape(-1, 4, 3, 2).permute(0, 2, 1, 3),
    ),
    "softmax of a layer with a mask": Case(
        "over_axes.softmax_over", (3, 3), lambda x: _keras().layers.Softmax()(x, mask=CAUSAL[None]),
        lambda x: _torch().softmax(x.masked_fill(~_torch().tensor(CAUSAL), float("-inf")), -1),
    ),
    "additive_attention of concat": Case(
        "attention.additive_attention", (3, 4),
        lambda x: _keras().layers.Attention(score_mode="concat", use_scale=True)([x, x]),
    ),
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
