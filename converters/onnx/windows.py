"""ONNX convolutions and pooling; tensors are channels first, (batch, channels, *space)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn2hls.converters.lower import pooling, reductions, window
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.lower.window import Pads, Window
from nn2hls.converters.onnx.context import At, Handler, Value
from nn2hls.graph.const import Shape
from nn2hls.ops import Reduction

_AUTO = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def _space(x: Tensor) -> Shape:
    return window.space_of(x, first=True)


def sizes(at: At, name: str, rank: int) -> Shape:
    """An attribute with a number for each axis of the space, ones where it is left out."""
    found = tuple(at.attr(name) or (1,) * rank)
    if len(found) != rank:
        raise Refusal(f"its {name} {found} must be {rank} numbers, one for each axis of the space")
    return found


def _auto(at: At) -> str:
    word = str(at.attr("auto_pad", "NOTSET"))
    if word not in _AUTO:
        raise Refusal(f"auto_pad must be one of {', '.join(_AUTO)}, not '{word}'")
    return word


def _pairs(pads: Sequence[int], rank: int) -> Pads:
    """Pads as ONNX lists them, all before and then all behind."""
    if len(pads) != 2 * rank:
        raise Refusal(f"its pads {list(pads)} must be {2 * rank} numbers")
    return tuple((pads[k], pads[rank + k]) for k in range(rank))


def window_of(at: At, kernel: Shape, space: Shape) -> Window:
    """How a kernel of this size slides."""
    rank, word = len(space), _auto(at)
    if len(kernel) != rank:
        raise Refusal(f"its kernel of {kernel} does not fit a space of {space}")
    strides, dilation = sizes(at, "strides", rank), sizes(at, "dilations", rank)
    if word.startswith("SAME"):
        pads = window.same_pads(space, kernel, strides, dilation, lower=word == "SAME_LOWER")
    else:
        pads = _pairs(at.attr("pads") or (0,) * 2 * rank, rank) if word == "NOTSET" else ((0, 0),) * rank
    return Window(kernel, strides, dilation, pads)


def _kernel(at: At, rank: int) -> np.ndarray:
    weight = at.array(1, "kernel")
    if weight.ndim != rank + 2:
        raise Refusal(f"its kernel of shape {weight.shape} does not fit {rank} axes of space")
    same_kernel(at, weight.shape[2:])
    return weight


def same_kernel(at: At, size: Shape) -> None:
    """Refuse a ``kernel_shape`` that is not that of the weights."""
    said = tuple(at.attr("kernel_shape") or size)
    if said != size:
        raise Refusal(f"its kernel_shape {said} is not that of its weights, {size}")


def kernel_last(weight: np.ndarray) -> np.ndarray:
    """Weights (filters, channels, *k) as (*k, channels, filters)."""
    return np.moveaxis(weight, (1, 0), (-2, -1))


def conv(at: At) -> Value:
    """Weights (filters, channels / groups, *k)."""
    x = at.tensor(plain=True)
    space = _space(x)
    weight = _kernel(at, len(space))
    kernel, seen = kernel_last(weight), window_of(at, weight.shape[2:], space)
    return window.conv(at, x, kernel, at.optional(2, "bias"), seen, groups=at.attr("group", 1), first=True)


def conv_transpose(at: At) -> Value:
    """Weights (channels, filters / groups, *k); ``output_shape`` and ``auto_pad`` say how much of the result is cut off."""
    x = at.tensor(plain=True)
    space = _space(x)
    rank, word = len(space), _auto(at)
    weight = _kernel(at, rank)
    kernel, size = np.moveaxis(weight, (0, 1), (-2, -1)), weight.shape[2:]
    strides, dilation = sizes(at, "strides", rank), sizes(at, "dilations", rank)
    extra = tuple(at.attr("output_padding") or (0,) * rank)
    asked = at.attr("output_shape") or ([n * s for n, s in zip(space, strides, strict=True)] if "SAME" in word else None)
    if asked is None:
        pads = _pairs(at.attr("pads") or (0,) * 2 * rank, rank) if word == "NOTSET" else ((0, 0),) * rank
    else:
        pads, extra = _cut(list(asked)[-rank:], space, size, strides, dilation, extra, word), (0,) * rank
    seen = Window(size, strides, dilation, pads)
    return window.conv_transpose(
        at, x, kernel, at.optional(2, "bias"), seen, groups=at.attr("group", 1), extra=extra, first=True
    )


def _cut(asked: Sequence[int], space: Shape, kernel: Shape, strides: Shape, dilation: Shape, extra: Shape, word: str) -> Pads:
    """What to cut off before and behind so that the result has the size that is asked for."""
    found = []
    for size, n, k, s, d, more in zip(asked, space, kernel, strides, dilation, extra, strict=True):
        total = s * (n - 1) + more + (k - 1) * d + 1 - size
        before = total // 2 if word == "SAME_UPPER" else total - total // 2
        found.append((before, total - before - more))
    return tuple(found)


def _pool(kind: Reduction) -> Handler:
    def handler(at: At) -> Value:
        if at.attr("storage_order", 0):
            raise Refusal("storage_order = 1 is not supported")
        x = at.tensor(plain=True)
        space = _space(x)
        seen = window_of(at, sizes(at, "kernel_shape", len(space)), space)
        counts = kind is Reduction.MEAN and bool(at.attr("count_include_pad", 0))
        return pooling.pool(at, x, kind, seen, counts=counts, ceil=bool(at.attr("ceil_mode", 0)), first=True)

    return handler


def lp_pool(at: At) -> Value:
    """The norm of the order ``p``."""
    x = at.tensor(plain=True)
    space = _space(x)
    seen = window_of(at, sizes(at, "kernel_shape", len(space)), space)
    return pooling.lp_pool(at, x, seen, at.attr("p", 2), ceil=bool(at.attr("ceil_mode", 0)), first=True)


def _global_norm(at: At) -> Value:
    x = at.tensor(plain=True)
    return reductions.vector_norm(at, x, range(1, len(_space(x)) + 1), at.attr("p", 2), keepdims=True)


def _global(kind: Reduction) -> Handler:
    return lambda at: pooling.global_pool(at, at.tensor(plain=True), kind, keepdims=True, first=True)


WINDOWS: dict[str, Handler] = {
    "AveragePool": _pool(Reduction.MEAN),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "GlobalAveragePool": _global(Reduction.MEAN),
    "GlobalLpPool": _global_norm,
    "GlobalMaxPool": _global(Reduction.MAX),
    "LpPool": lp_pool,
    "MaxPool": _pool(Reduction.MAX),
}
