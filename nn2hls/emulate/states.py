"""States that go from event to event: what each event begins with, where the data does not say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nn2hls.emulate.emulator import Emulator
from nn2hls.graph.graph import Graph
from nn2hls.graph.reference import run_float

Arrays = Sequence[np.ndarray]


def left_out(graph: Graph, arrays: Arrays) -> bool:
    """Whether the data is that of the inputs without the states."""
    return bool(graph.states) and len(arrays) == len(graph.inputs) - len(graph.states)


def completed(graph: Graph, arrays: Arrays, emulator: Emulator | None = None) -> list[np.ndarray]:
    """Data of all inputs of a fixed graph: each event begins with what the emulator finds after the one before, the first with
    zeros.

    Args:
        graph: The graph.
        arrays: Floats (events, *shape) of each input, or of each that is no state.
        emulator: Of the graph, where there is one.
    """
    if not left_out(graph, arrays):
        return list(arrays)
    machine = emulator or Emulator(graph)

    def after(inputs: Arrays) -> Mapping[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}

        def take(name: str, start: int, part: Any) -> None:
            found[name] = part.astype(np.float64) * graph[name].result_type.step

        machine.run(inputs, take)
        return found

    return _one_by_one(graph, arrays, after)


def completed_float(graph: Graph, arrays: Arrays) -> list[np.ndarray]:
    """The same of a float graph, with what the reference finds."""
    if not left_out(graph, arrays):
        return list(arrays)
    return _one_by_one(graph, arrays, lambda inputs: run_float(graph, inputs))


def _one_by_one(graph: Graph, arrays: Arrays, after: Callable[[Arrays], Mapping[str, np.ndarray]]) -> list[np.ndarray]:
    events, own = len(arrays[0]) if arrays else 1, iter(arrays)
    data = [np.zeros((events, *n.shape)) if n.name in graph.states else next(own) for n in graph.inputs]
    places = {n.name: k for k, n in enumerate(graph.inputs)}
    for event in range(events - 1):
        values = after([x[event : event + 1] for x in data])
        for state, output in graph.states.items():
            data[places[state]][event + 1] = values[output][0]
    return data


def own_outputs(graph: Graph) -> list[str]:
    """The outputs that are no states."""
    states = set(graph.states.values())
    return [name for name in graph.outputs if name not in states]
