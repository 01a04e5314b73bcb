"""QKeras' recurrent layers: Keras' own with quantised weights and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from nn2hls.converters.keras.activations import activation
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.qkeras import as_quantiser, quantised_weights_of, quantisers_of
from nn2hls.converters.keras.quantised_cells import Apply, Parts, gru, lstm, simple
from nn2hls.converters.keras.recurrent import check_shapes
from nn2hls.converters.lower import recurrent
from nn2hls.converters.lower.recurrent import Cell
from nn2hls.converters.lower.value import Refusal, Tensor

_KEYS = {"kernel": "kernel_quantizer", "recurrent_kernel": "recurrent_quantizer", "bias": "bias_quantizer"}
_CELLS: Mapping[str, Callable[[Parts, Layer], Cell]] = {
    "QSimpleRNN": lambda parts, layer: simple(parts),
    "QLSTM": lambda parts, layer: lstm(parts),
    "QGRU": lambda parts, layer: gru(parts, after=layer.flag("reset_after", False)),
}
_DEFAULTS = {"activation": "quantized_tanh", "recurrent_activation": "hard_sigmoid", "state_quantizer": None}


def _applied(layer: Layer, key: str) -> Apply | None:
    value = layer.value(key, default=_DEFAULTS[key])
    if value is None:
        return None
    return activation(as_quantiser(replace(layer, config={"activation": value}))).apply  # type: ignore[return-value]  # as Keras'


def repeated(layer: Layer) -> Prepared:
    """QSimpleRNN, QLSTM and QGRU."""
    quantisers = quantisers_of(layer, _KEYS)
    if layer.flag("stateful", False):
        raise Refusal(
            "'stateful' keeps its state from event to event, as only layers of Keras' own do here; give it its states as inputs"
        )
    if layer.kind == "QGRU" and "recurrent_kernel" not in quantisers:
        raise Refusal("without a 'recurrent_quantizer' QKeras multiplies its state with the other kernel; give it one")
    backwards, sequences, states = (layer.flag(key, False) for key in ("go_backwards", "return_sequences", "return_state"))
    function, gates, state = (_applied(layer, key) for key in _DEFAULTS)
    exact = {"kernel", "recurrent_kernel"} <= set(quantisers)
    layer.read.add("reset_after")

    def lower(site: Site) -> Tensor | Sequence[Tensor]:
        after = layer.kind == "QGRU" and layer.flag("reset_after", False)
        check_shapes(layer, layer.weights, layer.kind.removeprefix("Q"), twice=after)
        casts = {} if state is None else {"state": state}
        parts = Parts(quantised_weights_of(layer, quantisers), casts, function, gates, exact)
        sequence, *initial = site.tensors
        run = recurrent.recurrence(site, sequence, _CELLS[layer.kind](parts, layer), initial, reverse=backwards)
        output = run.turned(site) if sequences else run.last(site)
        ends = [run.last(site.step(f"state{k}"), k) for k in range(len(run.cell.states))] if states else []
        return [output, *ends] if states else output

    return lower


LAYERS: dict[str, Entry] = dict.fromkeys(_CELLS, repeated)
