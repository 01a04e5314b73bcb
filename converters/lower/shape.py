"""Layers that move values and compute nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from nn2hls.converters.lower.value import Refusal, Site, Tensor, plain
from nn2hls.graph.const import Shape
from nn2hls.ops import Concatenate, Move, Reshape, Transpose


def reshape(site: Site, x: Tensor, size: Shape) -> Tensor:
    """x in the node shape ``size``, row-major; no node when it has that already."""
    return x if x.shape == size else site.emit(Reshape(size), x)


def move(site: Site, change: Callable[..., np.ndarray], *xs: Tensor) -> Tensor:
    """The elements of tensors elsewhere: ``change`` makes from the places of their elements those of the result's.

    No node where that changes nothing. See :mod:`nn2hls.ops.places`.
    """
    shapes = tuple(plain(x) for x in xs)
    op = Move.of(change, *shapes)
    return xs[0] if op.identity(shapes) else site.emit(op, *xs)


def full_size(target: Sequence[int], shape: Shape) -> Shape:
    """A target shape with its one -1 worked out."""
    known = math.prod(n for n in target if n != -1)
    if list(target).count(-1) > 1 or any(n < -1 or n == 0 for n in target) or math.prod(shape) % known:
        raise Refusal(f"a shape of {tuple(target)} does not follow from {shape}")
    return tuple(math.prod(shape) // known if n == -1 else n for n in target)


def flatten(site: Site, x: Tensor, start: int = 0, end: int = -1) -> Tensor:
    """The node's axes from ``start`` to ``end``, included, as one."""
    shape = plain(x)
    end %= len(shape)
    return reshape(site, x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def transpose(site: Site, x: Tensor, axes: Sequence[int]) -> Tensor:
    """The node's axes in another order; no node when it is the same."""
    shape = plain(x)
    if sorted(axes) != list(range(len(shape))):
        raise Refusal(f"its order of axes {tuple(axes)} is not one of a tensor of {shape}")
    return x if tuple(axes) == tuple(range(len(shape))) else site.emit(Transpose(tuple(axes)), x)


def moved(rank: int, source: Sequence[int], target: Sequence[int]) -> list[int]:
    """The order of ``rank`` axes with those of ``source`` at the places ``target``, as np.moveaxis has it."""
    if len(source) != len(target) or len(set(source)) < len(source) or len(set(target)) < len(target):
        raise Refusal(f"its axes {list(source)} do not move to {list(target)}")
    order = [k for k in range(rank) if k not in source]
    for place, axis in sorted(zip(target, source, strict=True)):
        order.insert(place, axis)
    return order


def unsqueeze(site: Site, x: Tensor, axis: int) -> Tensor:
    """With an axis of size one before the node's ``axis``."""
    shape = plain(x)
    return reshape(site, x, (*shape[:axis], 1, *shape[axis:]))


def concatenate(site: Site, xs: Sequence[Tensor], axis: int) -> Tensor:
    """The operands one after the other along the node's ``axis``."""
    if len({(x.place, x.joined, x.before) for x in xs}) > 1:
        raise Refusal("the first axis of some of its operands is the batch mixed with other axes")
    return xs[0] if len(xs) == 1 else site.emit(Concatenate(axis), *xs)


def stack(site: Site, xs: Sequence[Tensor], axis: int) -> Tensor:
    """The operands side by side along a new axis before the node's ``axis``."""
    return concatenate(site, [unsqueeze(site.step("unsqueeze"), x, axis) for x in xs], axis)
