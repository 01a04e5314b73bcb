"""What the lowering of one ONNX node needs: its operands, the builder, and a way to refuse."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nn2hls.converters.onnx.file import FileNode
from nn2hls.errors import ModelError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.graph import Origin
from nn2hls.ops import Constant, Op


class RefusedError(Exception):
    """A node that cannot be lowered; the text says why and what to do, the converter adds the place."""


@dataclass(frozen=True, eq=False)
class Known:
    """A constant tensor, for each of the trial batch sizes; all the same unless it depends on the batch size."""

    arrays: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Live:
    """A node of the graph being built.

    Args:
        name: Of the node.
        shape: Of the node, without batch axis.
        merged: How many leading axes of ``shape`` the file takes as one with the batch, as exporters write a Dense layer on
            more than two axes: (batch * 4, 16) is merged = 1 of (4, 16).
    """

    name: str
    shape: Shape
    merged: int = 0

    @property
    def free(self) -> Shape:
        """The axes after the first one, as the file sees them."""
        return self.shape[self.merged :]

    @property
    def rank(self) -> int:
        """The number of axes, as the file sees them."""
        return 1 + len(self.free)

    def full(self, batch: int) -> Shape:
        """The shape, as the file sees it."""
        return (batch * math.prod(self.shape[: self.merged]), *self.free)


Value = Known | Live
Handler = Callable[["Context", FileNode], Value]


@dataclass(eq=False)
class Context:
    """The state of one conversion.

    Args:
        batches: Batch sizes that shapes are computed for.
        opset: Version of the standard operators.
        values: What each tensor is; a tensor whose node was refused is absent.
        folded: How many values of constants were computed.
    """

    batches: tuple[int, ...]
    opset: int
    builder: Builder = field(default_factory=Builder)
    values: dict[str, Value] = field(default_factory=dict)
    folded: int = 0

    def emit(self, node: FileNode, op: Op, *operands: Live, part: str = "") -> Live:
        """Append an op for a node; ``part`` names a step on the way to the node's own value."""
        name = f"{node.name}_{part}" if part else node.name
        origin = Origin(node.name, node.kind or node.op, is_result=not part)
        try:
            unique = self.builder.add(name, op, [o.name for o in operands], origin)
        except ModelError as error:
            raise RefusedError(f"{error.what} {error.fix}".strip()) from None
        return Live(unique, self.builder.shape(unique), max((o.merged for o in operands), default=0))

    def operand(self, node: FileNode, k: int) -> Value:
        """Operand k, which must be there."""
        if not self.has(node, k):
            raise RefusedError(f"its operand {k} is missing")
        return self.values[node.inputs[k]]

    def has(self, node: FileNode, k: int) -> bool:
        """Whether operand k is given."""
        return k < len(node.inputs) and bool(node.inputs[k])

    def live(self, node: FileNode, k: int = 0, *, plain: bool = False) -> Live:
        """Operand k, which must be computed from the inputs; ``plain``: its first axis must be the batch alone."""
        value = self.operand(node, k)
        if isinstance(value, Known):
            raise RefusedError(f"its operand '{node.inputs[k]}' is a constant")
        if plain and value.merged:
            raise RefusedError(f"the first axis of its operand '{node.inputs[k]}' is the batch mixed with other axes")
        return value

    def array(self, node: FileNode, k: int, what: str) -> np.ndarray:
        """Operand k, which must be a constant of finite numbers that does not depend on the batch size, as float64."""
        array = self.raw(node, k, what)
        if not np.isfinite(array).all():
            kind = "NaN" if np.isnan(array).any() else "Inf"
            raise RefusedError(f"its {what} '{node.inputs[k]}' holds {kind}; train or export the model again")
        return array

    def raw(self, node: FileNode, k: int, what: str) -> np.ndarray:
        """Like :meth:`array`, infinite values allowed."""
        value = self.operand(node, k)
        if isinstance(value, Live):
            raise RefusedError(f"its {what} '{node.inputs[k]}' is computed and must be a constant")
        if not same(value.arrays):
            raise RefusedError(f"its {what} '{node.inputs[k]}' depends on the batch size")
        if value.arrays[0].dtype.kind not in "fiub":
            raise RefusedError(f"its {what} '{node.inputs[k]}' holds no numbers")
        return value.arrays[0].astype(np.float64)

    def scalar(self, node: FileNode, k: int, what: str) -> float:
        """Operand k, a constant of one number; it may be infinite but not NaN."""
        array = self.raw(node, k, what)
        if array.size != 1 or np.isnan(array).any():
            raise RefusedError(f"its {what} '{node.inputs[k]}' is no single number")
        return float(array.reshape(()))

    def per_sample(self, node: FileNode, k: int, rank: int) -> np.ndarray:
        """Constant operand k for a tensor of ``rank`` axes, batch included: without batch and leading unit axes.

        ``axis`` of the opsets before 7 says where the constant's axes belong.
        """
        array = self.array(node, k, "constant")
        if "axis" in node.attrs and array.ndim:
            axis = node.attrs["axis"] % rank
            array = array.reshape(*array.shape, *(1,) * max(0, rank - axis - array.ndim))
        rows = array.ndim == rank and array.shape[0] != 1
        if rows and (array.shape[0],) == self.batches and (array == array[:1]).all():
            array, rows = array[0], False
        if array.ndim > rank or rows:
            raise RefusedError(
                f"its constant '{node.inputs[k]}' of shape {array.shape} varies along the batch axis; "
                "give it a first axis of size 1"
            )
        return trimmed(array)

    def as_live(self, node: FileNode, k: int) -> Live:
        """Operand k; a constant whose rows are all the same becomes a Constant node."""
        value = self.operand(node, k)
        if isinstance(value, Live):
            return value
        rows = [
            a[0] for a, n in zip(value.arrays, self.batches, strict=True) if a.ndim and a.shape[0] == n and (a == a[:1]).all()
        ]
        if len(rows) < len(self.batches) or not same(tuple(rows)) or not np.isfinite(rows[0]).all():
            raise RefusedError(f"its constant '{node.inputs[k]}' is not finite or varies along the batch axis")
        return self.emit(
            dataclasses.replace(node, name=node.inputs[k]), Constant(Const(rows[0].astype(np.float64))), part="const"
        )


def same(arrays: tuple[np.ndarray, ...]) -> bool:
    """Whether all arrays are equal; NaN equals NaN."""
    first = arrays[0]
    nan = first.dtype.kind == "f"
    return all(a.shape == first.shape and np.array_equal(a, first, equal_nan=nan) for a in arrays[1:])


def trimmed(array: np.ndarray) -> np.ndarray:
    """An array without leading axes of size one."""
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return array


def number(value: float) -> Const:
    """A scalar constant."""
    return Const(np.asarray(value, dtype=np.float64))
