"""Arrays that a user gives as inputs of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.errors import DataError
from nn2hls.graph.graph import Graph
from nn2hls.text import plural

Data = np.ndarray | Sequence[np.ndarray]


def check_inputs(graph: Graph, data: Data, *, events: bool = False, states: bool = True) -> list[np.ndarray]:
    """One array of numbers (events, *shape) per input of the graph.

    Args:
        graph: The graph.
        data: The arrays.
        events: There must be at least one event.
        states: The data must hold those that go from event to event; else they may be left out, all of them.

    Raises:
        DataError: Names the input, its shape and the one it must have.
    """
    arrays = list(data) if isinstance(data, list | tuple) else [data]
    nodes, own = graph.inputs, tuple(n for n in graph.inputs if n.name not in graph.states)
    if not states and len(arrays) == len(own):
        nodes = own
    if len(arrays) != len(nodes):
        what = f"The network has {plural(len(nodes), 'input')} ({', '.join(n.name for n in nodes)})"
        fix = "A list holds one array per input; the events of one input are one array: numpy.array(x)."
        if len(arrays) == len(own):
            fix = "States of the events are inputs here: design.with_states(x) gives all of them."
        raise DataError(f"{what}, {plural(len(arrays), 'array')} came.", fix=fix)
    checked = []
    for node, array in zip(nodes, arrays, strict=True):
        x = _numbers(array, node.name)
        if x.shape[1:] != node.shape or x.ndim == 0:
            expected = f"(events, {', '.join(map(str, node.shape))})"
            fix = "Add the axis of events: x[None]." if x.shape == node.shape else ""
            raise DataError(f"The input has shape {x.shape} and must have {expected}.", where=node.name, fix=fix)
        checked.append(x)
    if len({len(x) for x in checked}) > 1:
        raise DataError(f"The inputs hold {', '.join(str(len(x)) for x in checked)} events; they must be as many.")
    if events and checked and not len(checked[0]):
        raise DataError("The data holds no events.")
    return checked


def _numbers(array: Any, where: str) -> np.ndarray:
    """The data as a NumPy array of numbers; a PyTorch tensor may be on any device, of bfloat16, and part of a graph."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.float() if str(array.dtype) == "torch.bfloat16" else array
    if np.ma.is_masked(array):
        fix = "Choose what stands in the gaps: x.filled(0)."
        raise DataError("The input is a masked array with gaps, and hardware has no such values.", where=where, fix=fix)
    try:
        x = np.asarray(array)
    except ValueError as error:
        fix = "The events must be of one shape: numpy.array(x) shows where they differ."
        raise DataError(f"The input is no array: {error}.", where=where, fix=fix) from error
    if x.dtype.name == "bfloat16":  # of a package that extends NumPy
        x = x.astype(np.float32)
    if x.dtype.kind not in "fiub":
        fix = "Make it an array of floats or integers: x.astype(float)." if x.dtype.kind == "O" else ""
        raise DataError(f"The input holds {x.dtype}, not numbers.", where=where, fix=fix)
    return x


def check_finite(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The arrays, of all inputs or without those of states.

    Raises:
        DataError: One of them holds NaN or Inf; names the input.
    """
    own = [n for n in graph.inputs if n.name not in graph.states]
    for node, array in zip(graph.inputs if len(arrays) == len(graph.inputs) else own, arrays, strict=True):
        if not np.isfinite(array).all():
            fix = "Clean the data first: fixed point has no such values."
            raise DataError("The input holds NaN or Inf.", where=node.name, fix=fix)
    return arrays
