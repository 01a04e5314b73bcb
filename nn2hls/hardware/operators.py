"""Cells as the operators that device data knows: what a net costs, and how long each cell takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from nn2hls.arith.ranges import width_of
from nn2hls.hardware.net import Cell, Code, Net
from nn2hls.hardware.schedule import Kind, Operator

# A cell as an operator. Constants, shifts by a constant and cut bits are wires.
_OPERATORS: dict[Code, Callable[[Cell, list[Cell]], Operator | None]] = {
    Code.ADD: lambda cell, a: Operator(Kind.ADD, (cell.width,)),
    Code.SUB: lambda cell, a: Operator(Kind.ADD, (cell.width,)),
    Code.MUL: lambda cell, a: Operator(Kind.MUL, (a[0].width, a[1].width)),
    Code.MULC: lambda cell, a: Operator(Kind.MUL_CONST, (a[0].width, width_of(min(cell.k, 0), max(cell.k, 0)))),
    Code.LESS: lambda cell, a: None if _is_sign(a) else Operator(Kind.COMPARE, (compared_bits(a),)),
    Code.SELECT: lambda cell, a: Operator(Kind.SELECT, (cell.width, 2)),
    Code.LOOKUP: lambda cell, a: Operator(Kind.ROM, (a[0].width, cell.width)),
}
SUMS = frozenset({Code.ADD, Code.SUB})


def _is_sign(a: list[Cell]) -> bool:
    """Against zero, the sign bit is the comparison."""
    return a[1].lo == a[1].hi == 0


def compared_bits(a: list[Cell]) -> int:
    """Bits that decide a comparison: against a constant near a power of two, those above its low zeros or ones."""
    width = max(a[0].width, a[1].width)
    constant = next((x.k for x in a if x.code is Code.CONST), None)
    if constant is None:
        return width
    low = max((k & -k).bit_length() - 1 if k else width for k in (constant, constant + 1))
    return max(1, width - low)


def carry_free(net: Net, wire: int) -> int:
    """The highest bit of a sum or difference into which nothing carries: below it, one of the operands is zero."""
    cell = net.cells[wire]
    x, y = (net.cells[a].zeros for a in cell.args)
    return max(x, y) if cell.code is Code.ADD else y


def added_bits(net: Net, wire: int) -> int:
    """Bits of a sum or difference that need an adder of their own: not those below, where it is one of its operands, nor one
    above both operands, where it adds their signs once more."""
    cell, operands = net.cells[wire], [net.cells[a] for a in net.cells[wire].args]
    signed = any(x.signed for x in operands)
    widest = max(x.width + (signed and not x.signed) for x in operands)
    return max(1, min(cell.width, widest) - carry_free(net, wire))


def additions(net: Net) -> list[int]:
    """The wires of sums and differences that some output needs."""
    return [w for w in net.alive() if net.cells[w].code in SUMS]


def adder_bits(net: Net) -> int:
    """Bits of all adders."""
    return sum(added_bits(net, w) for w in additions(net))


def operator(net: Net, wire: int) -> Operator | None:
    """What a cell is to the estimate; None for wires."""
    cell = net.cells[wire]
    found = _OPERATORS.get(cell.code)
    return None if found is None else found(cell, [net.cells[a] for a in cell.args])


def operators(net: Net) -> Counter[Operator]:
    """How often a net has each operator."""
    return Counter(op for op in (operator(net, n) for n in net.alive()) if op is not None)
