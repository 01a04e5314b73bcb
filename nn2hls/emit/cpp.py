"""The straight-line hardware of a layer as C++: a function for each body, one statement for each value that has a name.

Arithmetic is on ap_int and ap_uint of the proven width. What is used once and costs nothing, a shift or a comparison, stands
where it is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.ranges import width_of
from nn2hls.hardware.code import Code as Cpp
from nn2hls.hardware.code import Pragma, Rom
from nn2hls.hardware.literals import constant, int_type
from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Cell, Code, Net

_INLINE = frozenset({Code.CONST, Code.SHIFT, Code.WRAP, Code.LESS})  # of those that are read once
_SMALL = 1 << 31  # a C++ int
MAX_PLAIN = {True: 64, False: 31}  # bits of a signed, or an unsigned, number that is compared with a C++ int
MOST_CALLS = 16  # lanes that are called one by one where their elements do not lie evenly


@dataclass(frozen=True)
class Style:
    """How a tool wants it.

    Args:
        adders: Additions are calls that the compiler does not look into.
    """

    adders: bool = False


def straight_code(hardware: Hardware, style: Style) -> Cpp:
    """The C++ of a layer whose loops are all side by side."""
    writer = _Writer(hardware, style)
    body: list[str | Pragma] = [f"// {hardware.equation}"] if hardware.equation else []
    for number, loop in enumerate(hardware.loops):
        body += writer.loop(number, loop)
    body = [*(f"(void)x{k};" for k in range(len(hardware.operands)) if k not in writer.read), *body]
    headers = ("cast.h", "common.h", *(("adders.h",) if style.adders else ()))
    return Cpp(body, writer.helpers, headers, writer.roms)


class _Writer:
    def __init__(self, hardware: Hardware, style: Style) -> None:
        self.hardware, self.style = hardware, style
        self.helpers: list[str | Pragma] = []
        self.roms: dict[str, Rom] = {}
        self.read: set[int] = set()  # the operands of which something is read

    def place(self, element: int) -> tuple[int, int]:
        """(operand, element in it); the result comes after the last operand."""
        for k, size in enumerate(self.hardware.operands):
            if element < size:
                return k, element
            element -= size
        return len(self.hardware.operands), element

    def loop(self, number: int, loop: Loop) -> Iterator[str | Pragma]:
        """Statements of the layer's function."""
        body = Body(loop.body, f"{number}" if len(self.hardware.loops) > 1 else "", self.style)
        reads, writes = loop.reads[0], loop.writes[0]
        self.read |= {self.place(int(element))[0] for k in body.used for element in np.unique(reads[:, k]) if element >= 0}
        for table, words, count in body.tables():
            width = width_of(min(words), max(words))
            self.roms[table] = Rom(np.array(words, dtype=object), width, min(words) < 0, loop.lanes * count)
        if loop.lanes == 1:
            where = {k: "nn2hls::raw(x{}[{}])".format(*self.place(int(reads[0, k]))) for k in body.used}  # a zero is a constant
            scoped = len(self.hardware.loops) > 1
            yield from ["{"] * scoped
            yield from body.statements(lambda k: where[k], lambda j: f"y[{self.place(int(writes[0, j]))[1]}]", "0")
            yield from ["}"] * scoped
            return
        yield from self._repeated(number, loop, body)

    def _repeated(self, number: int, loop: Loop, body: Body) -> Iterator[str | Pragma]:
        name = f"@_part{number}"
        reads, writes = loop.reads[0], loop.writes[0]
        operands = {k: self.place(int(reads[:, k].max()))[0] for k in body.used}
        parameters = [f"const @T{operands[k]}& a{k}" for k in body.used]
        parameters += [f"@TY& b{j}" for j in range(writes.shape[1])]
        numbered = bool(body.table_reads)
        self.helpers += [f"static void {name}({', '.join([*['int lane'] * numbered, *parameters])}) {{"]
        self.helpers += [*body.statements(lambda k: f"nn2hls::raw(a{k})", lambda j: f"b{j}", "lane"), "}"]
        columns = [(f"{operands[k]}", self.inside(reads[:, k])) for k in body.used]
        columns += [("Y", self.inside(writes[:, j])) for j in range(writes.shape[1])]
        if loop.lanes <= MOST_CALLS and not all(_evenly(c) for _, c in columns):
            for lane in range(loop.lanes):
                arguments = [*[str(lane)] * numbered, *(_element(tensor, int(column[lane])) for tensor, column in columns)]
                yield f"{name}({', '.join(arguments)});"
            return
        orders: dict[bytes, tuple[str, int]] = {}
        arguments = ["i"] * numbered
        arguments += [self._argument(f"order{number}", orders, tensor, column) for tensor, column in columns]
        yield "NN2HLS_UNROLL"
        yield f"for (int i = 0; i < {loop.lanes}; i++) {{"
        yield Pragma("unroll")
        yield from (f"const int {order} = @_{order}[i];" for order, _ in orders.values())
        yield f"{name}({', '.join(arguments)});"
        yield "}"

    def inside(self, elements: np.ndarray) -> np.ndarray:
        """Numbers of elements within their operand, all the same one; -1 for zero."""
        first = int(elements.max())
        return np.where(elements < 0, -1, elements - (first - self.place(first)[1]))

    def _argument(self, prefix: str, orders: dict[bytes, tuple[str, int]], tensor: str, column: np.ndarray) -> str:
        """The element of lane i.

        Args:
            prefix: Of the names of constant arrays.
            orders: For the distances between the lanes' elements, and where they are zero: the constant array that has such
                elements, and its first one. More are added.
            tensor: Where the elements are: the number of an operand, or Y.
            column: Their numbers, lane by lane; -1 for zero.
        """
        array = _array(tensor)
        if _evenly(column):
            first, step = int(column[0]), int(column[1] - column[0])
            scaled = "i" if step == 1 else f"{step} * i"
            return f"{array}[{first if not step else scaled if not first else f'{first} + {scaled}'}]"
        read = column >= 0
        first = int(column[read][0])
        key = np.where(read, column - first, np.iinfo(np.int64).min).tobytes()
        if key not in orders:
            orders[key] = f"{prefix}_{len(orders)}", first
            self.roms[orders[key][0]] = Rom(column, 0, True)
        order, base = orders[key]
        if read.all():
            return f"{array}[{order}{_more(first - base)}]"
        return f"{order} < 0 ? {_zero(tensor)} : {array}[{order}{_more(first - base)}]"


def _more(distance: int) -> str:
    return "" if not distance else f" {'+' if distance > 0 else '-'} {abs(distance)}"


def _array(tensor: str) -> str:
    """The array of an operand, by its number, or of the result, Y."""
    return "y" if tensor == "Y" else f"x{tensor}"


def _zero(tensor: str) -> str:
    return f"nn2hls::zero<@T{tensor}>()"


def _element(tensor: str, at: int) -> str:
    """An element of an operand or of the result; -1: zero."""
    return f"{_array(tensor)}[{at}]" if at >= 0 else _zero(tensor)


def _evenly(column: np.ndarray) -> bool:
    steps = np.diff(column)
    return bool(column.min() >= 0 and np.all(steps == steps[:1]))


class Body:
    """A net as statements."""

    def __init__(self, net: Net, suffix: str, style: Style) -> None:
        self.net, self.suffix, self.style = net, suffix, style
        self.alive = net.alive()
        self.used = [net.cells[w].k for w in net.inputs()]
        readers = Counter(a for w in self.alive for a in net.cells[w].args)
        readers.update(net.outputs)
        self.named = {
            w
            for w in self.alive
            if net.cells[w].code not in _INLINE or (readers[w] > 1 and net.cells[w].code is not Code.CONST)
        }
        self.table_reads = Counter(net.cells[w].k for w in self.alive if net.cells[w].code is Code.LOOKUP)

    def tables(self) -> Iterator[tuple[str, tuple[int, ...], int]]:
        """Name and words of each table, and how often the body reads it."""
        for k in sorted(self.table_reads):
            yield f"table{self.suffix}_{k}", self.net.tables[k], self.table_reads[k]

    def statements(self, source: Callable[[int], str], target: Callable[[int], str], lane: str) -> Iterator[str]:
        """The body.

        Args:
            source: What an input's mantissa is read from.
            target: The element that an output is written to.
            lane: The number of the lane; lookups of one table in all lanes are numbered through.
        """
        self.lane = lane
        self.lookups: Counter[int] = Counter()
        for wire in self.net.inputs():
            cell = self.net.cells[wire]
            yield f"const {_type(cell)} {self.name(wire)} = {source(cell.k)};"
        done = set(self.net.inputs())
        for j, output in enumerate(self.net.outputs):
            for wire in filter(self.named.__contains__, self.net.behind(output, done)):
                cell = self.net.cells[wire]
                kind = "bool" if cell.code is Code.LESS else _type(cell)
                yield f"const {kind} {self.name(wire)} = {self.expression(wire)};"
            yield f"nn2hls::set_raw({target(j)}, {self.value(output)});"

    def name(self, wire: int) -> str:
        """Of a value: inputs are ``x_i``."""
        cell = self.net.cells[wire]
        return f"x_{cell.k}" if cell.code is Code.INPUT else f"v{wire}"

    def value(self, wire: int) -> str:
        """As an ap_int or ap_uint."""
        cell = self.net.cells[wire]
        text = self.name(wire) if wire in self.named else self.expression(wire)
        if cell.code is Code.LESS:
            return f"ap_uint<1>({text})"
        return text if wire in self.named or cell.code is Code.CONST else f"({text})"

    def expression(self, wire: int) -> str:
        """What computes a value."""
        return _TEXT[self.net.cells[wire].code](self, self.net.cells[wire])

    # ---- cells -----------------------------------------------------------------------------------------------------------

    def add(self, sign: str, call: str, cell: Cell) -> str:
        """A sum or a difference."""
        a, b = (self.value(w) for w in cell.args)
        return f"nn2hls::{call}({a}, {b})" if self.style.adders else f"{a} {sign} {b}"

    def shift(self, cell: Cell) -> str:
        """Zeros appended, for which the operand is widened first, or bits dropped."""
        a = self.value(cell.args[0])
        return (
            f"{_type(cell)}({a}) << {cell.k}"
            if cell.k > 0
            else f"{a} >> {min(-cell.k, self.net.cells[cell.args[0]].width - 1)}"
        )

    def less(self, cell: Cell) -> str:
        """A comparison of numbers of one sign."""
        cells = [self.net.cells[w] for w in cell.args]
        for k, sign in ((0, ">"), (1, "<")):  # against a small constant, by its plain literal
            plain = cells[1 - k].width <= MAX_PLAIN[cells[1 - k].signed]
            if cells[k].code is Code.CONST and abs(cells[k].k) < _SMALL and plain:
                return f"{self.value(cell.args[1 - k])} {sign} {cells[k].k}"
        same = len({c.signed for c in cells}) == 1
        texts = [self.value(w) for w in cell.args]
        if not same:
            wide = max(c.width + (not c.signed) for c in cells)
            texts = [f"ap_int<{wide}>({t})" for t in texts]
        return " < ".join(texts)

    def select(self, cell: Cell) -> str:
        """A choice between values of one type."""
        condition = cell.args[0]
        asked = self.net.cells[condition]
        text = self.name(condition) if condition in self.named else f"({self.expression(condition)})"
        test = text if asked.code is Code.LESS else f"{text} != 0"
        kinds = [self.net.cells[w] for w in cell.args[1:]]
        hull = int_type(min(c.lo for c in kinds), max(c.hi for c in kinds))
        return f"{test} ? " + " : ".join(self._as(hull, w) for w in cell.args[1:])

    def _as(self, kind: str, wire: int) -> str:
        """A value as a type that holds it."""
        cell = self.net.cells[wire]
        if cell.code is Code.CONST and abs(cell.k) < _SMALL:
            return f"{kind}({cell.k})"
        return (
            self.name(wire)
            if wire in self.named and _type(cell) == kind and cell.code is not Code.LESS
            else (f"{kind}({self.value(wire) if wire in self.named else self.expression(wire)})")
        )

    def lookup(self, cell: Cell) -> str:
        """A word of a table."""
        number = f"{self.lookups[cell.k]}"
        if self.lane != "0":
            number = f"{self.lane} * {self.table_reads[cell.k]} + {number}"
        self.lookups[cell.k] += 1
        return f"nn2hls::lookup(@_table{self.suffix}_{cell.k}, {number}, {self.value(cell.args[0])}.to_int())"


def _type(cell: Cell) -> str:
    return int_type(cell.lo, cell.hi)


_TEXT: dict[Code, Callable[[Body, Cell], str]] = {
    Code.CONST: lambda b, cell: constant(cell.k),
    Code.ADD: lambda b, cell: b.add("+", "plus", cell),
    Code.SUB: lambda b, cell: b.add("-", "minus", cell),
    Code.SHIFT: lambda b, cell: b.shift(cell),
    Code.MUL: lambda b, cell: " * ".join(b.value(w) for w in cell.args),
    Code.MULC: lambda b, cell: f"{b.value(cell.args[0])} * {constant(cell.k)}",
    Code.LESS: lambda b, cell: b.less(cell),
    Code.SELECT: lambda b, cell: b.select(cell),
    Code.WRAP: lambda b, cell: f"{_type(cell)}({b.value(cell.args[0])})",
    Code.LOOKUP: lambda b, cell: b.lookup(cell),
}
