"""Keras convolutions and pooling: kernels (*k, channels, filters), channels last unless ``data_format`` says otherwise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn2hls.converters.keras import activations
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import pooling, window
from nn2hls.converters.lower.value import Refusal, Tensor, plain
from nn2hls.converters.lower.window import Pads, Window
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.ops import Reduction

PADDINGS = ("valid", "same", "causal")


def is_first(layer: Layer) -> bool:
    """Whether tensors are channels first."""
    word = layer.value("data_format", default="channels_last")
    if word not in ("channels_last", "channels_first"):
        raise ModelError(f"'data_format' must be channels_last or channels_first, not {word!r}.", where=layer.where)
    return bool(word == "channels_first")


def sizes(layer: Layer, key: str, rank: int, default: int | None = None) -> Shape:
    """A size for each axis of the space; one stands for all."""
    values = (default,) if layer.value(key) is None and default is not None else layer.integers(key)
    if len(values) not in (1, rank):
        raise ModelError(f"'{key}' must be one number or {rank}, not {list(values)}.", where=layer.where)
    return values * rank if len(values) == 1 else values


def padding(layer: Layer, rank: int) -> str:
    """The word for how much stands around the space."""
    word = str(layer.value("padding", default="valid")).lower()
    if word not in PADDINGS or (word == "causal" and rank > 1):
        raise Refusal(f"'padding' = {word!r} is not one of {', '.join(PADDINGS)} for {rank} axes")
    return word


def pads(word: str, space: Shape, kernel: Shape, strides: Shape, dilation: Shape) -> Pads:
    """What the word asks for, before and behind each axis."""
    if word == "same":
        return window.same_pads(space, kernel, strides, dilation)
    return window.causal_pads(kernel, dilation) if word == "causal" else ((0, 0),) * len(space)


def space_of(x: Tensor, rank: int, *, first: bool) -> Shape:
    """The axes of the space, which must be ``rank``."""
    if len(plain(x)) != rank + 1:
        raise Refusal(f"it needs channels and {rank} axes of space, and gets {x.shape}")
    return window.space_of(x, first=first)


def _kernel(layer: Layer, name: str, size: Shape) -> np.ndarray:
    kernel = layer.weights[name]
    if kernel.ndim != len(size) + 2 or kernel.shape[:-2] != size:
        raise ModelError(f"Its {name} has shape {kernel.shape} and 'kernel_size' is {list(size)}.", where=layer.where)
    return kernel


def _filters(layer: Layer, count: int, name: str = "filters") -> None:
    """What the config says of the kernel's filters must be what it has."""
    if layer.integer(name, count) != count:
        raise ModelError(f"Its weights make {count} {name} and '{name}' is {layer.config[name]}.", where=layer.where)


def _sliding(rank: int, compute: Callable[[Layer, Site, Window, bool], Tensor]) -> Entry:
    """A convolution over ``rank`` axes, then its activation."""

    def entry(layer: Layer) -> Prepared:
        function, first, word = activations.activation(layer), is_first(layer), padding(layer, rank)
        size, strides = sizes(layer, "kernel_size", rank), sizes(layer, "strides", rank, 1)
        dilation = sizes(layer, "dilation_rate", rank, 1)

        def at_site(site: Site) -> Tensor:
            space = space_of(site.tensor, rank, first=first)
            return compute(layer, site, Window(size, strides, dilation, pads(word, space, size, strides, dilation)), first)

        return lambda site: site.then(function, at_site)

    return entry


def _conv(layer: Layer, site: Site, seen: Window, first: bool) -> Tensor:
    kernel, groups = _kernel(layer, "kernel", seen.kernel), layer.integer("groups", 1)
    _filters(layer, kernel.shape[-1])
    return window.conv(site, site.tensor, kernel, layer.weights.get("bias"), seen, groups=groups, first=first)


def _depthwise(layer: Layer, site: Site, seen: Window, first: bool) -> Tensor:
    kernel = _kernel(layer, depthwise_name(layer), seen.kernel)
    _filters(layer, kernel.shape[-1], "depth_multiplier")
    groups, inner = kernel.shape[-2], window.depthwise_kernel(kernel)
    return window.conv(site, site.tensor, inner, layer.weights.get("bias"), seen, groups=groups, first=first)


def depthwise_name(layer: Layer) -> str:
    """What Keras 2 and 3 call the weight."""
    return "kernel" if layer.keras > 2 else "depthwise_kernel"


def _separable(layer: Layer, site: Site, seen: Window, first: bool) -> Tensor:
    each, mix = _kernel(layer, "depthwise_kernel", seen.kernel), layer.weights["pointwise_kernel"]
    _filters(layer, mix.shape[-1])
    return window.separable_conv(site, site.tensor, each, mix, layer.weights.get("bias"), seen, first=first)


def conv_transpose(rank: int) -> Entry:
    """Kernels are (*k, filters, channels); 'same' gives a multiple of the stride, ``output_padding`` adds behind."""

    def entry(layer: Layer) -> Prepared:
        function, first, word = activations.activation(layer), is_first(layer), padding(layer, rank)
        size, strides = sizes(layer, "kernel_size", rank), sizes(layer, "strides", rank, 1)
        dilation = sizes(layer, "dilation_rate", rank, 1)
        more = None if layer.value("output_padding") is None else sizes(layer, "output_padding", rank)

        def at_site(site: Site) -> Tensor:
            space = space_of(site.tensor, rank, first=first)
            reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
            extra = (None,) * rank if more is None else more
            taken = tuple(cut(word, *of_axis) for of_axis in zip(space, reach, strides, extra, strict=True))
            kernel = np.swapaxes(_kernel(layer, "kernel", size), -1, -2)
            _filters(layer, kernel.shape[-1])
            seen = Window(size, strides, dilation, taken)
            return window.conv_transpose(site, site.tensor, kernel, layer.weights.get("bias"), seen, first=first)

        return lambda site: site.then(function, at_site)

    return entry


def cut(word: str, size: int, reach: int, stride: int, more: int | None) -> tuple[int, int]:
    """What is cut off the (size - 1) * stride + reach positions before and behind; below zero zeros are added."""
    full = (size - 1) * stride + reach
    if more is None:
        wanted = size * stride if word == "same" else full + max(stride - reach, 0)
    else:
        wanted = full + more - (2 * (reach // 2) if word == "same" else 0)
    before = max(full - wanted, 0) // 2 if word == "same" else 0
    return before, full - wanted - before


def pool(rank: int, kind: Reduction) -> Entry:
    """Pooling; padding counts in no mean."""

    def entry(layer: Layer) -> Prepared:
        first, word, size = is_first(layer), padding(layer, rank), sizes(layer, "pool_size", rank, 2)
        strides = size if layer.value("strides") is None else sizes(layer, "strides", rank)
        one = (1,) * rank

        def lower(site: Site) -> Tensor:
            space = space_of(site.tensor, rank, first=first)
            seen = Window(size, strides, one, pads(word, space, size, strides, one))
            return pooling.pool(site, site.tensor, kind, seen, first=first)

        return lower

    return entry


def global_pool(rank: int, kind: Reduction) -> Entry:
    """One number a channel."""

    def entry(layer: Layer) -> Prepared:
        first, keepdims = is_first(layer), layer.flag("keepdims", False)

        def lower(site: Site) -> Tensor:
            space_of(site.tensor, rank, first=first)
            return pooling.global_pool(site, site.tensor, kind, keepdims=keepdims, first=first)

        return lower

    return entry


def adaptive_pool(rank: int, kind: Reduction) -> Entry:
    """As many positions as asked for."""

    def entry(layer: Layer) -> Prepared:
        first, size = is_first(layer), sizes(layer, "output_size", rank)

        def lower(site: Site) -> Tensor:
            space_of(site.tensor, rank, first=first)
            return pooling.adaptive_pool(site, site.tensor, kind, size, first=first)

        return lower

    return entry


_KINDS = {"Max": Reduction.MAX, "Average": Reduction.MEAN}
_POOLS = {"MaxPooling": Reduction.MAX, "AveragePooling": Reduction.MEAN, "MaxPool": Reduction.MAX, "AvgPool": Reduction.MEAN}

LAYERS: dict[str, Entry] = {
    **{f"{name}{n}D": _sliding(n, _conv) for n in (1, 2, 3) for name in ("Conv", "Convolution")},
    **{f"DepthwiseConv{n}D": _sliding(n, _depthwise) for n in (1, 2)},
    **{f"Separable{name}{n}D": _sliding(n, _separable) for n in (1, 2) for name in ("Conv", "Convolution")},
    **{f"{name}{n}DTranspose": conv_transpose(n) for n in (1, 2, 3) for name in ("Conv", "Convolution")},
    **{f"{name}{n}D": pool(n, kind) for name, kind in _POOLS.items() for n in (1, 2, 3)},
    **{f"Global{name}{n}D": global_pool(n, kind) for name, kind in _POOLS.items() for n in (1, 2, 3)},
    **{f"Adaptive{name}Pooling{n}D": adaptive_pool(n, kind) for name, kind in _KINDS.items() for n in (1, 2, 3)},
}
