"""Keras operations that sum, average or compare over axes."""

from __future__ import annotations

from collections.abc import Sequence

from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import over_axes, reductions
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.ops import Reduction


def _axes(layer: Layer) -> tuple[tuple[int, ...], bool]:
    if layer.value("axis") is None:
        raise Refusal("it works along all axes, the batch among them; name the axes, such as axis=1")
    return layer.integers("axis"), layer.flag("keepdims", False)


def _over(kind: Reduction) -> Entry:
    def entry(layer: Layer) -> Prepared:
        axes, keepdims = _axes(layer)
        if layer.value("initial") is not None:
            raise Refusal("'initial' is not supported")

        def lower(site: Site) -> Tensor:
            return reductions.reduce(site, site.tensor, kind, site.tensor.axes(axes), keepdims=keepdims)

        return lower

    return entry


def _spread(*, root: bool) -> Entry:
    def entry(layer: Layer) -> Prepared:
        axes, keepdims = _axes(layer)
        return lambda site: reductions.variance(site, site.tensor, site.tensor.axes(axes), keepdims=keepdims, root=root)

    return entry


def _norm(layer: Layer) -> Prepared:
    axes, keepdims = _axes(layer)
    order = layer.value("ord", default=2)
    if not isinstance(order, (int, float)):
        raise Refusal(f"'ord' = {order!r} is not offered; 1 and 2 are")
    return lambda site: reductions.vector_norm(site, site.tensor, site.tensor.axes(axes), order, keepdims=keepdims)


def _moments(layer: Layer) -> Prepared:
    """Mean and variance."""
    axes, keepdims = layer.integers("axes"), layer.flag("keepdims", False)
    if layer.flag("synchronized", False):
        raise Refusal("'synchronized' is not supported; an event has statistics of its own")

    def lower(site: Site) -> Sequence[Tensor]:
        x = site.tensor
        over = x.axes(axes)
        mean = reductions.reduce(site, x, Reduction.MEAN, over, keepdims=keepdims)
        return [mean, reductions.variance(site.step("variance"), x, over, keepdims=keepdims)]

    return lower


def _log_sum_exp(layer: Layer) -> Prepared:
    axes, keepdims = _axes(layer)
    return lambda site: over_axes.log_sum_exp(site, site.tensor, site.tensor.axes(axes), keepdims=keepdims)


def _running_sum(layer: Layer) -> Prepared:
    if layer.value("axis") is None:
        raise Refusal("it works along all axes, the batch among them; name the axis, such as axis=1")
    axes = layer.integers("axis")
    return lambda site: over_axes.running_sum(site, site.tensor, site.tensor.axes(axes)[0])


OPERATIONS: dict[str, Entry] = {
    **dict.fromkeys(("Amax", "Max"), _over(Reduction.MAX)),
    **dict.fromkeys(("Amin", "Min"), _over(Reduction.MIN)),
    "Average": _over(Reduction.MEAN),
    "Cumsum": _running_sum,
    "Logsumexp": _log_sum_exp,
    "Mean": _over(Reduction.MEAN),
    "Moments": _moments,
    "Norm": _norm,
    "Prod": _over(Reduction.PROD),
    "Std": _spread(root=True),
    "Sum": _over(Reduction.SUM),
    "Var": _spread(root=False),
}
