"""Functions of one tensor, and softmax."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nn2hls.converters.lower.value import Refusal, Site, Tensor, const
from nn2hls.graph.const import Places
from nn2hls.ops import (
    Clip,
    Elementwise,
    Function,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Merge,
    Op,
    Relu,
    Scale,
    Simple,
    Softmax,
    Table,
    Threshold,
    Unary,
)

# Functions without parameters, by the names that most frameworks have for them.
FUNCTIONS: Mapping[str, Op] = {
    "relu": Relu(),
    "relu6": Clip(0.0, 6.0),
    "hard_tanh": Clip(-1.0, 1.0),
    "hard_sigmoid": HardSigmoid(1 / 6, 0.5),
    "hard_swish": HardSwish(1 / 6, 0.5),
    "sparse_sigmoid": HardSigmoid(0.5, 0.5),
    **{simple.value: Unary(simple) for simple in Simple},
    **{
        function.value: Table(function)
        for function in Function
        if function not in (Function.ELU, Function.CELU, Function.GELU_TANH)
    },
}
# The constants of SELU: alpha, and the factor.
SELU = (1.6732632423543772, 1.0507009873554805)


def function(site: Site, x: Tensor, name: str) -> Tensor:
    """A function without parameters, by its name in ``FUNCTIONS``."""
    return site.emit(FUNCTIONS[name], x)


def clip(site: Site, x: Tensor, low: float = -math.inf, high: float = math.inf) -> Tensor:
    """min(max(x, low), high); float32's largest numbers are open ends."""
    limit = float(np.finfo(np.float32).max)
    low, high = (-math.inf if low <= -limit else float(low)), (math.inf if high >= limit else float(high))
    if low > high:
        raise Refusal(f"its lower end {low:g} lies above its upper end {high:g}")
    if (low, high) == (-math.inf, math.inf):
        return x
    return site.emit(Relu() if (low, high) == (0, math.inf) else Clip(low, high), x)


def leaky_relu(site: Site, x: Tensor, slope: np.ndarray | float) -> Tensor:
    """x above zero, slope * x below; the slope is a number or broadcasts to x. A slope of zero is ReLU."""
    array = np.asarray(slope, np.float64)
    if array.ndim == 0 and array == 0:
        return function(site, x, "relu")
    return site.emit(LeakyRelu(const(array)), x)


def channel_slopes(slope: np.ndarray, x: Tensor, axis: int) -> np.ndarray:
    """Slopes of PReLU, one or one per entry of the node's ``axis``, so that they broadcast to x."""
    return slope.reshape(() if slope.size == 1 else (-1, *(1,) * (len(x.shape) - 1 - axis)))


def relu(site: Site, x: Tensor, top: float = math.inf, slope: float = 0.0, threshold: float = 0.0) -> Tensor:
    """ReLU with an upper end, a slope and a threshold: ``top`` above, zero or a line below the threshold."""
    if threshold and slope:
        raise Refusal("'threshold' together with 'negative_slope' is not supported")
    if threshold:
        cut = step_threshold(site.step("threshold" if math.isfinite(top) else ""), x, threshold)
        return clip(site, cut, 0.0, top) if math.isfinite(top) else cut
    if slope:
        line = leaky_relu(site.step("leakyrelu" if math.isfinite(top) else ""), x, slope)
        return clip(site, line, -math.inf, top)
    return clip(site, x, 0.0, top)


def step_threshold(site: Site, x: Tensor, theta: float, value: float = 0.0) -> Tensor:
    """x above theta, else value."""
    return site.emit(Relu() if theta == value == 0 else Threshold(theta, value), x)


def elu(site: Site, x: Tensor, alpha: float = 1.0, factor: float = 1.0) -> Tensor:
    """factor * (x above zero, alpha * (exp(x) - 1) below); SELU is one of these."""
    if (np.float32(alpha), np.float32(factor)) == (np.float32(SELU[0]), np.float32(SELU[1])):
        return function(site, x, "selu")
    if factor == 1:
        return site.emit(Table(Function.ELU, alpha), x)
    return site.emit(Scale(const(factor), const(0.0)), site.step("elu").emit(Table(Function.ELU, alpha), x))


def celu(site: Site, x: Tensor, alpha: float = 1.0) -> Tensor:
    """x above zero, alpha * (exp(x / alpha) - 1) below."""
    return site.emit(Table(Function.CELU, alpha), x)


def gelu(site: Site, x: Tensor, *, approximate: bool = False) -> Tensor:
    """x times the normal distribution's integral, or its approximation by tanh."""
    return site.emit(Table(Function.GELU_TANH if approximate else Function.GELU), x)


def swish(site: Site, x: Tensor, alpha: float = 1.0) -> Tensor:
    """x * sigmoid(alpha * x)."""
    if alpha == 1:
        return function(site, x, "silu")
    scaled = site.step("alpha").emit(Scale(const(alpha), const(0.0)), x)
    return site.emit(Elementwise(Merge.MUL), x, function(site.step("sigmoid"), scaled, "sigmoid"))


def softplus(site: Site, x: Tensor, beta: float = 1.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta."""
    if beta <= 0:
        raise Refusal("a beta that is not positive is not offered")
    if beta == 1:
        return function(site, x, "softplus")
    scaled = site.step("beta").emit(Scale(const(beta), const(0.0)), x)
    return site.emit(Scale(const(1 / beta), const(0.0)), function(site.step("softplus"), scaled, "softplus"))


def hard_sigmoid(site: Site, x: Tensor, slope: float = 1 / 6, offset: float = 0.5) -> Tensor:
    """clip(slope * x + offset, 0, 1)."""
    return site.emit(HardSigmoid(slope, offset), x)


def soft_shrink(site: Site, x: Tensor, threshold: float = 0.5) -> Tensor:
    """x towards zero by the threshold, zero within it: relu(x - t) - relu(-x - t)."""
    _positive(threshold)
    above = site.step("shifted").emit(Scale(const(1.0), const(-threshold)), x)
    below = site.step("mirrored").emit(Scale(const(-1.0), const(-threshold)), x)
    parts = function(site.step("above"), above, "relu"), function(site.step("below"), below, "relu")
    return site.emit(Elementwise(Merge.SUB), *parts)


def hard_shrink(site: Site, x: Tensor, threshold: float = 0.5) -> Tensor:
    """x outside of the threshold on both sides, zero within it."""
    _positive(threshold)
    above = step_threshold(site.step("above"), x, threshold)
    below = step_threshold(site.step("below"), function(site.step("mirrored"), x, "neg"), threshold)
    return site.emit(Elementwise(Merge.SUB), above, below)


def _positive(threshold: float) -> None:
    if threshold < 0:
        raise Refusal(f"a threshold of {threshold:g} is not offered; it must not be negative")


def squareplus(site: Site, x: Tensor, b: float = 4.0) -> Tensor:
    """(x + sqrt(x**2 + b)) / 2."""
    square = site.step("shifted").emit(Scale(const(1.0), const(b)), function(site.step("square"), x, "square"))
    return site.emit(Elementwise(Merge.AVERAGE), x, function(site.step("root"), square, "sqrt"))


def softmax(site: Site, x: Tensor, axis: int, *, log: bool = False) -> Tensor:
    """Softmax or its logarithm along one axis of the node; what a mask hides is zero and no part of the sum."""
    if x.hidden is None or not x.hidden.any():
        return site.emit(Softmax(axis, log), replace(x, hidden=None))
    if log:
        raise Refusal("the logarithm of a softmax is minus infinity where a mask hides elements")
    return masked_softmax(site, replace(x, hidden=None), ~x.hidden, axis)


def masked_softmax(site: Site, x: Tensor, keep: np.ndarray, axis: int) -> Tensor:
    """Softmax of the elements that a mask keeps, as if the others were not there; these are zero."""
    present = np.broadcast_to(keep, x.shape)
    if not present.any(axis=axis).all():
        raise Refusal("its mask hides all of a row, whose softmax is no number")
    for k in range(present.ndim):
        if (present == present.take([0], k)).all():
            present = present.take([0], k)
    return site.emit(Softmax(axis, present=Places(present.astype(np.int64))), x)
