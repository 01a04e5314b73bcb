"""The events that a design is tried on: the user's InputData, else vectors of our own; and what the model answers to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import INT64_EXACT
from nn2hls.config.config import Config
from nn2hls.data.arrays import Data, check_inputs
from nn2hls.data.vectors import test_vectors
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.emulate.quantise import quantise
from nn2hls.emulate.states import completed
from nn2hls.errors import DataError
from nn2hls.graph.graph import Graph


@dataclass(frozen=True)
class Difference:
    """How far an output is from what the model answers.

    Args:
        largest, mean: Of the absolute differences.
        event: Where the largest is, counted from 1.
    """

    largest: float
    mean: float
    event: int

    def text(self) -> str:
        """For people."""
        return f"{self.largest:.4g} in event {self.event}, mean {self.mean:.4g}"


@dataclass(frozen=True)
class Events:
    """Events to try a design on.

    Args:
        inputs: Mantissas (events, *shape) of each input.
        predictions: What the model answers, (events, *shape) of each output; empty when nobody says.
    """

    inputs: tuple[np.ndarray, ...]
    predictions: tuple[np.ndarray, ...] = ()


def mantissas_of(graph: Graph, x: Data, *, events: bool = True) -> tuple[np.ndarray, ...]:
    """Data as mantissas of the inputs' types, as the design reads it; ``events``: at least one event.

    Where it leaves the states out, each event begins with those that the one before left.

    Raises:
        DataError: It does not fit the inputs.
    """
    arrays = completed(graph, check_inputs(graph, x, events=events, states=False))
    found = [quantise(a, n, OverflowLog()) for n, a in zip(graph.inputs, arrays, strict=True)]
    return tuple(m.astype(np.int64) if m.dtype.kind == "f" else m for m in found)  # floats hold them exactly


def events_of(config: Config, graph: Graph, count: int) -> Events:
    """The events that InputData and OutputPredictions name; without InputData, ``count`` vectors of our own.

    Raises:
        DataError: A file is missing or does not fit the network, or there are predictions for no data.
    """
    from nn2hls.data.files import load_inputs, load_predictions

    if config.input_data is None:
        if config.output_predictions is not None:
            fix = "Add InputData, the events that it answers."
            where = str(config.output_predictions)
            raise DataError("OutputPredictions without InputData answers nothing.", where=where, fix=fix)
        return Events(tuple(test_vectors(graph, count)))
    inputs = mantissas_of(graph, load_inputs([config.input_data], {n.name: n.shape for n in graph.inputs}, graph.states))
    if config.output_predictions is None:
        return Events(inputs)
    found = load_predictions(config.output_predictions, {o: graph[o].shape for o in graph.outputs})
    wrong = next((len(p) for p in found if len(p) != len(inputs[0])), None)
    if wrong is not None:
        what = f"It answers {wrong:,} events, and InputData has {len(inputs[0]):,}."
        raise DataError(what, where=str(config.output_predictions))
    return Events(inputs, tuple(found))


def with_corners(config: Config, graph: Graph, count: int) -> list[np.ndarray]:
    """Mantissas of ``count`` vectors of our own, which move every output that can move, behind the user's events."""
    own = test_vectors(graph, count)
    if config.input_data is None:
        return own
    return [np.concatenate(both) for both in zip(events_of(config, graph, 1).inputs, own, strict=True)]


def differences(
    names: Sequence[str], values: Sequence[np.ndarray], predictions: Sequence[np.ndarray]
) -> Mapping[str, Difference]:
    """How far each output's values are from the predictions; nothing without predictions."""
    return {name: _distance(y, p) for name, y, p in zip(names, values, predictions, strict=False)}


def _distance(values: np.ndarray, predictions: np.ndarray) -> Difference:
    away: Any = np.abs(values.reshape(len(values), -1) - predictions.reshape(len(values), -1))
    return Difference(float(away.max()), float(away.mean()), 1 + int(np.argmax(away.max(axis=1))))


def integers(kind: FixedType) -> np.dtype[Any]:
    """The NumPy type of mantissas: int64, Python integers where it does not hold all."""
    return np.dtype(np.int64 if max(kind.max_mantissa, -kind.min_mantissa) <= INT64_EXACT else object)
