"""Repeat: a graph with types that runs once for each element of a sequence, on the same hardware."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nn2hls.arith.ranges import Range
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.op import Op


@dataclass(frozen=True)
class Read:
    """A value that is read: output ``output`` of the body, counted from the first that is no state, after ``step``."""

    output: int
    step: int


@dataclass(frozen=True, eq=False)
class Repeat(Op):
    """(s[k+1], y[k]) = body(x[k], s[k], c) for step k = 0, 1 .. length - 1; the result is some elements of y, side by side.

    The operands are ``sequences`` x, whose first axis is the steps, then the ``states`` s[0], then what is the same in every
    step. States and y have one type each in all steps, so that nothing is cast between them. It has no kernel, for it is
    hardware alone: :func:`nn2hls.ops.roll.rolled` makes it of steps that the emulator runs as nodes of their own.

    Args:
        body: With types; its inputs are an element of each sequence, the states, and the rest; its outputs the states, then y.
        ranges: Bounds of the body's values in all steps, by name.
        length: Steps.
        sequences: How many operands are sequences.
        states: How many are states.
        reads: What of y the result is, in order, flat.
    """

    body: Graph
    ranges: Mapping[str, Range]
    length: int
    sequences: int
    states: int
    reads: tuple[Read, ...]
    arity: ClassVar[int | None] = None

    @property
    def repeats(self) -> Repeat:
        return self

    @property
    def reuse(self) -> int:  # type: ignore[override]
        """Each multiplier serves all steps."""
        return self.length

    @property
    def results(self) -> tuple[str, ...]:
        """The nodes of the body that y is."""
        return self.body.outputs[self.states :]

    @property
    def only_last(self) -> bool:
        """Whether nothing but what the last step gives is read."""
        return all(read.step == self.length - 1 for read in self.reads)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Elements of each of y."""
        return tuple(math.prod(self.body[name].shape) for name in self.results)

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        inputs = self.body.inputs
        wanted = [(self.length, *n.shape) if k < self.sequences else n.shape for k, n in enumerate(inputs)]
        if [tuple(s) for s in shapes] != wanted:
            raise ModelError(f"Its operands have the shapes {list(shapes)} and must have {wanted}.", where=where)
        return (sum(self.sizes[r.output] for r in self.reads),)

    def exact(self, xs: Sequence[Range]) -> Range:
        flat = [self.ranges[self.results[r.output]] for r in self.reads]
        ends = [np.concatenate([np.ravel(getattr(x, side)) for x in flat]) for side in ("least", "most")]
        return Range(ends[0], ends[1], flat[0].fraction)

    def work(self, xs: Sequence[Range]) -> int:
        return sum(n.op.work([self.ranges[i] for i in n.inputs]) for n in self.computing())

    def computing(self) -> Iterator[Node]:
        """The nodes of the body but its inputs and constants."""
        return (n for n in self.body if not isinstance(n.op, Input | Constant))

    def equation(self) -> str:
        return f"{self.length} steps, one after the other"
