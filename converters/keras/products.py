"""Keras layers and operations that multiply matrices: EinsumDense, Dot, and keras.ops.matmul and einsum."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.keras import activations
from nn2hls.converters.keras.emit import Entry, Prepared, Site, per_event
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import einsum
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
    axes = layer.integers("axes")
    if layer.flag("normalize", False):
        raise Refusal("'normalize' is not supported")

    def lower(site: Site) -> Tensor:
        if len(site.tensors) != 2 or len(axes) not in (1, 2):
            raise Refusal(f"it needs two operands and one or two axes, not {len(site.tensors)} and {list(axes)}")
        x, y = site.tensors
        return einsum.dot(site, x, y, (x.axis(axes[0]), y.axis(axes[-1])))

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
    """Two tensors, or one and a constant."""
    text = layer.value("subscripts")
    if not isinstance(text, str):
        raise Refusal(f"'subscripts' = {text!r:.80} is no equation")

    def lower(site: Site) -> Tensor:
        x, y = _pair(site)
        shapes = [(1, *plain(o)) if isinstance(o, Tensor) else o.shape for o in (x, y)]
        equation = einsum.Equation.read(text, shapes)
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            return einsum.einsum(site, equation, x, y)
        if not isinstance(x, Tensor):
            equation, x, y = einsum.Equation(equation.operands[::-1], equation.result), y, x
        if not isinstance(x, Tensor) or isinstance(y, Tensor):
            raise Refusal("neither of its operands depends on the input")
        return einsum.einsum_constant(site, equation, x, y)

    return lower


LAYERS: dict[str, Entry] = {"Dot": dot, "EinsumDense": einsum_dense}
OPERATIONS: dict[str, Entry] = {"Einsum": einstein, "Matmul": matmul}
