"""ONNX normalisation: by running statistics, and by those of the event."""

from __future__ import annotations

from nn2hls.converters.lower import arith, norm, reductions
from nn2hls.converters.lower.value import Refusal, plain
from nn2hls.converters.onnx.context import At, Handler, Value


def _batch(at: At) -> Value:
    """Inference, along the second axis."""
    if at.attr("training_mode", 0) or (at.opset < 7 and not at.attr("is_test", 0)):
        raise Refusal("it is in training mode; export the model in evaluation mode")
    x = at.tensor()
    if x.rank < 2:
        raise Refusal("its operand has no channel axis")
    names = ("scale", "bias", "mean", "variance")
    gamma, beta, mean, variance = (at.array(k, what) for k, what in enumerate(names, start=1))
    if any(a.shape != (x.free[0],) for a in (gamma, beta, mean, variance)):
        raise Refusal(f"its constants must hold one number for each of {x.free[0]} channels")
    return norm.batch_norm(at, x, (x.axis(1),), mean, variance, gamma, beta, at.attr("epsilon", 1e-5))


def _layer(*, center: bool) -> Handler:
    """Over all axes from ``axis`` on."""

    def handler(at: At) -> Value:
        x = at.tensor()
        axes = range(x.axis(at.attr("axis", -1)), len(x.shape))
        scale, bias = at.optional(1, "scale"), at.optional(2, "bias")
        return norm.layer_norm(at, x, tuple(axes), scale, bias, at.attr("epsilon", 1e-5), center=center)

    return handler


def _group(at: At) -> Value:
    """Scale and bias of each channel; of each group before opset 21."""
    x = at.tensor(plain=True)
    groups, channels = at.attr("num_groups"), plain(x)[0]
    scale, bias = at.array(1, "scale"), at.array(2, "bias")
    if at.opset < 21 and groups > 0 and channels % groups == 0:
        scale, bias = (a.repeat(channels // groups) for a in (scale, bias))
    return norm.group_norm(at, x, groups, scale, bias, at.attr("epsilon", 1e-5))


def _instance(at: At) -> Value:
    x = at.tensor(plain=True)
    return norm.group_norm(at, x, plain(x)[0], at.array(1, "scale"), at.array(2, "bias"), at.attr("epsilon", 1e-5))


def _unit(at: At) -> Value:
    x = at.tensor()
    axes = (x.axis(at.attr("axis", -1)),)
    if at.attr("p", 2) == 1:
        size = reductions.vector_norm(at.step("size"), x, axes, 1, keepdims=True)
        return arith.divide(at, x, size)
    return norm.unit_norm(at, x, axes, 0.0)


def _own_statistics(at: At) -> Value:
    """Over axes, or what :mod:`patterns` found to be that; ONNX adds 1e-9 to the deviation, here to its square."""
    x = at.tensor()
    return norm.layer_norm(at, x, x.axes(at.attr("axes", [0, 2, 3])), epsilon=at.attr("epsilon", 1e-9))


NORMS: dict[str, Handler] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LayerNormalization": _layer(center=True),
    "LpNormalization": _unit,
    "MeanVarianceNormalization": _own_statistics,
    "RMSNormalization": _layer(center=False),
}
