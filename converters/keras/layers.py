"""Keras layers: class name -> a function that checks the config and returns how one call is lowered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nn2hls.converters.keras import activations as activations
from nn2hls.converters.keras import attention, choice, graphs, local, moves, norms, products, recurrent, weights_only, windows
from nn2hls.converters.keras.emit import Apply, Entry, Prepared, Site
from nn2hls.converters.keras.model import VECTOR, WRAPPERS, Layer
from nn2hls.converters.keras.window_operations import resizing
from nn2hls.converters.lower import arith, linear, shape
from nn2hls.converters.lower import moves as lower_moves
from nn2hls.converters.lower.activations import leaky_relu
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.errors import ModelError
from nn2hls.ops import Merge


def dense(layer: Layer) -> Prepared:
    """Dense, over the last axis, then its activation as a node of its own."""
    function = activations.activation(layer)
    if layer.value("lora_rank"):
        raise Refusal("it has LoRA weights; merge them before saving (layer.lora_enabled, then quantize or save merged)")

    def lower(site: Site) -> Tensor:
        kernel, units = layer.weights["kernel"], layer.integer("units")
        if len(kernel.shape) != 2 or kernel.shape[1] != units:
            raise ModelError(f"Its kernel has shape {kernel.shape} and must end with {units} units.", where=layer.where)
        return site.then(function, lambda at: linear.dense(at, at.tensor, kernel, layer.weights.get("bias")))

    return lower


def activation(layer: Layer) -> Prepared:
    """Activation, whose only content is the function."""
    function = activations.activation(layer).apply
    return identity(layer) if function is None else lambda site: function(site, site.tensor)


def of_one(prepare: Callable[[Layer], Apply]) -> Entry:
    """A layer that is a function of one tensor."""

    def entry(layer: Layer) -> Prepared:
        apply = prepare(layer)
        return lambda site: apply(site, site.tensor)

    return entry


def identity(layer: Layer) -> Prepared:
    """Layers that do nothing at inference leave no node."""
    return lambda site: site.tensor


def prelu(layer: Layer) -> Prepared:
    """PReLU: slopes of the operand's shape, with size one along shared axes."""
    return lambda site: leaky_relu(site, site.tensor, layer.weights["alpha"])


def rescaling(layer: Layer) -> Prepared:
    """x * scale + offset, numbers or lists along the last axis."""

    def constant(key: str, default: float) -> np.ndarray:
        value = layer.value(key)
        return layer.array(key) if isinstance(value, list) else np.asarray(layer.number(key, default=default))

    scale, offset = constant("scale", 1.0), constant("offset", 0.0)
    return lambda site: arith.scale(site, site.tensor, scale, offset)


def merging(merge: Merge) -> Entry:
    """A merge of any number of operands; those of lower rank gain axes after the batch axis."""
    return lambda layer: lambda site: arith.merge(site, merge, site.tensors, ranks=False)


def subtract(layer: Layer) -> Prepared:
    """The first operand minus the second."""

    def lower(site: Site) -> Tensor:
        if len(site.tensors) != 2:
            raise ModelError(f"Subtraction takes two operands, not {len(site.tensors)}.", where=layer.where)
        return arith.merge(site, Merge.SUB, site.tensors, ranks=False)

    return lower


def concatenate(layer: Layer) -> Prepared:
    """Concatenate along an axis."""
    axis = layer.integer("axis", -1)
    return lambda site: shape.concatenate(site, site.tensors, site.tensors[0].axis(axis))


def flatten(layer: Layer) -> Prepared:
    """One axis, row-major, channels last."""
    first = layer.value("data_format", default="channels_last") == "channels_first"

    def lower(site: Site) -> Tensor:
        x = site.tensor
        if first and len(x.shape) > 1:
            x = shape.transpose(site.step("transpose"), x, (*range(1, len(x.shape)), 0))
        return shape.reshape(site, x, (int(np.prod(x.shape)),))

    return lower


def reshape(layer: Layer) -> Prepared:
    """Reshape to ``target_shape``, without batch axis."""
    target = layer.integers("target_shape")
    return lambda site: shape.reshape(site, site.tensor, shape.full_size(target, site.tensor.shape))


def permute(layer: Layer) -> Prepared:
    """Permute: ``dims`` count from 1, without batch axis."""
    axes = [k - 1 for k in layer.integers("dims")]
    return lambda site: shape.transpose(site, site.tensor, axes)


def time_distributed(layer: Layer) -> Prepared:
    """The inner layer at every place of the first axis, each with nodes of its own; a Dense layer works on them all at once."""
    inner = layer.inner
    if inner is None or inner.kind not in LAYERS or inner.custom:
        raise Refusal(f"it holds a layer of the class {inner.kind if inner else 'none'}, which is not offered inside of it")
    if weights_only.mode(inner):
        raise Refusal(f"Keras calls its quantised {inner.kind} without the scales; use that layer alone, on all positions")
    prepared = LAYERS[inner.kind](inner)

    def lower(site: Site) -> Tensor | Sequence[Tensor]:
        inner.weights = layer.weights
        if inner.kind == "Dense" or len(site.tensor.shape) < 2:
            return prepared(site)
        steps = lower_moves.unstack(site, site.tensor, 0)
        found = [prepared(site.at(f"time{k}", step)) for k, step in enumerate(steps)]
        one = [x for x in found if isinstance(x, Tensor)]
        if len(one) < len(found):
            raise Refusal("the layer inside of it gives several results; leave its states out")
        return shape.stack(site, one, 0)

    return lower


def spectral(layer: Layer) -> Prepared:
    """SpectralNormalization: the inner layer, whose kernel training has stored divided by its norm."""
    inner = layer.inner
    if inner is None or inner.kind not in LAYERS or inner.custom or inner.kind in WRAPPERS:
        raise Refusal(f"it holds a layer of the class {inner.kind if inner else 'none'}, which is not offered inside of it")
    prepared = LAYERS[inner.kind](inner)

    def lower(site: Site) -> Tensor | Sequence[Tensor]:
        inner.weights = {name: array for name, array in layer.weights.items() if name != VECTOR}
        return prepared(site)

    return lower


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
    "Concatenate": concatenate,
    "Dense": weights_only.product(dense),
    "Flatten": flatten,
    "Maximum": merging(Merge.MAX),
    "Minimum": merging(Merge.MIN),
    "Multiply": merging(Merge.MUL),
    "PReLU": prelu,
    "Permute": permute,
    "Rescaling": rescaling,
    "Resizing": resizing,
    "Reshape": reshape,
    "SpectralNormalization": spectral,
    "Subtract": subtract,
    "TimeDistributed": time_distributed,
    **{kind: of_one(apply) for kind, apply in activations.LAYERS.items()},
    **dict.fromkeys(IDENTITIES, identity),
    **windows.LAYERS,
    **moves.LAYERS,
    **products.LAYERS,
    **norms.LAYERS,
    **choice.LAYERS,
    **attention.LAYERS,
    **recurrent.LAYERS,
    **local.LAYERS,
    **graphs.LAYERS,
    "EinsumDense": weights_only.product(products.einsum_dense),
    "Embedding": weights_only.rows(choice.embedding),
}
# Arguments of a call that a layer takes; every other one is refused.
TAKES: dict[str, tuple[str, ...]] = {**attention.TAKES, "Softmax": ("mask",), "Resizing": ("training",)}
