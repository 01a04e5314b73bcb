"""A straight line of integer operations in single assignment: the one statement of what a layer computes.

C++, Verilog, operators for the estimate, pipeline stages and a witness in NumPy are all read from a net. A wire is the number
of the cell that drives it. Every cell carries the proven range of its value, so width and sign follow and are never stated.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from nn2hls.arith.csd import digits
from nn2hls.arith.ranges import width_of


class Code(enum.Enum):
    """What a cell does with its operands a, b, c and its number k. The set is closed: printers have an entry for each."""

    INPUT = "input"  # input number k of the net
    CONST = "const"  # k
    ADD = "add"  # a + b
    SUB = "sub"  # a - b
    SHIFT = "shift"  # a * 2**k, rounded down
    MUL = "mul"  # a * b
    MULC = "mulc"  # a * k
    LESS = "less"  # 1 if a < b else 0
    SELECT = "select"  # b if a else c
    WRAP = "wrap"  # the low bits of a, as many as the cell's own range has
    LOOKUP = "lookup"  # word a of table k


class Cell(NamedTuple):
    """One value.

    Args:
        code: What it does.
        args: The wires it reads.
        k: Its number; see Code.
        lo, hi: Its proven range.
        zeros: So many low bits of every value are zero.
    """

    code: Code
    args: tuple[int, ...]
    k: int
    lo: int
    hi: int
    zeros: int = 0

    @property
    def width(self) -> int:
        """Bits of the narrowest integer that holds the range, sign included if it can be negative."""
        return width_of(self.lo, self.hi)

    @property
    def signed(self) -> bool:
        """Whether the value can be negative."""
        return self.lo < 0


_HLS_DIGITS = 2  # HLS tools build a product with a constant of more digits of a multiplier
_OF_ADDERS = frozenset({"bambu", "verilog"})  # these have no better multiplier with a constant than additions


def most_digits(backend: str) -> int | None:
    """What a net for a backend (``Vitis``, ``Vivado``, ``Bambu``, ``Verilog``, in any case) takes as ``most_digits``."""
    return None if backend.lower() in _OF_ADDERS else _HLS_DIGITS


_DEEP = frozenset({Code.ADD, Code.SUB, Code.MUL, Code.MULC})


class Net:
    """Builds cells, each made once, with their ranges inferred and constants folded.

    Args:
        most_digits: A product with a constant of more canonical signed digits stays one multiplier cell (MULC), as HLS tools
            want it; one of fewer becomes additions of shifted copies. None: always additions.
    """

    def __init__(self, most_digits: int | None = None) -> None:
        self.most_digits = most_digits
        self.cells: list[Cell] = []
        self.outputs: list[int] = []
        self.tables: list[tuple[int, ...]] = []
        self._made: dict[tuple[Code, tuple[int, ...], int, int, int], int] = {}
        self._depth: list[int] = []
        self._table_numbers: dict[tuple[int, ...], int] = {}

    def _cell(self, code: Code, args: tuple[int, ...], k: int, lo: int, hi: int, zeros: int = 0) -> int:
        if lo == hi and code is not Code.CONST:
            return self.const(lo)
        key = (code, args, k, lo, hi)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = len(self.cells)
            self.cells.append(Cell(code, args, k, lo, hi, zeros))
            self._depth.append((code in _DEEP) + max((self._depth[a] for a in args), default=0))
        return made

    def depth(self, a: int) -> int:
        """Additions and products on the longest way to a wire."""
        return self._depth[a]

    def input(self, number: int, lo: int, hi: int, zeros: int = 0) -> int:
        """Input ``number`` of the net, whose values lie within lo .. hi."""
        return self._cell(Code.INPUT, (), number, lo, hi, zeros)

    def const(self, k: int) -> int:
        """A constant."""
        return self._cell(Code.CONST, (), k, k, k, (k & -k).bit_length() - 1 if k else 0)

    # ---- arithmetic ------------------------------------------------------------------------------------------------------

    def add(self, a: int, b: int) -> int:
        """a + b."""
        x, y = self.cells[a], self.cells[b]
        if x.lo == x.hi == 0:
            return b
        if y.lo == y.hi == 0:
            return a
        return self._cell(Code.ADD, (min(a, b), max(a, b)), 0, x.lo + y.lo, x.hi + y.hi, _common(x, y))

    def sub(self, a: int, b: int) -> int:
        """a - b."""
        x, y = self.cells[a], self.cells[b]
        if a == b:
            return self.const(0)
        if y.lo == y.hi == 0:
            return a
        return self._cell(Code.SUB, (a, b), 0, x.lo - y.hi, x.hi - y.lo, _common(x, y))

    def negate(self, a: int) -> int:
        """-a."""
        return self.sub(self.const(0), a)

    def shift(self, a: int, by: int) -> int:
        """a * 2**by, rounded down."""
        if by == 0:
            return a
        x = self.cells[a]
        if x.code is Code.SHIFT and (x.k > 0) == (by > 0):
            return self.shift(x.args[0], x.k + by)
        if by > 0:
            return self._cell(Code.SHIFT, (a,), by, x.lo << by, x.hi << by, x.zeros + by)
        return self._cell(Code.SHIFT, (a,), by, x.lo >> -by, x.hi >> -by, max(0, x.zeros + by))

    def mul(self, a: int, b: int) -> int:
        """a * b."""
        x, y = self.cells[a], self.cells[b]
        for one, other in ((x, b), (y, a)):
            if one.lo == one.hi:
                return self.scale(other, one.lo)
        ends = [p * q for p in (x.lo, x.hi) for q in (y.lo, y.hi)]
        low = min(ends)
        if a == b:  # a square
            low = 0 if x.lo <= 0 <= x.hi else min(x.lo * x.lo, x.hi * x.hi)
        return self._cell(Code.MUL, (min(a, b), max(a, b)), 0, low, max(ends), x.zeros + y.zeros)

    def scale(self, a: int, k: int) -> int:
        """a * k with a constant k: nothing, a shift, additions, or a multiplier."""
        form, x = digits(k), self.cells[a]
        low, high = sorted((x.lo * k, x.hi * k))
        if self.most_digits is not None and len(form) > self.most_digits:
            return self._cell(Code.MULC, (a,), k, low, high, x.zeros + form[0][1])
        return self.narrowed(self.total([(self.shift(a, exponent), sign < 0) for sign, exponent in form]), low, high)

    def total(self, terms: Iterable[tuple[int, bool]]) -> int:
        """The sum of wires, those subtracted whose flag is set: a tree, the least deep and narrowest first.

        Of a difference inside it the operand with more zero bits is subtracted, since the low bits of the other one then need
        no adder; the flag keeps its sign, as long as another wire without a flag saves the last sum from being negated.
        """
        heap = [(self._depth[t], self.cells[t].width, n, t, minus) for n, (t, minus) in enumerate(terms)]
        if not heap:
            return self.const(0)
        heapq.heapify(heap)
        n, plain = len(heap), sum(not minus for *_, minus in heap)
        while len(heap) > 1:
            *_, a, minus_a = heapq.heappop(heap)
            *_, b, minus_b = heapq.heappop(heap)
            if minus_a == minus_b:
                made, minus = self.add(a, b), minus_a
                plain -= not minus
            else:
                plus, other = (b, a) if minus_a else (a, b)
                lost = self.cells[heap[0][3]].zeros if len(heap) == 1 else 0  # a carry into all bits of the last sum
                minus = plain > 1 and self.cells[plus].zeros > self.cells[other].zeros + lost
                made = self.sub(other, plus) if minus else self.sub(plus, other)
                plain -= minus
            heapq.heappush(heap, (self._depth[made], self.cells[made].width, n, made, minus))
            n += 1
        *_, last, minus = heap[0]
        return self.negate(last) if minus else last

    # ---- choices ---------------------------------------------------------------------------------------------------------

    def less(self, a: int, b: int) -> int:
        """1 where a < b, else 0."""
        x, y = self.cells[a], self.cells[b]
        if x.hi < y.lo:
            return self.const(1)
        return self.const(0) if x.lo >= y.hi else self._cell(Code.LESS, (a, b), 0, 0, 1)

    def select(self, condition: int, a: int, b: int, lo: int | None = None, hi: int | None = None) -> int:
        """a where the condition is 1, b where it is 0; ``lo`` and ``hi``: a narrower range that the caller has proved."""
        c, x, y = self.cells[condition], self.cells[a], self.cells[b]
        if c.lo == c.hi:
            return a if c.lo else b
        if a == b:
            return a
        low, high = min(x.lo, y.lo), max(x.hi, y.hi)
        return self._cell(
            Code.SELECT, (condition, a, b), 0, low if lo is None else lo, high if hi is None else hi, _common(x, y)
        )

    def clip(self, a: int, lo: int | None, hi: int | None) -> int:
        """min(max(a, lo), hi) with constant ends; None: no end there."""
        if hi is not None and self.cells[a].hi > hi:
            end = self.const(hi)
            a = self.select(self.less(end, a), end, a, min(self.cells[a].lo, hi), hi)
        if lo is not None and self.cells[a].lo < lo:
            end = self.const(lo)
            a = self.select(self.less(a, end), end, a, lo, max(self.cells[a].hi, lo))
        return a

    def maximum(self, a: int, b: int) -> int:
        """The larger of two wires."""
        x, y = self.cells[a], self.cells[b]
        if x.lo >= y.hi or y.lo >= x.hi:
            return a if x.lo >= y.hi else b
        return self.select(self.less(a, b), b, a, max(x.lo, y.lo), max(x.hi, y.hi))

    def minimum(self, a: int, b: int) -> int:
        """The smaller of two wires."""
        x, y = self.cells[a], self.cells[b]
        if x.hi <= y.lo or y.hi <= x.lo:
            return a if x.hi <= y.lo else b
        return self.select(self.less(b, a), b, a, min(x.lo, y.lo), min(x.hi, y.hi))

    def absolute(self, a: int) -> int:
        """|a|."""
        x = self.cells[a]
        if x.lo >= 0:
            return a
        nearest = 0 if x.hi >= 0 else -x.hi
        return self.select(self.less(a, self.const(0)), self.negate(a), a, nearest, max(-x.lo, x.hi))

    def narrowed(self, a: int, lo: int, hi: int) -> int:
        """The wire, with a range that the caller has proved to be narrower than what follows from its operands."""
        x = self.cells[a]
        if lo <= x.lo and x.hi <= hi:
            return a
        if lo > x.hi or hi < x.lo:
            raise ValueError(f"{lo}..{hi} is proved of a wire that is always {x.lo}..{x.hi}")
        return self._cell(x.code, x.args, x.k, max(lo, x.lo), min(hi, x.hi), x.zeros)

    # ---- bits ------------------------------------------------------------------------------------------------------------

    def wrap(self, a: int, width: int, signed: bool) -> int:
        """The low ``width`` bits of a, as two's complement when ``signed``."""
        low = -(1 << (width - 1)) if signed else 0
        high = low + (1 << width) - 1
        x = self.cells[a]
        if low <= x.lo and x.hi <= high:
            return a
        if x.lo == x.hi:
            return self.const(((x.lo - low) & ((1 << width) - 1)) + low)
        return self._cell(Code.WRAP, (a,), 0, low, high, min(x.zeros, width))

    def lookup(self, a: int, words: Sequence[int]) -> int:
        """Word number a of a table; a must lie within it."""
        x, table = self.cells[a], tuple(words)
        if not 0 <= x.lo <= x.hi < len(table):
            raise ValueError(f"addresses {x.lo}..{x.hi} of a table of {len(table)} words")
        number = self._table_numbers.setdefault(table, len(self.tables))
        if number == len(self.tables):
            self.tables.append(table)
        reached = table[x.lo : x.hi + 1]
        joined = 0
        for word in reached:
            joined |= word
        zeros = (joined & -joined).bit_length() - 1 if joined else 0
        return self._cell(Code.LOOKUP, (a,), number, min(reached), max(reached), zeros)

    def copied(self, cell: Cell, args: tuple[int, ...]) -> int:
        """A cell of another net that has the same tables, on wires of this one."""
        return self._cell(cell.code, args, cell.k, cell.lo, cell.hi, cell.zeros)

    # ---- reading ---------------------------------------------------------------------------------------------------------

    def alive(self) -> list[int]:
        """The wires that some output needs, in order; inputs and constants among them."""
        needed, todo = set(), list(self.outputs)
        while todo:
            wire = todo.pop()
            if wire not in needed:
                needed.add(wire)
                todo += self.cells[wire].args
        return sorted(needed)

    def behind(self, output: int, done: set[int]) -> Iterator[int]:
        """The wires behind an output that are not ``done``, to which they are added, operands first.

        Each stands near its readers, so that few values are held at once: compilers take several times longer over a layer
        whose products all come before its sums.
        """
        todo = [(output, False)]
        while todo:
            wire, ready = todo.pop()
            if wire in done:
                continue
            if ready:
                done.add(wire)
                yield wire
            else:
                todo.append((wire, True))
                todo += [(a, False) for a in reversed(self.cells[wire].args)]

    def inputs(self) -> list[int]:
        """The wires of the inputs that some output needs, by their number."""
        found = [n for n in self.alive() if self.cells[n].code is Code.INPUT]
        return sorted(found, key=lambda n: self.cells[n].k)

    def tree(self, join: Callable[[int, int], int], wires: Sequence[int]) -> int:
        """Two neighbours joined at a time until one wire is left."""
        level = list(wires)
        while len(level) > 1:
            pairs = [join(level[k], level[k + 1]) for k in range(0, len(level) - 1, 2)]
            level = pairs + level[len(level) & ~1 :]
        return level[0]


def _common(x: Cell, y: Cell) -> int:
    """Low bits that are zero in both; a zero constant has no others."""
    if x.lo == x.hi == 0:
        return y.zeros
    return x.zeros if y.lo == y.hi == 0 else min(x.zeros, y.zeros)
