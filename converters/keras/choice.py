"""Keras operations that choose by values: the largest elements, their places, rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import choice
from nn2hls.converters.lower.value import Refusal, Tensor


def embedding(layer: Layer) -> Prepared:
    """Rows of the trained table."""
    if layer.flag("mask_zero", False):
        raise Refusal("'mask_zero' is not supported: a mask that depends on the input")
    return lambda site: choice.embedding(site, site.tensor, layer.weights["embeddings"])


def _extreme(*, smallest: bool) -> Entry:
    def entry(layer: Layer) -> Prepared:
        if layer.value("axis") is None:
            raise Refusal("it works along all axes, the batch among them; name the axis, such as axis=1")
        axis, keepdims = layer.integer("axis"), layer.flag("keepdims", False)

        def lower(site: Site) -> Tensor:
            x = site.tensor
            return choice.place_of_extreme(site, x, x.axis(axis), keepdims=keepdims, smallest=smallest)

        return lower

    return entry


def _top(layer: Layer) -> Prepared:
    """Along the last axis."""
    count = layer.integer("k")

    def lower(site: Site) -> Sequence[Tensor]:
        return choice.top(site, site.tensor, count, site.tensor.axis(-1))

    return lower


def _sort(layer: Layer) -> Prepared:
    axis = layer.integer("axis", -1)
    return lambda site: choice.sort(site, site.tensor, site.tensor.axis(axis))[0]


LAYERS: dict[str, Entry] = {"Embedding": embedding}
OPERATIONS: dict[str, Entry] = {
    "Argmax": _extreme(smallest=False),
    "Argmin": _extreme(smallest=True),
    "Sort": _sort,
    "TopK": _top,
}
