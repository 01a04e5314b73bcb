"""Builds a graph node by node."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nn2hls.errors import LimitError, ModelError
from nn2hls.guard import MAX_LAYERS, MAX_TENSOR, MAX_TENSORS, MAX_VALUES

if TYPE_CHECKING:
    from nn2hls.arith.fixed import FixedType
    from nn2hls.graph.op import Op
from nn2hls.graph.const import Const, Places, Shape
from nn2hls.graph.graph import Absent, Fate, Graph, Node, Origin
from nn2hls.graph.verify import verify


def unused(name: str, taken: set[str]) -> str:
    """The name, or with the first number that makes it unlike all that are ``taken``, to which it is added."""
    unique, n = name, 1
    while unique in taken:
        n += 1
        unique = f"{name}_{n}"
    taken.add(unique)
    return unique


class Builder:
    """Builds a graph node by node; converters use it.

    Shapes are inferred as nodes are added, and a name that is taken gets a numbered suffix.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._absent: dict[str, Absent] = {}
        self._last: dict[str, int] = {}  # the highest suffix of each name that was taken
        self._values = self._constants = 0

    def dropped(self, layer: str, node: str, *, listed: bool = False, fate: Fate = Fate.DROPPED) -> None:
        """Remember that a layer of the user has no node since its value is that of ``node``.

        Args:
            layer: Its name.
            node: That node.
            listed: Whether the framework's model lists it among its layers, in the order of the calls.
            fate: Why it has none; what was said first holds.
        """
        known = self._absent.get(layer, Absent(layer, fate, node))
        self._absent[layer] = replace(known, places=(*known.places, len(self._nodes))) if listed else known

    def add(self, name: str, op: Op, inputs: Sequence[str] = (), origin: Origin | None = None) -> str:
        """Append a node and return the name it got.

        Raises:
            ModelError: The op does not accept operands of these shapes, or its constants are no numbers to build with; the
                message names the layer.
            LimitError: The network grows beyond what is read: hostile files are small and ask for much.
        """
        unique, n = name, self._last.get(name, 1)
        while unique in self._nodes:
            n += 1
            unique = f"{name}_{n}"
        self._last[name] = n
        shapes = [self._nodes[i].shape for i in inputs]
        origin = origin or Origin(name)
        shape = op.infer(shapes, where=origin.layer or name)
        self._count(op, shape, origin.layer or name)
        self._nodes[unique] = Node(unique, op, tuple(inputs), shape, None, origin)
        return unique

    def _count(self, op: Op, shape: Shape, where: str) -> None:
        size = math.prod(shape)
        if not size:
            fix = "Every size must be one or more; is this the model that was trained?"
            raise ModelError(f"Its result of shape {shape} has no elements.", where=where, fix=fix)
        self._values += size
        for constant in (v for v in vars(op).values() if isinstance(v, Const) and not isinstance(v, Places)):
            self._constants += constant.array.size
            if constant.array.dtype.kind == "f" and not np.isfinite(constant.array).all():
                what = "One of its weights or constants is NaN or infinite."
                raise ModelError(what, where=where, fix="Train the model again, or load an earlier checkpoint.")
        for count, limit, what in (
            (size, MAX_TENSOR, "values come out of this layer"),
            (self._values, MAX_TENSORS, "values come out of the layers up to this one"),
            (self._constants, MAX_VALUES, "weights belong to the layers up to this one"),
            (len(self._nodes) + 1, MAX_LAYERS, "layers and calls of layers"),
        ):
            if count > limit:
                raise LimitError(f"{count} {what}; at most {limit} are read.", where=where, fix="Make the network smaller.")

    def give(self, name: str, types: Mapping[str, FixedType]) -> None:
        """Types that the model gives to a node that was added, by the words of the config."""
        self._nodes[name] = replace(self._nodes[name], given={**self._nodes[name].given, **types})

    def node(self, name: str) -> Node:
        """A node that was added."""
        return self._nodes[name]

    def shape(self, name: str) -> Shape:
        """The shape of a node that was added."""
        return self._nodes[name].shape

    def build(self, outputs: Iterable[str]) -> Graph:
        """The graph, verified; nodes that no output needs are kept, and states leave behind the outputs."""
        states = (name for name, node in self._nodes.items() if node.op.carries)
        graph = Graph(tuple(self._nodes.values()), (*outputs, *states), tuple(self._absent.values()))
        verify(graph)
        return graph
