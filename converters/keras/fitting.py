"""Layers of quantising packages compute with the arrays of a file before any op checks these: what does not fit is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower.value import Refusal
from nn2hls.guard import shortened
from nn2hls.known_layers import QUANTISED_LAYERS

_WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def fitting(layer: Layer) -> Iterator[None]:
    """While a layer is read: values of a kind, and arrays of a shape, that its package never writes are a refusal.

    Layers of Keras itself are not meant: their ops say what is wrong with their shapes.
    """
    try:
        yield
    except _WRONG as error:
        if not (layer.of_package or layer.kind in QUANTISED_LAYERS):
            raise
        shapes = ", ".join(f"{name} {array.shape}" for name, array in list(layer.weights.items())[:6])
        held = f"; its arrays are {shapes}" if shapes else ""
        raise Refusal(f"its config and its arrays do not fit ({shortened(str(error))}){held}; save the model again") from error
