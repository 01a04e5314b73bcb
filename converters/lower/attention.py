"""Attention: weights by the likeness of queries and keys, and sums of values by these weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.converters.lower import each_event
from nn2hls.converters.lower.activations import function, softmax
from nn2hls.converters.lower.arith import add, multiply
from nn2hls.converters.lower.each_event import Steps, Weights, scaled_dense
from nn2hls.converters.lower.einsum import matmul_tensors
from nn2hls.converters.lower.layout import permute
from nn2hls.converters.lower.linear import dense
from nn2hls.converters.lower.moves import hide, repeat
from nn2hls.converters.lower.reductions import reduce
from nn2hls.converters.lower.shape import reshape, transpose, unsqueeze
from nn2hls.converters.lower.value import Refusal, Site, Tensor, plain
from nn2hls.ops import Reduction


@dataclass(frozen=True)
class Projection:
    """A matrix (n_in, heads, size) to heads, or (heads, size, n_out) from them, and its bias, which may be missing.

    Whole weights have a scale for each result; with ``steps`` the values that they meet become whole numbers, too.
    """

    kernel: np.ndarray
    bias: np.ndarray | None = None
    scale: np.ndarray | None = None
    steps: Steps | None = None

    def of(self, site: Site, x: Tensor, n_in: int) -> Tensor:
        """(.., n_in) as (.., results)."""
        matrix = self.kernel.reshape(n_in, -1)
        bias = None if self.bias is None else self.bias.reshape(-1)
        if self.scale is None:
            return dense(site, x, matrix, bias)
        weights = Weights(matrix, self.scale.reshape(-1), bias)
        return scaled_dense(site, x, weights) if self.steps is None else each_event.dense(site, x, weights, self.steps)


PLACES = "its queries, keys and values need an axis of places and one of features"


def attention(
    site: Site,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    factor: float | None = None,
    mask: np.ndarray | None = None,
    causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """softmax(factor * query @ key.T + mask) @ value over the last two axes, and how much each key counts for each query.

    Args:
        site: Where it goes.
        query, key, value: (.., queries, size), (.., keys, size); axes before the last two are heads, of equal number.
        factor: 1 / sqrt(size) if it is left out.
        mask: What is added, or true where a key counts; it broadcasts to (.., queries, keys).
        causal: A query does not see keys behind its own place.

    Returns:
        (.., queries, size), and the weights (.., queries, keys).
    """
    if min(len(query.free), len(key.free), len(value.free)) < 2:
        raise Refusal(PLACES)
    factor = 1 / math.sqrt(query.shape[-1]) if factor is None else factor
    scaled = multiply(site.step("scaled"), query, np.asarray(factor))
    order = [*range(key.rank - 2), key.rank - 1, key.rank - 2]
    scores = matmul_tensors(site.step("scores"), scaled, permute(site.step("keys"), key, order))
    weights = softmax(site.step("weights"), _seen(site, scores, mask, causal=causal), len(scores.shape) - 1)
    return matmul_tensors(site, weights, value), weights


def _seen(site: Site, scores: Tensor, mask: np.ndarray | None, *, causal: bool) -> Tensor:
    """The scores behind the masks."""
    if causal:
        scores = hide(scores, ~np.tril(np.ones(scores.shape[-2:], dtype=bool)))
    if mask is None:
        return scores
    if mask.dtype == bool:
        return hide(scores, ~mask)
    hidden = scores.hidden
    added = add(site.step("masked"), replace(scores, hidden=None), mask)
    return added if hidden is None else hide(added, hidden)


def multi_head_attention(
    site: Site,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    projections: tuple[Projection, Projection, Projection, Projection],
    *,
    axes: Sequence[int] | None = None,
    gate: Projection | None = None,
    factor: float | None = None,
    mask: np.ndarray | None = None,
    causal: bool = False,
) -> list[Tensor]:
    """Attention of several heads, and its weights: (places, n_in) projected to heads and back.

    Args:
        site: Where it goes.
        query, key, value: Of one rank; keys and values may have fewer heads.
        projections: Of the three, and back: (heads, size, *features of the result).
        axes: Which of the node's axes are places, taken as one; all but the last if they are left out. The others
            are apart from each other, as events are.
        gate: A projection of the query whose sigmoid multiplies what the heads see.
        factor, mask, causal: As in :func:`attention`.
    """
    of_query, of_key, of_value, back = projections
    heads, places = of_query.kernel.shape[1], tuple(range(len(plain(query)) - 1)) if axes is None else tuple(axes)
    flat = [_arranged(site.step(f"{word}_places"), x, places) for word, x in zip(WORDS, (query, key, value), strict=True)]
    inner = [
        _heads(site.step(word), x, each, heads) for word, x, each in zip(WORDS, flat, (of_query, of_key, of_value), strict=True)
    ]
    step = site.step("attention")
    seen, weights = attention(step, inner[0], inner[1], inner[2], factor=factor, mask=mask, causal=causal)
    if gate is not None:
        opened = function(site.step("gate_sigmoid"), _heads(site.step("gate"), flat[0], gate, heads), "sigmoid")
        seen = multiply(site.step("gated"), seen, opened)
    apart = len(seen.shape) - 3
    turned = transpose(site.step("places"), seen, (*range(apart), apart + 1, apart, apart + 2))
    rest, size = turned.shape[: apart + 1], turned.shape[apart + 1 :]
    joined = reshape(site.step("joined"), turned, (*rest, math.prod(size)))
    return [_back(site, joined, back, query, places), _spread(site, weights, query, key, places)]


WORDS = ("query", "key", "value")


def _arranged(site: Site, x: Tensor, places: Sequence[int]) -> Tensor:
    """x as (axes that are no places, all places, features)."""
    rank = len(plain(x))
    if rank < 2 or not places or not all(0 <= k < rank - 1 for k in places) or len(set(places)) < len(places):
        raise Refusal(f"its places along the axes {tuple(places)} are not those of {x.shape}")
    apart = [k for k in range(rank - 1) if k not in places]
    turned = transpose(site, x, [*apart, *places, rank - 1])
    return reshape(site.step("flat"), turned, (*turned.shape[: len(apart)], math.prod(x.shape[k] for k in places), x.shape[-1]))


def _back(site: Site, joined: Tensor, back: Projection, query: Tensor, places: Sequence[int]) -> Tensor:
    """The heads as features of the result, places where those of the query stand."""
    size, rank = back.kernel.shape[2:], len(query.shape)
    apart = [k for k in range(rank - 1) if k not in places]
    given = [*apart, *places]
    split = (*(query.shape[k] for k in given), *size)
    sorted_ = given == sorted(given)
    same = len(size) == 1 and split == (*joined.shape[:-1], *size)
    product = back.of(site if same and sorted_ else site.step("product"), joined, joined.shape[-1])
    wide = reshape(site if sorted_ else site.step("features"), product, split)
    return transpose(site, wide, [*(given.index(k) for k in range(rank - 1)), *range(rank - 1, len(split))])


def _spread(site: Site, weights: Tensor, query: Tensor, key: Tensor, places: Sequence[int]) -> Tensor:
    """Weights (.., heads, places, places) with each axis of the places on its own."""
    sizes = [x.shape[k] for x in (query, key) for k in places]
    return reshape(site.step("weights_split"), weights, (*weights.shape[:-2], *sizes))


def _heads(site: Site, x: Tensor, projection: Projection, heads: int) -> Tensor:
    """(.., places, n_in) as (.., heads, places, size)."""
    kernel = projection.kernel
    if kernel.ndim != 3 or x.shape[-1] != kernel.shape[0] or heads % kernel.shape[1]:
        raise Refusal(f"its projection of shape {kernel.shape} does not fit {x.shape} and {heads} heads")
    apart = len(x.shape) - 2
    flat = projection.of(site, x, kernel.shape[0])
    split = reshape(site.step("split"), flat, (*x.shape[:-1], *kernel.shape[1:]))
    turned = transpose(site.step("heads"), split, (*range(apart), apart + 1, apart, apart + 2))
    return turned if kernel.shape[1] == heads else repeat(site.step("shared"), turned, [heads // kernel.shape[1]], apart)


def additive_attention(
    site: Site,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: np.ndarray | None = None,
    *,
    inner: float | None = None,
    mask: np.ndarray | None = None,
    causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """Bahdanau's attention, and its weights: scores are sums of scale * tanh(inner * (query + key)) over the features."""
    if len(plain(query)) != 2 or len(plain(key)) != 2 or len(plain(value)) != 2:
        raise Refusal(PLACES)
    rows, columns = unsqueeze(site.step("queries"), query, 1), unsqueeze(site.step("keys"), key, 0)
    total = add(site.step("sum"), rows, columns)
    total = total if inner is None else multiply(site.step("stretched"), total, np.asarray(inner))
    close = function(site.step("tanh"), total, "tanh")
    scaled = close if scale is None else multiply(site.step("scaled"), close, scale)
    scores = reduce(site.step("scores"), scaled, Reduction.SUM, (2,))
    weights = softmax(site.step("weights"), _seen(site, scores, mask, causal=causal), 1)
    return matmul_tensors(site, weights, value), weights
