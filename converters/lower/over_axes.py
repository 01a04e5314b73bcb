"""Functions of all elements along several axes at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nn2hls.converters.lower.activations import clip, function, softmax
from nn2hls.converters.lower.arith import add
from nn2hls.converters.lower.layout import squeeze
from nn2hls.converters.lower.linear import along_axis
from nn2hls.converters.lower.reductions import reduce
from nn2hls.converters.lower.shape import reshape, transpose
from nn2hls.converters.lower.value import Refusal, Site, Tensor, limited_weights, plain
from nn2hls.ops import Reduction


def softmax_over(site: Site, x: Tensor, axes: Sequence[int], *, log: bool = False) -> Tensor:
    """Softmax along the node's ``axes``, taken as one."""
    if len(axes) == 1:
        return softmax(site, x, axes[0], log=log)
    if not axes:
        raise Refusal("it works along no axis")
    shape = plain(x)
    rest = [k for k in range(len(shape)) if k not in axes]
    order = [*rest, *axes]
    hidden = None if x.hidden is None else np.broadcast_to(x.hidden, shape).transpose(order)
    size = (*(shape[k] for k in rest), math.prod(shape[k] for k in axes))
    flat = reshape(site.step("flat"), transpose(site.step("turned"), replace(x, hidden=None), order), size)
    flat = flat if hidden is None else replace(flat, hidden=hidden.reshape(size))
    found = softmax(site.step("softmax"), flat, len(rest), log=log)
    back = [order.index(k) for k in range(len(shape))]
    in_order = order == sorted(order)
    split = reshape(site if in_order else site.step("split"), found, tuple(shape[k] for k in order))
    return transpose(site, split, back)


def log_sum_exp(site: Site, x: Tensor, axes: Sequence[int], *, keepdims: bool = False) -> Tensor:
    """log(sum of exp(x)) over axes, by distances from the largest: none is above zero, and their sum is one at least.

    That these ends are said, as clips, keeps the types of the exponentials and of the logarithm narrow.
    """
    largest = reduce(site.step("largest"), x, Reduction.MAX, axes, keepdims=True)
    below = clip(site.step("below"), add(site.step("distance"), x, largest, -1.0), -math.inf, 0.0)
    powers = function(site.step("exp"), below, "exp")
    total = clip(site.step("total"), reduce(site.step("sum"), powers, Reduction.SUM, axes, keepdims=True), 1.0)
    found = add(site if keepdims else site.step("kept"), function(site.step("log"), total, "log"), largest)
    return found if keepdims else squeeze(site, found, axes)


def running_sum(site: Site, x: Tensor, axis: int, *, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Along the node's ``axis`` the sum of the elements up to each one, itself included unless ``exclusive``; exact.

    ``reverse``: from each one to the end.
    """
    size = plain(x)[axis]
    limited_weights([size, size])
    before = np.triu(np.ones((size, size)), int(exclusive))  # element i is in sum j from j = i on
    return along_axis(site, x, axis, before.T if reverse else before)


def log_add_exp(site: Site, x: Tensor, y: Tensor) -> Tensor:
    """log(exp(x) + exp(y)) = y + softplus(x - y), which no large element makes infinite."""
    apart = add(site.step("apart"), x, y, -1.0)
    return add(site, function(site.step("softplus"), apart, "softplus"), y)
