"""What the lowering of one ONNX node needs: its operands, the builder, and a way to refuse."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn2hls.converters.lower import integers, layout
from nn2hls.converters.lower.value import Operand, Refusal, Site, Tensor, trimmed
from nn2hls.converters.onnx.file import FileNode
from nn2hls.converters.onnx.quantised_values import FEW_BITS
from nn2hls.errors import ModelError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Origin
from nn2hls.ops import Constant, Op


@dataclass(frozen=True, eq=False)
class Known:
    """A constant tensor, for each of the trial batch sizes; all the same unless it depends on the batch size."""

    arrays: tuple[np.ndarray, ...]


Value = Known | Tensor
Handler = Callable[["At"], Value | Sequence[Value]]


@dataclass(eq=False)
class Context:
    """The state of one conversion.

    Args:
        batches: Batch sizes that shapes are computed for.
        opset: Version of the standard operators.
        values: What each tensor is; a tensor whose node was refused is absent.
        quantised: Constants that are numbers of a quantised model, with their scales.
        folded: How many values of constants were computed.
    """

    batches: tuple[int, ...]
    opset: int
    builder: Builder = field(default_factory=Builder)
    values: dict[str, Value] = field(default_factory=dict)
    folded: int = 0
    quantised: Mapping[str, np.ndarray] = field(default_factory=dict)


class _Recorded(dict[str, Any]):
    """Attributes that remember which of them were asked for."""

    def __init__(self, attrs: Mapping[str, Any], read: set[str]) -> None:
        super().__init__(attrs)
        self._read = read

    def get(self, key: str, default: Any = None) -> Any:
        self._read.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._read.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._read.add(str(key))
        return super().__contains__(key)


# Attributes that concern training, or the element types in between, of which there are none here; and those that a handler
# reads only where they count, such as the pads beside auto_pad.
_IDLE = frozenset((
    "consumed_inputs", "momentum", "ratio", "seed", "stash_type", "softmax_precision", "is_test", "detect_negative",
    "detect_positive", "saturate", "round_mode", "sorted", "cubic_coeff_a", "extrapolation_value",
    "exclude_outside", "broadcast", "axis", "noop_with_empty_axes", "keep_aspect_ratio_policy", "pads", "auto_pad",
))  # fmt: skip


class At(Site):
    """One node of the file while it is lowered: its attributes and operands, and where its nodes go."""

    def __init__(self, context: Context, node: FileNode) -> None:
        self.read: set[str] = set()
        self.node = dataclasses.replace(node, attrs=_Recorded(node.attrs, self.read))
        self.context, self.builder = context, context.builder

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes that shapes are computed for."""
        return self.context.batches

    @property
    def opset(self) -> int:
        """Version of the standard operators."""
        return self.context.opset

    def not_understood(self) -> str:
        """An attribute that nothing has read and that is not known to be idle, as a reason to refuse the node."""
        unread = [k for k in self.node.attrs if k not in self.read and k not in _IDLE]
        return f"its attribute '{unread[0]}' is not understood; export the model without it" if unread else ""

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute of the node, or what it means to leave it out."""
        return self.node.attrs.get(name, default)

    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:  # noqa: D102  (as in Site)
        return self._add(self.node.name, op, nodes, word)

    def _add(self, name: str, op: Op, nodes: Sequence[str], word: str) -> str:
        scales = [self.context.quantised[i] for i in self.node.inputs if i in self.context.quantised]
        if op.linear is None or not scales:
            return self._named(name, op, nodes, word)
        add = functools.partial(self._named, name)
        return integers.products(add, self.builder, op, nodes, word, scales)

    def _named(self, name: str, op: Op, nodes: Sequence[str], word: str) -> str:
        origin = Origin(name, self.node.kind or self.node.op, is_result=not word)
        try:
            return self.builder.add(f"{name}_{word}" if word else name, op, nodes, origin)
        except ModelError as error:
            raise Refusal(f"{error.what} {error.fix}".strip()) from None

    def has(self, k: int) -> bool:
        """Whether operand k is given."""
        return k < len(self.node.inputs) and bool(self.node.inputs[k])

    def name(self, k: int) -> str:
        """The name of operand k in the file."""
        return self.node.inputs[k]

    def value(self, k: int) -> Value:
        """Operand k, which must be there."""
        if not self.has(k):
            raise Refusal(f"its operand {k} is missing")
        return self.context.values[self.name(k)]

    def is_known(self, k: int) -> bool:
        """Whether operand k is given and a constant."""
        return self.has(k) and isinstance(self.value(k), Known)

    def tensor(self, k: int = 0, *, plain: bool = False) -> Tensor:
        """Operand k, which must be computed from the inputs; ``plain``: its first axis must be the batch alone."""
        value = self.value(k)
        if isinstance(value, Known):
            raise Refusal(f"its operand '{self.name(k)}' is a constant")
        if plain and not value.is_plain:
            raise Refusal(f"the first axis of its operand '{self.name(k)}' is the batch mixed with other axes")
        return value

    def known(self, k: int) -> np.ndarray | None:
        """Operand k as the file has it, with its own type; None where it is left out or computed."""
        value = self.value(k) if self.has(k) else None
        return value.arrays[0] if isinstance(value, Known) else None

    def array(self, k: int, what: str) -> np.ndarray:
        """Operand k, which must be a constant of finite numbers that does not depend on the batch size, as float64."""
        array = self.raw(k, what)
        if not np.isfinite(array).all():
            kind = "NaN" if np.isnan(array).any() else "Inf"
            raise Refusal(f"its {what} '{self.name(k)}' holds {kind}; train or export the model again")
        return array

    def optional(self, k: int, what: str) -> np.ndarray | None:
        """Like :meth:`array`, None where the operand is left out."""
        return self.array(k, what) if self.has(k) else None

    def raw(self, k: int, what: str) -> np.ndarray:
        """Like :meth:`array`, infinite values allowed."""
        value = self.value(k)
        if isinstance(value, Tensor):
            raise Refusal(f"its {what} '{self.name(k)}' is computed and must be a constant")
        if not same(value.arrays):
            raise Refusal(f"its {what} '{self.name(k)}' depends on the batch size")
        if value.arrays[0].dtype.kind not in "fiub" and value.arrays[0].dtype.name not in FEW_BITS:
            raise Refusal(f"its {what} '{self.name(k)}' holds no numbers")
        return value.arrays[0].astype(np.float64)

    def scalar(self, k: int, what: str) -> float:
        """Operand k, a constant of one number; it may be infinite but not NaN."""
        array = self.raw(k, what)
        if array.size != 1 or np.isnan(array).any():
            raise Refusal(f"its {what} '{self.name(k)}' is no single number")
        return float(array.reshape(()))

    def per_event(self, k: int, rank: int, place: int = 0) -> np.ndarray:
        """Constant operand k for a tensor of ``rank`` axes, of which ``place`` is the batch: without it and leading unit axes.

        ``axis`` of the opsets before 7 says where the constant's axes belong.
        """
        batch = place - rank + self._rank(k)  # which of its axes, if it has so many
        array = self._one_row(k, batch) if self._repeats(k, batch) else self.raw(k, "constant")
        if np.isnan(array).any() or np.isposinf(array).any():
            kind = "NaN" if np.isnan(array).any() else "Inf"
            raise Refusal(f"its constant '{self.name(k)}' holds {kind}; train or export the model again")
        if "axis" in self.node.attrs and array.ndim:
            axis = self.node.attrs["axis"] % rank
            array = array.reshape(*array.shape, *(1,) * max(0, rank - axis - array.ndim))
            batch = place - rank + array.ndim
        if array.ndim > rank or (batch >= 0 and array.shape[batch] != 1):
            raise Refusal(
                f"its constant '{self.name(k)}' of shape {array.shape} varies along the batch axis; "
                "give it a first axis of size 1"
            )
        return trimmed(array if batch < 0 else array.take(0, batch))

    def _rank(self, k: int) -> int:
        value = self.value(k)
        return value.arrays[0].ndim if isinstance(value, Known) else value.rank

    def _repeats(self, k: int, axis: int) -> bool:
        """Whether constant operand k has along an axis an element for each event, for any batch size, all of them equal."""
        value = self.value(k)
        if axis < 0 or not isinstance(value, Known):
            return False
        together = zip(value.arrays, self.batches, strict=True)
        return all(axis < a.ndim and a.shape[axis] == n and (a == a.take([0], axis)).all() for a, n in together)

    def _one_row(self, k: int, axis: int) -> np.ndarray:
        value = self.value(k)
        assert isinstance(value, Known)
        return value.arrays[0].take([0], axis).astype(np.float64)

    def operands(self) -> list[Operand]:
        """All operands of an operator on elements: tensors, and constants for every event.

        Tensors of lower rank gain axes in front, as long as their batch meets that of the others.
        """
        values = [self.value(k) for k in range(len(self.node.inputs))]
        rank = max((self._rank(k) for k in range(len(values))), default=0)
        if "axis" in self.node.attrs or len({v.rank - v.place for v in values if isinstance(v, Tensor)}) != 1:
            rank = 0
        values = [self._lifted(v, rank) if isinstance(v, Tensor) else v for v in values]
        rank, place = next(((v.rank, v.place) for v in values if isinstance(v, Tensor)), (0, 0))
        return [v if isinstance(v, Tensor) else self.per_event(k, rank, place) for k, v in enumerate(values)]

    def _lifted(self, x: Tensor, rank: int) -> Tensor:
        while x.rank < rank:
            x = layout.unsqueeze(self.step("unsqueeze"), x, 0)
        return x

    def as_tensor(self, k: int) -> Tensor:
        """Operand k; a constant whose rows are all the same becomes a Constant node, named after it."""
        value = self.value(k)
        if isinstance(value, Tensor):
            return value
        rows = [
            a[0] for a, n in zip(value.arrays, self.batches, strict=True) if a.ndim and a.shape[0] == n and (a == a[:1]).all()
        ]
        if len(rows) < len(self.batches) or not same(tuple(rows)) or not np.isfinite(rows[0]).all():
            raise Refusal(f"its constant '{self.name(k)}' is not finite or varies along the batch axis")
        node = self._add(self.name(k), Constant(Const(rows[0].astype(np.float64))), (), "const")
        return Tensor(node, self.builder.shape(node))


def same(arrays: tuple[np.ndarray, ...]) -> bool:
    """Whether all arrays are equal; NaN equals NaN."""
    first = arrays[0]
    nan = first.dtype.kind == "f"
    return all(a.shape == first.shape and np.array_equal(a, first, equal_nan=nan) for a in arrays[1:])
