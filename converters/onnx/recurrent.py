"""ONNX RNN, LSTM and GRU in all directions and both layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.lower import activations, shape
from nn2hls.converters.lower import recurrent as lower
from nn2hls.converters.lower.moves import slice_
from nn2hls.converters.lower.recurrent import Activation, Cell, Gate
from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.converters.onnx.context import At, Handler, Value

# The gates in the order of ONNX' weights.
_GATES = {
    "RNN": ("cell",),
    "LSTM": ("input", "output", "forget", "candidate"),
    "GRU": ("update", "reset", "candidate"),
}
_DEFAULTS = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
_WEIGHTS, _RECURRENT, _BIASES, _LENGTHS, _HIDDEN, _CELL, _PEEPHOLES = range(1, 8)  # operands after the sequence

# Activations: the word for the node, ONNX' own alpha and beta where it has some, and what they give.
_Make = Callable[[float, float], Callable[[Site, Tensor], Tensor]]
_PLAIN = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid", "softsign": "softsign", "softplus": "softplus"}
_WITH: Mapping[str, tuple[str, float | None, float | None, _Make]] = {
    "elu": ("elu", 1.0, None, lambda a, b: lambda site, x: activations.elu(site, x, a)),
    "hardsigmoid": ("hard_sigmoid", 0.2, 0.5, lambda a, b: lambda site, x: activations.hard_sigmoid(site, x, a, b)),
    "leakyrelu": ("leaky_relu", 0.01, None, lambda a, b: lambda site, x: activations.leaky_relu(site, x, a)),
    "thresholdedrelu": (
        "thresholded_relu", 1.0, None, lambda a, b: lambda site, x: activations.step_threshold(site, x, a)
    ),
}  # fmt: skip


def _functions(at: At, kind: str, sides: int) -> list[Activation]:
    """Those of all sides; alphas and betas are dealt out in the order of the functions that take one."""
    names = at.attr("activations") or _DEFAULTS[kind] * sides
    if len(names) != len(_DEFAULTS[kind]) * sides:
        raise Refusal(f"it names {len(names)} activations and needs {len(_DEFAULTS[kind]) * sides}")
    given = {key: iter(np.ravel(at.attr(f"activation_{key}", [])).tolist()) for key in ("alpha", "beta")}
    return [_function(str(name), given) for name in names]


def _function(name: str, given: Mapping[str, Iterator[float]]) -> Activation:
    key = name.lower()
    if key in _PLAIN:
        word = _PLAIN[key]
        return Activation(word, lambda site, x: activations.function(site, x, word))
    if key not in _WITH:
        raise Refusal(f"its activation {name[:40]} is not offered; {', '.join([*_PLAIN, *_WITH])} are")
    word, alpha, beta, make = _WITH[key]
    first = 0.0 if alpha is None else float(next(given["alpha"], alpha))
    return Activation(word, make(first, 0.0 if beta is None else float(next(given["beta"], beta))))


def _gates(kind: str, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray | None, *, apart: bool) -> dict[str, Gate]:
    """Of one side: (gates * units, features), (gates * units, units) and (2 * gates * units,)."""
    names = _GATES[kind]
    units = recurrent.shape[-1]
    wanted = len(names) * units
    if (
        kernel.shape[:1] != (wanted,)
        or recurrent.shape != (wanted, units)
        or (bias is not None and bias.shape != (2 * wanted,))
    ):
        raise Refusal(f"its weights of shapes {kernel.shape} and {recurrent.shape} are not those of {len(names)} gates")
    found = {}
    for k, name in enumerate(names):
        cut = slice(k * units, (k + 1) * units)
        own = other = None
        if bias is not None:
            own, other = bias[:wanted][cut], bias[wanted:][cut]
            if not (apart and name == "candidate"):
                own, other = own + other, None
        found[name] = Gate(kernel[cut].T, recurrent[cut].T, own, other)
    return found


def _cell(kind: str, gates: Mapping[str, Gate], functions: Sequence[Activation], *, after: bool) -> Cell:
    if kind == "RNN":
        return lower.rnn_cell(gates["cell"], functions[0])
    if kind == "LSTM":
        return lower.lstm_cell(gates, functions[0], functions[1], functions[2])
    return lower.gru_cell(gates, functions[0], functions[1], reset_after=after)


def _plain_only(at: At, length: int) -> None:
    """Refuse what is not offered."""
    if at.attr("clip") is not None:
        raise Refusal("'clip' bounds what goes into its activations, which is not offered; export it without")
    if at.attr("input_forget", 0):
        raise Refusal("'input_forget' couples two gates, which is not offered")
    if at.has(_PEEPHOLES) and np.any(at.array(_PEEPHOLES, "peepholes")):
        raise Refusal("its peepholes are not offered; train it without")
    if at.has(_LENGTHS) and np.any(at.raw(_LENGTHS, "lengths") != length):
        raise Refusal(f"its sequence_lens differ from the {length} elements of the sequence: every event has all of them here")


def _sequence(at: At) -> Tensor:
    x, first = at.tensor(), bool(at.attr("layout", 0))
    if x.place != (0 if first else 1) or x.before or x.merged:
        raise Refusal(
            "it would run along the batch, which is not its axis of the batch; transpose before it, or use layout = 1"
        )
    return lower.at_batch(x)


def _state(at: At, k: int, side: int, sides: int, label: str) -> Tensor | np.ndarray | None:
    """The state of one side before the first step."""
    if not at.has(k):
        return None
    value = at.value(k)
    if isinstance(value, Tensor):
        given = lower.at_batch(value)
        if given.shape[:1] != (sides,):
            raise Refusal(f"its initial state has the shape {given.shape}, and its directions are {sides}")
        return slice_(at.step(f"{label}given{k}"), given, (side,))
    axis = 0 if at.attr("layout", 0) else 1
    rows = []
    for array in value.arrays:
        if array.ndim == 3 and array.shape[1 - axis] != sides:
            raise Refusal(f"its initial state has the shape {array.shape}, and its directions are {sides}")
        if array.ndim != 3 or (array != np.take(array, [0], axis)).any():
            raise Refusal("its initial state is not the same for all events")
        rows.append(np.take(array, 0, axis)[side])
    if any((row != rows[0]).any() for row in rows):
        raise Refusal("its initial state depends on the batch size")
    return np.asarray(rows[0], np.float64)


def _recurrent(kind: str) -> Handler:
    def lowered(at: At) -> Sequence[Value]:
        x, first = _sequence(at), bool(at.attr("layout", 0))
        if len(x.shape) != 2:
            raise Refusal(f"it runs over sequences of vectors, and its operand has the shape {x.shape}")
        _plain_only(at, x.shape[0])
        sides = _DIRECTIONS.get(str(at.attr("direction", "forward")))
        if sides is None:
            raise Refusal(f"its direction '{str(at.attr('direction'))[:40]}' is none")
        functions = _functions(at, kind, len(sides))
        kernels, recurrents = at.array(_WEIGHTS, "weights"), at.array(_RECURRENT, "recurrent weights")
        biases: Any = at.optional(_BIASES, "biases")
        if kernels.ndim != 3 or recurrents.ndim != 3 or {len(kernels), len(recurrents)} != {len(sides)}:
            raise Refusal(
                f"its weights of shapes {kernels.shape} and {recurrents.shape} are not those of {len(sides)} directions"
            )
        if at.attr("hidden_size", recurrents.shape[-1]) != recurrents.shape[-1]:
            raise Refusal(f"its hidden_size {at.attr('hidden_size')} is not that of its weights, {recurrents.shape[-1]}")
        after, each = bool(at.attr("linear_before_reset", 0)), len(_DEFAULTS[kind])
        runs = []
        for side, reverse in enumerate(sides):
            label = ("forward_", "backward_")[side] if len(sides) > 1 else ""
            bias = None if biases is None else biases[side]
            gates = _gates(kind, kernels[side], recurrents[side], bias, apart=kind == "GRU" and after)
            cell = _cell(kind, gates, functions[side * each : (side + 1) * each], after=after)
            initial = [_state(at, k, side, len(sides), label) for k in (_HIDDEN, _CELL)[: len(cell.states)]]
            runs.append(lower.recurrence(at, x, cell, initial, reverse=reverse, label=label))
        outputs = [run.sequence(at.step(f"{run.label}sequence")) for run in runs]
        whole = shape.stack(at, outputs, 1)
        states = [
            shape.stack(at.step(f"states{k}"), [run.last(at.step(f"{run.label}state{k}"), k) for run in runs], 0)
            for k in range(len(runs[0].cell.states))
        ]
        return [whole, *states] if first else [replace(whole, place=2), *(replace(s, place=1) for s in states)]

    return lowered


RECURRENT: dict[str, Handler] = {kind: _recurrent(kind) for kind in _GATES}
