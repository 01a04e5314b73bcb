"""Keras normalisation: by running statistics, by given ones, and by those of the event."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import norm
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.errors import ModelError

EPSILON = 1e-7  # keras.config.epsilon(), which Normalization uses


def batch_norm(layer: Layer) -> Prepared:
    """Inference: x * gamma / sqrt(variance + epsilon) + beta - mean * scale, in float64."""
    axes = layer.integers("axis") if layer.value("axis") is not None else (-1,)
    epsilon = layer.number("epsilon", default=1e-3)
    if layer.value("renorm", default=False):
        raise Refusal("'renorm' is not supported")

    def lower(site: Site) -> Tensor:
        w, x = layer.weights, site.tensor
        mean, variance = w["moving_mean"], w["moving_variance"]
        return norm.batch_norm(site, x, x.axes(axes), mean, variance, w.get("gamma"), w.get("beta"), epsilon)

    return lower


def normalization(layer: Layer) -> Prepared:
    """(x - mean) / max(sqrt(variance), 1e-7), or its inverse; mean and variance are weights or arguments."""
    given = {k: None if layer.value(k) is None else layer.array(k) for k in ("mean", "variance")}
    if len({v is None for v in given.values()}) > 1:
        raise ModelError("'mean' and 'variance' must be given together.", where=layer.where)
    axes = layer.integers("axis") if layer.value("axis") is not None else ()
    invert = layer.flag("invert", False)

    def lower(site: Site) -> Tensor:
        mean, variance = (layer.weights[k] if v is None else v for k, v in given.items())
        if (variance < 0).any():
            raise ModelError("Its variance is negative.", where=layer.where)
        return norm.normalise(site, site.tensor, site.tensor.axes(axes), mean, variance, EPSILON, inverse=invert)

    return lower


def _axes(layer: Layer) -> tuple[int, ...]:
    return layer.integers("axis") if layer.value("axis") is not None else (-1,)


def _along(array: np.ndarray | None, axes: tuple[int, ...], x: Tensor) -> np.ndarray | None:
    return None if array is None else norm.along(array, axes, x)


def layer_norm(layer: Layer) -> Prepared:
    """By the event's mean and variance over axes; ``rms_scaling`` keeps the mean, and divides by the deviation about it."""
    axes, epsilon = _axes(layer), layer.number("epsilon", default=1e-3)
    keeps = layer.flag("rms_scaling", False)

    def lower(site: Site) -> Tensor:
        x = site.tensor
        over = x.axes(axes)
        gamma, beta = (_along(layer.weights.get(name), over, x) for name in ("gamma", "beta"))
        if keeps:
            return norm.by_deviation(site, x, over, gamma, epsilon)
        return norm.layer_norm(site, x, over, gamma, beta, epsilon)

    return lower


def rms_norm(layer: Layer) -> Prepared:
    """By the event's mean of squares over axes; Keras lays its scale along the last axes, whichever axes it normalises."""
    axes, epsilon = _axes(layer), layer.number("epsilon", default=1e-6)

    def lower(site: Site) -> Tensor:
        x = site.tensor
        over = x.axes(axes)
        scale = layer.weights.get("scale", np.ones(()))
        last = x.shape[len(x.shape) - scale.ndim :]
        if len(last) < scale.ndim or any(n not in (1, m) for n, m in zip(scale.shape, last, strict=True)):
            raise Refusal(f"its scale of shape {scale.shape} stands along the last axes of {x.shape}; normalise over those")
        return norm.layer_norm(site, x, over, scale, None, epsilon, center=False)

    return lower


def group_norm(layer: Layer) -> Prepared:
    """By the statistics of each group of channels; -1 groups are as many as channels."""
    axis, epsilon = layer.integer("axis", -1), layer.number("epsilon", default=1e-3)
    groups = layer.integer("groups", 32)

    def lower(site: Site) -> Tensor:
        x, w = site.tensor, layer.weights
        place = x.axis(axis)
        count = x.shape[place] if groups == -1 else groups
        return norm.group_norm(site, x, count, w.get("gamma"), w.get("beta"), epsilon, axis=place)

    return lower


def unit_norm(layer: Layer) -> Prepared:
    """To the length one."""
    axes = _axes(layer)
    return lambda site: norm.unit_norm(site, site.tensor, site.tensor.axes(axes))


def _normalize(layer: Layer) -> Prepared:
    """``keras.ops.normalize``."""
    axes, order = layer.integers("axis"), layer.value("order", default=2)
    epsilon = 1e-7 if layer.value("epsilon") is None else layer.number("epsilon", default=1e-7)
    if order != 2:
        raise Refusal(f"'order' = {order!r} is not offered; 2 is")
    return lambda site: norm.unit_norm(site, site.tensor, site.tensor.axes(axes), epsilon**2)


LAYERS: dict[str, Entry] = {
    "BatchNormalization": batch_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "Normalization": normalization,
    "RMSNormalization": rms_norm,
    "UnitNormalization": unit_norm,
}


def _constants(site: Site, *names: str) -> tuple[Tensor, list[np.ndarray | None]]:
    """The tensor, and the constants of these names, None for those that are left out."""
    found = site.arguments("inputs", *names)
    x, arrays = found.get("inputs"), [found.get(name) for name in names]
    if not isinstance(x, Tensor) or not all(a is None or isinstance(a, np.ndarray) for a in arrays):
        raise Refusal(f"it needs a value of the network, and constants as {', '.join(names)}")
    return x, [a if isinstance(a, np.ndarray) else None for a in arrays]


def _layer_norm(layer: Layer) -> Prepared:
    """``keras.ops.layer_normalization``."""
    axes, epsilon = _axes(layer), layer.number("epsilon", default=EPSILON)
    keeps = layer.flag("rms_scaling", False)

    def lower(site: Site) -> Tensor:
        x, (gamma, beta) = _constants(site, "gamma", "beta")
        over = x.axes(axes)
        if keeps:
            return norm.by_deviation(site, x, over, _along(gamma, over, x), epsilon)
        return norm.layer_norm(site, x, over, _along(gamma, over, x), _along(beta, over, x), epsilon)

    return lower


def _rms_norm(layer: Layer) -> Prepared:
    """``keras.ops.rms_normalization``: the scale broadcasts to the last axes."""
    axes, epsilon = _axes(layer), layer.number("epsilon", default=EPSILON)

    def lower(site: Site) -> Tensor:
        x, (scale,) = _constants(site, "scale")
        if scale is not None and (scale.ndim > len(x.shape) or np.broadcast_shapes(scale.shape, x.shape) != x.shape):
            raise Refusal(f"its scale of shape {scale.shape} does not broadcast to {x.shape}")
        return norm.layer_norm(site, x, x.axes(axes), scale, None, epsilon, center=False)

    return lower


def _batch_norm(layer: Layer) -> Prepared:
    """``keras.ops.batch_normalization``: with statistics that the call brings."""
    axes, epsilon = layer.integers("axis"), layer.number("epsilon", default=1e-3)

    def lower(site: Site) -> Tensor:
        x, (mean, variance, offset, scale) = _constants(site, "mean", "variance", "offset", "scale")
        if mean is None or variance is None:
            raise Refusal("its mean and variance must be constants")
        return norm.batch_norm(site, x, x.axes(axes), mean, variance, scale, offset, epsilon)

    return lower


OPERATIONS: dict[str, Entry] = {
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "Normalize": _normalize,
    "RMSNorm": _rms_norm,
}
