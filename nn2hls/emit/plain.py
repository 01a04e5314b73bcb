"""The design as plain C++ on 64-bit integers: no types of an HLS tool, no template, one function for each layer.

All values of an event lie in one array, ``v``: ``v[0]`` is zero, then come the elements of inputs and layers. Layers that only
rearrange have no function, since who reads them reads what they read. Cells of the net (``hardware/net.py``) become
statements on ``word``, a 64-bit integer, and where their proven range needs more on ``wide``, of 128 bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nn2hls.arith.ranges import Range, width_of
from nn2hls.errors import LimitError
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Input
from nn2hls.hardware.loop import Loop
from nn2hls.hardware.net import Cell, Code, Net

WORD, WIDE = 64, 128  # bits of the two integers
_DIGITS = 1  # a product with a constant of more signed digits is one product: a processor has a multiplier
_PER_LINE = 16
_FREE = frozenset({Code.CONST, Code.LESS})  # of those that are read once: they stand where they are read


@dataclass(frozen=True)
class Plain:
    """The text of a design.

    Args:
        functions: Of the layers, in order, with their constant arrays.
        calls: Names of the functions, in order.
        size: Elements of the array of values.
        places: Where the elements of each node lie in it, by its name.
        wide: Whether some number needs 128 bits.
    """

    functions: str
    calls: tuple[str, ...]
    size: int
    places: Mapping[str, np.ndarray]
    wide: bool


def plain(graph: Graph, ranges: Mapping[str, Range], names: Mapping[str, str]) -> Plain:
    """The design of a fixed graph.

    Args:
        graph: A fixed graph.
        ranges: Bounds of its values.
        names: An identifier for each node.

    Raises:
        LimitError: A value of a layer needs more than 64 bits between layers, or more than 128 inside.
    """
    writer = _Writer(graph, ranges)
    for node in graph:
        writer.node(node, f"layer_{names[node.name]}")
    return Plain("\n".join(writer.text), tuple(writer.calls), writer.size, writer.places, writer.wide)


@dataclass
class _Writer:
    graph: Graph
    ranges: Mapping[str, Range]
    places: dict[str, np.ndarray] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    size: int = 1  # of the array, whose first element is zero
    wide: bool = False

    def node(self, node: Node, name: str) -> None:
        if not isinstance(node.op, Input) and (moved := self._moved(node)) is not None:
            self.places[node.name] = moved
            return
        _check(node.name, node.result_type.width + (not node.result_type.signed), WORD)
        self.places[node.name] = self._new(int(np.prod(node.shape)))
        if not isinstance(node.op, Input):
            self._layer(node, name)

    def _new(self, count: int) -> np.ndarray:
        self.size += count
        return np.arange(self.size - count, self.size)

    def _operands(self, node: Node) -> np.ndarray:
        return np.concatenate([np.empty(0, np.int64), *(self.places[i] for i in node.inputs)])

    def _moved(self, node: Node) -> np.ndarray | None:
        """Where the elements of a layer lie that only rearranges."""
        operands = self.graph.operands(node)
        if any(o.type != node.type for o in operands):
            return None
        if node.op.reshapes and len(operands) == 1:
            return self.places[operands[0].name]
        index = node.op.origins([o.shape for o in operands]) if node.op.moves else None
        return None if index is None else np.append(self._operands(node), 0)[index.reshape(-1)]  # -1: the zero

    def _layer(self, node: Node, name: str) -> None:
        operands = [self.ranges[i] for i in node.inputs]
        hardware = node.op.configured().hardware(operands, node.result_type, _DIGITS).unrolled()
        kept = self._new(hardware.kept)
        places = np.concatenate([self._operands(node), self.places[node.name], kept, [0]])
        lines: list[str] = []
        for number, loop in enumerate(hardware.loops):
            suffix = f"{name}_{number}" if len(hardware.loops) > 1 else name
            lines += self._loop(node, suffix, loop, places)
        equation = f"// {hardware.equation}\n" if hardware.equation else ""
        body = "".join(f"    {line}\n" for line in lines)
        self.text.append(f"{equation}static void {name}(word* v) {{\n{body}}}\n")
        self.calls.append(name)

    def _loop(self, node: Node, name: str, loop: Loop, places: np.ndarray) -> Iterator[str]:
        body = _Body(loop.body, name, lambda width: _check(node.name, width, WIDE))
        self.wide = self.wide or body.wide
        for k in sorted(body.tables):
            self.text.append(_array(f"{name}_table{k}", loop.body.tables[k], node.name))
        for low, high in loop.sums.values():
            _check(node.name, width_of(low, high) + (low >= 0), WORD)
        count = loop.steps * loop.lanes
        reads, writes = (places[a].reshape(count, -1) for a in (loop.reads, loop.writes))
        constants = {k: np.asarray(c).reshape(count) for k, c in loop.constants.items()}
        if loop.sums:
            yield from (f"v[{element}] = 0;" for element in sorted({int(places[e]) for e in loop.sums}))
        single = count == 1
        sources = {}
        for wire in loop.body.inputs():
            k = loop.body.cells[wire].k
            if k in constants:
                sources[k] = self._listed(f"{name}_constant{k}", constants[k], single, node.name)
            else:
                sources[k] = f"v[{self._listed(f'{name}_read{k}', reads[:, k], single, node.name)}]"
        targets = [f"v[{self._listed(f'{name}_write{j}', writes[:, j], single, node.name)}]" for j in range(writes.shape[1])]
        statements = body.statements(sources, targets, "+=" if loop.sums else "=")
        if single:
            yield from ("{", *(f"    {s}" for s in statements), "}")
            return
        yield from (f"for (int i = 0; i < {count}; i++) {{", *(f"    {s}" for s in statements), "}")

    def _listed(self, name: str, column: np.ndarray, single: bool, where: str) -> str:
        """What of a column belongs to iteration i: a literal, a formula, or an element of an array that is added."""
        if single or (column == column[0]).all():
            return _literal(int(column[0]))
        steps = column[1:] - column[:-1]
        if (steps == steps[0]).all() and abs(int(steps[0])) < 1 << 31:
            return f"{int(column[0])} + {int(steps[0])} * i"
        self.text.append(_array(name, column.tolist(), where))
        return f"{name}[i]"


def _check(name: str, width: int, most: int) -> None:
    if width > most:
        what = "Its result" if most == WORD else "A number inside it"
        raise LimitError(
            f"{what} takes {width} bits, and plain C++ has {most} for it.",
            where=name,
            fix="Give it, its weights or the layers that it reads narrower types.",
        )


def _literal(value: int) -> str:
    """A C++ constant of type int, word or wide."""
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    if value == -(1 << 63):
        return "INT64_MIN"
    if -(1 << 63) < value < 1 << 63:
        return f"{value}LL"
    return f"wide_of({_literal(value >> 64)}, {value & ((1 << 64) - 1)}ULL)"


def _array(name: str, values: Sequence[int], where: str) -> str:
    """A constant array of the narrowest integers."""
    width = width_of(min(values), max(values)) + (min(values) >= 0)
    _check(where, width, WORD)
    kind = next(f"int{n}_t" for n in (8, 16, 32, 64) if width <= n)
    texts = [_literal(int(v)) for v in values]
    rows = "".join(f"    {', '.join(texts[k : k + _PER_LINE])},\n" for k in range(0, len(texts), _PER_LINE))
    return f"static const {kind} {name}[{len(texts)}] = {{\n{rows}}};\n"


class _Body:
    """A net as statements on integers of the processor."""

    def __init__(self, net: Net, name: str, check: Callable[[int], None]) -> None:
        self.net, self.name = net, name
        alive = net.alive()
        self.tables = {net.cells[w].k for w in alive if net.cells[w].code is Code.LOOKUP}
        readers = Counter(a for w in alive for a in net.cells[w].args)
        readers.update(net.outputs)
        self.free = {w for w in alive if net.cells[w].code in _FREE and (readers[w] == 1 or net.cells[w].code is Code.CONST)}
        done = set[int]()
        self.order = [wire for output in net.outputs for wire in net.behind(output, done)]
        for wire in alive:
            check(_bits(net.cells[wire]))
        self.wide = any(self.is_wide(net.cells[w]) for w in alive)

    def is_wide(self, cell: Cell) -> bool:
        """Whether a word does not hold it; a shift by as much multiplies by a number that no word holds."""
        return _bits(cell) > WORD or (cell.code is Code.SHIFT and cell.k > WORD - 2)

    def statements(self, sources: Mapping[int, str], targets: Sequence[str], assign: str) -> Iterator[str]:
        """The body.

        Args:
            sources: What each input is read from, by its number.
            targets: What each output is written to.
            assign: = or +=.
        """
        for wire in self.order:
            cell = self.net.cells[wire]
            if wire not in self.free:
                text = f"{sources[cell.k]}" if cell.code is Code.INPUT else self.expression(cell)
                yield f"const {'wide' if self.is_wide(cell) else 'word'} c{wire} = {text};"
        for target, wire in zip(targets, self.net.outputs, strict=True):
            text = self.value(wire)
            yield f"{target} {assign} {f'word({text})' if self.is_wide(self.net.cells[wire]) else text};"

    def value(self, wire: int) -> str:
        """A name, or what is free."""
        cell = self.net.cells[wire]
        return (_literal(cell.k) if cell.code is Code.CONST else self.expression(cell)) if wire in self.free else f"c{wire}"

    def expression(self, cell: Cell) -> str:
        """What computes a cell."""
        a = [self.value(w) for w in cell.args]
        if self.is_wide(cell) and cell.code is not Code.LOOKUP:
            a = [f"wide({x})" for x in a]
        return _TEXT[cell.code](self, cell, a)

    def shift(self, cell: Cell, a: Sequence[str]) -> str:
        """A product with a power of two, which is right of negative numbers too, or bits dropped."""
        if cell.k > 0:
            return f"{a[0]} * {_literal(1 << cell.k)}"
        return f"{a[0]} >> {min(-cell.k, (WIDE if self.is_wide(self.net.cells[cell.args[0]]) else WORD) - 1)}"

    def wrap(self, cell: Cell, a: Sequence[str]) -> str:
        """The low bits."""
        kind = "wide" if self.is_wide(cell) else "word"
        return f"low_{'signed' if cell.signed else 'bits'}<{cell.width}>({kind}({a[0]}))"


def _bits(cell: Cell) -> int:
    """Of a cell as a signed number."""
    return cell.width + (not cell.signed)


_TEXT: dict[Code, Callable[[_Body, Cell, Sequence[str]], str]] = {
    Code.ADD: lambda b, cell, a: f"{a[0]} + {a[1]}",
    Code.SUB: lambda b, cell, a: f"{a[0]} - {a[1]}",
    Code.SHIFT: lambda b, cell, a: b.shift(cell, a),
    Code.MUL: lambda b, cell, a: f"{a[0]} * {a[1]}",
    Code.MULC: lambda b, cell, a: f"{a[0]} * {_literal(cell.k)}",
    Code.LESS: lambda b, cell, a: f"({a[0]} < {a[1]})",
    Code.SELECT: lambda b, cell, a: f"{a[0]} ? {a[1]} : {a[2]}",
    Code.WRAP: lambda b, cell, a: b.wrap(cell, a),
    Code.LOOKUP: lambda b, cell, a: f"{b.name}_table{cell.k}[{a[0]}]",
}
