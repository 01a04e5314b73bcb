"""Cases of the closed set of lowerings: normalisation by the statistics of the event."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kit.lowerings import Case, constant, draw, node

EPSILON = 2.0**-10
GAMMA, BETA = np.abs(draw(4)) + 0.5, draw(4)
LAST = {"g": GAMMA, "b": BETA}


def _nn() -> Any:
    import torch

    return torch.nn.functional


def _tensor(array: np.ndarray) -> Any:
    import torch

    return torch.tensor(array)


def _keras() -> Any:
    import keras

    return keras


def _trained() -> dict[str, Any]:
    return {"gamma_initializer": constant(GAMMA), "beta_initializer": constant(BETA), "epsilon": EPSILON}


CASES: dict[str, Case] = {
    "layer_norm": Case(
        "norm.layer_norm", (3, 4), lambda x: _keras().layers.LayerNormalization(**_trained())(x),
        lambda x: _nn().layer_norm(x, (4,), _tensor(GAMMA), _tensor(BETA), EPSILON),
        (node("LayerNormalization", "x g b", axis=-1, epsilon=EPSILON),), LAST,
    ),
    "layer_norm over two axes": Case(
        "norm.layer_norm", (3, 4), lambda x: _keras().layers.LayerNormalization(axis=(1, 2), center=False, scale=False)(x),
        lambda x: _nn().layer_norm(x, (3, 4), eps=0.001),
    ),
    "rms_norm": Case(
        "norm.layer_norm", (3, 4), None, lambda x: _nn().rms_norm(x, (4,), _tensor(GAMMA), EPSILON),
        (node("RMSNormalization", "x g", axis=-1, epsilon=EPSILON),), {"g": GAMMA}, opset=23,
    ),
    "rms_norm layer": Case("norm.layer_norm", (3, 4), lambda x: _keras().layers.RMSNormalization()(x)),
    "by_deviation": Case(
        "norm.by_deviation", (3, 4), lambda x: _keras().layers.LayerNormalization(rms_scaling=True, epsilon=EPSILON)(x)
    ),
    "group_norm": Case(
        "norm.group_norm", (4, 3, 2), lambda x: _keras().layers.GroupNormalization(2, axis=1, **_trained())(x),
        lambda x: _nn().group_norm(x, 2, _tensor(GAMMA), _tensor(BETA), EPSILON),
        (node("GroupNormalization", "x g b", num_groups=2, epsilon=EPSILON),), LAST, opset=21,
    ),
    "group_norm channels last": Case(
        "norm.group_norm", (3, 2, 4), lambda x: _keras().layers.GroupNormalization(2, **_trained())(x)
    ),
    "instance_norm": Case(
        "norm.group_norm", (4, 3, 2), lambda x: _keras().layers.GroupNormalization(-1, axis=1, **_trained())(x),
        lambda x: _nn().instance_norm(x, weight=_tensor(GAMMA), bias=_tensor(BETA), eps=EPSILON),
        (node("InstanceNormalization", "x g b", epsilon=EPSILON),), LAST,
    ),
    "unit_norm": Case(
        "norm.unit_norm", (3, 4), lambda x: _keras().layers.UnitNormalization(axis=-1)(x)
    ),
    "unit_norm of p 2": Case("norm.unit_norm", (3, 4), None, None, (node("LpNormalization", axis=-1, p=2),)),
    "log_sum_exp": Case(
        "over_axes.log_sum_exp", (3, 4), lambda x: _keras().ops.logsumexp(x, axis=(1, 2)), lambda x: x.logsumexp((1, 2)),
        (node("ReduceLogSumExp", "x a", keepdims=0),), {"a": np.array([1, 2])},
    ),
    "log_sum_exp, axes kept": Case(
        "over_axes.log_sum_exp", (3, 4), lambda x: _keras().ops.logsumexp(x, axis=-1, keepdims=True),
        lambda x: x.logsumexp(-1, keepdim=True), (node("ReduceLogSumExp", "x a"),), {"a": np.array([2])},
    ),
    "running_sum": Case(
        "over_axes.running_sum", (3, 4), lambda x: _keras().ops.cumsum(x, axis=1), lambda x: x.cumsum(1),
        (node("CumSum", "x a"),), {"a": np.array(1)},
    ),
    "running_sum, from the end": Case(
        "over_axes.running_sum", (3, 4), None, None, (node("CumSum", "x a", exclusive=1, reverse=1),), {"a": np.array(-1)}
    ),
    "log_add_exp": Case(
        "over_axes.log_add_exp", (4,), lambda x: _keras().ops.logaddexp(x, x * x), lambda x: x.logaddexp(x * x)
    ),
    "divide two": Case(
        "arith.divide", (4,), lambda x: x / _keras().ops.exp(x), lambda x: x / x.exp(),
        (node("Exp", "x", "e"), node("Div", "x e")),
    ),
}  # fmt: skip
