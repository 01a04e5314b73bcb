"""Layers that take, repeat or leave out elements: one Move each. Axes are the node's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.lower.activations import function
from nn2hls.converters.lower.arith import HIDES, multiply
from nn2hls.converters.lower.layout import without
from nn2hls.converters.lower.shape import move
from nn2hls.converters.lower.value import Refusal, Site, Tensor, limited, plain
from nn2hls.graph.const import Shape
from nn2hls.ops import places


def slice_(site: Site, x: Tensor, cuts: Sequence[Any]) -> Tensor:
    """x[cuts]: slices, numbers (whose axis goes), None (an axis of one element) and Ellipsis, as NumPy reads them."""
    named = [c for c in cuts if c is not None and c is not Ellipsis]
    if len(named) > len(x.shape):
        raise Refusal(f"it cuts {len(named)} axes of a tensor of {x.shape}")
    try:
        kept = places.places(x.shape)[0][tuple(cuts)].size
    except (IndexError, ValueError) as error:
        raise Refusal(f"it cuts what is not there ({error})") from None
    if not kept:
        raise Refusal(f"it leaves nothing of a tensor of {x.shape}")
    if x.is_plain:
        return move(site, lambda index: index[tuple(cuts)], x)
    if len(named) < len(cuts):
        raise Refusal("the first axis of its operand is not the batch alone")
    gone = [k for k, cut in enumerate(cuts) if isinstance(cut, int)]
    inside = range(x.place, x.place + x.before + x.merged)
    if any(k in inside and cut != slice(None) for k, cut in enumerate(cuts)):
        raise Refusal("it cuts axes that are one with the batch")
    part = move(site.step("part"), lambda index: index[tuple(cuts)], replace(x, merged=0, place=0, before=0))
    return without(x, part, gone)


def split(site: Site, x: Tensor, sizes: Sequence[int], axis: int) -> list[Tensor]:
    """Parts of the given sizes along an axis."""
    size = x.shape[axis]
    if min(sizes, default=0) < 1 or sum(sizes) != size:
        raise Refusal(f"its parts {list(sizes)} do not make up the {size} elements of its axis")
    ends = np.cumsum(sizes).tolist()
    before = [slice(None)] * axis
    if len(sizes) == 1:
        return [x]
    return [
        slice_(site.step(f"part{k}"), x, [*before, slice(end - size, end)])
        for k, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]


def equal_parts(size: int, count: int) -> list[int]:
    """The sizes of ``count`` equal parts."""
    if count < 1 or size % count:
        raise Refusal(f"{size} elements do not make {count} equal parts")
    return [size // count] * count


def chunks(size: int, longest: int) -> list[int]:
    """The sizes of parts as long as ``longest``, the last one what is left."""
    if longest < 1:
        raise Refusal(f"parts of {longest} elements are none")
    return [min(longest, size - first) for first in range(0, size, longest)]


def unstack(site: Site, x: Tensor, axis: int) -> list[Tensor]:
    """The elements of an axis, each without it."""
    before = [slice(None)] * axis
    return [slice_(site.step(f"part{k}"), x, [*before, k]) for k in range(x.shape[axis])]


def take(site: Site, x: Tensor, indices: np.ndarray, axis: int) -> Tensor:
    """Elements of an axis by their numbers, negative ones from the end; the axes of ``indices`` stand in its place."""
    return gather(site, x, [*[None] * axis, indices])


def take_along(site: Site, x: Tensor, indices: np.ndarray, axis: int) -> Tensor:
    """For each place of ``indices`` the element of x that has its number along an axis and its place along the others."""
    shape = plain(x)
    numbers = whole_numbers(indices, shape[axis])
    if numbers.ndim != len(shape) or any(n > m for k, (n, m) in enumerate(zip(numbers.shape, shape, strict=True)) if k != axis):
        raise Refusal(f"its indices of shape {numbers.shape} do not fit a tensor of {shape}")
    inside = tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(numbers.shape))
    return move(site, lambda index: np.take_along_axis(index[inside], numbers, axis=axis), x)


def whole_numbers(indices: np.ndarray, size: int) -> np.ndarray:
    """Places along an axis of so many elements, counted from its start; a Refusal for what is none."""
    numbers = np.asarray(indices)
    whole = numbers.astype(np.int64)
    if np.any(whole != numbers) or (whole.size and (whole.min() < -size or whole.max() >= size)):
        raise Refusal(f"its indices are not whole numbers from {-size} to {size - 1}")
    return np.where(whole < 0, whole + size, whole)


MODES = {"constant": "constant", "reflect": "reflect", "symmetric": "symmetric", "edge": "edge", "wrap": "wrap"}


def pad(site: Site, x: Tensor, pads: Sequence[tuple[int, int]], *, mode: str = "constant", value: float = 0.0) -> Tensor:
    """Elements around x, by axis so many before and behind; negative numbers cut off.

    Args:
        site: Where it goes.
        x: The operand.
        pads: For the first axes; the others keep their size.
        mode: A key of ``MODES``: NumPy's word.
        value: Of the new elements where the mode is constant.
    """
    shape = plain(x)
    if len(pads) > len(shape):
        raise Refusal(f"it pads {len(pads)} axes of a tensor of {shape}")
    pads = [*pads, *[(0, 0)] * (len(shape) - len(pads))]
    sizes = limited([n + a + b for n, (a, b) in zip(shape, pads, strict=True)])
    if min(sizes, default=1) < 1 or any(min(n + min(a, 0), n + min(b, 0)) < 1 for n, (a, b) in zip(shape, pads, strict=True)):
        raise Refusal(f"its pads {pads} leave nothing of a tensor of {shape}")
    if mode not in MODES:
        raise Refusal(f"padding of the mode '{mode}' is not offered; {', '.join(MODES)} are")
    if mode != "constant":
        return _mirrored(site, x, pads, MODES[mode])
    if value == 0 or not any(n > 0 for pair in pads for n in pair):
        return move(site, lambda index: places.padded(index, pads), x)
    around = site.constant(np.asarray(value))

    def change(index: np.ndarray, number: np.ndarray) -> np.ndarray:
        wide = places.padded(index, pads)
        return np.where(wide == places.EMPTY, number, wide)

    return move(site, change, x, around)


def _mirrored(site: Site, x: Tensor, pads: Sequence[tuple[int, int]], mode: str) -> Tensor:
    less = 1 if mode == "reflect" else 0
    for size, pair in zip(x.shape, pads, strict=True):
        if min(pair) < 0 or (mode != "edge" and max(pair) > size - less):
            raise Refusal(f"its pads {pair} do not fit an axis of {size} elements in the mode '{mode}'")
    word: Any = mode  # NumPy's stubs want a literal
    return move(site, lambda index: np.pad(index, pads, mode=word), x)


def flip(site: Site, x: Tensor, axes: Sequence[int]) -> Tensor:
    """The elements of axes the other way round."""
    plain(x)
    return move(site, lambda index: np.flip(index, tuple(axes)), x)


def roll(site: Site, x: Tensor, shifts: Sequence[int], axes: Sequence[int]) -> Tensor:
    """The elements of axes so many places on, those at the end to the front."""
    if len(shifts) != len(axes):
        raise Refusal(f"its shifts {list(shifts)} do not fit its axes {list(axes)}")
    return move(site, lambda index: np.roll(index, tuple(shifts), tuple(axes)), x)


def repeat(site: Site, x: Tensor, counts: Sequence[int], axis: int) -> Tensor:
    """Every element of an axis so often in a row; one count stands for all elements."""
    size = plain(x)[axis]
    if len(counts) not in (1, size) or min(counts) < 0 or not any(counts):
        raise Refusal(f"its counts {list(counts)} do not fit an axis of {size} elements")
    limited([*x.shape[:axis], sum(counts) * (size if len(counts) == 1 else 1), *x.shape[axis + 1 :]])
    return move(site, lambda index: np.repeat(index, counts[0] if len(counts) == 1 else counts, axis=axis), x)


def tile(site: Site, x: Tensor, counts: Sequence[int]) -> Tensor:
    """x so often along each of its axes."""
    shape = plain(x)
    if len(counts) != len(shape) or min(counts, default=1) < 1:
        raise Refusal(f"its counts {list(counts)} must be {len(shape)} positive numbers")
    limited([n * c for n, c in zip(shape, counts, strict=True)])
    return move(site, lambda index: np.tile(index, tuple(counts)), x)


def expand(site: Site, x: Tensor, size: Shape) -> Tensor:
    """x repeated along its axes of one element, and along new ones in front, as NumPy broadcasts."""
    shape = plain(x)
    try:
        fits = np.broadcast_shapes(shape, size) == tuple(size)
    except ValueError:
        fits = False
    if not fits:
        raise Refusal(f"a tensor of {shape} does not broadcast to {tuple(size)}")
    limited(size)
    return move(site, lambda index: np.broadcast_to(index, size), x)


def upsample(site: Site, x: Tensor, factors: Sequence[int], *, first: bool = False) -> Tensor:
    """Every element of the space so often in a row along each axis: the nearest neighbour."""
    rank = len(plain(x)) - 1
    if len(factors) != rank or min(factors, default=1) < 1:
        raise Refusal(f"its factors {list(factors)} must be {rank} positive numbers, one for each axis of the space")
    shape = x.shape[1:] if first else x.shape[:-1]
    limited([*(n * f for n, f in zip(shape, factors, strict=True)), x.shape[0] if first else x.shape[-1]])
    full = (1, *factors) if first else tuple(factors)
    return move(site, lambda index: places.repeated(index, full), x)


def nearest(site: Site, x: Tensor, chosen: Sequence[np.ndarray | None]) -> Tensor:
    """Elements of each axis by their numbers, None for all: a resize to the nearest neighbour of any scale."""
    limited([n if c is None else len(c) for n, c in zip(plain(x), chosen, strict=True)])

    def change(index: np.ndarray) -> np.ndarray:
        for axis, numbers in enumerate(chosen):
            index = index if numbers is None else np.take(index, numbers, axis=axis)
        return index

    return move(site, change, x)


def nearest_places(size: int, wanted: int, scale: float | None = None) -> np.ndarray:
    """The elements of an axis of ``size`` whose middles are nearest to those of ``wanted`` elements; of two the second."""
    at = (np.arange(*limited([wanted]), dtype=np.float64) + 0.5) * (size / wanted if scale is None else 1 / scale)
    return np.clip(np.floor(at).astype(np.int64), 0, size - 1)


def depth_to_space(site: Site, x: Tensor, block: int, *, outside: bool = False, first: bool = False) -> Tensor:
    """Channels become blocks of the space; ``outside`` as in :func:`nn2hls.ops.places.depth_to_space`."""
    shape = plain(x)
    channels, rank = (shape[0] if first else shape[-1]), len(shape) - 1
    if block < 1 or rank < 1 or channels % block**rank:
        raise Refusal(f"{channels} channels do not make blocks of {block} along {rank} axes")
    return _blocks(site, x, lambda index: places.depth_to_space(index, block, channels_outside=outside), first=first)


def space_to_depth(site: Site, x: Tensor, block: int, *, outside: bool = False, first: bool = False) -> Tensor:
    """Blocks of the space become channels, the inverse of :func:`depth_to_space`."""
    shape = plain(x)
    space = shape[1:] if first else shape[:-1]
    if block < 1 or not space or any(n % block for n in space):
        raise Refusal(f"a space of {space} does not make blocks of {block}")
    return _blocks(site, x, lambda index: places.space_to_depth(index, block, channels_outside=outside), first=first)


def _blocks(site: Site, x: Tensor, change: Callable[[np.ndarray], np.ndarray], *, first: bool) -> Tensor:
    if not first:
        return move(site, change, x)
    return move(site, lambda index: np.moveaxis(change(np.moveaxis(index, 0, -1)), -1, 0), x)


def hide(x: Tensor, mask: np.ndarray) -> Tensor:
    """x with minus infinity where the mask holds, which the softmax after it leaves out."""
    if mask.ndim > len(x.free) or np.broadcast_shapes(mask.shape, x.free) != x.free:
        raise Refusal(f"its mask of shape {mask.shape} does not fit a tensor of {x.free}")
    hidden = np.broadcast_to(mask, x.shape)
    return replace(x, hidden=hidden if x.hidden is None else hidden | x.hidden)


def where(site: Site, mask: np.ndarray, x: Tensor | np.ndarray, y: Tensor | np.ndarray) -> Tensor:
    """x where a constant mask holds, else y; either may be a constant. All broadcast."""
    operands = [v for v in (x, y) if isinstance(v, Tensor)]
    if len({v.rank for v in operands}) > 1:
        raise Refusal("its operands differ in rank, so that one of them broadcasts over the batch axis; unsqueeze that one")
    if isinstance(x, Tensor) and not isinstance(y, Tensor) and np.size(y) == 1 and float(np.asarray(y).item()) <= HIDES:
        return hide(x, ~mask)
    if isinstance(y, Tensor) and not isinstance(x, Tensor) and np.size(x) == 1 and float(np.asarray(x).item()) <= HIDES:
        return hide(y, mask)
    tensors = [v if isinstance(v, Tensor) else site.constant(v) for v in (x, y)]
    try:
        size = limited(np.broadcast_shapes(mask.shape, *(plain(v) for v in tensors)))
    except ValueError:
        raise Refusal(f"its mask of shape {mask.shape} and operands do not broadcast") from None
    if len(size) > max((len(v.shape) for v in operands), default=0):
        raise Refusal(f"its mask of shape {mask.shape} broadcasts over the batch axis")
    if math.prod(mask.shape) and mask.all() and tensors[0].shape == size:
        return tensors[0]
    return move(site, lambda one, other: np.where(mask, np.broadcast_to(one, size), np.broadcast_to(other, size)), *tensors)


def gather(site: Site, x: Tensor, indices: Sequence[np.ndarray | None]) -> Tensor:
    """x[indices] with an array, or None for all elements, for each of the first axes: NumPy's indexing by arrays.

    Of a tensor whose batch is not the first axis one axis is taken from, or several in a row that stand before the batch.
    """
    chosen = [k for k, i in enumerate(indices) if i is not None]
    if len(indices) > len(x.shape) or not chosen:
        raise Refusal(f"its {len(indices)} indices do not fit a tensor of {x.shape}")
    keys = tuple(
        slice(None) if i is None else np.asarray(i) if np.asarray(i).dtype == bool else whole_numbers(i, n)
        for i, n in zip(indices, x.shape, strict=False)
    )
    try:
        size = limited(np.empty(x.shape, dtype=np.bool_)[keys].shape)
    except IndexError as error:
        raise Refusal(f"its indices do not fit a tensor of {x.shape} ({error})") from None
    if not math.prod(size):
        raise Refusal(f"it leaves nothing of a tensor of {x.shape}")
    if x.is_plain:
        return move(site, lambda index: index[keys], x)
    first, last = chosen[0], chosen[-1]
    if (first < x.place + x.before + x.merged and last >= x.place) or last - first >= len(chosen):
        raise Refusal("it takes elements along axes that are one with the batch, or on both sides of it")
    place = x.place + (len(size) - len(x.shape) if last < x.place else 0)
    taken = move(site.step("taken"), lambda index: index[keys], replace(x, merged=0, place=0, before=0))
    return replace(taken, place=place, before=x.before, merged=x.merged)


def glu(site: Site, x: Tensor, axis: int) -> Tensor:
    """The first half along an axis times the sigmoid of the second."""
    half = equal_parts(plain(x)[axis], 2)
    left, gate = split(site, x, half, axis)
    return multiply(site, left, function(site.step("gate"), gate, "sigmoid"))
