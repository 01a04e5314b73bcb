"""Sums of products with constants."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.lower.shape import reshape, transpose
from nn2hls.converters.lower.value import Refusal, Site, Tensor, const, plain, trimmed
from nn2hls.ops import Dense


def dense(site: Site, x: Tensor, weight: np.ndarray, bias: np.ndarray | None = None) -> Tensor:
    """x @ weight + bias over the last axis; ``weight`` (n_in, n_out), ``bias`` (n_out,) or what broadcasts to it."""
    if weight.ndim != 2:
        raise Refusal(f"its weight of shape {weight.shape} is not one matrix for every event")
    if not x.free:
        raise Refusal("it sums over the batch")
    full = np.zeros(weight.shape[1]) if bias is None else trimmed(bias)
    full = np.full(weight.shape[1], full) if full.ndim == 0 else full
    return site.emit(Dense(const(weight), const(full)), x)


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
