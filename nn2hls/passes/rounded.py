"""Tells the user what rounding did to the constants of a layer: values that saturated, weights that became zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from nn2hls.fixed import FixedType
from nn2hls.ir import Const, Node
from nn2hls.ops import Dense

_LISTED = 4  # values in a note


def rounded(before: Node, after: Node) -> list[str]:
    """A note for each constant of a node that its type changed by more than rounding; ``after`` is the resolved node."""
    return [f"{after.name}: {text}" for text in _notes(before, after)]


def _notes(before: Node, after: Node) -> Iterator[str]:
    for f in dataclasses.fields(before.op):
        value = getattr(before.op, f.name)
        kind = getattr(after.op, f"{f.name}_t", after.type if f.name == "value" else None)
        if not isinstance(value, Const) or not isinstance(kind, FixedType):
            continue
        yield from _saturated(f.name, value.array, kind, "saturated")
        mantissas = getattr(after.op, f.name).array
        lost = int(np.count_nonzero((value.array != 0) & (mantissas == 0)))
        if lost and f.name == "weight":
            yield f"{lost:,} of {int(np.count_nonzero(value.array)):,} non-zero weights become zero in {kind}."
        if f.name == "bias" and isinstance(after.op, Dense) and after.op.accum_t is not None:
            yield from _saturated("bias", np.clip(value.array, kind.min, kind.max), after.op.accum_t, "brought into it")


def _saturated(name: str, values: np.ndarray, kind: FixedType, what: str) -> Iterator[str]:
    """Half a step beyond an end still rounds to it."""
    out = (values > kind.max + kind.step / 2) | (values < kind.min - kind.step / 2)
    places = np.argwhere(out)
    if not len(places):
        return
    shown = [f"{name}{[int(i) for i in at] if len(at) else ''} = {values[tuple(at)]:g}" for at in places[:_LISTED]]
    more = f" and {len(places) - _LISTED:,} more" if len(places) > _LISTED else ""
    yield f"constants beyond {kind} are {what}: {', '.join(shown)}{more}."
