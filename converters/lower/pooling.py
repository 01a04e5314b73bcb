"""Pooling: the largest, or the mean, of what a window sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nn2hls.converters.lower.activations import function
from nn2hls.converters.lower.arith import scale
from nn2hls.converters.lower.shape import move
from nn2hls.converters.lower.value import Refusal, Site, Tensor, limited
from nn2hls.converters.lower.window import Window, as_it_is, channels_first, channels_last, channels_of, space_of
from nn2hls.graph.const import Places, Shape
from nn2hls.ops import Reduce, Reduction, places


def pool(
    site: Site,
    x: Tensor,
    kind: Reduction,
    window: Window,
    *,
    counts: bool = False,
    ceil: bool = False,
    divisor: int = 0,
    first: bool = False,
) -> Tensor:
    """The largest or the mean of what the window sees of each channel; padding is never the largest.

    Args:
        site: Where it goes.
        x: The operand, (*space, channels).
        kind: MAX, MEAN or SUM.
        window: Its pads are no elements.
        counts: The pads count as zeros in a mean, those of ``ceil`` do not.
        ceil: A last position that reaches over the end counts.
        divisor: What a mean divides by instead, if not zero.
        first: The operand is (channels, *space), and so is the result.
    """
    space, channels = space_of(x, first=first), channels_of(x, first=first)
    window.check(len(space))
    if any(
        max(pads) >= (k - 1) * d + 1 or min(pads) < 0
        for pads, k, d in zip(window.pads, window.kernel, window.dilation, strict=True)
    ):
        raise Refusal(f"its pads {window.pads} must be smaller than its kernel {window.kernel}")
    wide, more = window.with_overhang(space) if ceil else (window, (0,) * len(space))
    positions = wide.positions(space)
    limited([*positions, *window.kernel, channels])
    view = channels_last if first else as_it_is

    def seen(index: np.ndarray) -> np.ndarray:
        taken = places.patches(places.padded(index, wide.pads), window.kernel, window.strides, window.dilation)
        return taken.reshape(*positions, -1, index.shape[-1])

    inside = np.zeros((*space, 1), dtype=np.int64)
    if counts:  # the pads are marked as elements are, those of the overhang as empty
        inside = np.pad(inside, [*window.pads, (0, 0)])
        over = replace(wide, pads=tuple((0, m) for m in more))
        marked = places.patches(places.padded(inside, over.pads), window.kernel, window.strides, window.dilation)
        present = marked.reshape(*positions, -1, 1) >= 0
    else:
        present = seen(inside) >= 0
    patches = move(site.step("patches"), lambda index: seen(view(index)), x)
    kind = Reduction.SUM if divisor else kind
    op = Reduce(kind, (len(space),), present=None if present.all() else Places(present.astype(np.int64)))
    pooled = site.step("pooled" if first or divisor else "").emit(op, patches)
    if divisor:
        pooled = scale(site.step("mean" if first else ""), pooled, 1 / divisor)
    return channels_first(site, pooled, first=first)


def lp_pool(site: Site, x: Tensor, window: Window, p: float = 2, *, ceil: bool = False, first: bool = False) -> Tensor:
    """The norm of what the window sees of each channel: the sum of magnitudes, or the root of the sum of squares."""
    if p not in (1, 2):
        raise Refusal(f"p = {p:g} is not offered; 1 and 2 are")
    powers = function(site.step("powers"), x, "abs" if p == 1 else "square")
    total = pool(site.step("" if p == 1 else "sum"), powers, Reduction.SUM, window, ceil=ceil, first=first)
    return total if p == 1 else function(site, total, "sqrt")


def global_pool(site: Site, x: Tensor, kind: Reduction, *, keepdims: bool = False, first: bool = False) -> Tensor:
    """The largest or the mean of each channel."""
    rank = len(space_of(x, first=first))
    return site.emit(Reduce(kind, tuple(range(1, rank + 1) if first else range(rank)), keepdims), x)


def adaptive_pool(site: Site, x: Tensor, kind: Reduction, size: Sequence[int], *, first: bool = False) -> Tensor:
    """As many positions as asked for, from floor(k * n / size) to ceil((k + 1) * n / size)."""
    space = space_of(x, first=first)
    if len(size) != len(space) or min(size) < 1:
        raise Refusal(f"its size {tuple(size)} must be {len(space)} positive numbers, one for each axis of {space}")
    limited(size)
    if all(n == 1 for n in size):
        return global_pool(site, x, kind, keepdims=True, first=first)
    if all(n % m == 0 for n, m in zip(space, size, strict=True)):
        kernel = tuple(n // m for n, m in zip(space, size, strict=True))
        return pool(site, x, kind, Window(kernel, kernel, (1,) * len(kernel), ((0, 0),) * len(kernel)), first=first)
    spans = [_spans(n, m) for n, m in zip(space, size, strict=True)]
    limited([*(math.prod(s.shape) for s in spans), channels_of(x, first=first)])
    view = channels_last if first else as_it_is
    patches = move(site.step("patches"), lambda index: _at(view(index), spans), x)
    present = _at(np.zeros((*space, 1), dtype=np.int64), spans) >= 0
    op = Reduce(kind, (len(space),), present=None if present.all() else Places(present.astype(np.int64)))
    return channels_first(site, site.step("pooled" if first else "").emit(op, patches), first=first)


def _spans(size: int, parts: int) -> np.ndarray:
    """(parts, elements of the longest): which elements each part sees; ``size``, one too far, where it sees no more."""
    starts = np.arange(parts) * size // parts
    ends = -(-(np.arange(1, parts + 1) * size) // parts)
    taken = starts[:, None] + np.arange(max(ends - starts))
    return np.where(taken < ends[:, None], taken, size)


def _at(index: np.ndarray, spans: Sequence[np.ndarray]) -> np.ndarray:
    """(*positions, elements, channels) of places (*space, channels), at the spans of each axis."""
    rank = len(spans)
    padded = places.padded(index, [(0, 1)] * rank)
    taken = []
    for axis, span in enumerate(spans):
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = span.shape
        taken.append(span.reshape(shape))
    found = padded[tuple(taken)]
    sizes: Shape = found.shape[:rank]
    return np.asarray(found.reshape(*sizes, -1, index.shape[-1]))
