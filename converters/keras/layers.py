"""Keras layers: class name -> a function that checks the config and returns how one call is lowered."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nn2hls.converters.keras import activations as activations
from nn2hls.converters.keras.activations import Ops, axis_of, scalar
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.graph.const import Const, Shape
from nn2hls.ops import Concatenate, Dense, Elementwise, LeakyRelu, Merge, Reshape, Scale, Transpose

EPSILON = 1e-7  # keras.config.epsilon(), which Normalization uses


def dense(layer: Layer) -> Prepared:
    """Dense, over the last axis, then its activation as a node of its own."""
    function = activations.activation(layer)
    if layer.value("lora_rank"):
        raise UnsupportedError(
            "it has LoRA weights; merge them before saving (layer.lora_enabled, then quantize or save merged)"
        )

    def lower(site: Site) -> str:
        kernel = layer.const("kernel")
        bias = layer.const("bias") if "bias" in layer.weights else Const(np.zeros(kernel.shape[-1:]))
        units = layer.integer("units")
        if len(kernel.shape) != 2 or kernel.shape[1] != units:
            raise ModelError(f"Its kernel has shape {kernel.shape} and must end with {units} units.", where=layer.where)
        then = function.ops((1,) * len(site.shape(site.tensor)))
        x = site.emit(Dense(kernel, bias), last=not then)
        return site.chain(then, x, word=function.word)

    return lower


def activation(layer: Layer) -> Prepared:
    """Activation, whose only content is the function."""
    function = activations.activation(layer)
    return lambda site: site.chain(function.ops(site.shape(site.tensor)), site.tensor)


def from_ops(prepare: Callable[[Layer], Ops]) -> Entry:
    """A layer that is a function of one tensor."""

    def entry(layer: Layer) -> Prepared:
        ops = prepare(layer)
        return lambda site: site.chain(ops(site.shape(site.tensor)), site.tensor)

    return entry


def identity(layer: Layer) -> Prepared:
    """Layers that do nothing at inference leave no node."""
    return lambda site: site.tensor


def prelu(layer: Layer) -> Prepared:
    """PReLU: slopes of the operand's shape, with size one along shared axes."""
    return lambda site: site.emit(LeakyRelu(layer.const("alpha")))


def along(array: np.ndarray, axes: tuple[int, ...], shape: Shape, layer: Layer) -> np.ndarray:
    """Constants along ``axes`` (counted with the batch axis), shaped so that they broadcast to ``shape``."""
    kept = sorted(axis_of(a, shape) for a in axes)
    if array.size not in (1, math.prod(shape[k] for k in kept)):
        raise ModelError(f"It holds {array.size} values along axes of {shape}.", where=layer.where)
    if array.size == 1:
        return array.reshape(())
    return array.reshape([n if k in kept else 1 for k, n in enumerate(shape) if k >= kept[0]])


def _check_shapes(layer: Layer, *arrays: np.ndarray) -> None:
    shapes = [a.shape for a in arrays if a.size != 1]
    if len(set(shapes)) > 1:
        raise ModelError(f"Its constants have the shapes {', '.join(map(str, shapes))}, which differ.", where=layer.where)


def _scale(site: Site, factor: np.ndarray, offset: np.ndarray, axes: tuple[int, ...]) -> str:
    shape = site.shape(site.tensor)
    scale, bias = (Const(along(a, axes, shape, site.layer)) for a in (factor, offset))
    return site.emit(Scale(scale, bias))


def batch_norm(layer: Layer) -> Prepared:
    """Inference: x * gamma / sqrt(variance + epsilon) + beta - mean * scale, in float64."""
    axes = layer.integers("axis") if layer.value("axis") is not None else (-1,)
    epsilon = layer.number("epsilon", default=1e-3)
    if layer.value("renorm", default=False):
        raise UnsupportedError("'renorm' is not supported")

    def lower(site: Site) -> str:
        w = layer.weights
        _check_shapes(layer, *w.values())
        spread = w["moving_variance"] + epsilon
        if not (spread > 0).all():
            raise ModelError("Its variance plus epsilon is not positive.", where=layer.where)
        factor = w.get("gamma", 1.0) / np.sqrt(spread)
        offset = w.get("beta", 0.0) - w["moving_mean"] * factor
        return _scale(site, factor, offset, axes)

    return lower


def normalization(layer: Layer) -> Prepared:
    """(x - mean) / max(sqrt(variance), 1e-7), or its inverse; mean and variance are weights or arguments."""
    given = {k: None if layer.value(k) is None else layer.array(k) for k in ("mean", "variance")}
    if len({v is None for v in given.values()}) > 1:
        raise ModelError("'mean' and 'variance' must be given together.", where=layer.where)
    axes = layer.integers("axis") if layer.value("axis") is not None else ()
    invert = layer.flag("invert", False)

    def lower(site: Site) -> str:
        mean, variance = (layer.weights[k] if v is None else v for k, v in given.items())
        _check_shapes(layer, mean, variance)
        if (variance < 0).any():
            raise ModelError("Its variance is negative.", where=layer.where)
        deviation = np.maximum(np.sqrt(variance), EPSILON)
        factor, offset = (deviation, mean) if invert else (1 / deviation, -mean / deviation)
        return _scale(site, factor, offset, axes)

    return lower


def rescaling(layer: Layer) -> Prepared:
    """x * scale + offset, numbers or lists along the last axis."""

    def constant(key: str, default: float) -> Const:
        value = layer.value(key)
        return Const(layer.array(key)) if isinstance(value, list) else scalar(layer.number(key, default=default))

    op = Scale(constant("scale", 1.0), constant("offset", 0.0))
    return lambda site: site.emit(op)


def merging(merge: Merge) -> Entry:
    """A merge of any number of operands; those of lower rank gain axes after the batch axis, as NumPy adds them."""
    return lambda layer: lambda site: site.emit(Elementwise(merge), site.tensors)


def concatenate(layer: Layer) -> Prepared:
    """Concatenate along an axis."""
    axis = layer.integer("axis", -1)
    return lambda site: site.emit(Concatenate(axis_of(axis, site.shape(site.tensors[0]))), site.tensors)


def reshaped(site: Site, x: str, size: Shape) -> str:
    """A Reshape, unless the shape is the same already."""
    return x if site.shape(x) == size else site.emit(Reshape(size), [x])


def flatten(layer: Layer) -> Prepared:
    """One axis, row-major, channels last."""
    first = layer.value("data_format", default="channels_last") == "channels_first"

    def lower(site: Site) -> str:
        shape = site.shape(site.tensor)
        turned = first and len(shape) > 1
        x = site.emit(Transpose((*range(1, len(shape)), 0)), word="transpose", last=False) if turned else site.tensor
        return reshaped(site, x, (math.prod(shape),))

    return lower


def resolve_size(target: tuple[int, ...], shape: Shape) -> Shape:
    """A target shape with its one -1 worked out."""
    known = math.prod(n for n in target if n != -1)
    if target.count(-1) > 1 or any(n < -1 or n == 0 for n in target) or math.prod(shape) % known:
        raise UnsupportedError(f"a shape of {target} does not follow from {shape}")
    return tuple(math.prod(shape) // known if n == -1 else n for n in target)


def reshape(layer: Layer) -> Prepared:
    """Reshape to ``target_shape``, without batch axis."""
    target = layer.integers("target_shape")
    return lambda site: reshaped(site, site.tensor, resolve_size(target, site.shape(site.tensor)))


def permute(layer: Layer) -> Prepared:
    """Permute: ``dims`` count from 1, without batch axis."""
    axes = tuple(k - 1 for k in layer.integers("dims"))
    return lambda site: site.tensor if axes == tuple(range(len(axes))) else site.emit(Transpose(axes))


IDENTITIES = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
)
LAYERS: dict[str, Entry] = {
    "Activation": activation,
    "Add": merging(Merge.ADD),
    "Average": merging(Merge.AVERAGE),
    "BatchNormalization": batch_norm,
    "Concatenate": concatenate,
    "Dense": dense,
    "Flatten": flatten,
    "Maximum": merging(Merge.MAX),
    "Minimum": merging(Merge.MIN),
    "Multiply": merging(Merge.MUL),
    "Normalization": normalization,
    "PReLU": prelu,
    "Permute": permute,
    "Rescaling": rescaling,
    "Reshape": reshape,
    "Subtract": merging(Merge.SUB),
    **{kind: from_ops(ops) for kind, ops in activations.LAYERS.items()},
    **dict.fromkeys(IDENTITIES, identity),
}
