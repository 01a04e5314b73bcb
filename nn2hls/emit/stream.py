"""A process of a design in streams as a C++ function: it takes tokens, gathers, calls its core and sends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import ints
from nn2hls.emit.roms import array
from nn2hls.hardware.code import Pragma
from nn2hls.hardware.join import Join
from nn2hls.hardware.literals import c_integer, constant
from nn2hls.streams.control import Control
from nn2hls.streams.front import Source
from nn2hls.streams.network import Process
from nn2hls.streams.pattern import as_numbers

WORD = 60  # bits of a word of masks, or of a constant


@dataclass(frozen=True)
class Port:
    """A stream as a process sees it.

    Args:
        name: Of the parameter.
        token: The C++ type of its tokens.
        type: The C++ type of an element.
        size: Elements of a token.
    """

    name: str
    token: str
    type: str
    size: int

    @property
    def parameter(self) -> str:
        """Its declaration in the function's head."""
        return f"hls::stream<{self.token}>& {self.name}"


def process_code(
    ident: str, process: Process, sources: Sequence[Port], operands: Sequence[str], targets: Sequence[Port]
) -> list[str | Pragma]:
    """The function ``ident``.

    Args:
        ident: An identifier; its core is ``ident_core``.
        process: What it does.
        sources: Where its tokens come from.
        operands: The C++ type of an element of each operand of the core.
        targets: A stream for each reader, at least one.
    """
    return list(_Process(ident, process, sources, operands, targets).lines())


class _Process:
    def __init__(
        self,
        ident: str,
        process: Process,
        sources: Sequence[Port],
        operands: Sequence[str],
        targets: Sequence[Port],
    ) -> None:
        self.ident, self.process, self.front = ident, process, process.front
        self.sources, self.operands, self.targets = sources, operands, targets
        self.control = Control(process, process.front.steps)
        self.tables: list[str] = []

    def lines(self) -> Iterator[str | Pragma]:
        """The constants, then the function."""
        body = list(self._body())
        yield from self.tables
        yield f"static void {self.ident}({', '.join(p.parameter for p in (*self.sources, *self.targets))}) {{"
        yield from body
        yield "}"

    def _body(self) -> Iterator[str | Pragma]:
        front, core, process = self.front, self.process.core, self.process
        size = self.targets[0].size
        parts = process.results // size
        yield from self._storage()
        if front.firings > 1:
            yield "int firing = 0;"
        yield from self._counters()
        yield f"for (int step = 0; step < {front.steps}; step++) {{"
        takes_turns = process.op.repeats is not None or (core and any(loop.ii for loop in core.loops))
        if not takes_turns:  # a core that does pipelines its own loops, or its step
            yield Pragma("pipeline", str(parts))
        for k, source in enumerate(front.sources):
            yield from self._take(k, source)
        yield f"if ({self._fires()}) {{"
        yield from self._gather()
        gathered = ", ".join(f"x{k}" for k in range(len(self.operands)))
        if process.computes:
            yield f"{self.targets[0].type} y[{process.results}];"
            yield Pragma("partition", "y")
            begins = ("firing == 0" if front.firings > 1 else "true",) if process.op.repeats is not None else ()
            yield f"{self.ident}_core({', '.join([gathered, *begins, 'y'])});"
        if process.join is not None:
            yield from self._accumulate(process.join)
        else:
            yield from [f"if (firing == {front.firings - 1}) {{"] if process.once and front.firings > 1 else []
            yield from self._send(parts, size, "y" if process.computes else "x0")
            yield from ["}"] if process.once and front.firings > 1 else []
        if front.firings > 1:
            yield "firing++;"
        yield from self._count()
        yield "}"
        yield "}"

    # ---- taking tokens ---------------------------------------------------------------------------------------------------

    def _storage(self) -> Iterator[str | Pragma]:
        """What is kept from step to step; what it holds at first is never read."""
        if self.process.join is not None:
            yield f"static {self.targets[0].type} sums[{self.targets[0].size}];"
            yield Pragma("partition", "sums")
        for k, source in enumerate(self.front.sources):
            port = self.sources[k]
            if self.front.address is not None:
                yield f"static {port.type} all{k}[{source.tokens * source.size}];"
                yield Pragma("partition", f"all{k}")
            elif source.held:
                yield f"static {port.token} held{k};"
            for n, gap in self._gaps(k):
                yield f"static nn2hls::delay<{port.token}, {gap}> delay{k}_{n};"

    def _gaps(self, k: int) -> list[tuple[int, int]]:
        """(age, tokens from the tap before it) of each tap of a chain that is not the token that comes in."""
        ages = self.front.taps.get(k, np.empty(0, dtype=np.int64)).tolist()
        return [(age, age - before) for before, age in zip([0, *ages], ages, strict=False) if age > before]

    def _take(self, k: int, source: Source) -> Iterator[str | Pragma]:
        port, whole = self.sources[k], source.start == 0 and source.tokens == self.front.steps
        turn = [f"step >= {source.start}"] * (source.start > 0) + [f"step < {source.end}"] * (source.end < self.front.steps)
        if self.front.address is not None:
            yield f"if ({' && '.join(turn) or 'true'}) {{"
            yield f"const {port.token} token = {port.name}.read();"
            place = f"(step - {source.start}) * {source.size}" if source.start else f"step * {source.size}"
            yield from self._unrolled(source.size, f"all{k}[{place} + i] = token.v[i];")
            yield "}"
            return
        if source.held:
            yield f"if ({' && '.join(turn) or 'true'}) held{k} = {port.name}.read();"
            return
        if whole:
            yield f"const {port.token} t{k}_0 = {port.name}.read();"
        else:
            yield f"{port.token} t{k}_0 = {port.token}();"
            yield f"if ({' && '.join(turn)}) t{k}_0 = {port.name}.read();"
        before = 0
        for age, _ in self._gaps(k):
            yield f"const {port.token} t{k}_{age} = delay{k}_{age}.next(t{k}_{before});"
            before = age
        if not self._reads(k, before):
            yield f"(void)t{k}_{before};"

    def _reads(self, k: int, age: int) -> bool:
        """Whether a firing takes an element of the token of that age: all of them may be known constants."""
        columns = np.flatnonzero((self.front.source == k) & (self.front.delay == age))
        return any(not self._is_constant(column) for column in columns.tolist())

    def _unrolled(self, count: int, statement: str) -> Iterator[str | Pragma]:
        yield f"for (int i = 0; i < {count}; i++) {{"
        yield Pragma("unroll")
        yield statement
        yield "}"

    # ---- when it fires ---------------------------------------------------------------------------------------------------

    def _counters(self) -> Iterator[str]:
        control, fires = self.control, self.front.fires
        if control.consecutive:
            return
        if control.regular is None:
            self.tables.append(self._table("fires", fires))
            return
        yield f"int next = {control.regular.first};"
        if control.regular.columns < len(fires):
            yield "int column = 0;"

    def _fires(self) -> str:
        fires, steps = self.front.fires, self.front.steps
        if self.control.consecutive:
            first, last = int(fires[0]), int(fires[-1])
            both = [f"step >= {first}"] * (first > 0) + [f"step <= {last}"] * (last < steps - 1)
            return " && ".join(both) or "true"
        more = f"firing < {len(fires)} && " if fires[-1] < steps - 1 else ""
        return more + ("step == next" if self.control.regular else f"step == {self.ident}_fires[firing]")

    def _count(self) -> Iterator[str]:
        r = self.control.regular
        if self.control.consecutive or r is None:
            return
        if r.columns >= self.front.firings:
            yield f"next += {r.by_column};"
            return
        last = r.by_row - (r.columns - 1) * r.by_column
        yield f"next += column == {r.columns - 1} ? {last} : {r.by_column};"
        yield f"column = column == {r.columns - 1} ? 0 : column + 1;"

    # ---- gathering -------------------------------------------------------------------------------------------------------

    def _gather(self) -> Iterator[str | Pragma]:
        yield from self._masks()
        first = 0
        for n, (size, kind) in enumerate(zip(self.process.sizes, self.operands, strict=True)):
            yield f"{kind} x{n}[{size}];"
            yield Pragma("partition", f"x{n}")
            e = 0
            while e < size:
                length = self._run(first + e, first + size)
                if self._is_constant(first + e):
                    length = self._constants(first + e, first + size)
                    yield from self._from_table(n, e, first + e, length)
                elif length > 1:
                    value = self._tap(first + e).rpartition("[")[0]
                    place, element = _plus(e), _plus(int(self.front.element[first + e]))
                    yield from self._unrolled(
                        length, f"nn2hls::gather(x{n}[{place}], {value}[{element}]{self._test(first + e)});"
                    )
                else:
                    yield from self._element(f"x{n}[{e}]", first + e)
                e += length
            first += size

    def _run(self, first: int, end: int) -> int:
        """How many elements from the first one on are neighbours in one token."""
        front, column = self.front, first + 1

        def same(a: int, b: int) -> bool:
            return bool(front.source[a] == front.source[b] and front.delay[a] == front.delay[b])

        while (
            column < end
            and front.address is None
            and front.source[first] >= 0
            and not self._is_constant(first)
            and same(first, column)
            and front.element[column] == front.element[first] + column - first
            and self._test(column) == self._test(first)
        ):
            column += 1
        return column - first

    def _element(self, target: str, column: int) -> Iterator[str]:
        """Statements that set an element of the core's operands."""
        if self._is_constant(column):
            yield f"nn2hls::set_raw({target}, {self._constant(column)});"
        elif self.front.address is not None:
            yield from self._addressed(target, column)
        elif self.front.source[column] < 0:
            yield f"nn2hls::set_raw({target}, ap_uint<1>(0));"
        else:
            yield f"nn2hls::gather({target}, {self._tap(column)}{self._test(column)});"

    def _tap(self, column: int) -> str:
        k, element = int(self.front.source[column]), int(self.front.element[column])
        token = f"held{k}" if self.front.sources[k].held else f"t{k}_{int(self.front.delay[column])}"
        return f"{token}.v[{element}]"

    def _is_constant(self, column: int) -> bool:
        return self.process.is_constant is not None and bool(self.process.is_constant[column])

    def _constants(self, first: int, end: int) -> int:
        """How many elements from the first one on are constants that change and fit into a word."""
        assert self.process.constants is not None
        column, values = first, self.process.constants
        while (
            column < end
            and self._is_constant(column)
            and self._width(column) <= WORD
            and np.any(values[:, column] != values[0, column])
        ):
            column += 1
        return max(1, column - first)

    def _from_table(self, n: int, e: int, column: int, length: int) -> Iterator[str | Pragma]:
        """Sets elements from e on of operand n to constants of this firing, which stand side by side in a table."""
        if length == 1:
            yield from self._element(f"x{n}[{e}]", column)
            return
        assert self.process.constants is not None
        width, kind = self._width(column), self._kind(column)
        name = f"constants{column}"
        values = self.process.constants[:, column : column + length].reshape(-1)
        self.tables.append(self._table(name, values, c_integer(width, kind.signed)))
        yield Pragma("wide", f"{self.ident}_{name}", str(length))
        at = f"{self.ident}_{name}[firing * {length} + i]"
        yield from self._unrolled(length, f"nn2hls::set_raw(x{n}[{_plus(e)}], {at});")

    def _kind(self, column: int) -> FixedType:
        kinds = zip(self.process.sizes, self.process.types, strict=True)
        return [kind for size, kind in kinds for _ in range(size)][column]

    def _width(self, column: int) -> int:
        return self._kind(column).width

    def _constant(self, column: int) -> str:
        """A constant of this firing; what is the same at all is part of the core."""
        assert self.process.constants is not None
        values = self.process.constants[:, column]
        if np.all(values == values[0]):
            return constant(int(values[0]))
        width = self._width(column) + 1
        numbers, total = ints(values), ""
        for at in range(0, width, WORD):
            part = numbers >> at if at + WORD >= width else (numbers >> at) & ((1 << WORD) - 1)
            name = f"constant{column}_{at // WORD}" if width > WORD else f"constant{column}"
            self.tables.append(self._table(name, part, "long long"))
            word = f"ap_int<{width}>({self.ident}_{name}[firing])"
            total = f"(({word} << {at}) + {total})" if at else word
        return total

    def _addressed(self, target: str, column: int) -> Iterator[str]:
        """Sets an element to one of those that were collected, by its number."""
        assert self.front.address is not None
        numbers = self.front.address[:, column]
        starts = np.cumsum([0, *(s.tokens * s.size for s in self.front.sources)])
        used = np.unique(np.searchsorted(starts, numbers[numbers >= 0], side="right") - 1).tolist()
        at = f"{int(numbers[0])}"
        if np.any(numbers != numbers[0]):
            name = f"address{column}"
            self.tables.append(self._table(name, numbers))
            at = f"{self.ident}_{name}[firing]"
        if not used or (numbers < 0).any():
            yield f"nn2hls::set_raw({target}, ap_uint<1>(0));"
        for k in used:
            test = [f"{at} >= {int(starts[k])}"] * (len(used) > 1 or bool((numbers < 0).any()))
            test += [f"{at} < {int(starts[k + 1])}"] * (k != used[-1])
            place = f"{at} - {int(starts[k])}" if starts[k] else at
            condition = f"if ({' && '.join(test)}) " if test else ""
            yield f"{condition}nn2hls::gather({target}, all{k}[{place}]);"

    def _masks(self) -> Iterator[str]:
        """``absent``, ``absent1`` ..: words of masks of this firing."""
        masks, split = self.control.masks, self.control.split
        parts = {"absent": (masks, "firing")}
        if split is not None:
            by_row, by_column = split
            parts = {
                "absent_rows": (by_row, f"firing / {len(by_column)}"),
                "absent_columns": (by_column, f"firing % {len(by_column)}"),
            }
        for number, first in enumerate(range(0, masks.shape[1], WORD)):
            last = min(first + WORD, masks.shape[1])
            terms = []
            for name, (bits, at) in parts.items():
                table = f"{name}{number or ''}"
                words = np.array(as_numbers(bits[:, first:last]), dtype=object)
                self.tables.append(self._table(table, words, "unsigned long long"))
                terms.append(f"{self.ident}_{table}[{at}]")
            yield f"const ap_uint<{last - first}> absent{number or ''} = {' | '.join(terms)};"

    def _test(self, column: int) -> str:
        """What a call of ``gather`` has for an element that may be absent."""
        mask = self.control.mask_of.get(column)
        return "" if mask is None else f", absent{mask // WORD or ''}[{mask % WORD}]"

    def _table(self, name: str, values: np.ndarray, kind: str = "int") -> str:
        return array(kind, f"{self.ident}_{name}", values).rstrip()

    # ---- accumulating ----------------------------------------------------------------------------------------------------

    def _accumulate(self, join: Join) -> Iterator[str | Pragma]:
        """Joins what the core gives to what was there, and sends that after the last firing."""
        size, last = self.targets[0].size, self.front.firings - 1
        yield from self._unrolled(size, f"nn2hls::join_{join.value}(sums[i], y[i], firing == 0);")
        yield f"if (firing == {last}) {{"
        yield from self._send(1, size, "sums")
        yield "}"

    # ---- sending ---------------------------------------------------------------------------------------------------------

    def _send(self, parts: int, size: int, array: str) -> Iterator[str | Pragma]:
        if parts > 1:
            yield f"for (int part = 0; part < {parts}; part++) {{"
        yield f"{self.targets[0].token} token;"
        place = f"part * {size} + i" if parts > 1 else "i"
        yield from self._unrolled(size, f"nn2hls::gather(token.v[i], {array}[{place}]);")
        # Whoever reads it past others comes last of them, and has to have room first: in hardware all take it at once.
        yield from (f"{t.name}.write(token);" for t in reversed(self.targets))
        if parts > 1:
            yield "}"


def _plus(first: int) -> str:
    return f"{first} + i" if first else "i"
