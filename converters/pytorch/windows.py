"""Convolutions and pooling; PyTorch's tensors are channels first, (batch, channels, *space)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn2hls.converters.lower import pooling, window
from nn2hls.converters.lower.shape import reshape, transpose
from nn2hls.converters.lower.value import Refusal, Tensor, plain
from nn2hls.converters.lower.window import Window
from nn2hls.converters.pytorch.context import Args, Lowering, Value
from nn2hls.ops import Reduction


def _sizes(a: Args, name: str, rank: int, default: int) -> tuple[int, ...]:
    """A size for each axis of the space; one stands for all."""
    values = a.items(name, [default])
    if not all(isinstance(n, int) for n in values) or len(values) not in (1, rank):
        raise Refusal(f"its argument '{name}' must be one number or {rank}, not {values}")
    return tuple(values) * (rank // len(values) if len(values) == 1 else 1)


def _batched(x: Tensor, rank: int) -> Tensor:
    if len(plain(x)) != rank + 1:
        raise Refusal(f"it needs a batch, channels and {rank} axes of space, and gets a tensor of rank {x.rank}")
    return x


def _weight(a: Args, rank: int) -> np.ndarray:
    weight = a.const("weight")
    if weight is None or weight.ndim != rank + 2:
        raise Refusal(f"its kernel must be a constant of {rank + 2} axes")
    return weight.astype(np.float64)


def _window(a: Args, kernel: tuple[int, ...], x: Tensor) -> Window:
    """The window of a convolution: ``padding`` is a word or numbers."""
    rank = len(kernel)
    strides, dilation = _sizes(a, "stride", rank, 1), _sizes(a, "dilation", rank, 1)
    word = a.get("padding", 0)
    if word == "same":
        pads = window.same_pads(x.shape[1:], kernel, strides, dilation)
    elif word == "valid":
        pads = ((0, 0),) * rank
    else:
        pads = tuple((p, p) for p in _sizes(a, "padding", rank, 0))
    return Window(kernel, strides, dilation, pads)


def conv(rank: int, *, transposed: bool = False) -> Callable[[Lowering, Args], Value]:
    """Over ``rank`` axes; weights are (filters, channels / groups, *k), transposed ones (channels, filters / groups, *k)."""

    def lower(c: Lowering, a: Args) -> Value:
        x, weight = _batched(a.tensor("input"), rank), _weight(a, rank)
        seen, groups, bias = _window(a, weight.shape[2:], x), a.whole("groups", 1), a.const("bias")
        if transposed:
            kernel, extra = np.moveaxis(weight, (0, 1), (-2, -1)), _sizes(a, "output_padding", rank, 0)
            return window.conv_transpose(c, x, kernel, bias, seen, groups=groups, extra=extra, first=True)
        return window.conv(c, x, np.moveaxis(weight, (1, 0), (-2, -1)), bias, seen, groups=groups, first=True)

    return lower


def _convolution(c: Lowering, a: Args) -> Value:
    """``aten.convolution``, which says by its arguments which convolution it is."""
    weight = a.const("weight")
    rank = 0 if weight is None else weight.ndim - 2
    if rank not in (1, 2, 3):
        raise Refusal("its kernel must be a constant of 3, 4 or 5 axes")
    return conv(rank, transposed=bool(a.get("transposed", False)))(c, a)


def pool(rank: int, kind: Reduction) -> Callable[[Lowering, Args], Value]:
    """Pooling over ``rank`` axes; without a stride positions lie side by side."""

    def lower(c: Lowering, a: Args) -> Value:
        x = _batched(a.tensor(), rank)
        kernel = _sizes(a, "kernel_size", rank, 1)
        strides = _sizes(a, "stride", rank, 1) if a.items("stride") else kernel
        pads = tuple((p, p) for p in _sizes(a, "padding", rank, 0))
        seen = Window(kernel, strides, _sizes(a, "dilation", rank, 1), pads)
        counts = kind is Reduction.MEAN and bool(a.get("count_include_pad", True))
        ceil, divisor = bool(a.get("ceil_mode", False)), a.whole("divisor_override", 0)
        return pooling.pool(c, x, kind, seen, counts=counts, ceil=ceil, divisor=divisor, first=True)

    return lower


def lp_pool(rank: int) -> Callable[[Lowering, Args], Value]:
    """LPPool of order 2, which :mod:`patterns` found."""

    def lower(c: Lowering, a: Args) -> Value:
        x, kernel = _batched(a.tensor(), rank), _sizes(a, "kernel_size", rank, 1)
        strides = _sizes(a, "stride", rank, 1) if a.items("stride") else kernel
        if a.number("count") != math.prod(kernel):
            raise Refusal(f"its root is that of {a.number('count'):g} squares in a window of {math.prod(kernel)}")
        return pooling.lp_pool(c, x, Window(kernel, strides, (1,) * rank, ((0, 0),) * rank), first=True)

    return lower


def adaptive(rank: int, kind: Reduction) -> Callable[[Lowering, Args], Value]:
    """Pooling to a size; None keeps the operand's."""

    def lower(c: Lowering, a: Args) -> Value:
        x = _batched(a.tensor(), rank)
        sizes: list[Any] = a.items("output_size")
        sizes = sizes * rank if len(sizes) == 1 else sizes
        asked = [n if s is None else s for n, s in zip(x.shape[1:], sizes, strict=True)]
        return pooling.adaptive_pool(c, x, kind, asked, first=True)

    return lower


def _unfold(c: Lowering, a: Args) -> Value:
    """What a window sees, (channels * places of the kernel, positions)."""
    x = _batched(a.tensor(), 2)
    kernel, dilation = _sizes(a, "kernel_size", 2, 1), _sizes(a, "dilation", 2, 1)
    pads = tuple((p, p) for p in _sizes(a, "padding", 2, 0))
    seen = Window(kernel, _sizes(a, "stride", 2, 1), dilation, pads)
    positions = seen.positions(x.shape[1:])
    columns = window.patches(c.step("patches"), x, seen, first=True)
    places, count = math.prod(kernel), math.prod(positions)
    split = reshape(c.step("split"), columns, (places, x.shape[0], count))
    return reshape(c, transpose(c.step("channels"), split, (1, 0, 2)), (x.shape[0] * places, count))


_TRANSPOSED = {1: "conv_transpose1d.default", 2: "conv_transpose2d.input", 3: "conv_transpose3d.input"}

WINDOWS: Mapping[str, Callable[[Lowering, Args], Value]] = {
    **{f"conv{n}d.{form}": conv(n) for n in (1, 2, 3) for form in ("default", "padding")},
    **{target: conv(n, transposed=True) for n, target in _TRANSPOSED.items()},
    "convolution.default": _convolution,
    "im2col.default": _unfold,
    **{f"max_pool{n}d.default": pool(n, Reduction.MAX) for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices.default": pool(n, Reduction.MAX) for n in (1, 2, 3)},
    **{f"avg_pool{n}d.default": pool(n, Reduction.MEAN) for n in (1, 2, 3)},
    **{f"lp_pool{n}d": lp_pool(n) for n in (1, 2, 3)},
    **{f"{prefix}adaptive_avg_pool{n}d.default": adaptive(n, Reduction.MEAN) for n in (1, 2, 3) for prefix in ("", "_")},
    **{f"adaptive_max_pool{n}d.default": adaptive(n, Reduction.MAX) for n in (1, 2, 3)},
}
