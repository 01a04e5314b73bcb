"""What is chosen by the values themselves: the largest elements, their places, and rows of a table."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.lower.moves import slice_
from nn2hls.converters.lower.value import Refusal, Site, Tensor, const, plain
from nn2hls.ops import Embedding, TopK


def top(site: Site, x: Tensor, count: int, axis: int, *, smallest: bool = False) -> list[Tensor]:
    """The ``count`` largest elements along an axis in falling order, and their places; or the smallest in rising order."""
    size = plain(x)[axis]
    if not 1 <= count <= size:
        raise Refusal(f"it takes {count} of {size} elements")
    values = site.emit(TopK(axis, count, False, smallest), x)
    return [values, site.step("places").emit(TopK(axis, count, True, smallest), x)]


def sort(site: Site, x: Tensor, axis: int, *, descending: bool = False) -> list[Tensor]:
    """All elements along an axis in order, and the places where they stood."""
    return top(site, x, plain(x)[axis], axis, smallest=not descending)


def place_of_extreme(site: Site, x: Tensor, axis: int, *, keepdims: bool = False, smallest: bool = False) -> Tensor:
    """The place of the largest, or of the smallest, element along an axis; of equal ones the first."""
    plain(x)
    found = (site if keepdims else site.step("place")).emit(TopK(axis, 1, True, smallest), x)
    return found if keepdims else slice_(site, found, [*[slice(None)] * axis, 0])


def embedding(site: Site, x: Tensor, table: np.ndarray) -> Tensor:
    """Rows of a table (rows, width), by their numbers."""
    plain(x)
    if table.ndim != 2:
        raise Refusal(f"its table of shape {table.shape} has no rows")
    return site.emit(Embedding(const(table)), x)
