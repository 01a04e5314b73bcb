"""Layers of products whose kernel is whole numbers, or a few values, times a scale that stands behind their sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn2hls.converters.keras.emit import Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import arith
from nn2hls.converters.lower.value import Tensor


def scaled_product(
    site: Site, inner: Layer, prepared: Prepared, arrays: dict[str, np.ndarray], scale: np.ndarray | None
) -> Tensor:
    """The products of ``inner`` with these weights, then a scale, where there is one, and its bias.

    Args:
        site: Where the result goes.
        inner: The layer without its activation.
        prepared: What it makes of a site.
        arrays: Its weights, those that stand before the scale.
        scale: A number, or what broadcasts to the result; None where the kernel holds it.
    """
    inner.weights = dict(arrays)
    if scale is None:
        return prepared(site)  # type: ignore[return-value]
    bias = inner.weights.pop("bias", np.zeros(1))
    x = prepared(replace(site, main=site.names.derived(f"{site.main}_product"), last=False))
    assert isinstance(x, Tensor)
    return arith.scale(replace(site, exact=False), x, scale, bias)
