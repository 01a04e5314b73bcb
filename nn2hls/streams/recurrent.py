"""A recurrent layer as a process: each firing is a step, which gathers an element of each sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Shape
from nn2hls.streams.views import View, apart, join, of_firings


@dataclass(frozen=True, eq=False)
class Steps:
    """What the steps of a layer read and send.

    Args:
        bases: What it reads.
        index: (steps, K) into the elements of all bases.
        xs, types: Bounds and type of each operand of a step: an element of each sequence, states that are no constants, and
            what is the same in every step.
        constants, is_constant, initial: See Process.
        sent: The shape of what is sent of an event: of every step, or of the last one, all that others read of any.
        read: The numbers of the layer's result among that.
    """

    bases: tuple[str, ...]
    index: np.ndarray
    xs: tuple[Range, ...]
    types: tuple[FixedType, ...]
    constants: np.ndarray | None
    is_constant: np.ndarray | None
    initial: tuple[np.ndarray | None, ...]
    sent: Shape
    read: np.ndarray


def steps_of(views: Sequence[View], op: Any, elements: Mapping[str, int]) -> Steps:
    """The steps of an op that repeats a graph.

    Args:
        views: Of its operands; states that are constants are no operands of a step.
        op: See Repeat.
        elements: Of each base.
    """
    first, last = op.sequences, op.sequences + op.states
    kept = [k for k, v in enumerate(views) if not (first <= k < last and v.constant is not None)]
    own, nodes = [views[k] for k in kept], [op.body.inputs[k] for k in kept]
    joined = join(own, elements)
    follow = [k < first for k in kept]
    parts = zip(apart(joined, own), follow, strict=True)
    index = np.concatenate([of_firings(v.index, op.length, f) for v, f in parts], axis=1)
    values = [np.zeros(v.index.shape, dtype=object) if v.constant is None else v.constant for v in own]
    constants = np.concatenate([of_firings(v, op.length, f) for v, f in zip(values, follow, strict=True)], axis=1)
    fixed = np.concatenate([np.full(n.shape, v.constant is not None).reshape(-1) for n, v in zip(nodes, own, strict=True)])
    return Steps(
        joined.bases,
        index,
        tuple(op.ranges[n.name].broadcast(n.shape) for n in nodes),
        tuple(n.result_type for n in nodes),
        constants if fixed.any() else None,
        fixed if fixed.any() else None,
        tuple(v.constant for v in views[first:last]),
        (1 if op.only_last else op.length, sum(op.sizes)),
        _read(op),
    )


def _read(op: Any) -> np.ndarray:
    """Where what others read stands in what is sent."""
    starts = np.cumsum([0, *op.sizes]).tolist()
    places = (0 if op.only_last else r.step * starts[-1] for r in op.reads)
    return np.concatenate([at + np.arange(*starts[r.output : r.output + 2]) for at, r in zip(places, op.reads, strict=True)])
