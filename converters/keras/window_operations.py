"""Convolutions, pooling and resizing as operations of ``keras.ops``: kernels are constants of the call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.windows import adaptive_pool, cut, is_first, padding, pads, pool, sizes, space_of
from nn2hls.converters.lower import linear, moves, window
from nn2hls.converters.lower.value import Refusal, Tensor, plain
from nn2hls.converters.lower.window import Window
from nn2hls.ops import Reduction


def _operands(site: Site, *names: str) -> tuple[Tensor, list[np.ndarray]]:
    """The tensor, and the constants of these names."""
    found = site.arguments("inputs", *names)
    x, arrays = found.get("inputs"), [found.get(name) for name in names]
    if not isinstance(x, Tensor) or not all(isinstance(a, np.ndarray) for a in arrays):
        raise Refusal(f"it needs a value of the network, and constants as {' and '.join(names)}")
    return x, [a for a in arrays if isinstance(a, np.ndarray)]


def _rank(x: Tensor) -> int:
    rank = len(plain(x)) - 1
    if rank not in (1, 2, 3):
        raise Refusal(f"it needs channels and one to three axes of space, and gets {x.shape}")
    return rank


def _seen(layer: Layer, x: Tensor, kernel: np.ndarray) -> tuple[Window, bool]:
    rank, first = _rank(x), is_first(layer)
    if kernel.ndim != rank + 2:
        raise Refusal(f"its kernel of shape {kernel.shape} does not fit {x.shape}")
    size, space = kernel.shape[:rank], space_of(x, rank, first=first)
    strides, dilation = sizes(layer, "strides", rank, 1), sizes(layer, "dilation_rate", rank, 1)
    return Window(size, strides, dilation, pads(padding(layer, 2), space, size, strides, dilation)), first


def _conv(layer: Layer) -> Prepared:
    def lower(site: Site) -> Tensor:
        x, (kernel,) = _operands(site, "kernel")
        seen, first = _seen(layer, x, kernel)
        groups = window.channels_of(x, first=first) // max(kernel.shape[-2], 1)
        return window.conv(site, x, kernel, None, seen, groups=groups, first=first)

    return lower


def _depthwise(layer: Layer) -> Prepared:
    def lower(site: Site) -> Tensor:
        x, (kernel,) = _operands(site, "kernel")
        seen, first = _seen(layer, x, kernel)
        return window.conv(site, x, window.depthwise_kernel(kernel), None, seen, groups=kernel.shape[-2], first=first)

    return lower


def _separable(layer: Layer) -> Prepared:
    def lower(site: Site) -> Tensor:
        x, (each, mix) = _operands(site, "depthwise_kernel", "pointwise_kernel")
        seen, first = _seen(layer, x, each)
        return window.separable_conv(site, x, each, mix, None, seen, first=first)

    return lower


def _transposed(layer: Layer) -> Prepared:
    def lower(site: Site) -> Tensor:
        x, (kernel,) = _operands(site, "kernel")
        seen, first = _seen(layer, x, kernel)
        rank = _rank(x)
        more = (None,) * rank if layer.value("output_padding") is None else sizes(layer, "output_padding", rank)
        reach = [(k - 1) * d + 1 for k, d in zip(seen.kernel, seen.dilation, strict=True)]
        space = space_of(x, rank, first=first)
        taken = tuple(cut(padding(layer, 2), *of_axis) for of_axis in zip(space, reach, seen.strides, more, strict=True))
        whole = Window(seen.kernel, seen.strides, seen.dilation, taken)
        return window.conv_transpose(site, x, np.swapaxes(kernel, -1, -2), None, whole, first=first)

    return lower


def _by_rank(make: Callable[[int], Entry]) -> Entry:
    """A layer whose number of axes the operand tells."""
    return lambda layer: lambda site: make(_rank(site.tensor))(layer)(site)


def _extract(layer: Layer) -> Prepared:
    """What a window sees at each position, its places before the channels."""
    first, word = is_first(layer), padding(layer, 2)

    def lower(site: Site) -> Tensor:
        x = site.tensor
        rank = _rank(x)
        size, dilation = sizes(layer, "size", rank), sizes(layer, "dilation_rate", rank, 1)
        strides = size if layer.value("strides") is None else sizes(layer, "strides", rank)
        space = space_of(x, rank, first=first)
        return window.patches(site, x, Window(size, strides, dilation, pads(word, space, size, strides, dilation)), first=first)

    return lower


def resizing(layer: Layer) -> Prepared:
    """Resizing, and keras.ops.image.resize: to a size, by the middles of the elements."""
    first, how = is_first(layer), layer.value("interpolation", default="bilinear")
    size = layer.integers("size") if "size" in layer.config else (layer.integer("height"), layer.integer("width"))
    for option in ("antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio"):
        if layer.flag(option, False):
            raise Refusal(f"'{option}' is not supported; give the size that the image has then, and pad or crop it yourself")
    if how not in ("nearest", "bilinear"):
        raise Refusal(f"'interpolation' = {how!r} is not offered; 'nearest' and 'bilinear' are")

    def lower(site: Site) -> Tensor:
        x = site.tensor
        space = space_of(x, 2, first=first)
        if len(size) != 2 or min(size) < 1:
            raise Refusal(f"its size {list(size)} must be two positive numbers")
        at = [linear.coordinates(n, m) for n, m in zip(space, size, strict=True)]
        if how == "bilinear":
            kept = [None if n == m else c for c, n, m in zip(at, space, size, strict=True)]
            return linear.resize_linear(site, x, [None, *kept] if first else [*kept, None])
        chosen = [moves.nearest_places(n, m) for n, m in zip(space, size, strict=True)]
        return moves.nearest(site, x, [None, *chosen] if first else [*chosen, None])

    return lower


def _blocks(layer: Layer) -> Prepared:
    first, block = is_first(layer), layer.integer("block_size")
    change = moves.depth_to_space if layer.kind == "DepthToSpace" else moves.space_to_depth
    return lambda site: change(site, site.tensor, block, first=first)


OPERATIONS: dict[str, Entry] = {
    "AdaptiveAveragePool": _by_rank(lambda rank: adaptive_pool(rank, Reduction.MEAN)),
    "AdaptiveMaxPool": _by_rank(lambda rank: adaptive_pool(rank, Reduction.MAX)),
    "AveragePool": _by_rank(lambda rank: pool(rank, Reduction.MEAN)),
    "Conv": _conv,
    "ConvTranspose": _transposed,
    "DepthToSpace": _blocks,
    "DepthwiseConv": _depthwise,
    "ExtractPatches": _extract,
    "MaxPool": _by_rank(lambda rank: pool(rank, Reduction.MAX)),
    "Resize": resizing,
    "SeparableConv": _separable,
    "SpaceToDepth": _blocks,
}
