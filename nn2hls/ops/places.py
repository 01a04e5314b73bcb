"""Where elements go: arrays of the numbers of elements, rearranged. A :class:`nn2hls.ops.Move` is made of one.

``places(shape)`` numbers the elements of a tensor, and NumPy does most of the rest: ``transpose``, ``reshape``, slices,
``flip``, ``roll``, ``take``, ``repeat``, ``tile``, ``concatenate``. What it does not do, or does not call by its name, stands
here. All tensors are channels last; ``EMPTY`` stands where there is no element, and reads as zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nn2hls.graph.const import Shape

EMPTY = -1

Pads = Sequence[tuple[int, int]]  # so many before and behind, by axis


def places(*shapes: Shape) -> tuple[np.ndarray, ...]:
    """For each tensor the numbers of its elements, row-major, counted through one tensor after the other."""
    found, first = [], 0
    for shape in shapes:
        size = math.prod(shape)
        found.append(np.arange(first, first + size).reshape(shape))
        first += size
    return tuple(found)


def padded(index: np.ndarray, pads: Pads) -> np.ndarray:
    """Empty places around; negative numbers crop. ``pads`` are those of the first axes."""
    pads = [*pads, *[(0, 0)] * (index.ndim - len(pads))]
    cut = index[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(index.shape, pads, strict=True))]
    return np.pad(cut, [(max(a, 0), max(b, 0)) for a, b in pads], constant_values=EMPTY)


def windows(size: int, kernel: int, stride: int, dilation: int) -> int:
    """How many places a kernel has along an axis of ``size``; not above zero where it does not fit."""
    return (size - (kernel - 1) * dilation - 1) // stride + 1


def patches(index: np.ndarray, kernel: Shape, strides: Shape, dilation: Shape) -> np.ndarray:
    """Of a tensor (*space, channels) what a kernel sees at each of its places: (*positions, *kernel, channels)."""
    rank = len(kernel)
    taken = []
    for axis, (size, n, stride, step) in enumerate(zip(index.shape, kernel, strides, dilation, strict=False)):
        first = np.arange(windows(size, n, stride, step)) * stride
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = len(first), n
        taken.append((first[:, None] + np.arange(n) * step).reshape(shape))
    return np.asarray(index[tuple(taken)])


def spread(index: np.ndarray, strides: Shape) -> np.ndarray:
    """Empty places between the elements of the first axes, ``stride - 1`` of them: what a transposed convolution reads."""
    shape = [(n - 1) * s + 1 for n, s in zip(index.shape, strides, strict=False)]
    out = np.full((*shape, *index.shape[len(shape) :]), EMPTY)
    out[tuple(slice(None, None, s) for s in strides)] = index
    return out


def repeated(index: np.ndarray, factors: Shape) -> np.ndarray:
    """Every element of the first axes so often in a row: upsampling to the nearest neighbour."""
    for axis, factor in enumerate(factors):
        index = np.repeat(index, factor, axis=axis)
    return index


def depth_to_space(index: np.ndarray, block: int, *, channels_outside: bool = False) -> np.ndarray:
    """(*space, block**d * c) as (*(n * block), c): channels become blocks of the space.

    ``channels_outside``: the block's place is the slower part of a channel's number otherwise the faster, as in PixelShuffle.
    """
    *space, depth = index.shape
    d = len(space)
    c = depth // block**d
    if channels_outside:
        split = index.reshape(*space, c, *[block] * d)
        channel, inside = d, [d + 1 + k for k in range(d)]
    else:
        split = index.reshape(*space, *[block] * d, c)
        channel, inside = 2 * d, [d + k for k in range(d)]
    order = [axis for k in range(d) for axis in (k, inside[k])]
    return split.transpose(*order, channel).reshape(*(n * block for n in space), c)


def space_to_depth(index: np.ndarray, block: int, *, channels_outside: bool = False) -> np.ndarray:
    """The inverse of :func:`depth_to_space`."""
    *space, c = index.shape
    d = len(space)
    split = index.reshape(*(part for n in space for part in (n // block, block)), c)
    outer, inner = [2 * k for k in range(d)], [2 * k + 1 for k in range(d)]
    order = [*outer, 2 * d, *inner] if channels_outside else [*outer, *inner, 2 * d]
    return split.transpose(order).reshape(*(n // block for n in space), block**d * c)
