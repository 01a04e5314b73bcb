"""Elements at places of an axis: taken from places that are computed, set or added at places that are constant.

What graph networks do: the features of the nearest neighbours, the sums over the edges of each vertex.
"""

from __future__ import annotations

import numpy as np

from nn2hls.converters.lower.arith import add, scale
from nn2hls.converters.lower.linear import along_axis, dense
from nn2hls.converters.lower.moves import whole_numbers
from nn2hls.converters.lower.shape import move, reshape
from nn2hls.converters.lower.value import Operand, Refusal, Site, Tensor, limited_weights, plain
from nn2hls.ops import Gather


def take_at(site: Site, x: Tensor, numbers: Tensor, axis: int) -> Tensor:
    """For each place of ``numbers``, which are computed, the element of x that has its number along an axis.

    The other axes broadcast. Where one of the two is the same all along an axis, as frameworks expand it, it is read once.
    """
    shape, wanted = plain(x), plain(numbers)
    if len(shape) != len(wanted):
        raise Refusal(f"its numbers of shape {wanted} have not as many axes as the tensor of {shape}")
    for k in range(len(shape)):
        if k == axis or 1 in (x.shape[k], numbers.shape[k]):
            continue
        if numbers.shape[k] < x.shape[k]:  # what PyTorch and ONNX do: the rest is not read
            x = _first(site.step(f"part{k}"), x, k, numbers.shape[k])
        if _same_along(site, numbers, k):
            numbers = _first(site.step(f"numbers{k}"), numbers, k, 1)
        elif _same_along(site, x, k):
            x = _first(site.step(f"elements{k}"), x, k, 1)
    return site.emit(Gather(axis), x, numbers)


def _same_along(site: Site, x: Tensor, axis: int) -> bool:
    """Whether a tensor is known to be the same all along an axis, for it was expanded."""
    node = site.builder.node(x.node)
    origins = node.op.origins([site.builder.shape(name) for name in node.inputs]) if node.op.moves else None
    return origins is not None and bool((origins == np.take(origins, [0], axis=axis)).all())


def _first(site: Site, x: Tensor, axis: int, count: int) -> Tensor:
    return move(site, lambda index: np.take(index, np.arange(count), axis=axis), x)


def add_at(
    site: Site, x: Operand, numbers: np.ndarray, source: Tensor, axis: int, factor: float = 1.0, *, mean: bool = False
) -> Tensor:
    """x with the elements of ``source`` added at constant places along an axis: wires and additions.

    Args:
        site, x: Where, and to what.
        numbers: (elements along the axis,), or one for each element of the source.
        source: What is added.
        axis: Of the nodes.
        factor: What the source is multiplied by.
        mean: Whether each place gets the mean of its own element and those that are added.
    """
    shape, size = plain(source), np.shape(x)[axis] if isinstance(x, np.ndarray) else x.shape[axis]
    numbers = whole_numbers(numbers, size)
    alike = numbers.ndim == 1 or bool((numbers == _line(numbers, axis)).all())
    if numbers.ndim != 1 and numbers.shape != shape:
        raise Refusal(f"its numbers of shape {numbers.shape} are not one for each element of a tensor of {shape}")
    line = np.ravel(_line(numbers, axis)) if numbers.ndim != 1 else numbers
    if len(line) != shape[axis]:
        raise Refusal(f"{len(line)} numbers do not fit {shape[axis]} elements")
    total = _at_line(site, source, line, axis, size, factor) if alike else _at_each(site, source, numbers, axis, size, factor)
    if isinstance(x, np.ndarray) and not x.any():
        found = total
    else:
        found = add(site.step("sum") if mean else site, total, x)
    if not mean:
        return found
    if not alike:
        raise Refusal("its means are over other places for each element; give numbers that are the same along the other axes")
    counts = np.bincount(line, minlength=size) + 1.0
    return scale(site, found, (1 / counts).reshape([size if k == axis else 1 for k in range(len(shape))]))


def _line(numbers: np.ndarray, axis: int) -> np.ndarray:
    """The numbers along the axis at the first place of all others."""
    return np.asarray(numbers[tuple(slice(None) if k == axis else slice(1) for k in range(numbers.ndim))])


def _at_line(site: Site, source: Tensor, line: np.ndarray, axis: int, size: int, factor: float) -> Tensor:
    limited_weights([len(line), size])
    matrix = np.zeros((len(line), size))
    matrix[np.arange(len(line)), line] = factor
    return along_axis(site.step("total"), source, axis, matrix)


def _at_each(site: Site, source: Tensor, numbers: np.ndarray, axis: int, size: int, factor: float) -> Tensor:
    """Places that differ along the other axes: one matrix over all elements."""
    shape = tuple(size if k == axis else n for k, n in enumerate(source.shape))
    limited_weights([numbers.size, int(np.prod(shape))])
    matrix = np.zeros((numbers.size, int(np.prod(shape))))
    targets = np.indices(source.shape)
    targets[axis] = numbers
    matrix[np.arange(numbers.size), np.ravel_multi_index(tuple(t.reshape(-1) for t in targets), shape)] = factor
    flat = reshape(site.step("flat"), source, (numbers.size,))
    return reshape(site.step("shaped"), dense(site.step("total"), flat, matrix), shape)


def set_at(site: Site, x: Operand, numbers: np.ndarray, source: Tensor, axis: int) -> Tensor:
    """x with the elements of ``source`` in place of its own at constant places along an axis, one for each element."""
    target = x if isinstance(x, Tensor) else site.constant(x)
    size = target.shape[axis]
    numbers = whole_numbers(numbers, size)
    if numbers.ndim != len(plain(source)) or any(n > m for n, m in zip(numbers.shape, source.shape, strict=True)):
        raise Refusal(f"its numbers of shape {numbers.shape} do not fit elements of shape {source.shape}")
    lines = np.sort(numbers, axis=axis)
    if (np.diff(lines, axis=axis) == 0).any():
        raise Refusal("several of its elements go to one place, and which of them stays is not defined")
    if any(n > m for k, (n, m) in enumerate(zip(numbers.shape, target.shape, strict=True)) if k != axis):
        raise Refusal(f"its numbers of shape {numbers.shape} do not fit a tensor of {target.shape}")

    def change(own: np.ndarray, new: np.ndarray) -> np.ndarray:
        found = own.copy()
        inside = tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(numbers.shape))
        part = found[inside]
        np.put_along_axis(part, numbers, new[tuple(slice(n) for n in numbers.shape)], axis=axis)
        found[inside] = part
        return found

    return move(site, change, target, source)
