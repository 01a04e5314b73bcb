"""Steps of a recurrent layer that share their hardware, from nodes of their own to one that repeats a body."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, common_type
from nn2hls.arith.ranges import Range, ints
from nn2hls.errors import GraphError
from nn2hls.graph.analysis import node_range
from nn2hls.graph.builder import unused
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node, Origin
from nn2hls.graph.leaves import Constant, Input
from nn2hls.ops.move import Move
from nn2hls.ops.repeat import Read, Repeat
from nn2hls.ops.shape import Reshape


def rolled(graph: Graph, ranges: Mapping[str, Range]) -> tuple[Graph, dict[str, Range]]:
    """The graph as its hardware is, and bounds of its values: nodes with a ``turn`` are one Repeat for each layer.

    What others read of the steps keeps its name. All values stay what they are, to the last bit.

    Args:
        graph: A fixed graph.
        ranges: Bounds of its nodes.
    """
    groups: dict[str, list[Node]] = defaultdict(list)
    for node in graph:
        if node.turn is not None:
            groups[node.turn.layer].append(node)
    if not groups:
        return graph, dict(ranges)
    names = {n.name for n in graph}
    made = {nodes[-1].name: _Roll(graph, ranges, layer, nodes, names) for layer, nodes in groups.items()}
    found, bounds = list[Node](), dict(ranges)
    for node in graph:
        if node.turn is None:
            found.append(node)
        elif node.name in made:
            new = made[node.name].nodes()
            found += new
            for n in new:
                bounds.setdefault(n.name, node_range(n, [bounds[i] for i in n.inputs]))
    return Graph(tuple(found), graph.outputs).needed(), bounds


@dataclass
class _Fed:
    """What enters a step: a new Input of the body, and the operand that it comes from, with the values it can have."""

    operand: str
    input: Node
    sources: list[str] = field(default_factory=list)


class _Roll:
    """The steps of one layer.

    Args:
        graph, ranges: Of the design.
        layer: Its name.
        nodes: All copies, of all steps.
        names: Those that are taken.
    """

    def __init__(self, graph: Graph, ranges: Mapping[str, Range], layer: str, nodes: Sequence[Node], names: set[str]) -> None:
        self.graph, self.ranges, self.layer, self.names = graph, ranges, layer, names
        self.copies: dict[str, dict[int, Node]] = defaultdict(dict)
        for node in nodes:
            assert node.turn is not None
            self.copies[node.tied][node.turn.step] = node
        self.word = {node.name: node.tied for node in nodes}
        self.length = 1 + max(step for steps in self.copies.values() for step in steps)
        self.origin = Origin(nodes[0].origin.layer, nodes[0].origin.kind, is_result=False)
        self.body: dict[str, Node] = {}  # by the word that ties its copies, or by operand
        self.sequences: list[_Fed] = []
        self.states: dict[tuple[str, str], _Fed] = {}  # by the word of the value after a step, and the operand before the first
        self.rest: dict[str, _Fed] = {}
        self.before: list[Node] = []  # nodes of the design that the operands need

    def nodes(self) -> list[Node]:
        """What stands in place of the copies."""
        inside = [self._inner(word, steps) for word, steps in self.copies.items()]
        after = [self._as(self.body[word], fed.input.result_type) for (word, _), fed in self.states.items()]
        outside = self._read_outside()
        kind = common_type([self.body[word].result_type for word, _ in outside])
        words = list(dict.fromkeys(word for word, _ in outside))
        given = [self._as(self.body[word], kind) for word in words]
        fed = [*self.sequences, *self.states.values(), *self.rest.values()]
        chosen = [*(f.input for f in fed), *self.constants(), *inside, *after, *given]
        unique = tuple({n.name: n for n in chosen}.values())
        body = Graph(unique, tuple(n.name for n in (*after, *given)))
        reads = tuple(Read(words.index(word), step) for word, step in outside)
        op = Repeat(body, self._bounds(body), self.length, len(self.sequences), len(self.states), reads)
        operands = tuple(f.operand for f in fed)
        shape = (sum(math.prod(self.body[word].shape) for word, _ in outside),)
        part = self._called()
        one = Node(unused(f"{part}_steps", self.names), op, operands, shape, kind, replace(self.origin, part=part))
        return [*self.before, one, *self._given(one, outside)]

    def _called(self) -> str:
        """The user's layer, or the direction of it: what the names of all parts begin with."""
        parts = [next(iter(steps.values())).origin.part.split("_") for steps in self.copies.values()]
        same = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*parts, strict=False))
        return "_".join(words[0] for words in same) or self.layer

    # ---- the body ----------------------------------------------------------------------------------------------------------

    def _inner(self, word: str, steps: Mapping[int, Node]) -> Node:
        """A node of the body, with what it reads."""
        first = min(steps)
        node = steps[first]
        sequence = self._sequence(word, steps)
        if sequence is not None:
            return sequence
        inputs = tuple(self._operand(k, steps) for k in range(len(node.inputs)))
        for copy in steps.values():
            if (copy.op is not node.op and not (copy.op.moves and _alike(copy, node, self.graph))) or copy.type != node.type:
                raise self._unlike()
        part = node.origin.part or node.name
        made = replace(node, name=unused(part, self.names), inputs=inputs, turn=None, tied="")
        self.body[word] = made
        return made

    def _unlike(self) -> GraphError:
        return GraphError("Its steps are not alike, and cannot share their hardware.", where=self.layer)

    def _operand(self, k: int, steps: Mapping[int, Node]) -> str:
        """The node of the body that operand ``k`` is: of the same step, a state, or what is the same in every step."""
        last, first = max(steps), min(steps)
        name = steps[last].inputs[k]
        word = self.word.get(name)
        if word is None:
            return self._same(name).name
        if last in self.copies[word] and name == self.copies[word][last].name:
            return self.body[word].name
        if not first:
            return self._state(word, steps[first].inputs[k]).name
        known = [fed.input.name for (after, _), fed in self.states.items() if after == word]  # of nodes that the first step has
        if len(known) != 1:
            raise self._unlike()
        return known[0]

    def _same(self, name: str) -> Node:
        """An operand that is the same in every step; a constant stands in the body itself."""
        node = self.graph[name]
        if isinstance(node.op, Constant):
            if name not in self.body:
                self.body[name] = replace(node, name=unused(f"{name}_constant", self.names), turn=None)
            return self.body[name]
        if name not in self.rest:
            self.rest[name] = _Fed(name, self._input(f"{self.layer}_{name}", node.shape, node.result_type), [name])
        return self.rest[name].input

    def constants(self) -> Iterator[Node]:
        """Those in the body."""
        return (n for n in self.body.values() if isinstance(n.op, Constant))

    def _state(self, word: str, initial: str) -> Node:
        """A value that goes from step to step."""
        if (word, initial) not in self.states:
            copies, before = self.copies[word], self.graph[initial]
            own = next(iter(copies.values()))
            zero = not any(np.any(end) for end in (self.ranges[initial].least, self.ranges[initial].most))
            kind = own.result_type if zero else common_type([own.result_type, before.result_type])
            made = self._input(f"{own.origin.part or own.name}_before", own.shape, kind)
            operand = self._cast_before(before, kind)
            self.states[word, initial] = _Fed(operand, made, [initial, *(n.name for n in copies.values())])
        return self.states[word, initial].input

    def _sequence(self, word: str, steps: Mapping[int, Node]) -> Node | None:
        """The element of a sequence, of a node that takes other elements of one operand in each step; None for others."""
        node = steps[min(steps)]
        if not node.op.moves or len(node.inputs) != 1 or self.word.get(node.inputs[0]) is not None:
            return None
        operand = self.graph[node.inputs[0]]
        none = np.full(node.shape, -1)  # of steps that nobody needs it in
        taken = [_origins(steps[k], self.graph) if k in steps else none for k in range(self.length)]
        if all(np.array_equal(t, taken[0]) for t in taken):
            return None
        index = np.stack(taken)
        op = Move.of(lambda numbers: np.append(numbers.reshape(-1), -1)[index], operand.shape)
        source = self._before(f"{self.layer}_sequence", op, operand, operand.result_type)
        made = self._input(f"{node.origin.part or node.name}", node.shape, operand.result_type)
        self.sequences.append(_Fed(source, made, [n.name for n in steps.values()]))
        self.body[word] = self._as(made, node.result_type)
        return self.body[word]

    def _input(self, name: str, shape: Sequence[int], kind: FixedType) -> Node:
        return Node(unused(name, self.names), Input(tuple(shape)), (), tuple(shape), kind, self.origin)

    def _as(self, node: Node, kind: FixedType) -> Node:
        """A value of the body in a type that holds it: wires."""
        if node.type == kind:
            return node
        op = Reshape(node.shape)
        name = unused(f"{node.name}_out", self.names)
        return Node(name, op, (node.name,), node.shape, kind, self.origin)

    # ---- around it ---------------------------------------------------------------------------------------------------------

    def _before(self, name: str, op: Move | Reshape, operand: Node, kind: FixedType) -> str:
        """What an operand is before the steps, where it is not the operand itself."""
        if op.identity([operand.shape]) and operand.type == kind:
            return operand.name
        shape = op.infer([operand.shape], where=self.layer)
        self.before.append(Node(unused(name, self.names), op, (operand.name,), shape, kind, self.origin))
        return self.before[-1].name

    def _cast_before(self, node: Node, kind: FixedType) -> str:
        """The operand before the first step, in the type of the state."""
        if not isinstance(node.op, Constant):
            return self._before(f"{node.name}_before", Reshape(node.shape), node, kind)
        up = kind.fraction - node.result_type.fraction
        array = ints(node.op.value.array)
        moved = np.array(array << up if up >= 0 else array >> -up)
        op = Constant(Const(moved if any(abs(int(v)) >> 62 for v in moved.flat) else moved.astype(np.int64)))
        self.before.append(Node(unused(f"{node.name}_before", self.names), op, (), node.shape, kind, self.origin))
        return self.before[-1].name

    def _read_outside(self) -> list[tuple[str, int]]:
        """The values that others read, each by its word and its step."""
        found = []
        for word, steps in self.copies.items():
            for step, node in sorted(steps.items()):
                readers = [u for u in self.graph.users[node.name] if u.name not in self.word]
                if readers or node.name in self.graph.outputs:
                    found.append((word, step))
        return found

    def _given(self, one: Node, outside: Sequence[tuple[str, int]]) -> Iterator[Node]:
        """The values that others read, under their own names."""
        first = 0
        for word, step in outside:
            node = self.copies[word][step]
            size = math.prod(node.shape)
            op = Move.of(lambda index, a=first, n=size, shape=node.shape: index[a : a + n].reshape(shape), one.shape)
            kind = node.result_type
            if kind != one.type:  # it holds the value: the low bits are all there is
                kind = replace(kind, rounding=Rounding.TRN, overflow=Overflow.WRAP)
            yield replace(node, op=op, inputs=(one.name,), type=kind, tied="", turn=None)
            first += size

    def _bounds(self, body: Graph) -> dict[str, Range]:
        """Those of the body's values in all steps."""
        fed = {f.input.name: f for f in (*self.sequences, *self.states.values(), *self.rest.values())}
        found: dict[str, Range] = {}
        for node in body:
            if node.name in fed:
                fraction = node.result_type.fraction
                found[node.name] = _united([self.ranges[name] for name in fed[node.name].sources], fraction, node.shape)
            else:
                found[node.name] = node_range(node, [found[i] for i in node.inputs])
        return found


def _alike(one: Node, other: Node, graph: Graph) -> bool:
    """Whether two nodes that move elements move the same ones."""
    return np.array_equal(_origins(one, graph), _origins(other, graph))


def _origins(node: Node, graph: Graph) -> np.ndarray:
    """Where each element of a node that moves elements comes from."""
    found = node.op.origins([graph[i].shape for i in node.inputs])
    assert found is not None
    return found


def _united(ranges: Sequence[Range], fraction: int, shape: Sequence[int]) -> Range:
    """Bounds of all of several values."""
    same = [_at(x, fraction).broadcast(shape) for x in ranges]
    lows, highs = [x.lo for x in same], [x.hi for x in same]
    return Range(np.minimum.reduce(lows), np.maximum.reduce(highs), fraction)


def _at(x: Range, fraction: int) -> Range:
    """The same values with other fraction bits, which hold them."""
    if x.fraction <= fraction:
        return x.at(fraction)
    down = x.fraction - fraction
    return Range(x.lo >> down, -((-x.hi) >> down), fraction)


__all__ = ["rolled"]
