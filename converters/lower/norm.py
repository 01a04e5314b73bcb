"""Normalisation at inference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nn2hls.converters.lower.activations import function
from nn2hls.converters.lower.arith import add, multiply, scale
from nn2hls.converters.lower.reductions import variance
from nn2hls.converters.lower.shape import reshape
from nn2hls.converters.lower.value import Refusal, Site, Tensor, const, plain
from nn2hls.ops import Norm


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


def layer_norm(
    site: Site,
    x: Tensor,
    axes: Sequence[int],
    gamma: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    epsilon: float = 1e-5,
    *,
    center: bool = True,
) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, statistics of the event over the node's ``axes``.

    Args:
        site: Where it goes.
        x: The operand.
        axes: What the statistics are taken over.
        gamma, beta: They broadcast to x; 1 and 0 if they are left out.
        epsilon: What keeps the root from zero.
        center: Without it nothing is subtracted, and the mean of squares is in the place of the variance (RMSNorm).
    """
    inside = range(x.place, x.place + x.before + x.merged)
    if not axes or any(k in inside for k in axes):
        raise Refusal("it normalises over the batch axis, or over none")
    scale, bias = const(1.0 if gamma is None else gamma), const(0.0 if beta is None else beta)
    return site.emit(Norm(tuple(axes), epsilon, scale, bias, center), x)


def by_deviation(site: Site, x: Tensor, axes: Sequence[int], gamma: np.ndarray | None = None, epsilon: float = 1e-5) -> Tensor:
    """x / sqrt(variance + epsilon) * gamma: the variance is that about the mean, yet x keeps its mean."""
    spread = add(site.step("spread"), variance(site.step("variance"), x, axes, keepdims=True), np.asarray(epsilon))
    inverse = function(site.step("inverse"), spread, "rsqrt")
    if gamma is None:
        return multiply(site, x, inverse)
    return scale(site, multiply(site.step("scaled"), x, inverse), gamma)


def group_norm(
    site: Site,
    x: Tensor,
    groups: int,
    gamma: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    epsilon: float = 1e-5,
    *,
    axis: int = 0,
) -> Tensor:
    """Statistics of each group of channels, over all of the space; gamma and beta (channels,).

    As many groups as channels is InstanceNorm. ``axis`` is the node's axis of the channels.
    """
    shape = plain(x)
    channels = shape[axis]
    if groups < 1 or channels % groups:
        raise Refusal(f"{channels} channels do not make {groups} groups")
    gamma, beta = (None if a is None else np.asarray(a, np.float64).reshape(-1) for a in (gamma, beta))
    if any(a is not None and a.size != channels for a in (gamma, beta)):
        raise Refusal(f"its constants must hold one number for each of {channels} channels")
    behind = (1,) * (len(shape) - axis - 1)
    split = (*shape[:axis], groups, channels // groups, *shape[axis + 1 :])
    over = [k for k in range(len(split)) if k != axis]
    if groups == channels:
        kept = [None if a is None else a.reshape(-1, *behind) for a in (gamma, beta)]
        return layer_norm(site, x, [k for k in range(len(shape)) if k != axis], kept[0], kept[1], epsilon)
    kept = [None if a is None else a.reshape(groups, -1, *behind) for a in (gamma, beta)]
    apart = reshape(site.step("groups"), x, split)
    return reshape(site, layer_norm(site.step("norm"), apart, over, kept[0], kept[1], epsilon), shape)


def unit_norm(site: Site, x: Tensor, axes: Sequence[int], epsilon: float = 1e-12) -> Tensor:
    """x over the root of its sum of squares: RMSNorm times 1 / sqrt(n)."""
    count = math.prod(x.shape[k] for k in axes)
    return layer_norm(site, x, axes, np.asarray(1 / math.sqrt(count)), None, epsilon / count, center=False)
