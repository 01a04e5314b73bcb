"""What a design is given: data of all inputs, or without the states that go from event to event; and its float answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.data.arrays import Data, check_finite, check_inputs
from nn2hls.emulate.states import completed, completed_float, left_out, own_outputs
from nn2hls.graph.graph import Graph
from nn2hls.graph.reference import run_float


class Fed:
    """The part of a :class:`nn2hls.design.design.Design` that reads data."""

    def with_states(self, x: Data) -> list[np.ndarray]:
        """Data of all inputs, for networks with layers that keep states from event to event, where ``x`` leaves these out.

        Each event begins with the states that the emulator finds after the one before; the first one with zeros.
        """
        return self._given(x)[0]

    def _given(self, x: Data) -> tuple[list[np.ndarray], Sequence[str]]:
        """Data of all inputs, and the outputs that answer it: without the states where it leaves them out."""
        own: Any = self
        given = check_inputs(own.graph, x, states=False)
        outputs = own_outputs(own.graph) if left_out(own.graph, given) else own.graph.outputs
        return completed(own.graph, given, own.emulator), outputs

    def predict_float(self, x: Data) -> Any:
        """The float reference of the same network."""
        own: Any = self
        inputs, outputs = self._floats(x)
        values = run_float(own.float_graph, inputs)
        return one_or_list([values[name] for name in outputs])

    def _floats(self, x: Data) -> tuple[list[np.ndarray], Sequence[str]]:
        """As :meth:`_given`, of the float reference."""
        own: Any = self
        given, graph = check_finite(own.graph, check_inputs(own.graph, x, states=False)), own.float_graph
        return completed_float(graph, given), own_outputs(graph) if left_out(graph, given) else graph.outputs


def one_or_list(values: list[Any]) -> Any:
    """The only one, or all of several."""
    return values[0] if len(values) == 1 else values


def calibration_of(graph: Graph, data: Data) -> list[np.ndarray]:
    """Data that may set types, of all inputs; states that it leaves out are those that float has after the events before."""
    return completed_float(graph, check_finite(graph, check_inputs(graph, data, events=True, states=False)))
