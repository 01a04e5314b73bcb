"""PQuantML's attention: projections, a softmax by table and sums by its weights, all between casts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nn2hls.converters.keras import pquant
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.pquant_weights import PROJECTIONS, SOFTMAX, inner, weights_of
from nn2hls.converters.lower import arith, einsum, reductions
from nn2hls.converters.lower.einsum import Equation
from nn2hls.converters.lower.quantised import Exact
from nn2hls.converters.lower.shape import reshape
from nn2hls.converters.lower.value import Refusal, Tensor, plain
from nn2hls.ops import Reduction

_WORDS = ("query", "key", "value")


def attend(layer: Layer) -> Prepared:
    """PQMultiheadAttention: the result, and the mean of the heads' weights."""
    layer.read.update(layer.config)
    size, heads = layer.integer("embed_dim"), layer.integer("num_heads")
    if heads < 1 or size % heads:
        raise Refusal(f"its {heads} heads do not divide 'embed_dim' = {size}")
    parts = {name: inner(layer, name) for name in (*PROJECTIONS, SOFTMAX)}
    projected = {name: pquant.LAYERS[parts[name].kind](parts[name]) for name in PROJECTIONS}
    weigh = pquant.softmax(parts[SOFTMAX])
    factor = float(np.float32((size // heads) ** -0.5))

    def project(site: Site, name: str, x: Tensor) -> Tensor:
        found = projected[name](site.at(name, x))
        assert isinstance(found, Tensor)
        return found

    def split(site: Site, name: str, x: Tensor) -> Tensor:
        if len(plain(x)) != 2:
            raise Refusal(f"called with a value of shape {x.shape}; places and features are expected")
        return reshape(site.step(name, "heads"), project(site, name, x), (x.shape[0], heads, size // heads))

    def lower(site: Site) -> list[Tensor]:
        for name, part in parts.items():
            part.weights = weights_of(layer, name)
        operands, added = _called(site)
        q, k, v = (split(site, name, x) for name, x in zip(PROJECTIONS, operands, strict=False))
        scores = _einsum(site.step("scores"), "bthd,bshd->bhts", q, k)
        scores = scores if factor == 1 else arith.scale(Exact(site.step("scaled")), scores, factor)
        if added is not None:
            scores = arith.add(Exact(site.step("masked")), scores, added)
        weights = weigh(site.at(SOFTMAX, scores))
        assert isinstance(weights, Tensor)
        seen = _einsum(site.step("seen"), "bhts,bshd->bthd", weights, v)
        joined = reshape(site.step("joined"), seen, (seen.shape[0], size))
        result = projected[PROJECTIONS[-1]](replace(site, operands=(joined,), keywords=("",)))
        assert isinstance(result, Tensor)
        return [result, reductions.reduce(site.step("weights"), weights, Reduction.MEAN, (0,))]

    return lower


def _einsum(site: object, equation: str, x: Tensor, y: Tensor) -> Tensor:
    return einsum.einsum(site, Equation.read(equation, [(1, *x.shape), (1, *y.shape)]), x, y)  # type: ignore[arg-type]


def _called(site: Site) -> tuple[list[Tensor], np.ndarray | None]:
    """Query, key and value, of which the last ones may be left out, and what is added to the scores."""
    tensors, added = [], None
    for operand, word in zip(site.operands, site.keywords or ("",) * len(site.operands), strict=True):
        if isinstance(operand, Tensor) and word in ("", "inputs"):
            tensors.append(operand)
        elif word == "attn_mask" and isinstance(operand, np.ndarray):
            added = _of_one(operand)
        elif word != "need_weights" or getattr(operand, "text", "") != "True":
            raise Refusal(f"called with '{word}' that is not understood; {', '.join(_WORDS)} and a constant attn_mask are")
    if not 1 <= len(tensors) <= 3:
        raise Refusal(f"called with {len(tensors)} values; {', '.join(_WORDS)} are expected")
    return [*tensors, *tensors[-1:] * (3 - len(tensors))], added


def _of_one(mask: np.ndarray) -> np.ndarray:
    """A mask (queries, keys) or (1, heads, queries, keys), without the batch."""
    if mask.ndim == 2:
        return mask
    if mask.ndim != 4 or mask.shape[0] != 1:
        raise Refusal(f"its 'attn_mask' of shape {mask.shape} must be (queries, keys) or (1, heads, queries, keys)")
    return np.asarray(mask[0])


LAYERS: Mapping[str, Entry] = {**pquant.LAYERS, "PQMultiheadAttention": attend}
