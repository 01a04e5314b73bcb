"""Sums, means, products and extremes over axes of a node, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nn2hls.converters.lower.activations import function
from nn2hls.converters.lower.arith import add, scale, subtract
from nn2hls.converters.lower.layout import without
from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.ops import Reduce, Reduction


def reduce(site: Site, x: Tensor, kind: Reduction, axes: Sequence[int], *, keepdims: bool = False) -> Tensor:
    """Sum, mean, product, largest or smallest over axes; over none it is x."""
    if not axes:
        return x
    result = site.emit(Reduce(kind, tuple(axes), keepdims), x)
    return without(x, result, () if keepdims else axes)


def variance(
    site: Site, x: Tensor, axes: Sequence[int], *, keepdims: bool = False, less: float = 0.0, root: bool = False
) -> Tensor:
    """Sum of squared distances from the mean over n - less, or its root."""
    count = math.prod(x.shape[k] for k in axes)
    if count - less <= 0:
        raise Refusal(f"its {count} elements are too few to divide by {count - less:g}")
    centred = subtract(site.step("centred"), x, reduce(site.step("mean"), x, Reduction.MEAN, axes, keepdims=True))
    squares = function(site.step("square"), centred, "square")
    last = "" if not root and not less else "variance"
    mean = reduce(site.step(last), squares, Reduction.MEAN, axes, keepdims=keepdims)
    if less:
        mean = scale(site.step("scaled" if root else ""), mean, count / (count - less))
    return function(site, mean, "sqrt") if root else mean


def sum_of_squares(site: Site, x: Tensor, axes: Sequence[int], *, keepdims: bool = False) -> Tensor:
    """The sum of squares."""
    return reduce(site, function(site.step("square"), x, "square"), Reduction.SUM, axes, keepdims=keepdims)


def vector_norm(site: Site, x: Tensor, axes: Sequence[int], order: float = 2, *, keepdims: bool = False) -> Tensor:
    """The norm of the orders 1, 2 and infinity."""
    if order == 2:
        return function(site, sum_of_squares(site.step("sum"), x, axes, keepdims=keepdims), "sqrt")
    if order not in (1, math.inf):
        raise Refusal(f"norms of the order {order:g} are not offered; 1, 2 and infinity are")
    kind = Reduction.SUM if order == 1 else Reduction.MAX
    return reduce(site, function(site.step("abs"), x, "abs"), kind, axes, keepdims=keepdims)


def divergence(site: Site, mean: Tensor, log_variance: Tensor, kind: Reduction) -> Tensor:
    """From the unit normal distribution: half the sum, or mean, of m^2 + exp(v) - v - 1 (D. Kingma, M. Welling, 1312.6114)."""
    squares = function(site.step("square"), mean, "square")
    variance = function(site.step("variance"), log_variance, "exp")
    terms = subtract(site.step("terms"), add(site.step("energy"), squares, variance), log_variance)
    total = reduce(site.step(kind.value), terms, kind, [len(terms.shape) - 1], keepdims=True)
    ones = mean.shape[-1] if kind is Reduction.SUM else 1
    return scale(site, total, 0.5, -0.5 * ones)
