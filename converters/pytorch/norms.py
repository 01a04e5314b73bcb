"""Normalisation: by running statistics, and by those of the event."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nn2hls.converters.lower import norm
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.pytorch.context import Args, Lowering, Value

TRAINING = "it was exported in training mode; call model.eval() before torch.export.export"
_SMALLEST = float(np.finfo(np.float32).eps)  # RMSNorm's epsilon where none is given


def _batch(c: Lowering, a: Args) -> Value:
    """BatchNorm along the second torch axis."""
    x = a.tensor("input")
    if a.get("training", False):
        raise Refusal(TRAINING)
    return _running(c, a, x)


def _running(c: Lowering, a: Args, x: Tensor) -> Value:
    mean, var = a.const("running_mean"), a.const("running_var")
    if mean is None or var is None:
        raise Refusal("it keeps no running statistics (track_running_stats=False); train it with them")
    return norm.batch_norm(c, x, (x.axis(1),), mean, var, a.const("weight"), a.const("bias"), a.number("eps", 1e-5))


def _layer(*, center: bool) -> Callable[[Lowering, Args], Value]:
    def lower(c: Lowering, a: Args) -> Value:
        x = a.tensor("input")
        count = len(a.items("normalized_shape"))
        if count < 1 or count > len(x.free):
            raise Refusal(f"it normalises over {count} axes of {x.free}")
        axes = range(len(x.shape) - count, len(x.shape))
        epsilon = a.number("eps", 1e-5 if center else _SMALLEST)
        return norm.layer_norm(c, x, tuple(axes), a.const("weight"), a.const("bias"), epsilon, center=center)

    return lower


def _group(c: Lowering, a: Args) -> Value:
    groups = a.whole("num_groups" if "num_groups" in a else "group")
    return norm.group_norm(c, a.tensor("input"), groups, a.const("weight"), a.const("bias"), a.number("eps", 1e-5))


def _instance(c: Lowering, a: Args) -> Value:
    """By the event's own statistics, or by running ones where they are kept."""
    x = a.tensor("input")
    if not a.get("use_input_stats", True):
        return _running(c, a, x)
    return norm.group_norm(c, x, x.shape[x.axis(1)], a.const("weight"), a.const("bias"), a.number("eps", 1e-5))


NORMS: Mapping[str, Callable[[Lowering, Args], Value]] = {
    "batch_norm.default": _batch,
    "_native_batch_norm_legit_no_training.default": _batch,
    "layer_norm.default": _layer(center=True),
    "native_layer_norm.default": _layer(center=True),
    "rms_norm.default": _layer(center=False),
    "group_norm.default": _group,
    "native_group_norm.default": _group,
    "instance_norm.default": _instance,
}
