"""Reading input data and labels from files: which array belongs to which input or output, and its shape."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from nn2hls.data.formats import load
from nn2hls.errors import DataError, suggest
from nn2hls.text import plural

Shape = tuple[int, ...]


def load_inputs(paths: Sequence[str | Path], inputs: Mapping[str, Shape], states: Collection[str] = ()) -> list[np.ndarray]:
    """Data for the inputs of a design: one file per input in order, or one ``.npz`` for all.

    In a ``.npz`` arrays are found by the name of the input, or as ``x`` when there is one input, or by order.

    Args:
        paths: The files.
        inputs: Shapes without event axis, by name, in the design's order.
        states: Those of the inputs that may be left out, all of them.

    Returns:
        One float64 array (events, *shape) per input, or per input that is no state.

    Raises:
        DataError: The data does not fit the inputs, or holds NaN or Inf.
    """
    where = ", ".join(map(str, paths))
    if len(paths) == 1:
        held = load(paths[0])
        if states and len(held) == len(inputs) - len(states) and not any(name in held for name in states):
            inputs = {name: shape for name, shape in inputs.items() if name not in states}
        found = _select(held, list(inputs), "x", "input", where)
    else:
        found = [array for path in paths for array in load(path).values()]
        if states and len(found) == len(inputs) - len(states):
            inputs = {name: shape for name, shape in inputs.items() if name not in states}
        if len(found) != len(inputs):
            fix = "Give one file with one array per input, in this order, or one .npz with these names."
            what = f"The design has {len(inputs)} inputs ({', '.join(inputs)}), and the data holds {len(found)} arrays."
            raise DataError(what, where=where, fix=fix)
    arrays = [fit(array, shape, name, where) for array, (name, shape) in zip(found, inputs.items(), strict=True)]
    if len({len(a) for a in arrays}) > 1:
        events = ", ".join(f"{name}: {len(a)}" for name, a in zip(inputs, arrays, strict=True))
        raise DataError(f"The inputs have different numbers of events ({events}).", where=where)
    return arrays


def _select(arrays: Mapping[str, np.ndarray], names: Sequence[str], common: str, kind: str, where: str) -> list[np.ndarray]:
    """The arrays called ``names``; one that is called ``common`` when a single one is wanted; else all, in order."""
    if all(name in arrays for name in names):
        return [arrays[name] for name in names]
    if len(names) == 1 and common in arrays:
        return [arrays[common]]
    unnamed = all(name == "" or name.startswith("arr_") for name in arrays)
    if len(arrays) == len(names) and (unnamed or len(names) == 1):
        return list(arrays.values())
    what = f"The model has {plural(len(names), kind)} ({', '.join(names)}), and the file holds "
    held = f"the arrays {', '.join(arrays)}." if not unnamed else f"{len(arrays)} arrays."
    hints = [suggest(name, arrays) for name in names if name not in arrays]
    ways = (
        "Give a .npz with an array of each name" if len(names) > 1 else f"Give one array, or a .npz with an array '{names[0]}'"
    )
    ways += ", or one file per input." if len(names) > 1 and kind == "input" else "."
    raise DataError(what + held, where=where, fix=f"{next(filter(None, hints), '')} {ways}".strip())


def fit(array: np.ndarray, shape: Shape, name: str, where: str, kind: str = "input") -> np.ndarray:
    """An array as float64 of shape (events, *shape); events whose values lie in one row are reshaped.

    Raises:
        DataError: Wrong shape, not numbers, no events, NaN or Inf.
    """
    if array.dtype.kind not in "fiub":
        raise DataError(f"It holds {array.dtype}, not numbers.", where=where)
    size = math.prod(shape)
    if array.shape == shape:
        fix = f"Add a first axis for the events: {(1, *shape)}."
        raise DataError(f"Its shape {array.shape} is one event without an event axis.", where=where, fix=fix)
    if array.ndim == 1 and size == 1:
        array = array.reshape(-1, 1)
    if array.shape[1:] != shape and not (array.ndim == 2 and array.shape[1] == size):
        axes = ", ".join(map(str, ("events", *shape)))
        verb = "takes" if kind == "input" else "gives"
        raise DataError(f"Its shape is {array.shape}, and {kind} '{name}' {verb} ({axes}).", where=where)
    if not len(array):
        raise DataError("It has no events.", where=where)
    values = array.reshape(len(array), *shape).astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        bad = int(np.count_nonzero(~finite))
        first = int(np.argmin(finite.reshape(len(values), -1).all(axis=1)))
        fix = "Clean the data first: fixed point has no such values."
        raise DataError(f"{bad} values are NaN or Inf, the first in event {first}.", where=where, fix=fix)
    return values


def load_predictions(path: str | Path, outputs: Mapping[str, Shape]) -> list[np.ndarray]:
    """What a model answers: one float64 array (events, *shape) per output, found in a file as labels are.

    Raises:
        DataError: The data does not fit the outputs, or holds NaN or Inf.
    """
    where = str(path)
    found = _select(load(path), list(outputs), "y", "output", where)
    return [fit(a, shape, name, where, "output") for a, (name, shape) in zip(found, outputs.items(), strict=True)]


def load_labels(path: str | Path, outputs: Sequence[str]) -> list[np.ndarray]:
    """Labels, one array per output, as they lie in the file; see :func:`nn2hls.compare.result.class_numbers` for their meaning.

    In a ``.npz`` arrays are found by the name of the output, or as ``y`` when there is one output, or by order.

    Raises:
        DataError: Not as many arrays as outputs, or not numbers.
    """
    found = _select(load(path), list(outputs), "y", "output", str(path))
    for array in found:
        if array.dtype.kind not in "fiub":
            raise DataError(f"The labels hold {array.dtype}, not numbers.", where=str(path))
    return found
