"""Layers of QONNX whose tensors have the channels last; weights are (filters, *k, channels)."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.lower import norm, pooling, window
from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.onnx.context import At, Handler, Value
from nn2hls.converters.onnx.windows import same_kernel, sizes, window_of
from nn2hls.ops import Reduction

DOMAIN = "qonnx.custom_op.channels_last"


def conv(at: At) -> Value:
    """A convolution."""
    x, weight = at.tensor(plain=True), at.array(1, "kernel")
    space = window.space_of(x, first=False)
    if weight.ndim != len(space) + 2:
        raise Refusal(f"its kernel of shape {weight.shape} does not fit {len(space)} axes of space")
    same_kernel(at, weight.shape[1:-1])
    seen, kernel = window_of(at, weight.shape[1:-1], space), np.moveaxis(weight, 0, -1)
    return window.conv(at, x, kernel, at.optional(2, "bias"), seen, groups=at.attr("group", 1))


def max_pool(at: At) -> Value:
    """The largest of a window."""
    x = at.tensor(plain=True)
    space = window.space_of(x, first=False)
    seen = window_of(at, sizes(at, "kernel_shape", len(space)), space)
    return pooling.pool(at, x, Reduction.MAX, seen, ceil=bool(at.attr("ceil_mode", 0)))


def batch_norm(at: At) -> Value:
    """By running statistics of the last axis."""
    x = at.tensor(plain=True)
    gamma, beta, mean, variance = (at.array(k, "statistics") for k in (1, 2, 3, 4))
    return norm.batch_norm(at, x, (len(x.shape) - 1,), mean, variance, gamma, beta, at.attr("epsilon", 1e-5))


CHANNELS_LAST: dict[str, Handler] = {
    f"{DOMAIN}.BatchNormalization": batch_norm,
    f"{DOMAIN}.Conv": conv,
    f"{DOMAIN}.MaxPool": max_pool,
}
