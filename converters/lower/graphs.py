"""Layers over the vertices of a graph, of which each event has the same number: (vertices, features).

Distance-weighted layers: S. Qasim, J. Kieseler, Y. Iiyama and M. Pierini, "Learning representations of irregular
particle-detector geometry with distance-weighted graph networks" (Eur. Phys. J. C 79, 608, 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn2hls.converters.lower import arith, choice, chosen, reductions
from nn2hls.converters.lower.activations import function
from nn2hls.converters.lower.linear import dense
from nn2hls.converters.lower.moves import slice_
from nn2hls.converters.lower.shape import concatenate, move, reshape, transpose
from nn2hls.converters.lower.value import Refusal, Site, Tensor, plain
from nn2hls.ops import MatMul, Merge, Reduction, Steps
from nn2hls.ops.places import EMPTY


@dataclass(frozen=True)
class Affine:
    """x @ kernel (n_in, n_out) + bias (n_out,)."""

    kernel: np.ndarray
    bias: np.ndarray | None

    def at(self, site: Site, x: Tensor) -> Tensor:
        """Of the last axis of a tensor."""
        return dense(site, x, self.kernel, self.bias)


def squared_distances(site: Site, x: Tensor) -> Tensor:
    """Of every two rows of (n, d) the sum of squared differences, (n, n); each pair is computed once.

    It is rounded once, so that distances which differ by more than a step stay in their order.
    """
    n, d = _vertices(x)
    first, second = np.triu_indices(n, 1)
    if not len(first):
        raise Refusal("a single vertex has no neighbours")
    pair = np.full((n, n), EMPTY)
    pair[first, second] = pair[second, first] = np.arange(len(first))
    one, other = (move(site.step(w), lambda index, k=k: index[k], x) for w, k in (("one", first), ("other", second)))
    apart = arith.subtract(site.step("difference"), one, other)
    rows, columns = (
        reshape(site.step(w), apart, s) for w, s in (("rows", (len(first), 1, d)), ("columns", (len(first), d, 1)))
    )
    squares = site.step("pairs").emit(MatMul(), rows, columns)
    return move(site, lambda index: np.where(pair == EMPTY, EMPTY, index.reshape(-1)[pair]), squares)


def nearest(site: Site, distances: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The distances to the ``count`` nearest vertices but for the very nearest, the vertex itself, and their numbers.

    Of vertices that are equally far the first comes first.
    """
    n, _ = _vertices(distances)
    if not 2 <= count <= n:
        raise Refusal(f"it has {count} neighbours, the vertex itself counted; of {n} vertices 2 to {n} are")
    found = choice.top(site.step("nearest"), distances, count, 1, smallest=True)
    away, numbers = (slice_(site.step(w), x, [slice(None), slice(1, None)]) for w, x in zip(_WORDS, found, strict=True))
    return away, numbers


_WORDS = ("distances", "neighbours")


def gravnet(site: Site, x: Tensor, features: Tensor, coordinates: Tensor, count: int, steepness: float = 10.0) -> Tensor:
    """x, and of the features of its neighbours, times exp(-steepness * squared distance), the largest and the mean.

    Args:
        site, x: (n, features).
        features: What is handed on, (n, propagated).
        coordinates: In which distances are measured, (n, d).
        count: Neighbours, the vertex itself, which counts as the first of them, included.
        steepness: Of the potential.
    """
    n, width = _vertices(features)
    away, numbers = nearest(site, squared_distances(site.step("squared"), coordinates), count)
    rows = reshape(site.step("rows"), features, (1, n, width))
    picked = reshape(site.step("picked"), numbers, (n, count - 1, 1))
    gathered = chosen.take_at(site.step("gathered"), rows, picked, 1)
    potential = function(site.step("potential"), arith.scale(site.step("exponent"), away, -steepness), "exp")
    weights = reshape(site.step("weights"), potential, (n, count - 1, 1))
    weighted = arith.multiply(site.step("weighted"), gathered, weights)
    largest, mean = (reductions.reduce(site.step(k.value), weighted, k, [1]) for k in (Reduction.MAX, Reduction.MEAN))
    return concatenate(site, [x, largest, mean], 1)


@dataclass(frozen=True)
class Vertices:
    """How many of the vertices there are in an event.

    Args:
        mask: (n, 1), 1 for those; None: all.
        count: Their number, (1,); None: all.
    """

    mask: Tensor | None = None
    count: Tensor | None = None

    @classmethod
    def counted(cls, site: Site, number: Tensor, n: int) -> Vertices:
        """The first ``number`` of n vertices."""
        (size,) = plain(number) if len(plain(number)) == 1 else (0,)
        if size != 1:
            raise Refusal(f"the number of its vertices has the shape {number.shape} and must be one value an event")
        left = arith.add(site.step("left"), number, -np.arange(1.0, n + 1))
        mask = site.step("mask").emit(Steps.of([0.0], [0.0, 1.0]), left)
        return cls(reshape(site.step("present"), mask, (n, 1)), number)

    def masked(self, site: Site, x: Tensor) -> Tensor:
        """x with zeros at the vertices that are not there."""
        return x if self.mask is None else arith.multiply(site, x, self.mask)

    def mean(self, site: Site, total: Tensor, n: int) -> Tensor:
        """A sum over vertices by how many there are, or by ``n`` where that is not asked."""
        if self.count is None:
            return arith.scale(site, total, 1 / n)
        return arith.divide(site, total, reshape(site.step("count"), self.count, (1,) * len(total.shape)))


def potential(site: Site, distance: Tensor, vertices: Vertices) -> Tensor:
    """exp(-distance^2), zero for vertices that are not there."""
    square = function(site.step("square"), distance, "square")
    exponent = arith.scale(site.step("exponent"), square, -1.0)
    near = function(site.step("" if vertices.mask is None else "near"), exponent, "exp")
    return vertices.masked(site, near)


def garnet_simplified(site: Site, features: Tensor, weights: Tensor, vertices: Vertices) -> Tensor:
    """Means of features (n, f) by weights (n, s) of aggregators, given back with the same weights: (n, s * f)."""
    (n, f), (_, s) = _vertices(features), _vertices(weights)
    turned = transpose(site.step("turned"), weights, (1, 0))
    total = site.step("total").emit(MatMul(), turned, features)
    mean = vertices.mean(site.step("mean"), total, n)
    back = _outer(site.step("back"), weights, mean)
    return reshape(site, back, (n, s * f))


def garnet(site: Site, x: Tensor, features: Tensor, weights: Tensor) -> Tensor:
    """The same with the largest beside the mean, and the weights beside the features: x, what comes back, and the weights."""
    both = concatenate(site.step("both"), [features, weights], 1)
    (n, f), (_, s) = _vertices(both), _vertices(weights)
    turned = transpose(site.step("turned"), weights, (1, 0))
    sent = arith.merge(
        site.step("sent"),
        Merge.MUL,
        [reshape(site.step("edges"), turned, (s, n, 1)), reshape(site.step("rows"), both, (1, n, f))],
    )
    found = [reductions.reduce(site.step(k.value), sent, k, [1]) for k in (Reduction.MAX, Reduction.MEAN)]
    back = _outer(site.step("back"), weights, concatenate(site.step("aggregated"), found, 1))
    return concatenate(site, [x, reshape(site.step("flat"), back, (n, s * 2 * f)), weights], 1)


def _outer(site: Site, weights: Tensor, rows: Tensor) -> Tensor:
    """Of weights (n, s) and rows (s, f) all products, (n, s, f)."""
    (n, s), (_, f) = weights.shape, rows.shape
    edges, values = reshape(site.step("edges"), weights, (n, s, 1)), reshape(site.step("rows"), rows, (1, s, f))
    return arith.merge(site, Merge.MUL, [edges, values])


def _vertices(x: Tensor) -> tuple[int, int]:
    """(vertices, features)."""
    shape = plain(x)
    if len(shape) != 2:
        raise Refusal(f"its operand has the shape {shape}; (vertices, features) is expected")
    return shape[0], shape[1]
