"""PyTorch's recurrent layers and cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.lower import activations, shape
from nn2hls.converters.lower import recurrent as lower
from nn2hls.converters.lower.moves import slice_
from nn2hls.converters.lower.recurrent import Activation, Cell, Gate
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.pytorch.context import Args, Lowering, Value

# The gates in the order of PyTorch's weights.
_GATES = {
    "rnn": ("cell",),
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("reset", "update", "candidate"),
}


def _function(name: str) -> Activation:
    return Activation(name, lambda site, x: activations.function(site, x, name))


_TANH, _SIGMOID, _RELU = (_function(name) for name in ("tanh", "sigmoid", "relu"))
_CELLS: Mapping[str, Callable[[Mapping[str, Gate], np.ndarray | None], Cell]] = {
    "rnn_tanh": lambda gates, projection: lower.rnn_cell(gates["cell"], _TANH),
    "rnn_relu": lambda gates, projection: lower.rnn_cell(gates["cell"], _RELU),
    "lstm": lambda gates, projection: lower.lstm_cell(gates, _SIGMOID, _TANH, _TANH, projection),
    "gru": lambda gates, projection: lower.gru_cell(gates, _SIGMOID, _TANH, reset_after=True),
}


def _cell(kind: str, weights: Sequence[Any], biases: Sequence[Any], projection: Any = None) -> Cell:
    """A cell of weights (gates * units, features), (gates * units, size of the state), and their biases, if there are any."""
    arrays = [*weights, *biases, *([] if projection is None else [projection])]
    if not all(isinstance(a, np.ndarray) for a in arrays):
        raise Refusal("its weights are computed; parameters are expected")
    names = _GATES[kind.split("_")[0]]
    kernel, recurrent = (np.split(np.asarray(w, np.float64).T, len(names), axis=1) for w in weights)
    split = [np.split(np.asarray(b, np.float64), len(names)) for b in biases]
    gates = {}
    for k, name in enumerate(names):
        both = [b[k] for b in split]
        apart = kind == "gru" and name == "candidate"  # the reset gate works on the product and its own bias
        own = [*both, None, None][:2] if apart else [sum(both) if both else None, None]
        gates[name] = Gate(kernel[k], recurrent[k], *own)
    return _CELLS[kind](gates, None if projection is None else projection.T)


def _layer(kind: str) -> Callable[[Lowering, Args], Sequence[Value]]:
    """All layers of a recurrent module: (output, h), or (output, h, c)."""

    def lowered(c: Lowering, a: Args) -> Sequence[Value]:
        if a.get("train", False):
            raise Refusal("it was exported in training mode; call model.eval() before torch.export.export")
        a.get("dropout", 0.0)  # between layers, in training alone
        x, first = _sequence(a), a.get("batch_first", False)
        layers, sides = a.whole("num_layers", 1), 2 if a.get("bidirectional", False) else 1
        params, states = a.items("params"), a.items("hx")
        each = len(params) // (layers * sides)
        biased = bool(a.get("has_biases", True))
        if len(params) != each * layers * sides or each not in ((4, 5) if biased else (2, 3)):
            raise Refusal(f"its {len(params)} weights are not those of {layers} layers")
        last: list[list[Tensor]] = [[] for _ in states]
        for k in range(layers):
            outputs = []
            for side in range(sides):
                number = k * sides + side
                own = params[number * each : (number + 1) * each]
                cell = _cell(kind, own[:2], own[2:4] if biased else (), own[-1] if each in (3, 5) else None)
                label = (f"l{k}_" if layers > 1 else "") + (("forward_", "backward_")[side] if sides > 1 else "")
                initial = [_state(c, s, number, layers * sides, label) for s in states]
                run = lower.recurrence(c, x, cell, initial, reverse=bool(side), label=label)
                for n, found in enumerate(last):
                    found.append(run.last(c.step(f"{label}state{n}"), n))
                outputs.append((run, label))
            whole = k == layers - 1
            site = c if whole else c.step(f"l{k}")
            found_ = [run.sequence(site if sides == 1 else c.step(f"{label}sequence")) for run, label in outputs]
            x = found_[0] if sides == 1 else lower.merged(site, "concat", *found_)
        after = [replace(shape.stack(c.step(f"states{n}"), found, 0), place=1) for n, found in enumerate(last)]
        return [x if first else replace(x, place=1), *after]

    return lowered


def _sequence(a: Args) -> Tensor:
    """(length, features) of each event, wherever the batch is."""
    x = a.tensor("input")
    if x.place != (0 if a.get("batch_first", False) else 1) or x.before or x.merged:
        raise Refusal(
            "it would run along the batch; the first axis of the module's input is the batch: build it with batch_first=True"
        )
    return lower.at_batch(x)


def _state(c: Lowering, state: Any, number: int, count: int, label: str) -> Tensor | np.ndarray:
    """The state of one of ``count`` layers and sides before the first step; a constant has to be the same for every event."""
    sizes = lower.at_batch(state).shape if isinstance(state, Tensor) else np.shape(state)
    if sizes[:1] != (count,):
        raise Refusal(f"its initial state has the shape {sizes}, and its layers and directions are {count}")
    if isinstance(state, Tensor):
        return slice_(c.step(f"{label}given"), lower.at_batch(state), (number,))
    if not isinstance(state, np.ndarray) or state.ndim != 3 or not state.size or (state != state[:, :1]).any():
        raise Refusal("its initial state is neither the same for all events nor computed from the input")
    return np.asarray(state[number, 0], np.float64)


def _single(kind: str) -> Callable[[Lowering, Args], Value | Sequence[Value]]:
    """A cell that the module calls by hand: h, or (h, c)."""

    def lowered(c: Lowering, a: Args) -> Value | Sequence[Value]:
        weights = [a.get("w_ih"), a.get("w_hh")]
        biases = [b for b in (a.get("b_ih"), a.get("b_hh")) if b is not None]
        cell = _cell(kind, weights, biases)
        given, lead = a.items("hx"), a.tensor("input").shape[:-1]
        states = []
        for k, (state, size) in enumerate(zip(given, cell.states, strict=True)):
            if isinstance(state, np.ndarray):
                state = c.step(f"initial_state{k}").constant(np.broadcast_to(c.without_batch(state, 2), (*lead, *size)))
            states.append(state)
        found = lower.inline(c, cell, [a.tensor("input"), *states])
        return found if kind == "lstm" else found[0]

    return lowered


RECURRENT: Mapping[str, Callable[[Lowering, Args], Value | Sequence[Value]]] = {
    **{f"{kind}.input": _layer(kind) for kind in _CELLS},
    **{f"{kind}_cell.default": _single(kind) for kind in _CELLS},
}
