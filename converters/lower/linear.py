"""Sums of products with constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn2hls.converters.lower.shape import reshape, transpose
from nn2hls.converters.lower.value import Refusal, Site, Tensor, const, limited, limited_weights, plain, trimmed
from nn2hls.ops import Dense


def dense(
    site: Site, x: Tensor, weight: np.ndarray, bias: np.ndarray | None = None, grouped: tuple[int, int] | None = None
) -> Tensor:
    """x @ weight + bias over the last axis; ``weight`` (n_in, n_out), ``bias`` (n_out,) or what broadcasts to it.

    ``grouped``: of whose groups the other weights are zeros, see ``nn2hls.ops.Dense``.
    """
    if weight.ndim != 2:
        raise Refusal(f"its weight of shape {weight.shape} is not one matrix for every event")
    if not x.free:
        raise Refusal("it sums over the batch")
    full = np.zeros(weight.shape[1]) if bias is None else trimmed(bias)
    full = np.full(weight.shape[1], full) if full.ndim == 0 else full
    return site.emit(Dense(const(weight), const(full), grouped=grouped), x)


def matmul(site: Site, x: Tensor, weight: np.ndarray, bias: np.ndarray | None = None) -> Tensor:
    """x @ weight with a constant matrix, or a vector, which sums the last axis away."""
    if weight.ndim == 1:
        product = dense(site.step("product"), x, weight[:, None])
        return reshape(site, x=product, size=plain(x)[:-1])
    return dense(site, x, _matrix(weight, x), bias)


def matmul_left(site: Site, weight: np.ndarray, x: Tensor) -> Tensor:
    """weight @ x over the last two axes of x: transpose(transpose(x) @ transpose(weight))."""
    rank = len(plain(x))
    if rank < 2 or weight.ndim < 2:
        raise Refusal("a constant matrix on the left mixes the samples of a batch; put it on the right")
    swap = (*range(rank - 2), rank - 1, rank - 2)
    product = dense(site.step("product"), transpose(site.step("transposed"), x, swap), _matrix(weight, x).T)
    return transpose(site, product, swap)


def _matrix(weight: np.ndarray, x: Tensor) -> np.ndarray:
    """A constant matrix; leading unit axes must not add axes to the result."""
    if not 2 <= weight.ndim <= x.rank or any(n != 1 for n in weight.shape[:-2]):
        raise Refusal(f"its weight of shape {weight.shape} is not one matrix for every event")
    return weight.reshape(weight.shape[-2:])


def along_axis(site: Site, x: Tensor, axis: int, matrix: np.ndarray) -> Tensor:
    """x @ matrix (n, m) over an axis of n elements, which becomes one of m."""
    rank = len(plain(x))
    if axis == rank - 1:
        return dense(site, x, matrix)
    order = [*(k for k in range(rank) if k != axis), axis]
    product = dense(site.step("product"), transpose(site.step("turned"), x, order), matrix)
    return transpose(site, product, [order.index(k) for k in range(rank)])


def resize_linear(site: Site, x: Tensor, coordinates: Sequence[np.ndarray | None]) -> Tensor:
    """Linear interpolation along each axis at the coordinates of its elements, None for axes that stay.

    Beyond the first and the last element the nearest one counts.
    """
    changed = [k for k, at in enumerate(coordinates) if at is not None]
    if not changed:
        return x
    for k in changed:
        at = coordinates[k]
        assert at is not None
        limited_weights([x.shape[k], len(at)])
        x = along_axis(site if k == changed[-1] else site.step(f"axis{k}"), x, k, _between(at, x.shape[k]))
    return x


def _between(at: np.ndarray, size: int) -> np.ndarray:
    """(size, places): how much of each element is in the value at each coordinate."""
    inside = np.clip(at, 0, size - 1)
    first = np.minimum(np.floor(inside).astype(np.int64), size - 1)
    second, share = np.minimum(first + 1, size - 1), inside - first
    matrix = np.zeros((size, len(at)))
    places = np.arange(len(at))
    np.add.at(matrix, (first, places), 1 - share)
    np.add.at(matrix, (second, places), share)
    return matrix


def coordinates(size: int, wanted: int, *, corners: bool = False, scale: float | None = None) -> np.ndarray:
    """Where the elements of an axis of ``wanted`` elements lie on one of ``size``: by their middles, or by their ends."""
    k = np.arange(*limited([wanted]), dtype=np.float64)
    if corners:
        return k * (size - 1) / (wanted - 1) if wanted > 1 else np.zeros(1)
    return (k + 0.5) * (size / wanted if scale is None else 1 / scale) - 0.5
