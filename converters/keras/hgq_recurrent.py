"""HGQ2's recurrent layers: every product of a step between casts; what functions there are is in the casts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nn2hls.converters.keras import hgq, hgq_quantisers
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.hgq_inner import inner
from nn2hls.converters.keras.hgq_quantisers import Quantiser
from nn2hls.converters.keras.hgq_weights import quantiser_arrays
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.quantised_cells import Apply, Parts, gru, simple
from nn2hls.converters.keras.recurrent import check_shapes
from nn2hls.converters.lower import activations, recurrent
from nn2hls.converters.lower.value import Refusal, Tensor

PARTS: Mapping[str, tuple[str, ...]] = {
    "QSimpleRNN": ("iq", "kq", "rkq", "bq", "sq", "paq"),
    "QGRU": ("iq", "kq", "rkq", "bq", "sq", "paq", "praq", "rhq"),
}
_FUNCTIONS = ("linear", "relu")  # which are exact
_READ = ("use_bias", "reset_after", "enable_iq", "seed", "parallelization_factor")
_WEIGHTS = {"kq": "kernel", "rkq": "recurrent_kernel", "bq": "bias"}
_CASTS = {"sq": "state", "praq": "gates", "paq": "candidate", "rhq": "memory"}


def _parts(layer: Layer, cell: Layer, found: Mapping[str, Quantiser | None]) -> Parts:
    """What the cell is made of, once its arrays are there."""
    after = layer.kind == "QGRU" and layer.flag("reset_after", True)
    check_shapes(layer, cell.weights, layer.kind.removeprefix("Q"), twice=after)
    own = {part: quantiser_arrays(cell, part) for part in found}
    casts = {word: hgq_quantisers.cast(found[part], own[part]) for part, word in _CASTS.items() if found.get(part)}
    weights = {
        name: hgq_quantisers.constants(found[part], own[part], cell.weights[name])
        for part, name in _WEIGHTS.items()
        if name in cell.weights
    }
    function, gates = (_function(str(layer.value(key, default="linear"))) for key in ("activation", "recurrent_activation"))
    known = {word: cast for word, cast in casts.items() if cast is not None}
    return Parts(weights, known, function, gates, casts_first=layer.kind == "QSimpleRNN")


def _function(name: str) -> Apply | None:
    return None if name == "linear" else lambda site, x: activations.function(site, x, name)


def _checked(layer: Layer) -> dict[str, Quantiser | None]:
    """The quantisers of a layer.

    Raises:
        Refusal: It asks for what HGQ2 itself cannot compute, or what is no fixed point.
    """
    layer.read.update((*hgq.IDLE, *_READ))
    if layer.flag("enable_oq", False):
        raise Refusal("'enable_oq' in a recurrent layer is what HGQ2 itself cannot compute; put a Quantizer behind it")
    if layer.flag("stateful", False):
        raise Refusal(
            "'stateful' keeps its state from event to event, as only layers of Keras' own do here; give it its states as inputs"
        )
    for key in ("activation", "recurrent_activation"):
        if layer.value(key, default="linear") not in _FUNCTIONS:
            way = "leave it linear, for the quantisers are a hard tanh and a hard sigmoid"
            raise Refusal(f"'{key}' = {layer.value(key)!r:.40} is no function of fixed point; {way}")
    return {part: hgq_quantisers.read(layer.value(f"{part}_conf")) for part in PARTS[layer.kind]}


def repeated(layer: Layer) -> Prepared:
    """QSimpleRNN and QGRU."""
    found = _checked(layer)
    backwards, sequences, states = (layer.flag(key, False) for key in ("go_backwards", "return_sequences", "return_state"))

    def lower(site: Site) -> Tensor | Sequence[Tensor]:
        inside = inner(layer, "cell")
        parts = _parts(layer, inside, found)
        cell = simple(parts) if layer.kind == "QSimpleRNN" else gru(parts, after=layer.flag("reset_after", True))
        sequence, *initial = site.tensors
        entering = {name: a[:, None] for name, a in quantiser_arrays(inside, "iq").items()}
        cast = hgq_quantisers.cast(found["iq"], entering)
        entered = sequence if cast is None else cast(site.step("iq"), sequence)
        run = recurrent.recurrence(site, entered, cell, initial, reverse=backwards)
        output = run.turned(site) if sequences else run.last(site)
        return [output, run.last(site.step("state0"), 0)] if states else output

    return lower


LAYERS: dict[str, Entry] = dict.fromkeys(PARTS, repeated)
