"""What Keras, PyTorch and ONNX call it."""

from __future__ import annotations

from typing import Any

from nn2hls.converters.keras.emit import Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import arith
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.plugins import KerasLayer, Plugin
from nn2hls_phases.op import Phase


def phase(site: Any, x: Tensor) -> Tensor:
    """The fraction of a turn of each element."""
    return site.emit(Phase(), x)


def _keras(layer: Layer) -> Prepared:
    """A Keras layer with an angle to begin from for each channel, its weight ``start``."""
    if layer.value("unit") != "turns":
        raise Refusal("its 'unit' must be 'turns'")

    def lower(site: Site) -> Tensor:
        return phase(site, arith.add(site.step("start"), site.tensor, layer.weights["start"]))

    return lower


PLUGIN = Plugin(
    keras={"phases>Phase": KerasLayer(_keras, weights=("start",))},
    pytorch={"phases::phase": lambda site, arguments: phase(site, arguments.tensor("x"))},
    onnx={"phases.Phase": lambda site: phase(site, site.tensor())},
)
