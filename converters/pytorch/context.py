"""What the lowering of a PyTorch operator works with: values, the arguments of a call, the graph so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.converters.lower import integers, quantised
from nn2hls.converters.lower.value import Operand, Refusal, Site, Tensor, trimmed
from nn2hls.converters.pytorch.pt2_program import Call, Meta, Opaque, Ref
from nn2hls.graph.builder import Builder
from nn2hls.graph.graph import Graph, Origin
from nn2hls.ops import Op


class Unknown(Refusal):
    """A call reads what an unsupported call, already reported, would have computed."""


@dataclass(frozen=True)
class BatchSize:
    """A size that is ``times`` as large as the batch."""

    times: int = 1


@dataclass(frozen=True)
class Measured:
    """A tensor that a program quantises at run time: whole numbers, and the size that ``count`` steps of them make.

    Args:
        x: The tensor.
        numbers: Without their zero point.
        size: One for all of an event.
        ends: The smallest and the largest number with the zero point.
    """

    x: Tensor
    numbers: Tensor
    size: Tensor
    ends: tuple[int, int]

    @property
    def count(self) -> int:
        """Steps of the size."""
        return self.ends[1] - self.ends[0]


Value = Tensor | Measured | BatchSize | np.ndarray | int | float | None


# Arguments that concern training, memory, or the order of products; "empty" is a part of an activation in pieces.
_IDLE = frozenset((
    "N", "C", "HxW", "dtype", "output_padding", "momentum",
    "p", "path", "cudnn_enabled", "cudnn_enable", "non_blocking", "copy", "requires_grad", "implicit", "empty",
    "sparse", "scale_grad_by_freq", "padding_idx", "generator", "inplace", "stable", "benchmark", "deterministic",
    "allow_tf32", "sorted", "return_debug_mask",
))  # fmt: skip


def _is_nothing(value: Any) -> bool:
    if isinstance(value, list):
        return not any(isinstance(v, (Tensor, np.ndarray)) or v for v in value)
    if isinstance(value, (int, float)):
        return not value
    return value is None


class Args:
    """The arguments of one call, by the names in the operator's schema, values looked up."""

    def __init__(self, call: Call, values: Mapping[str, Any]) -> None:
        self._values = {k: _looked_up(v, values) for k, v in call.args.items()}
        self._given = {k for k, v in call.args.items() if not isinstance(v, Opaque)}
        self._read: set[str] = set()

    def not_understood(self) -> str:
        """An argument that nothing has read and that is not known to be idle, as a reason to refuse the call."""
        unread = [k for k in self._given - self._read - _IDLE if not _is_nothing(self._values[k])]
        return f"its argument '{min(unread)}' is not understood; leave it out" if unread else ""

    def __contains__(self, name: str) -> bool:
        self._read.add(name)
        return self._values.get(name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """Any argument; ``default`` where the file leaves it out."""
        self._read.add(name)
        value = self._values.get(name)
        return default if value is None else value

    def tensor(self, name: str = "self") -> Tensor:
        """An argument that depends on the network's input."""
        self._read.add(name)
        value = self._values.get(name)
        if not isinstance(value, Tensor):
            raise Refusal(f"its operand '{name}' does not depend on the input")
        return value

    def const(self, name: str) -> np.ndarray | None:
        """A parameter, buffer or number as an array; None where it is absent."""
        self._read.add(name)
        value = self._values.get(name)
        if value is None or isinstance(value, np.ndarray):
            return value
        if isinstance(value, (int, float)):
            return np.asarray(value, np.float64)
        raise Refusal(f"its operand '{name}' is computed from the input; a constant (parameter or buffer) is expected")

    def number(self, name: str, default: float = 0.0) -> float:
        """A number."""
        value = self.get(name, default)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.item()
        if not isinstance(value, (int, float)):
            raise Refusal(f"its argument '{name}' is not a number")
        return float(value)

    def whole(self, name: str, default: int = 0) -> int:
        """A whole number, mostly an axis."""
        value = self.get(name, default)
        if not isinstance(value, int):
            raise Refusal(f"its argument '{name}' is not a whole number known before the design is built")
        return value

    def items(self, name: str, default: Sequence[Any] = ()) -> list[Any]:
        """A list; a single value counts as a list of one."""
        value = self.get(name, list(default))
        return value if isinstance(value, list) else [value]

    def tensors(self) -> list[Tensor]:
        """All operands that depend on the input, those in lists included."""
        return [x for x in self._flat() if isinstance(x, Tensor)]

    def measured(self) -> bool:
        """Whether an operand is quantised at run time."""
        return any(isinstance(x, Measured) for x in self._flat())

    def change(self, kind: type, made: Callable[[Any], Any]) -> None:
        """What ``made`` gives in place of each operand of a kind."""
        for key, value in self._values.items():
            if isinstance(value, list):
                self._values[key] = [made(v) if isinstance(v, kind) else v for v in value]
            elif isinstance(value, kind):
                self._values[key] = made(value)

    def _flat(self) -> list[Any]:
        return [x for v in self._values.values() for x in (v if isinstance(v, list) else [v])]


def _looked_up(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_looked_up(v, values) for v in value]
    if not isinstance(value, Ref):
        return value
    if value.name not in values:
        raise Refusal(f"it reads '{value.name}', a further result, such as the places of maxima, that is not offered")
    if values[value.name] is None:
        raise Unknown
    return values[value.name]


class Lowering(Site):
    """What the lowering of an operator works with: the graph so far, the batch, and the layer it is at."""

    def __init__(self, batch: int | None, exact: frozenset[str] = frozenset()) -> None:
        self.builder = Builder()
        self.batch, self.exact = batch, exact
        self._call: Call | None = None
        self._last: dict[tuple[str, str], str] = {}
        self._groups: dict[str, tuple[str, str]] = {}
        self.meta: Meta | None = None
        self.scales: dict[str, np.ndarray] = {}  # of constants that are numbers of a quantised model

    def start(self, call: Call, meta: Meta | None) -> None:
        """All nodes from now on come from ``call``, whose result is described by ``meta``."""
        self._call, self.meta = call, meta

    @property
    def layer(self) -> str:
        """The user's name for the current call: the module path, or the operator's name behind the path of its module."""
        call = self._call
        if call is None:
            return ""
        if call.module.is_layer:
            return call.module.path
        return f"{call.module.path}.{call.name}" if call.module.path else call.name

    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:  # noqa: D102  (as in Site)
        call = self._call
        assert call is not None
        scales = self.scales_of_call()
        if op.linear is not None and scales:
            return integers.products(self._named, self.builder, op, nodes, word, scales)
        node = self._named(op, nodes, word)
        if call.module.path in self.exact:
            quantised.own(self.builder, node, op)
        return node

    def add_whole(self, op: Op, nodes: Sequence[str], word: str) -> str:
        """The same of sums of whole numbers, whatever scales the call has."""
        node = self._named(op, nodes, word)
        quantised.own(self.builder, node, op)
        return node

    def scales_of_call(self) -> list[np.ndarray]:
        """The scales of the constants that the call reads."""
        return [] if self._call is None else [self.scales[name] for name in self._call.refs() if name in self.scales]

    def _named(self, op: Op, nodes: Sequence[str], word: str) -> str:
        call = self._call
        assert call is not None
        kind = call.module.kind if call.module.is_layer else call.function
        name = f"{self.layer}_{word}" if word else self.layer
        node = self.builder.add(name, op, nodes, Origin(self.layer, kind))
        group = (call.module.key, self.layer)
        self._groups[node], self._last[group] = group, node
        return node

    def without_batch(self, array: np.ndarray, rank: int) -> np.ndarray:
        """A constant that meets a tensor of torch rank ``rank``, without its batch axis and leading ones."""
        if array.ndim > rank:
            raise Refusal(f"its constant of shape {array.shape} has more axes than the tensor it meets")
        if array.ndim == rank:
            # The first axis may be the batch as one with others, such as the heads that a mask of keys was repeated for.
            fits = array.shape[0] == 1 or (self.batch is not None and array.shape[0] % self.batch == 0)
            if not fits or not (array == array[:1]).all():
                raise Refusal(f"its constant of shape {array.shape} differs along the first axis, the batch")
            array = array[0]
        return trimmed(array)

    def operand(self, value: Value, other: Value) -> Operand:
        """One of two operands of arithmetic, the other being ``other``: a tensor, or a constant for every event."""
        if isinstance(value, Tensor):
            return value
        if not isinstance(value, (int, float, np.ndarray)):
            raise Refusal("its operand is neither a tensor nor a number")
        array = np.asarray(value, np.float64)
        if not isinstance(other, Tensor):
            return array
        if other.place and array.ndim > len(other.free):
            raise Refusal(f"its constant of shape {array.shape} meets a tensor whose first axis is not the batch")
        return trimmed(array) if other.place else self.without_batch(array, other.rank)

    def graph(self, outputs: Sequence[str]) -> Graph:
        """The graph; only the last node of a layer is its result."""
        graph = self.builder.build(outputs)
        inner = {n for n, g in self._groups.items() if self._last[g] != n}
        return graph.map(
            lambda n: dataclasses.replace(n, origin=dataclasses.replace(n.origin, is_result=False)) if n.name in inner else n
        )
