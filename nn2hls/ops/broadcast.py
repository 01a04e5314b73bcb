"""NumPy's broadcasting of tensors without their batch axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape


def common_shape(shapes: Sequence[Shape], where: str) -> Shape:
    """The shape of what is computed element by element.

    Raises:
        ModelError: There is none.
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ModelError(f"Shapes {', '.join(map(str, shapes))} do not broadcast.", where=where) from None


def fits(constant: Shape, shape: Shape) -> bool:
    """Whether a constant has one value for each element of a tensor, or for several of them."""
    try:
        return np.broadcast_shapes(shape, constant) == shape
    except ValueError:
        return False


def aligned(xs: Sequence[Any]) -> list[Any]:
    """Arrays with a batch axis, of equal rank: missing axes are put behind the batch axis."""
    rank = max(x.ndim for x in xs)
    return [x if x.ndim == rank else x.reshape(x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:]) for x in xs]
