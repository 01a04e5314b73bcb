"""Keras recurrent layers, and Bidirectional around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from nn2hls.converters.keras import activations
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer, foreign
from nn2hls.converters.lower import recurrent as lower
from nn2hls.converters.lower.recurrent import Activation, Cell, Gate, Recurrence
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.errors import ModelError

# The gates in the order of Keras' weights.
GATES = {
    "SimpleRNN": ("cell",),
    "LSTM": ("input", "forget", "candidate", "output"),
    "GRU": ("update", "reset", "candidate"),
}
STATES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}
SIDES = ("forward", "backward")


def weight_names(layer: Layer) -> list[str]:
    """Names of the weights, in Keras' order."""
    return ["kernel", "recurrent_kernel", *(["bias"] if layer.flag("use_bias", True) else [])]


def side_names(layer: Layer) -> list[str]:
    """The same of a Bidirectional layer: those of both sides."""
    if layer.inner is None or layer.inner.kind not in GATES:
        return []
    return [f"{side}/{name}" for side in SIDES for name in weight_names(layer.inner)]


def _function(layer: Layer, key: str, default: str) -> Activation:
    found = activations.activation(
        Layer(layer.name, layer.path, layer.kind, {"activation": layer.value(key, default=default)}, keras=layer.keras)
    )
    return Activation(found.word, cast("Callable[[Any, Tensor], Tensor] | None", found.apply))  # at a site of Keras, as here


def _gates(layer: Layer, weights: Mapping[str, np.ndarray]) -> dict[str, Gate]:
    """The weights gate by gate; the biases of a GRU that resets after its product are two."""
    names, units = GATES[layer.kind], layer.integer("units")
    kernel, recurrent, bias = weights["kernel"], weights["recurrent_kernel"], weights.get("bias")
    wanted = len(names) * units
    twice = layer.kind == "GRU" and _reset_after(layer)
    shapes = {"kernel": ((*kernel.shape[:1], wanted), kernel), "recurrent_kernel": ((units, wanted), recurrent)}
    if bias is not None:
        shapes["bias"] = ((2, wanted) if twice else (wanted,), bias)
    for name, (shape, array) in shapes.items():
        if array.shape != shape:
            raise ModelError(f"Its {name} has shape {array.shape} and must have {shape}.", where=layer.where)
    gates = {}
    for k, name in enumerate(names):
        cut = slice(k * units, (k + 1) * units)
        own = own_recurrent = None
        if bias is not None:
            own = bias[..., cut]
            if twice:
                own, own_recurrent = (own[0], own[1]) if name == "candidate" else (own.sum(axis=0), None)
        gates[name] = Gate(kernel[:, cut], recurrent[:, cut], own, own_recurrent)
    return gates


def _reset_after(layer: Layer) -> bool:
    return bool(layer.flag("reset_after", layer.keras > 2))


@dataclass(frozen=True)
class _Reader:
    """A layer whose config was checked; ``cell`` makes its cell of weights."""

    layer: Layer
    cell: Callable[[Mapping[str, np.ndarray]], Cell]
    backwards: bool
    sequences: bool
    states: bool

    @classmethod
    def of(cls, layer: Layer) -> _Reader:
        """Check a config.

        Raises:
            Refusal: It asks for what is not offered.
        """
        if layer.flag("stateful", False):
            raise Refusal("'stateful' keeps its state from event to event; every event starts anew here: give it the states")
        if layer.flag("time_major", False):
            raise Refusal("'time_major' has time before the batch; build it with the batch first")
        function, gate = _function(layer, "activation", "tanh"), _function(layer, "recurrent_activation", "sigmoid")
        makers: dict[str, Callable[[Mapping[str, np.ndarray]], Cell]] = {
            "SimpleRNN": lambda w: lower.rnn_cell(_gates(layer, w)["cell"], function),
            "LSTM": lambda w: lower.lstm_cell(_gates(layer, w), gate, function, function),
            "GRU": lambda w: lower.gru_cell(_gates(layer, w), gate, function, reset_after=_reset_after(layer)),
        }
        flags = (layer.flag(key, False) for key in ("go_backwards", "return_sequences", "return_state"))
        return cls(layer, makers[layer.kind], *flags)

    def run(self, site: Site, operands: Sequence[Tensor], weights: Mapping[str, np.ndarray], label: str = "") -> Recurrence:
        """The layer over a sequence, the first operand; the others are its states."""
        return lower.recurrence(site, operands[0], self.cell(weights), operands[1:], reverse=self.backwards, label=label)

    def states_of(self, site: Site, run: Recurrence) -> list[Tensor]:
        """The states after the last step, if the layer gives them."""
        if not self.states:
            return []
        return [run.last(site.step(f"{run.label}state{k}"), k) for k in range(STATES[self.layer.kind])]


def recurrent(layer: Layer) -> Prepared:
    """SimpleRNN, LSTM and GRU; ``unroll`` and ``implementation`` change no value."""
    reader = _Reader.of(layer)

    def lowered(site: Site) -> Tensor | Sequence[Tensor]:
        run = reader.run(site, site.tensors, layer.weights)
        output = run.turned(site) if reader.sequences else run.last(site)
        return [output, *reader.states_of(site, run)] if reader.states else output

    return lowered


def bidirectional(layer: Layer) -> Prepared:
    """A layer in both directions, the second one's output in the order of time."""
    forward = layer.inner
    if forward is None or forward.kind not in GATES or forward.custom:
        raise Refusal(f"it holds a layer of the class {forward.kind if forward else 'none'}, which is not offered inside of it")
    backward = _backward(layer, forward)
    readers = [_Reader.of(forward), _Reader.of(backward)]
    if [r.backwards for r in readers] != [False, True] or readers[0].sequences != readers[1].sequences:
        raise Refusal("its layers must go forwards and backwards, and both give sequences or not")
    layer.read.update(("merge_mode", "backward_layer"))
    mode = layer.config.get("merge_mode", "concat")  # null means something

    def lowered(site: Site) -> Sequence[Tensor]:
        x, *states = site.tensors
        half = len(states) // 2
        runs = []
        for k, (side, reader) in enumerate(zip(SIDES, readers, strict=True)):
            weights = {n: layer.weights[f"{side}/{n}"] for n in weight_names(reader.layer)}
            own = states[k * half : (k + 1) * half]
            runs.append(reader.run(site, [x, *own], weights, f"{side}_"))
        both = [
            run.sequence(site.step(side)) if reader.sequences else run.last(site.step(side))
            for side, reader, run in zip(SIDES, readers, runs, strict=True)
        ]
        after = [s for reader, run in zip(readers, runs, strict=True) for s in reader.states_of(site, run)]
        return [*(both if mode is None else [lower.merged(site, str(mode), *both)]), *after]

    return lowered


def _backward(layer: Layer, forward: Layer) -> Layer:
    """The layer that goes backwards: the config's own, or the other one turned round."""
    spec: Any = layer.config.get("backward_layer")
    if spec is None:
        return Layer(**{**vars(forward), "config": {**forward.config, "go_backwards": True}})
    config = spec.get("config") if isinstance(spec, dict) else None
    if not isinstance(config, dict) or spec.get("class_name") != forward.kind or foreign(spec):
        raise Refusal("its layer that goes backwards is of another class than the one that goes forwards")
    return Layer(**{**vars(forward), "config": config})


LAYERS: dict[str, Entry] = {**dict.fromkeys(GATES, recurrent), "Bidirectional": bidirectional}
