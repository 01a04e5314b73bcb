"""Keras layers and operations that multiply matrices: EinsumDense, Dot, and keras.ops.matmul and einsum."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.keras import activations
from nn2hls.converters.keras.emit import Entry, Prepared, Site, per_event
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import contract, einsum, norm
from nn2hls.converters.lower.value import Operand, Refusal, Tensor, plain


def einsum_dense(layer: Layer) -> Prepared:
    """A Dense layer by an equation, then its activation."""
    function, text = activations.activation(layer), layer.value("equation")
    if not isinstance(text, str):
        raise Refusal(f"'equation' = {text!r:.80} is no equation")

    def lower(site: Site) -> Tensor:
        kernel = layer.weights["kernel"]
        equation = einsum.Equation.read(text, [(1, *plain(site.tensor)), kernel.shape])
        return einsum.einsum_constant(site, equation, site.tensor, kernel, layer.weights.get("bias"))

    return lambda site: site.then(function, lower)


def dot(layer: Layer) -> Prepared:
    """Products summed over an axis of each of two operands."""
    axes, unit = layer.integers("axes"), layer.flag("normalize", False)

    def lower(site: Site) -> Tensor:
        if len(site.tensors) != 2 or len(axes) not in (1, 2):
            raise Refusal(f"it needs two operands and one or two axes, not {len(site.tensors)} and {list(axes)}")
        x, y = site.tensors
        places = x.axis(axes[0]), y.axis(axes[-1])
        if unit:
            x, y = norm.unit_norm(site.step("unit"), x, places[:1]), norm.unit_norm(site.step("unit"), y, places[1:])
        return einsum.dot(site, x, y, places)

    return lower


def _pair(site: Site) -> tuple[Operand, Operand]:
    found = [o for o in site.operands if isinstance(o, Tensor | np.ndarray)]
    if len(found) != 2 or len(site.operands) != 2:
        raise Refusal("it needs two operands, values of the network or constants")
    return found[0], found[1]


def matmul(layer: Layer) -> Prepared:
    """x @ y, one of which may be a constant."""

    def lower(site: Site) -> Tensor:
        x, y = _pair(site)
        rank = next(o.rank for o in (x, y) if isinstance(o, Tensor))
        one, other = (per_event(o, rank) if isinstance(o, np.ndarray) and o.ndim >= rank else o for o in (x, y))
        if isinstance(one, np.ndarray) and rank < 3:
            raise Refusal("a constant matrix on the left mixes the batch; put it on the right")
        return einsum.matmul(site, one, other)

    return lower


def einstein(layer: Layer) -> Prepared:
    """Tensors and constants."""
    text = layer.value("subscripts")
    if not isinstance(text, str):
        raise Refusal(f"'subscripts' = {text!r:.80} is no equation")

    def lower(site: Site) -> Tensor:
        operands = [o for o in site.operands if isinstance(o, Tensor | np.ndarray)]
        if len(operands) != len(site.operands):
            raise Refusal("its operands must be values of the network, or constants")
        return contract.contract(site, text, operands)

    return lower


def tensordot(layer: Layer) -> Prepared:
    """A tensor and a constant, over so many axes or over pairs of them."""
    axes = layer.value("axes", default=2)
    pair = isinstance(axes, (list, tuple)) and len(axes) == 2
    ends = [list(np.atleast_1d(a)) for a in axes] if pair else []
    if not pair and (isinstance(axes, bool) or not isinstance(axes, int) or axes < 1):
        raise Refusal(f"'axes' = {axes!r:.80} is neither a number nor two lists of axes")

    def lower(site: Site) -> Tensor:
        x, y = _pair(site)
        left, right = ends or ([k - axes for k in range(axes)], list(range(axes)))
        return contract.tensordot(site, x, y, ([int(k) for k in left], [int(k) for k in right]))

    return lower


def _last_with(place: int) -> Entry:
    """Sums over the last axis of the first operand and an axis of the second."""

    def entry(layer: Layer) -> Prepared:
        def lower(site: Site) -> Tensor:
            x, y = _pair(site)
            rank = y.rank if isinstance(y, Tensor) else y.ndim
            return contract.tensordot(site, x, y, ([-1], [max(place, -rank)]))

        return lower

    return entry


LAYERS: dict[str, Entry] = {"Dot": dot, "EinsumDense": einsum_dense}
OPERATIONS: dict[str, Entry] = {
    "Dot": _last_with(-2),
    "Einsum": einstein,
    "Inner": _last_with(-1),
    "Matmul": matmul,
    "Tensordot": tensordot,
}
