"""What lowerings take and give: tensors, the site at which nodes are added, and the one refusal."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Shape
from nn2hls.guard import MAX_TENSOR
from nn2hls.ops import Constant, Op


class Refusal(Exception):  # noqa: N818  (front ends collect it and add the place; it is never shown as it is)
    """Why a layer is not supported and the way out: a clause, without the place."""


@dataclass(frozen=True)
class Tensor:
    """A value that depends on the network's input.

    Args:
        node: The node that holds it.
        shape: Of the node, without batch axis.
        merged: How many leading axes of ``shape`` the framework takes as one with the batch, as exporters write a Dense layer
            on more than two axes: (batch * 4, 16) is merged = 1 of (4, 16).
    """

    node: str
    shape: Shape
    merged: int = 0

    @property
    def free(self) -> Shape:
        """The axes after the first one, as the framework sees them."""
        return self.shape[self.merged :]

    @property
    def rank(self) -> int:
        """The number of axes, as the framework sees them: the batch is the first."""
        return 1 + len(self.free)

    def full(self, batch: int) -> Shape:
        """The shape, as the framework sees it."""
        return (batch * math.prod(self.shape[: self.merged]), *self.free)

    def axis(self, axis: int) -> int:
        """The node's axis for one that the framework counts, with the batch as its first; negative ones count from the end.

        Raises:
            Refusal: There is no such axis, or it is the batch.
        """
        if not -self.rank <= axis < self.rank:
            raise Refusal(f"its axis {axis} is not one of a tensor of rank {self.rank}")
        if axis % self.rank == 0:
            raise Refusal("it works along the batch axis; each event must be computed for itself")
        return axis % self.rank - 1 + self.merged

    def axes(self, axes: Sequence[int]) -> tuple[int, ...]:
        """The node's axes, ascending, for several that the framework counts; errors as for :meth:`axis`."""
        found = sorted(self.axis(k) for k in axes)
        if len(set(found)) < len(found):
            raise Refusal(f"its axes {tuple(axes)} name one axis twice")
        return tuple(found)


# What arithmetic takes: a tensor, or a constant for every event that broadcasts to one.
Operand = Tensor | np.ndarray


class Site(ABC):
    """One call of one layer: where its nodes go and how they are named."""

    builder: Builder

    @abstractmethod
    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:
        """Add a node for the call and return its name; ``word`` names a step on the way to the layer's result.

        Raises:
            ModelError: The op does not accept operands of these shapes.
        """

    def emit(self, op: Op, *operands: Tensor) -> Tensor:
        """The result of an op."""
        node = self.add(op, [x.node for x in operands], "")
        return Tensor(node, self.builder.shape(node), max((x.merged for x in operands), default=0))

    def constant(self, array: np.ndarray) -> Tensor:
        """A constant, the same for every event, as a node."""
        return self.step("const").emit(Constant(const(array)))

    def step(self, *words: str) -> Site:
        """Where a step on the way to the layer's result goes, named after the words; this site itself where there are none."""
        word = "_".join(filter(None, words))
        return _Step(self, word) if word else self


class _Step(Site):
    """A step on the way to the result of a site."""

    def __init__(self, site: Site, word: str) -> None:
        self.site, self.word, self.builder = site, word, site.builder

    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:  # as in Site
        return self.site.add(op, nodes, f"{self.word}_{word}" if word else self.word)


def const(array: np.ndarray | float) -> Const:
    """A constant of an op, float64."""
    return Const(np.asarray(array, dtype=np.float64))


def trimmed(array: np.ndarray) -> np.ndarray:
    """An array without leading axes of size one: it broadcasts as before."""
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return array


def limited(shape: Sequence[int]) -> Shape:
    """The shape, whose size a file may ask for.

    Raises:
        Refusal: It has too many elements; a few bytes of a file can ask for any number.
    """
    if math.prod(max(n, 0) for n in shape) > MAX_TENSOR:
        raise Refusal(f"it makes {math.prod(shape)} values on its way; at most {MAX_TENSOR} are read")
    return tuple(shape)


def plain(x: Tensor) -> Shape:
    """The shape of a tensor whose first axis is the batch alone.

    Raises:
        Refusal: It is the batch mixed with other axes.
    """
    if x.merged:
        raise Refusal("the first axis of its operand is the batch mixed with other axes")
    return x.shape
