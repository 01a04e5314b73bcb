"""Values as whole numbers by the largest of each event, and sums of products with these: what dynamic quantisation computes.

Such values have no scale of the model's: each event brings its own, the largest magnitude among those that are summed. The
whole numbers and their sums are exact, and so is the product with that largest value; one factor of the model stands behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.converters.lower import activations, arith, einsum, linear
from nn2hls.converters.lower.quantised import Exact, positive
from nn2hls.converters.lower.reductions import reduce
from nn2hls.converters.lower.shape import reshape, transpose
from nn2hls.converters.lower.value import Refusal, Site, Tensor, trimmed
from nn2hls.ops import Portion, Reduction


@dataclass(frozen=True)
class Steps:
    """How a model divides the largest value of an event.

    Args:
        count: Whole numbers go from -count to count.
        rounding: Of what lies in the middle between two: RND_CONV to the even one, RND_ZERO to the one nearer to zero, as a
            scale does whose largest value was made larger by an epsilon.
    """

    count: int = 127
    rounding: Rounding = Rounding.RND_CONV


@dataclass(frozen=True)
class Weights:
    """Whole weights, the numbers that their sums are multiplied by, and what is added behind that, both as they broadcast."""

    numbers: np.ndarray
    scale: np.ndarray
    bias: np.ndarray | None = None


def whole_numbers(site: Site, x: Tensor, axes: Sequence[int], steps: Steps) -> tuple[Tensor, Tensor]:
    """x in steps of its largest magnitude along the node's ``axes``, and that, which keeps them with one element each."""
    magnitude = activations.function(site.step("magnitude"), x, "abs")
    largest = reduce(site.step("largest"), magnitude, Reduction.MAX, axes, keepdims=True)
    return _portion(site.step("whole"), x, largest, steps), largest


def _portion(site: Site, x: Tensor, size: Tensor, steps: Steps) -> Tensor:
    whole = site.emit(Portion(steps.count, steps.rounding), x, size)
    bits = steps.count.bit_length() + 1
    site.builder.give(whole.node, {"result": FixedType(bits, bits, True, Rounding.RND_CONV, Overflow.SAT_SYM)})
    return whole


def by_range(site: Site, x: Tensor, axes: Sequence[int], count: int, smallest_step: float = 0.0) -> tuple[Tensor, Tensor]:
    """x in steps of its range along the node's ``axes``, from its smallest to its largest value and zero, and that range.

    A zero point z, the smallest value in steps, makes numbers from 0 to ``count`` of these; z itself is taken off again here:
    min(round(x * count / range), count - z), halves to even. ``smallest_step``: no step is smaller.
    """
    most = arith.maximum(site.step("most"), reduce(site.step("largest"), x, Reduction.MAX, axes, keepdims=True), np.zeros(()))
    least = arith.minimum(
        site.step("least"), reduce(site.step("smallest"), x, Reduction.MIN, axes, keepdims=True), np.zeros(())
    )
    extent = arith.subtract(site.step("range"), most, least)
    if smallest_step:
        extent = activations.clip(site.step("widened"), extent, low=count * smallest_step)
    below, steps = (_portion(site.step(word), v, extent, Steps(count)) for word, v in (("below", least), ("steps", x)))
    top = arith.scale(site.step("top"), below, 1.0, float(count))
    return arith.minimum(site.step("whole"), steps, top), extent


def dense(site: Site, x: Tensor, weights: Weights, steps: Steps) -> Tensor:
    """Sums of products over the last axis, whose ``numbers`` are (n_in, n_out)."""
    if not x.free:
        raise Refusal("it sums over the batch")
    whole, largest = whole_numbers(site, x, (len(x.shape) - 1,), steps)
    total = linear.dense(Exact(site.step("product")), whole, weights.numbers)
    return scaled(site, total, largest, weights, steps.count)


def scaled_dense(site: Site, x: Tensor, weights: Weights) -> Tensor:
    """The same of values as they are."""
    positive(weights.scale)
    total = linear.dense(Exact(site.step("product")), x, weights.numbers)
    return arith.scale(site, total, weights.scale, _offset(weights))


def einsum_constant(site: Site, equation: einsum.Equation, x: Tensor, weights: Weights, steps: Steps) -> Tensor:
    """A tensor, the first operand of the equation, and whole weights; what is summed into a result has one largest value."""
    letters, out = equation.operands[0][1:], equation.result[1:]
    summed = [k for k, c in enumerate(letters) if c not in out]
    whole, largest = whole_numbers(site, x, summed, steps)
    total = einsum.einsum_constant(Exact(site.step("product")), equation, whole, weights.numbers)
    return scaled(site, total, _along(site, largest, letters, out), weights, steps.count)


def _along(site: Site, largest: Tensor, letters: str, out: str) -> Tensor:
    """The largest values where the results stand that they belong to; axes that only the weights have get one element."""
    kept = [c for c in letters if c in out]
    sizes = {c: n for c, n in zip(letters, largest.shape, strict=True) if c in kept}
    flat = reshape(site.step("largest_flat"), largest, tuple(sizes[c] for c in kept))
    turned = transpose(site.step("largest_turned"), flat, [kept.index(c) for c in out if c in kept])
    return reshape(site.step("largest_spread"), turned, tuple(sizes.get(c, 1) for c in out))


def scaled(site: Site, total: Tensor, size: Tensor, weights: Weights, count: int) -> Tensor:
    """Sums of products of these weights with numbers of steps, ``count`` of which are the size, as values."""
    positive(weights.scale)
    sized = arith.multiply(site.step("sized"), total, size)
    return arith.scale(site, sized, weights.scale / count, _offset(weights))


def _offset(weights: Weights) -> np.ndarray:
    return np.zeros(()) if weights.bias is None else trimmed(weights.bias)
