"""The graph: immutable named nodes in topological order, each one op with its result type."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.errors import GraphError

if TYPE_CHECKING:
    from nn2hls.graph.op import Op
from nn2hls.graph.const import Const, Shape

BY_CONFIG = "config:"  # before the key, the kind of a node that the config asks for and the model does not hold


@dataclass(frozen=True)
class Origin:
    """The user's own layer behind a node, for messages, settings and traces.

    Args:
        layer: The name as the user knows it (Keras layer name, PyTorch module path, ONNX node name).
        kind: The framework's class or operator name (``Dense``, ``Linear``, ``Gemm``), for ``LayerType`` settings.
        is_result: True for the node whose value the framework calls the output of the layer.
        shows: The layer whose output the value is, when a later layer was folded into this one.
        folded: The last layer whose constants became part of this one's.
        holds: The node of the network as it was read whose value it is, where a later one's constants became part of it; None
            where that is no node's value.
        part: What the user calls the node where its own name, which has the step of a repeated graph, says more.
    """

    layer: str
    kind: str = ""
    is_result: bool = True
    shows: str = ""
    folded: str = ""
    part: str = ""
    holds: str | None = ""

    @property
    def by_config(self) -> bool:
        """Whether the config asks for the node, and not the model."""
        return self.kind.startswith(BY_CONFIG)

    @property
    def trace_key(self) -> str:
        """The layer whose output this value is, or the empty string."""
        return "" if self.holds is None else self.shows or (self.layer if self.is_result else "")

    def value_of(self, name: str) -> str | None:
        """The node of the network as it was read whose value the node ``name`` of this origin has, or None."""
        return self.holds if self.holds is None else self.holds or name


@dataclass(frozen=True, eq=False)
class Spread:
    """How the value of a layer is read from a node that computes fewer channels (elements of the last axis) of it.

    Args:
        source: For each channel of the layer the node's channel that holds it; -1 where it is not computed.
        constant: Mantissas of the layer's whole value where it is known without computing, else zeros; read where source is -1.
    """

    source: np.ndarray
    constant: Const

    def expand(self, values: np.ndarray, constant: Any) -> np.ndarray:
        """Values (events, *shape of the node) as (events, *shape of the layer), ``constant`` where nothing is computed."""
        taken = values[..., self.source]
        return np.where(self.source < 0, np.asarray(constant, dtype=taken.dtype), taken)


@dataclass(frozen=True)
class Turn:
    """A step of a layer whose hardware is there once and runs for each step in turn.

    Args:
        layer: The node that the steps belong to.
        step: Its number, from 0.
    """

    layer: str
    step: int


@dataclass(frozen=True)
class Node:
    """One value of the network.

    Args:
        name: Unique in the graph, as the user knows it.
        op: What computes the value.
        inputs: Names of the nodes the op reads, in the op's order.
        shape: Shape without the batch axis.
        type: Result type; None until types are resolved.
        origin: The user's layer.
        spread: Where the user's own channels are, when some are not computed.
        tied: Nodes with the same word are copies of one: they have one type and one op.
        turn: The step of a copy that shares its hardware with the others, so that no pass may change one of them alone.
        given: Types that the model itself gives, by the words of the config: ``result``, ``weight``, ``bias`` ...
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: Shape
    type: FixedType | None = None
    origin: Origin = field(default_factory=lambda: Origin(""))
    spread: Spread | None = None
    tied: str = ""
    turn: Turn | None = None
    given: Mapping[str, FixedType] = field(default_factory=dict)

    @property
    def result_type(self) -> FixedType:
        """The type, once it is resolved."""
        if self.type is None:
            raise GraphError("Its type is not resolved yet.", where=self.name)
        return self.type

    def whole(self, values: np.ndarray, constant: Any = None) -> np.ndarray:
        """Values (events, *shape) in the layer's own shape; what is not computed is ``constant``, or what it is known to be."""
        if self.spread is None:
            return values
        if constant is None:
            constant = self.spread.constant.array.astype(np.float64) * self.result_type.step
        return self.spread.expand(values, constant)


class Fate(enum.Enum):
    """What became of a layer of the user that has no node."""

    DROPPED = "it changes no value"
    CONSTANT = "it is a constant"
    FOLDED = "it is part of {node}"
    UNUSED = "no output needs it"
    MEAN = "it samples at random, and its mean is taken"


@dataclass(frozen=True)
class Absent:
    """A layer of the user that has no node.

    Args:
        layer: Its name.
        fate: Why it has none.
        node: The node that holds its value, if there is one.
        places: For each call of it, the nodes that stand before it, where it is a layer in a list of layers.
    """

    layer: str
    fate: Fate
    node: str = ""
    places: tuple[int, ...] = ()

    @property
    def why(self) -> str:
        """A clause."""
        return self.fate.value.format(node=self.node)


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order and the names of those that leave the design.

    Inputs of the design are the nodes whose op is ``Input``, in order.

    Args:
        nodes: The nodes.
        outputs: Names of nodes.
        absent: The user's layers without a node of their own.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    absent: tuple[Absent, ...] = field(default=(), compare=False, repr=False)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {n.name: n for n in self.nodes}

    @cached_property
    def users(self) -> Mapping[str, tuple[Node, ...]]:
        """For each node the nodes that read it, once per operand."""
        users: dict[str, list[Node]] = {n.name: [] for n in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                users[name].append(node)
        return {k: tuple(v) for k, v in users.items()}

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes that enter the design."""
        from nn2hls.graph.leaves import Input

        return tuple(n for n in self.nodes if isinstance(n.op, Input))

    @cached_property
    def states(self) -> Mapping[str, str]:
        """For each input that is a state the output that holds it after the event, for the next one."""
        return {self[name].op.carries: name for name in self.outputs if self[name].op.carries}

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def with_built_in(self) -> Graph:
        """The same with weights that are constants of the hardware, where they were memories."""
        if not any(n.op.written for n in self.nodes):
            return self
        return dataclasses.replace(self, nodes=tuple(dataclasses.replace(n, op=n.op.built_in()) for n in self.nodes))

    def operands(self, node: Node) -> list[Node]:
        """The nodes that ``node`` reads."""
        return [self.by_name[n] for n in node.inputs]

    def map(self, change: Callable[[Node], Node]) -> Graph:
        """The graph with each node replaced; names and wiring stay."""
        return dataclasses.replace(self, nodes=tuple(change(n) for n in self.nodes))

    def without(self, gone: Mapping[str, str]) -> Graph:
        """The graph with the nodes ``gone`` removed and their readers wired to the mapped names."""

        final: dict[str, str] = {}  # what a removed node leads to, each found once
        for node in self.nodes:
            if node.name in gone:
                final[node.name] = final.get(gone[node.name], gone[node.name])

        def target(name: str) -> str:
            return final.get(name, name)

        kept = tuple(
            dataclasses.replace(n, inputs=tuple(target(i) for i in n.inputs)) for n in self.nodes if n.name not in gone
        )
        return Graph(kept, tuple(target(o) for o in self.outputs))

    def needed(self) -> Graph:
        """The graph without the nodes that no output needs; inputs stay, they are ports."""
        needed = {*self.outputs, *(n.name for n in self.inputs)}
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        return Graph(tuple(n for n in self.nodes if n.name in needed), self.outputs)

    def text(self, *, names: bool = True) -> str:
        """The graph as text, a line a node; without names nodes are numbered, and independent ones stand in a fixed order."""
        nodes = self.nodes if names else _depth_first(self)
        label = {n.name: n.name if names else f"%{i}" for i, n in enumerate(nodes)}
        lines = []
        for n in nodes:
            args = ", ".join(label[i] for i in n.inputs)
            size = "x".join(map(str, n.shape)) or "scalar"
            size += f" of {'x'.join(map(str, n.spread.constant.shape))}" if n.spread else ""
            fields = _fields(n.op)
            kind = f" {n.type}" if n.type else ""
            lines.append(f"{label[n.name]} = {type(n.op).__name__}({args}){fields} -> {size}{kind}")
        lines.append("return " + ", ".join(label[o] for o in self.outputs))
        return "\n".join(lines) + "\n"

    def __str__(self) -> str:
        return self.text()


def _depth_first(graph: Graph) -> tuple[Node, ...]:
    """Inputs, then what each output needs, operands in their order, then the rest: whatever order a file has its nodes in."""
    order = {n.name: n for n in graph.inputs}
    for root in (*graph.outputs, *graph.by_name):
        stack = [root]
        while stack:
            node = graph[stack[-1]]
            missing = [i for i in node.inputs if i not in order]
            if missing:
                stack.append(missing[0])
            else:
                order.setdefault(stack.pop(), node)
    return tuple(order.values())


def _fields(op: Op) -> str:
    shown = []
    for f in dataclasses.fields(op):
        value = getattr(op, f.name)
        if value is None or (f.default is not dataclasses.MISSING and value == f.default):
            continue
        shown.append(f"{f.name}={_show(value)}")
    return f" [{', '.join(shown)}]" if shown else ""


def _show(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Graph):
        return "{" + value.text(names=False).strip().replace("\n", "; ") + "}"
    if isinstance(value, tuple):
        return "(" + ",".join(_show(v) for v in value) + ")"
    return str(value)
