"""Cases of the closed set of lowerings: recurrent layers, in each framework's own order of gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.kit.lowerings import Case, draw, node

FEATURES, UNITS, LENGTH = 3, 2, 4
# The gates in the order of each framework, as numbers of Keras'.
ORDER = {
    "SimpleRNN": {"keras": (0,), "torch": (0,), "onnx": (0,)},
    "LSTM": {"keras": (0, 1, 2, 3), "torch": (0, 1, 2, 3), "onnx": (0, 3, 1, 2)},
    "GRU": {"keras": (0, 1, 2), "torch": (1, 0, 2), "onnx": (0, 1, 2)},
}
OPERATORS = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}  # of ONNX


def weights(kind: str, framework: str, side: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(features, gates * units), (units, gates * units) and both biases; float64 sums of biases are the same in all."""
    order = ORDER[kind][framework]
    gates = len(order)
    kernel, recurrent = draw(FEATURES, gates, UNITS, seed=side), draw(UNITS, gates, UNITS, seed=side + 2)
    first, second = draw(gates, UNITS, seed=side + 4), draw(gates, UNITS, seed=side + 6)
    if kind != "GRU":
        second = np.zeros_like(second)  # Keras has one bias
    return tuple(a[..., list(order), :].reshape(*a.shape[:-2], -1) for a in (kernel, recurrent, first, second))  # type: ignore


def _arrays(kind: str, sides: int) -> list[np.ndarray]:
    """What Keras' layer takes."""
    found = []
    for side in range(sides):
        kernel, recurrent, first, second = weights(kind, "keras", side)
        found += [kernel, recurrent, np.stack([first, second]) if kind == "GRU" else first]
    return found


def in_keras(kind: str, *, both: bool = False, sequences: bool = True) -> Any:
    def made(x: Any) -> Any:
        import keras

        layer = getattr(keras.layers, kind)(UNITS, return_sequences=sequences, name="r")
        layer = keras.layers.Bidirectional(layer, name="b") if both else layer
        y = layer(x)
        layer.set_weights(_arrays(kind, 1 + both))
        return y

    return made


def _of_torch(kind: str, side: int = 0) -> list[Any]:
    """Both weights and both biases as PyTorch has them."""
    import torch

    kernel, recurrent, *biases = weights(kind, "torch", side)
    return [torch.tensor(np.ascontiguousarray(a)) for a in (kernel.T, recurrent.T, *biases)]


def in_torch(kind: str, *, both: bool = False, sequences: bool = True) -> Any:
    def made(x: Any) -> Any:
        import torch

        params = [a for side in range(1 + both) for a in _of_torch(kind, side)]
        zeros = torch.zeros(1 + both, x.shape[0], UNITS)
        function = {"SimpleRNN": torch.rnn_tanh, "LSTM": torch.lstm, "GRU": torch.gru}[kind]
        y = function(x, (zeros, zeros) if kind == "LSTM" else zeros, params, True, 1, 0.0, False, both, True)[0]
        return y if sequences else y[:, -1]

    return made


def in_onnx(kind: str, *, both: bool = False, sequences: bool = True) -> tuple[tuple[tuple[Any, ...], ...], dict[str, Any]]:
    """(nodes, initialisers)."""
    sides = [weights(kind, "onnx", side) for side in range(1 + both)]
    constants = {
        "w": np.stack([s[0].T for s in sides]),
        "r": np.stack([s[1].T for s in sides]),
        "b": np.stack([np.concatenate(s[2:]) for s in sides]),
        "shape": np.array([0, 0, -1]),
        "one": np.array([1]),
        "last": np.array(LENGTH - 1),
    }
    attributes: dict[str, Any] = {"hidden_size": UNITS, "direction": "bidirectional" if both else "forward"}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    nodes: Sequence[Any] = (
        node("Transpose", "x", "turned", perm=[1, 0, 2]),
        node(OPERATORS[kind], "turned w r b", "all", **attributes),
        node("Transpose", "all", "back", perm=[2, 0, 1, 3]),
        node("Reshape", "back shape", "y" if sequences else "sequence"),
    )
    if not sequences:
        nodes = (*nodes, node("Gather", "sequence last", axis=1))
    return tuple(nodes), constants


def _case(lowering: str, kind: str, **options: bool) -> Case:
    return Case(lowering, (LENGTH, FEATURES), in_keras(kind, **options), in_torch(kind, **options))


def onnx_case(kind: str, **options: bool) -> Case:
    """ONNX has an axis of directions, which others have not."""
    nodes, constants = in_onnx(kind, **options)
    return Case("recurrent.recurrence", (LENGTH, FEATURES), None, None, nodes, constants)


def _steps(x: Any) -> Any:
    """Two steps of PyTorch's cell by hand."""
    import torch

    zeros = torch.zeros(x.shape[0], UNITS)
    state = torch.lstm_cell(x[:, 0], (zeros, zeros), *_of_torch("LSTM"))
    return torch.cat(torch.lstm_cell(x[:, 1], state, *_of_torch("LSTM")), dim=1)


CASES: dict[str, Case] = {
    **{f"{kind} sequence": _case("recurrent.recurrence", kind) for kind in ORDER},
    **{f"{kind} last": _case("recurrent.recurrence", kind, sequences=False) for kind in ORDER},
    **{f"{kind} in both directions": _case("recurrent.merged", kind, both=True) for kind in ORDER},
    **{f"{kind} in ONNX": onnx_case(kind) for kind in ORDER},
    **{f"{kind} in both directions in ONNX": onnx_case(kind, both=True) for kind in ORDER},
    "LSTMCell by hand": Case("recurrent.inline", (2, FEATURES), None, _steps),
}
