"""Attention: weights by the likeness of queries and keys, and sums of values by these weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.converters.lower.activations import function, softmax
from nn2hls.converters.lower.arith import add, multiply
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
    """A matrix (n_in, heads, size) to heads, or (heads, size, n_out) from them, and its bias, which may be missing."""

    kernel: np.ndarray
    bias: np.ndarray | None = None


def attention(
    site: Site,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    factor: float | None = None,
    mask: np.ndarray | None = None,
    causal: bool = False,
) -> Tensor:
    """softmax(factor * query @ key.T + mask) @ value over the last two axes: (.., queries, size), (.., keys, size).

    Args:
        site: Where it goes.
        query, key, value: Axes before the last two are heads, of equal number.
        factor: 1 / sqrt(size) if it is left out.
        mask: What is added, or true where a key counts; it broadcasts to (.., queries, keys).
        causal: A query does not see keys behind its own place.
    """
    if min(len(query.free), len(key.free), len(value.free)) < 2:
        raise Refusal("its queries, keys and values need an axis of places and one of features")
    factor = 1 / math.sqrt(query.shape[-1]) if factor is None else factor
    scaled = multiply(site.step("scaled"), query, np.asarray(factor))
    order = [*range(key.rank - 2), key.rank - 1, key.rank - 2]
    scores = matmul_tensors(site.step("scores"), scaled, permute(site.step("keys"), key, order))
    weights = softmax(site.step("weights"), _seen(site, scores, mask, causal=causal), len(scores.shape) - 1)
    return matmul_tensors(site, weights, value)


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
    factor: float | None = None,
    mask: np.ndarray | None = None,
    causal: bool = False,
) -> Tensor:
    """Attention of several heads: (places, n_in) projected to heads and back; keys and values may have fewer of them."""
    of_query, of_key, of_value, back = projections
    heads = of_query.kernel.shape[1]
    inner = [
        _heads(site.step(word), x, each, heads)
        for word, x, each in (("query", query, of_query), ("key", key, of_key), ("value", value, of_value))
    ]
    seen = attention(site.step("attention"), inner[0], inner[1], inner[2], factor=factor, mask=mask, causal=causal)
    turned = transpose(site.step("places"), seen, (1, 0, 2))
    flat = reshape(site.step("joined"), turned, (turned.shape[0], turned.shape[1] * turned.shape[2]))
    return dense(site, flat, back.kernel.reshape(-1, back.kernel.shape[-1]), back.bias)


def _heads(site: Site, x: Tensor, projection: Projection, heads: int) -> Tensor:
    """(places, n_in) as (heads, places, size)."""
    kernel, bias = projection.kernel, projection.bias
    if len(plain(x)) != 2 or kernel.ndim != 3 or x.shape[-1] != kernel.shape[0] or heads % kernel.shape[1]:
        raise Refusal(f"its projection of shape {kernel.shape} does not fit {x.shape} and {heads} heads")
    flat = dense(site, x, kernel.reshape(kernel.shape[0], -1), None if bias is None else bias.reshape(-1))
    split = reshape(site.step("split"), flat, (x.shape[0], *kernel.shape[1:]))
    turned = transpose(site.step("heads"), split, (1, 0, 2))
    return turned if kernel.shape[1] == heads else repeat(site.step("shared"), turned, [heads // kernel.shape[1]], 0)


def additive_attention(
    site: Site, query: Tensor, key: Tensor, value: Tensor, scale: np.ndarray | None = None, *, causal: bool = False
) -> Tensor:
    """Bahdanau's attention: scores are the sums of scale * tanh(query + key) over the features."""
    if len(plain(query)) != 2 or len(plain(key)) != 2:
        raise Refusal("its queries and keys need an axis of places and one of features")
    rows, columns = unsqueeze(site.step("queries"), query, 1), unsqueeze(site.step("keys"), key, 0)
    likeness = function(site.step("tanh"), add(site.step("sum"), rows, columns), "tanh")
    scaled = likeness if scale is None else multiply(site.step("scaled"), likeness, scale)
    scores = reduce(site.step("scores"), scaled, Reduction.SUM, (2,))
    weights = softmax(site.step("weights"), _seen(site, scores, None, causal=causal), 1)
    return matmul_tensors(site, weights, value)
