"""Scan: a graph over the elements of a sequence, one after the other, with states that go from each to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.errors import LimitError, ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Graph
from nn2hls.graph.op import Op
from nn2hls.graph.reference import run_float
from nn2hls.graph.repeat import Copies, Copy
from nn2hls.guard import MAX_LAYERS, MAX_TENSORS
from nn2hls.ops.move import Move


@dataclass(frozen=True, eq=False)
class Scan(Op):
    """(s[k+1], y[t]) = body(x[t], s[k], c) for step k = 0, 1 .. length - 1 at t = k, or t = length - 1 - k when ``reverse``.

    The operands are ``sequences`` x, whose first axis is time, then the ``states`` s[0], then what is the same in every step.
    The result holds y[t] for every t, in the order of time. Each node of the body has one type in all steps, so that there is
    one body: a state enters a step as it left the one before, without another rounding.

    Args:
        body: Its inputs are an element of each sequence, the states, and the rest; its first outputs the states after it.
        length: Steps.
        sequences: How many operands are sequences.
        states: How many are states.
        reverse: From the last element to the first.
        gives: Which of the body's outputs is y.
        label: Stands before the names of the body's nodes.
    """

    body: Graph
    length: int
    sequences: int
    states: int
    reverse: bool = False
    gives: int = 0
    label: str = ""
    arity: ClassVar[int | None] = None

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        inputs, outputs = self.body.inputs, self.body.outputs
        if self.length < 1 or self.sequences < 1:
            fix = "Give it a sequence of a fixed length of at least one."
            raise ModelError(f"It runs over a sequence of {self.length} elements.", where=where, fix=fix)
        if len(shapes) != len(inputs):
            raise ModelError(f"Its body takes {len(inputs)} operands, not {len(shapes)}.", where=where)
        for k, (found, node) in enumerate(zip(shapes, inputs, strict=True)):
            wanted = (self.length, *node.shape) if k < self.sequences else node.shape
            if tuple(found) != wanted:
                what = "sequence" if k < self.sequences else "state"
                raise ModelError(f"Its {what} '{node.name}' has shape {tuple(found)} and must have {wanted}.", where=where)
        for node, name in zip(inputs[self.sequences :], outputs[: self.states], strict=False):
            if self.body[name].shape != node.shape:
                what = f"Its state '{node.name}' has shape {node.shape}, after a step {self.body[name].shape}."
                raise ModelError(what, where=where)
        self._limited(where)
        return (self.length, *self.body[outputs[self.gives]].shape)

    def _limited(self, where: str) -> None:
        """Every step has nodes of its own."""
        nodes = self.length * len(self.body.nodes)
        values = self.length * sum(math.prod(n.shape) for n in self.body)
        for count, limit, what in ((nodes, MAX_LAYERS, "nodes"), (values, MAX_TENSORS, "values")):
            if count > limit:
                text = f"Its {self.length} steps have {count} {what} together; at most {limit} are read."
                raise LimitError(text, where=where, fix="Make the sequence shorter.")

    def evaluate_float(self, *xs: Any) -> Any:
        events = max(len(x) for x in xs)
        xs = tuple(np.broadcast_to(x, (events, *x.shape[1:])) for x in xs)
        first = self.sequences + self.states
        sequences, states, rest = xs[: self.sequences], list(xs[self.sequences : first]), xs[first:]
        found: dict[int, np.ndarray] = {}
        for t in self._times():
            values = run_float(self.body, [*(x[:, t] for x in sequences), *states, *rest])
            after = [values[name] for name in self.body.outputs]
            states, found[t] = after[: self.states], after[self.gives]
        return np.stack([found[t] for t in range(self.length)], axis=1)

    def _times(self) -> Sequence[int]:
        return range(self.length)[::-1] if self.reverse else range(self.length)

    def inside(self) -> Sequence[str]:
        inputs = {n.name for n in self.body.inputs}
        return [self.label + n.name for n in self.body if n.name not in inputs]

    def copies(self, shapes: Sequence[Shape]) -> Copies:
        nodes: list[Copy] = []
        states = [-1 - k for k in range(self.sequences, self.sequences + self.states)]
        given = [-1 - k for k in range(self.sequences + self.states, len(shapes))]
        slices = [list(self._slices(k, shapes[k])) for k in range(self.sequences)]
        nodes += [copy for one in slices for copy in one]
        results: dict[int, int] = {}
        for step, t in enumerate(self._times()):
            elements = [k * self.length + step for k in range(self.sequences)]
            after = self._step(step, [*elements, *states, *given], nodes)
            states, results[t] = after[: self.states], after[self.gives]
        one = self.body[self.body.outputs[self.gives]].shape
        joined = Move.of(lambda *steps: np.stack(steps), *[one] * self.length)
        inputs = tuple(results[t] for t in range(self.length))
        return Copies(tuple(nodes), joined, inputs, (id(self.body), self.length, self.reverse))

    def _slices(self, k: int, shape: Shape) -> Iterator[Copy]:
        """The elements of a sequence, in the order of the steps."""
        for step, t in enumerate(self._times()):
            op = Move.of(lambda index, t=t: index[t], tuple(shape))
            yield Copy(self.label + self.body.inputs[k].name, step, op, (-1 - k,))

    def _step(self, step: int, fed: Sequence[int], nodes: list[Copy]) -> list[int]:
        """Add the body's nodes; the numbers of its outputs."""
        numbers = {node.name: number for node, number in zip(self.body.inputs, fed, strict=True)}
        for node in self.body:
            if node.name not in numbers:
                numbers[node.name] = len(nodes)
                inputs = tuple(numbers[name] for name in node.inputs)
                nodes.append(Copy(self.label + node.name, step, node.op, inputs, node.given))
        return [numbers[name] for name in self.body.outputs]
