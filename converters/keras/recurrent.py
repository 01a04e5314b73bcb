"""Keras recurrent layers, and Bidirectional around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from nn2hls.converters.keras import activations, windows
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer, foreign
from nn2hls.converters.keras.options import not_understood
from nn2hls.converters.lower import recurrent as lower
from nn2hls.converters.lower.recurrent import Activation, Cell, Gate, Recurrence
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.lower.window import Window
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape

# The gates in the order of Keras' weights.
GATES = {
    "SimpleRNN": ("cell",),
    "LSTM": ("input", "forget", "candidate", "output"),
    "GRU": ("update", "reset", "candidate"),
}
CONVOLUTIONS = {"ConvLSTM1D": 1, "ConvLSTM2D": 2, "ConvLSTM3D": 3}  # axes of space
KINDS = (*GATES, *CONVOLUTIONS, "RNN")
SIDES = ("forward", "backward")


def cells_of(layer: Layer) -> list[Layer]:
    """The cells of an RNN, as the layers whose cells they are, with a config that tells no more than a cell's does.

    Raises:
        Refusal: One is none of Keras' own.
    """
    layer.read.add("cell")
    spec = layer.config.get("cell")
    said = spec if isinstance(spec, dict) else {}
    stack = said.get("class_name") == "StackedRNNCells" and not foreign(said)
    inner = said.get("config")
    specs = inner.get("cells") if stack and isinstance(inner, dict) else [spec]
    return [_cell_layer(layer, one) for one in (specs if isinstance(specs, list) and specs else [None])]


def _cell_layer(layer: Layer, spec: Any) -> Layer:
    word = str(spec.get("class_name")) if isinstance(spec, dict) else "none"
    kind, config = word.removesuffix("Cell"), spec.get("config") if isinstance(spec, dict) else None
    if word != f"{kind}Cell" or kind not in GATES or not isinstance(config, dict) or foreign(spec):
        own = ", ".join(f"{k}Cell" for k in GATES)
        raise Refusal(f"its cell is of the class {word[:40]}; {own} and StackedRNNCells of them are read")
    return Layer(str(config.get("name", kind)), layer.path, kind, config, keras=layer.keras)


def weight_names(layer: Layer) -> list[str]:
    """Names of the weights, in Keras' order; those of an RNN behind the number of their cell."""
    if layer.kind == "RNN":
        return [f"{k}/{name}" for k, cell in enumerate(cells_of(layer)) for name in weight_names(cell)]
    return ["kernel", "recurrent_kernel", *(["bias"] if layer.flag("use_bias", True) else [])]


def weight_folders(layer: Layer, key: str) -> list[str]:
    """Where a file of weights has those of each cell: numbered by class."""
    names = [snake_case(f"{cell.kind}Cell") for cell in cells_of(layer)] if layer.kind == "RNN" and _is_stack(layer) else []
    numbers = [names[:k].count(name) for k, name in enumerate(names)]
    found = [f"{key}/cell/cells/{name}" + (f"_{n}" if n else "") for name, n in zip(names, numbers, strict=True)]
    return found or [f"{key}/cell"]


def _is_stack(layer: Layer) -> bool:
    return bool(layer.config["cell"].get("class_name") == "StackedRNNCells")


def snake_case(name: str) -> str:
    """Keras' own spelling of class names in files: ``PReLU`` is ``p_re_lu``."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def side_names(layer: Layer) -> list[str]:
    """The same of a Bidirectional layer: those of both sides."""
    if layer.inner is None or layer.inner.kind not in KINDS:
        return []
    return [f"{side}/{name}" for side in SIDES for name in weight_names(layer.inner)]


def _function(layer: Layer, key: str, default: str) -> Activation:
    found = activations.activation(
        Layer(layer.name, layer.path, layer.kind, {"activation": layer.value(key, default=default)}, keras=layer.keras)
    )
    return Activation(found.word, cast("Callable[[Any, Tensor], Tensor] | None", found.apply))  # at a site of Keras, as here


def check_shapes(layer: Layer, weights: Mapping[str, np.ndarray], kind: str, *, twice: bool) -> None:
    """Refuse arrays that are not those of a cell.

    Args:
        layer: Whose they are, which names its units.
        weights: ``kernel``, ``recurrent_kernel`` and perhaps ``bias``.
        kind: The class of Keras that has the same arrays.
        twice: Whether there are biases of its own for the product with the state.
    """
    units = layer.integer("units")
    wanted = len(GATES[kind]) * units
    kernel = weights["kernel"]
    shapes = {"kernel": (*kernel.shape[:1], wanted), "recurrent_kernel": (units, wanted)}
    shapes["bias"] = (2, wanted) if twice else (wanted,)
    for name, shape in shapes.items():
        if name in weights and weights[name].shape != shape:
            what = f"Its {name} has shape {weights[name].shape} and must have {shape}."
            raise ModelError(what, where=layer.where, fix="Save config and weights together in one .keras file.")


def _gates(layer: Layer, weights: Mapping[str, np.ndarray]) -> dict[str, Gate]:
    """The weights gate by gate; the biases of a GRU that resets after its product are two."""
    names, units = GATES[layer.kind], layer.integer("units")
    twice = layer.kind == "GRU" and _reset_after(layer)
    check_shapes(layer, weights, layer.kind, twice=twice)
    kernel, recurrent, bias = weights["kernel"], weights["recurrent_kernel"], weights.get("bias")
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


def _cell(layer: Layer) -> Callable[[Mapping[str, np.ndarray], Shape], Cell]:
    """What makes a layer's cell of its weights and the shape of an element.

    Raises:
        Refusal: It asks for what is not offered.
    """
    if layer.kind == "RNN":
        cells = cells_of(layer)
        makers = [_cell(one) for one in cells]
        for one in cells:
            one.read.update(("units", "use_bias", "reset_after"))
            for what in not_understood(one):
                raise Refusal(f"of its cell {one.name[:40]}: {what}")
        return lambda w, shape: _of_cells(cells, makers, w, shape)
    function, gate = _function(layer, "activation", "tanh"), _function(layer, "recurrent_activation", "sigmoid")
    if layer.kind in CONVOLUTIONS:
        return _convolved(layer, function, gate)
    kinds: dict[str, Callable[[Mapping[str, np.ndarray], Shape], Cell]] = {
        "SimpleRNN": lambda w, _: lower.rnn_cell(_gates(layer, w)["cell"], function),
        "LSTM": lambda w, _: lower.lstm_cell(_gates(layer, w), gate, function, function),
        "GRU": lambda w, _: lower.gru_cell(_gates(layer, w), gate, function, reset_after=_reset_after(layer)),
    }
    return kinds[layer.kind]


def _of_cells(
    cells: Sequence[Layer],
    makers: Sequence[Callable[[Mapping[str, np.ndarray], Shape], Cell]],
    weights: Mapping[str, np.ndarray],
    shape: Shape,
) -> Cell:
    own = [{n: weights[f"{k}/{n}"] for n in weight_names(cell)} for k, cell in enumerate(cells)]
    made = [make(w, shape) for make, w in zip(makers, own, strict=True)]
    return made[0] if len(made) == 1 else lower.stacked(made)


def _convolved(layer: Layer, function: Activation, gate: Activation) -> Callable[[Mapping[str, np.ndarray], Shape], Cell]:
    """A ConvLSTM, channels last."""
    rank = CONVOLUTIONS[layer.kind]
    if windows.is_first(layer):
        raise Refusal("'data_format' = channels_first is not offered for it; build it with channels last")
    size = windows.sizes(layer, "kernel_size", rank)
    strides, dilation = windows.sizes(layer, "strides", rank, 1), windows.sizes(layer, "dilation_rate", rank, 1)
    word = windows.padding(layer, rank)

    def made(weights: Mapping[str, np.ndarray], shape: Shape) -> Cell:
        if len(shape) != rank + 1:
            raise Refusal(f"it runs over sequences of {rank} axes of space and channels, and an element has the shape {shape}")
        filters, space = layer.integer("filters"), shape[:rank]
        arrays = {key: weights[key] for key in ("kernel", "recurrent_kernel")}
        for key, inner in (("kernel", shape[-1]), ("recurrent_kernel", filters)):
            wanted = (*size, inner, 4 * filters)
            if arrays[key].shape != wanted:
                raise ModelError(f"Its {key} has shape {arrays[key].shape} and must have {wanted}.", where=layer.where)
        names = GATES["LSTM"]
        split = {key: np.split(array, len(names), axis=-1) for key, array in arrays.items()}
        biases = np.split(weights["bias"], len(names)) if "bias" in weights else [None] * len(names)
        both = zip(names, split["kernel"], split["recurrent_kernel"], biases, strict=True)
        gates = {name: Gate(kernel, recurrent, bias) for name, kernel, recurrent, bias in both}
        window = Window(size, strides, dilation, windows.pads(word, space, size, strides, dilation))
        return lower.conv_lstm_cell(gates, gate, function, space, window, (1,) * rank)

    return made


@dataclass(frozen=True)
class _Reader:
    """A layer whose config was checked; ``cell`` makes its cell of weights."""

    layer: Layer
    cell: Callable[[Mapping[str, np.ndarray], Shape], Cell]
    backwards: bool
    sequences: bool
    states: bool
    kept: bool
    calls: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, layer: Layer) -> _Reader:
        """Check a config.

        Raises:
            Refusal: It asks for what is not offered.
        """
        if layer.flag("time_major", False):
            raise Refusal("'time_major' has time before the batch; build it with the batch first")
        keys = ("go_backwards", "return_sequences", "return_state", "stateful")
        backwards, sequences, states, kept = (layer.flag(key, False) for key in keys)
        return cls(layer, _cell(layer), backwards, sequences, states, kept)

    def run(self, site: Site, operands: Sequence[Tensor], weights: Mapping[str, np.ndarray], label: str = "") -> Recurrence:
        """The layer over a sequence, the first operand; the others are its states, which then no event before left."""
        cell, kept = self.cell(weights, operands[0].shape[1:]), self.kept and len(operands) == 1
        if kept and self.calls:
            raise Refusal("it is stateful and called more than once, each call with the state that the other one left")
        self.calls.append(site.main)
        return lower.recurrence(site, operands[0], cell, operands[1:], reverse=self.backwards, label=label, kept=kept)

    def states_of(self, site: Site, run: Recurrence) -> list[Tensor]:
        """The states after the last step, if the layer gives them."""
        if not self.states:
            return []
        return [run.last(site.step(f"{run.label}state{k}"), k) for k in range(len(run.cell.states))]


def recurrent(layer: Layer) -> Prepared:
    """SimpleRNN, LSTM, GRU, ConvLSTM, and an RNN of cells; ``unroll`` and ``implementation`` change no value."""
    reader = _Reader.of(layer)

    def lowered(site: Site) -> Tensor | Sequence[Tensor]:
        run = reader.run(site, site.tensors, layer.weights)
        output = run.turned(site) if reader.sequences else run.last(site)
        return [output, *reader.states_of(site, run)] if reader.states else output

    return lowered


def bidirectional(layer: Layer) -> Prepared:
    """A layer in both directions, the second one's output in the order of time."""
    forward = layer.inner
    if forward is None or forward.kind not in KINDS or forward.custom:
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


LAYERS: dict[str, Entry] = {**dict.fromkeys(KINDS, recurrent), "Bidirectional": bidirectional}
