"""What lowerings take and give: tensors, the site at which nodes are added, and the one refusal."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Shape
from nn2hls.guard import MAX_TENSOR, MAX_VALUES
from nn2hls.ops import Constant, Op


class Refusal(Exception):  # noqa: N818  (front ends collect it and add the place; it is never shown as it is)
    """Why a layer is not supported and the way out: a clause, without the place."""


@dataclass(frozen=True)
class Tensor:
    """A value that depends on the network's input.

    A framework has the batch as one of the axes, mostly the first; a node has none. Exporters move the batch, and take axes as
    one with it, as for a Dense layer on more than two axes: (batch * 4, 16). The node's axes stand in the framework's order:
    ``place`` axes, then the batch as one with ``before`` axes before and ``merged`` axes behind it, then the rest.

    Args:
        node: The node that holds it.
        shape: Of the node, without batch axis.
        merged: See above; (batch * 4, 16) is merged = 1 of (4, 16).
        place: See above; (5, batch, 8) is place = 1 of (5, 8).
        before: See above; (5 * batch, 8) is before = 1 of (5, 8).
        hidden: Which elements a mask has made minus infinity; it broadcasts to the node. Only a softmax takes such a tensor.
    """

    node: str
    shape: Shape
    merged: int = 0
    place: int = 0
    before: int = 0
    hidden: np.ndarray | None = field(default=None, compare=False)

    @property
    def free(self) -> Shape:
        """The axes after the batch, as the framework sees them."""
        return self.shape[self.place + self.before + self.merged :]

    @property
    def joined(self) -> Shape:
        """The node's axes that the framework takes as one with the batch."""
        return self.shape[self.place : self.place + self.before + self.merged]

    @property
    def rank(self) -> int:
        """The number of axes, as the framework sees them, the batch included."""
        return 1 + len(self.shape) - self.before - self.merged

    @property
    def is_plain(self) -> bool:
        """Whether the batch is the first axis and no other is one with it."""
        return not (self.place or self.before or self.merged)

    def full(self, batch: int) -> Shape:
        """The shape, as the framework sees it."""
        return (*self.shape[: self.place], batch * math.prod(self.joined), *self.free)

    def axis(self, axis: int) -> int:
        """The node's axis for one that the framework counts, the batch included; negative ones count from the end.

        Raises:
            Refusal: There is no such axis, or it is the batch.
        """
        if not -self.rank <= axis < self.rank:
            raise Refusal(f"its axis {axis} is not one of a tensor of rank {self.rank}")
        if axis % self.rank == self.place:
            raise Refusal("it works along the batch axis; each event must be computed for itself")
        k = axis % self.rank
        return k if k < self.place else k - 1 + self.before + self.merged

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
        """The result of an op; where its operands have the batch elsewhere than first, so has the result."""
        if any(x.hidden is not None for x in operands):
            raise Refusal("minus infinity, as a mask gives it, is only offered right before a softmax")
        node = self.add(op, [x.node for x in operands], "")
        shape = self.builder.shape(node)
        like = next((x for x in operands if not x.is_plain), None)
        return Tensor(node, shape) if like is None else replace(like, node=node, shape=shape)

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


def limited_weights(shape: Sequence[int]) -> Shape:
    """Like :func:`limited`, for the constants of a layer."""
    if math.prod(shape) > MAX_VALUES:
        raise Refusal(f"its weights, with the zeros between its groups, are {math.prod(shape)}; at most {MAX_VALUES} are read")
    return tuple(shape)


def plain(x: Tensor) -> Shape:
    """The shape of a tensor whose first axis is the batch alone; a Refusal for others."""
    if not x.is_plain:
        raise Refusal(
            "the first axis of its operand is not the batch alone, but the batch mixed with other axes, or another axis"
        )
    return x.shape
