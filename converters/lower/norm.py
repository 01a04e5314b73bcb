"""Normalisation at inference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nn2hls.converters.lower.arith import scale
from nn2hls.converters.lower.value import Refusal, Site, Tensor


def along(array: np.ndarray, axes: Sequence[int], x: Tensor) -> np.ndarray:
    """Constants along the node's ``axes``, ascending, shaped so that they broadcast to x."""
    if array.size not in (1, math.prod(x.shape[k] for k in axes)):
        raise Refusal(f"it holds {array.size} values along axes of {x.shape}")
    if array.size == 1:
        return array.reshape(())
    return array.reshape([n if k in axes else 1 for k, n in enumerate(x.shape) if k >= min(axes)])


def batch_norm(
    site: Site,
    x: Tensor,
    axes: Sequence[int],
    mean: np.ndarray,
    variance: np.ndarray,
    gamma: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """x * gamma / sqrt(variance + epsilon) + (beta - mean * scale), in float64; statistics along the node's ``axes``."""
    _agree(mean, variance, gamma, beta)
    spread = np.asarray(variance, np.float64) + epsilon
    if not (spread > 0).all():
        raise Refusal("its variance plus epsilon is not positive")
    factor = (1.0 if gamma is None else np.asarray(gamma, np.float64)) / np.sqrt(spread)
    offset = (0.0 if beta is None else np.asarray(beta, np.float64)) - np.asarray(mean, np.float64) * factor
    return scale(site, x, along(factor, axes, x), along(offset, axes, x))


def normalise(
    site: Site, x: Tensor, axes: Sequence[int], mean: np.ndarray, variance: np.ndarray, least: float, *, inverse: bool = False
) -> Tensor:
    """(x - mean) / deviation, the deviation at least ``least``, or its inverse; statistics along the node's ``axes``."""
    _agree(mean, variance)
    deviation = np.maximum(np.sqrt(variance), least)
    factor, offset = (deviation, mean) if inverse else (1 / deviation, -mean / deviation)
    return scale(site, x, along(factor, axes, x), along(offset, axes, x))


def _agree(*arrays: np.ndarray | None) -> None:
    shapes = [np.shape(a) for a in arrays if a is not None]
    if len({s for s in shapes if math.prod(s) != 1}) > 1:
        raise Refusal(f"its constants have the shapes {', '.join(map(str, shapes))}, which differ")
