"""A placed net as a module in Verilog-2001: one register for each value and clock edge that it crosses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nn2hls.hardware.net import Cell, Code
from nn2hls.hardware.operators import SUMS, carry_free
from nn2hls.hardware.stages import Stages


@dataclass(frozen=True)
class Wire:
    """How a value is declared outside of a module.

    Args:
        width: Bits.
        signed: Two's complement.
    """

    width: int
    signed: bool

    @property
    def span(self) -> str:
        """What stands between ``wire`` and the name."""
        return span(self.width, self.signed)


def span(width: int, signed: bool) -> str:
    """``signed [7:0] ``: what a declaration has before a name."""
    return ("signed " if signed else "") + (f"[{width - 1}:0] " if width > 1 or signed else "")


def literal(value: int, *, signed: bool) -> str:
    """A constant: unsigned, or signed with a bit to spare, because Verilog negates after it has cut to the width."""
    if not signed:
        return f"{max(1, value.bit_length())}'d{value}"
    return f"{'-' if value < 0 else ''}{abs(value).bit_length() + 1}'sd{abs(value)}"


def module(name: str, stages: Stages, inputs: Sequence[Wire], outputs: Sequence[Wire]) -> str:
    """The module ``name``: ports ``x0`` .., ``y0`` .., and ``clock`` if anything is registered.

    Args:
        name: Of the module.
        stages: The placed net.
        inputs: How each input number is declared outside; what no output needs has no port.
        outputs: The same for the outputs.
    """
    return _Module(name, stages, inputs, outputs).text()


class _Module:
    def __init__(self, name: str, stages: Stages, inputs: Sequence[Wire], outputs: Sequence[Wire]) -> None:
        self.name, self.stages, self.inputs, self.outputs = name, stages, inputs, outputs
        self.net = stages.net
        self.apart = bits_beside(stages)

    def text(self) -> str:
        net = self.net
        used = [net.cells[w].k for w in net.inputs()]
        ports = ["input wire clock"] if self.stages.kept else []
        ports += [f"input wire {self.inputs[k].span}x{k}" for k in used]
        ports += [f"output wire {o.span}y{j}" for j, o in enumerate(self.outputs)]
        lines = [f"module {self.name} (", ",\n".join(f"    {p}" for p in ports), ");"]
        lines += [line for number in self._tables() for line in self._table(number)]
        lines += [line for wire in net.alive() for line in self._cell(wire)]
        if self.stages.kept:
            lines += ["    always @(posedge clock) begin", *self._clocked(), "    end"]
        lines += [f"    assign y{j} = {self.at(o, self.stages.latency)};" for j, o in enumerate(net.outputs)]
        return "\n".join([*lines, "endmodule"]) + "\n"

    # ---- values ----------------------------------------------------------------------------------------------------------

    def at(self, wire: int, stage: int) -> str:
        """A value in a stage, with the sign of its own range."""
        cell = self.net.cells[wire]
        if cell.code is Code.CONST:
            return literal(cell.k, signed=cell.signed)
        if cell.code is Code.SHIFT and cell.k > 0:
            padded = f"{{{self.at(cell.args[0], stage)}, {cell.k}'d0}}"
            return f"$signed({padded})" if cell.signed else padded
        return f"v{wire}" if stage == self.stages.of[wire] else f"v{wire}_{stage}"

    def signed(self, wire: int, stage: int) -> str:
        """A value in a stage as a signed number."""
        cell = self.net.cells[wire]
        if cell.signed:
            return self.at(wire, stage)
        if cell.code is Code.CONST:
            return literal(cell.k, signed=True)
        return f"$signed({{1'b0, {self.at(wire, stage)}}})"

    def same(self, wires: Sequence[int], stage: int) -> list[str]:
        """Values that meet in one operation: Verilog takes all as unsigned if one is."""
        alike = not any(self.net.cells[w].signed for w in wires)
        return [self.at(w, stage) if alike else self.signed(w, stage) for w in wires]

    # ---- statements ------------------------------------------------------------------------------------------------------

    def _cell(self, wire: int) -> Iterator[str]:
        cell, stage = self.net.cells[wire], self.stages.of[wire]
        write = _TEXT.get(cell.code)
        if write is None or (cell.code is Code.SHIFT and cell.k > 0):
            return
        kind, apart = span(cell.width, cell.signed), self.apart.get(wire)
        if apart:
            yield f"    wire {kind}sum{wire} = {write(self, cell, stage)};"
            yield f"    wire {kind}v{wire} = {self._joined(wire, apart)};"
        else:
            yield f"    wire {kind}v{wire} = {write(self, cell, stage)};"
        for k in range(self.stages.kept.get(wire, 0)):
            yield f"    reg {span(cell.width, cell.signed)}v{wire}_{stage + k + 1};"

    def _joined(self, wire: int, apart: Sequence[int]) -> str:
        """The bits of a sum, those ``apart`` without its addition."""
        cell, stage, parts = self.net.cells[wire], self.stages.of[wire], list[str]()
        top = cell.width
        for bit in [*apart, -1]:
            if top - 1 > bit:
                parts.append(f"sum{wire}[{top - 1}:{bit + 1}]")
            if bit >= 0:
                parts.append(" ^ ".join(filter(None, (self._bit(a, bit, stage) for a in cell.args))))
            top = bit
        return f"{{{', '.join(parts)}}}"

    def _bit(self, wire: int, bit: int, stage: int) -> str:
        """A bit of a value; empty where it is zero."""
        cell = self.net.cells[wire]
        if bit < cell.zeros or (bit >= cell.width and not cell.signed):
            return ""
        if cell.code is Code.SHIFT and cell.k > 0:
            return self._bit(cell.args[0], bit - cell.k, stage)
        if cell.code is Code.CONST:
            return "1'b1" if cell.k >> bit & 1 else ""
        return f"{self.at(wire, stage)}[{min(bit, cell.width - 1)}]" if cell.width > 1 or cell.signed else self.at(wire, stage)

    def _clocked(self) -> Iterator[str]:
        for wire, count in self.stages.kept.items():
            stage = self.stages.of[wire]
            for k in range(count):
                yield f"        v{wire}_{stage + k + 1} <= {self.at(wire, stage + k)};"

    def _tables(self) -> list[int]:
        return sorted({c.k for c in (self.net.cells[w] for w in self.net.alive()) if c.code is Code.LOOKUP})

    def _table(self, number: int) -> Iterator[str]:
        words = self.net.tables[number]
        signed = min(words) < 0
        width = Cell(Code.CONST, (), 0, min(words), max(words)).width
        bits = max(1, (len(words) - 1).bit_length())
        yield f"    function {span(width, signed)}table{number}(input [{bits - 1}:0] address);"
        yield "        case (address)"
        for k, word in enumerate(words):
            yield f"            {bits}'d{k}: table{number} = {literal(word, signed=signed)};"
        yield f"            default: table{number} = {literal(0, signed=signed)};"
        yield "        endcase"
        yield "    endfunction"

    def select(self, cell: Cell, stage: int) -> str:
        """A choice."""
        a, b = self.same(cell.args[1:], stage)
        return f"{self.at(cell.args[0], stage)} ? {a} : {b}"

    def less(self, cell: Cell, stage: int) -> str:
        """A comparison; against zero it is the sign."""
        a, b = cell.args
        x, y = self.net.cells[a], self.net.cells[b]
        if y.lo == y.hi == 0 and x.code is not Code.SHIFT:
            return f"{self.at(a, stage)}[{x.width - 1}]"
        first, second = self.same(cell.args, stage)
        return f"{first} < {second}"

    def binary(self, sign: str, cell: Cell, stage: int) -> str:
        """An operation on two values."""
        return f" {sign} ".join(self.same(cell.args, stage))

    def product(self, cell: Cell, stage: int) -> str:
        """A product with a constant."""
        signed = cell.k < 0 or self.net.cells[cell.args[0]].signed
        value = self.signed(cell.args[0], stage) if signed else self.at(cell.args[0], stage)
        return f"{value} * {literal(cell.k, signed=signed)}"

    def down(self, cell: Cell, stage: int) -> str:
        """Low bits dropped."""
        return f"{self.at(cell.args[0], stage)} {'>>>' if self.net.cells[cell.args[0]].signed else '>>'} {-cell.k}"

    def port(self, cell: Cell) -> str:
        """An input, without the bits that its range does not need."""
        outside = self.inputs[cell.k]
        return f"x{cell.k}[{cell.width - 1}:0]" if cell.width < outside.width else f"x{cell.k}"


def bits_beside(stages: Stages) -> dict[int, list[int]]:
    """Bits of sums, from the top, that are written beside the addition: the lowest of an operand that is a sum read once.

    Logic synthesis would take such a sum and its reader for one sum of three, in carry-save form, which costs more than carry
    chains do and is not what was placed; a sum that is read twice stays what it is. Nothing carries into these bits.
    """
    net, readers = stages.net, stages.readers
    found: dict[int, list[int]] = {}
    for wire in net.alive():
        cell = net.cells[wire]
        if cell.code not in SUMS:
            continue
        free, bits = carry_free(net, wire), set[int]()
        for a in cell.args:
            source = stages.source(a)
            inner = net.cells[source].code in SUMS and readers[source] == 1 and stages.of[source] == stages.of[wire]
            if inner and source not in found and net.cells[a].zeros <= free:
                bits.add(net.cells[a].zeros)
        if bits:
            found[wire] = sorted(bits, reverse=True)
    return found


_TEXT: dict[Code, Callable[[_Module, Cell, int], str]] = {
    Code.INPUT: lambda m, cell, stage: m.port(cell),
    Code.ADD: lambda m, cell, stage: m.binary("+", cell, stage),
    Code.SUB: lambda m, cell, stage: m.binary("-", cell, stage),
    Code.SHIFT: lambda m, cell, stage: m.down(cell, stage),
    Code.MUL: lambda m, cell, stage: m.binary("*", cell, stage),
    Code.MULC: lambda m, cell, stage: m.product(cell, stage),
    Code.LESS: lambda m, cell, stage: m.less(cell, stage),
    Code.SELECT: lambda m, cell, stage: m.select(cell, stage),
    Code.WRAP: lambda m, cell, stage: m.at(cell.args[0], stage),
    Code.LOOKUP: lambda m, cell, stage: f"table{cell.k}({m.at(cell.args[0], stage)})",
}
