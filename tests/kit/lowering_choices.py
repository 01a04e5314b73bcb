"""Cases of the closed set of lowerings: what is chosen by values, gates and shrinking, interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kit.lowerings import Case, constant, draw, node

TABLE = draw(5, 3)


def _torch() -> Any:
    import torch

    return torch


def _nn() -> Any:
    return _torch().nn.functional


def _keras() -> Any:
    import keras

    return keras


CASES: dict[str, Case] = {
    "top": Case(
        "choice.top", (3, 6), lambda x: _keras().ops.top_k(x, 2)[0], lambda x: x.topk(2, 2)[0],
        (node("TopK", "x k", "y i", axis=2),), {"k": np.array([2])},
    ),
    "top, its places": Case(
        "choice.top", (3, 6), lambda x: _keras().ops.cast(_keras().ops.top_k(x, 2)[1], "float32"),
        lambda x: x.topk(2, 2)[1].float(), (node("TopK", "x k", "v i", axis=2), node("Cast", "i", to=1)), {"k": np.array([2])},
    ),
    "top, the smallest": Case(
        "choice.top", (6,), None, lambda x: x.topk(2, 1, largest=False)[0],
        (node("TopK", "x k", "y i", axis=1, largest=0),), {"k": np.array([2])},
    ),
    "take_at": Case(
        "chosen.take_at", (3, 5), lambda x: _keras().ops.take_along_axis(_keras().ops.sin(x), _keras().ops.top_k(x, 2)[1], 2),
        lambda x: x.sin().gather(2, x.topk(2, 2).indices),
        (node("TopK", "x two", "v i", axis=2), node("Sin", "x", "s"), node("GatherElements", "s i", axis=2)),
        {"two": np.array([2])},
    ),
    "add_at": Case(
        "chosen.add_at", (4, 3), None, lambda x: x.sin().index_add(1, _torch().tensor([0, 2, 0, 1]), x),
        (node("Sin", "x", "s"), node("ScatterElements", "s i x", axis=1, reduction="add")),
        {"i": np.repeat([0, 2, 0, 1], 3).reshape(1, 4, 3)}, opset=18, cannot_run=("onnx",),
    ),
    "add_at, other places for each": Case(
        "chosen.add_at", (2, 3), None,
        lambda x: x.scatter_add(1, _torch().tensor([[[0, 1, 0], [1, 0, 0]]]).expand(x.shape[0], -1, -1), x),
    ),
    "set_at": Case(
        "chosen.set_at", (2, 3), None,
        lambda x: (2 * x).scatter(1, _torch().tensor([[[1, 0, 1], [0, 1, 0]]]).expand(x.shape[0], -1, -1), x),
    ),
    "sort": Case("choice.sort", (3, 6), lambda x: _keras().ops.sort(x, axis=1), lambda x: x.sort(1)[0]),
    "place_of_extreme": Case(
        "choice.place_of_extreme", (3, 6), lambda x: _keras().ops.cast(_keras().ops.argmax(x, axis=-1), "float32"),
        lambda x: x.argmax(-1).float(), (node("ArgMax", "x", "i", axis=2, keepdims=0), node("Cast", "i", to=1)),
    ),
    "embedding": Case(
        "choice.embedding", (4,), lambda x: _keras().layers.Embedding(5, 3, embeddings_initializer=constant(TABLE))(x),
        lambda x: _nn().embedding(x, _torch().tensor(TABLE)), (node("Gather", "t x"),), {"t": TABLE}, whole=5,
        cannot_run=("onnx",),
    ),
    "glu": Case("moves.glu", (6,), lambda x: _keras().ops.glu(x), lambda x: _nn().glu(x)),
    "soft_shrink": Case(
        "activations.soft_shrink", (6,), lambda x: _keras().ops.soft_shrink(x, 0.25), lambda x: _nn().softshrink(x, 0.25),
        (node("Shrink", lambd=0.25, bias=0.25),),
    ),
    "hard_shrink": Case(
        "activations.hard_shrink", (6,), lambda x: _keras().ops.hard_shrink(x, 0.25), lambda x: _nn().hardshrink(x, 0.25),
        (node("Shrink", lambd=0.25),),
    ),
    "squareplus": Case("activations.squareplus", (6,), lambda x: _keras().ops.squareplus(x)),
    "resize_linear": Case(
        "linear.resize_linear", (2, 3, 4), lambda x: _keras().layers.UpSampling2D(2, "channels_first", "bilinear")(x),
        lambda x: _nn().interpolate(x, scale_factor=2, mode="bilinear"),
        (node("Resize", "x r c", mode="linear"),), {"r": np.zeros(0, np.float32), "c": np.array([1, 1, 2, 2], np.float32)},
        cannot_run=("keras",),
    ),
    "resize_linear to corners": Case(
        "linear.resize_linear", (2, 3, 4), None,
        lambda x: _nn().interpolate(x, size=(5, 4), mode="bilinear", align_corners=True),
    ),
}  # fmt: skip
