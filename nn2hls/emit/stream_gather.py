"""What a process gathers for a firing of its core, in Verilog: elements of taps, masked; constants; or all by address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nn2hls.emit.verilog_rom import rom
from nn2hls.streams.build import Built, Link
from nn2hls.streams.control import bits_for
from nn2hls.streams.front import EMPTY
from nn2hls.streams.pattern import as_numbers


class Gather:
    """The registers ``x0`` .. with the operands of the core, and ``fired``, which says that they are there.

    It reads ``step``, ``go``, ``fire`` and ``ending`` of the process's module, the streams ``s0`` .., and the taps ``t0_9`` ..
    """

    def __init__(self, built: Built) -> None:
        self.built, self.front = built, built.front
        self.control, self.widths, self.addressed = built.control, built.widths, built.addressed

    def lines(self) -> Iterator[str]:
        """Statements of the module."""
        masks, constants = list(self._masks()), list(self._constants())
        gathered = list(self._operands())
        yield from self._stored()
        yield from self._addresses()
        yield from masks
        yield from constants
        yield from gathered
        yield from self._registers()

    def carried(self, link: Link) -> str:
        """What enters a link: the elements of the tap before it that are still read."""
        places = self._places(link.source, link.before, link.elements)
        width, tap = link.width, self._tap(link.source, link.before)
        parts = [f"{tap}[{(b + 1) * width - 1}:{a * width}]" for a, b in _runs(places)]
        return f"{{{', '.join(reversed(parts))}}}"

    # ---- where elements are ----------------------------------------------------------------------------------------------

    def _tap(self, source: int, age: int) -> str:
        return f"t{source}_{age}" if age else f"s{source}"

    def _places(self, source: int, age: int, elements: np.ndarray) -> list[int]:
        found: list[int] = np.searchsorted(self.built.carried[source, age], elements).tolist()
        return found

    def counter(self, name: str, count: int, last: str, enable: str = "fire") -> Iterator[str]:
        """A register that counts to ``count`` at each ``enable`` and begins again where ``last`` is."""
        bits = bits_for(count - 1)
        yield f"    reg [{bits - 1}:0] {name};"
        yield "    always @(posedge clock)"
        yield f"        if (reset) {name} <= {bits}'d0;"
        yield f"        else if ({enable}) {name} <= {last} ? {bits}'d0 : {name} + {bits}'d1;"

    def _stored(self) -> Iterator[str]:
        """Tokens that stay: of a stream that is held, or all of all streams."""
        addressed = self.front.address is not None
        for k, source in enumerate(self.front.sources):
            if addressed:
                yield f"    reg [{self.built.sources[k].bits - 1}:0] all{k} [0:{source.tokens - 1}];"
                yield f"    always @(posedge clock) if (go && turn{k}) all{k}[step] <= s{k};"
            elif source.held:
                bits = self.built.sources[k].bits
                yield f"    reg [{bits - 1}:0] kept{k};"
                yield f"    always @(posedge clock) if (go && turn{k}) kept{k} <= s{k};"
                now = f"turn{k} ? s{k} : kept{k}" if source.end > self.front.fires[0] else f"kept{k}"
                yield f"    wire [{bits - 1}:0] held{k} = {now};"
        if addressed:
            yield f"    reg [{bits_for(self.front.firings - 1) - 1}:0] reading;  // the firing whose elements are read"
            yield "    always @(posedge clock) reading <= firing;"

    # ---- masks and constants ---------------------------------------------------------------------------------------------

    def _masks(self) -> Iterator[str]:
        """The bits of ``absent``."""
        control, count = self.control, self.control.masks.shape[1]
        if not count:
            return
        yield f"    wire [{count - 1}:0] absent;"
        if control.split is None:
            yield from rom("absent_at", as_numbers(control.masks), count)
            yield "    assign absent = absent_at(firing);"
            return
        by_row, by_column = control.split
        bits = bits_for(len(by_column) - 1)
        wraps = f"column == {bits}'d{len(by_column) - 1}"
        yield from self.counter("column", len(by_column), wraps)
        yield from self.counter("row", len(by_row), "ending", f"fire && {wraps}")
        yield from rom("absent_row", as_numbers(by_row), count)
        yield from rom("absent_column", as_numbers(by_column), count)
        yield "    assign absent = absent_row(row) | absent_column(column);"

    def _constants(self) -> Iterator[str]:
        """The bits of ``constants``, of the elements whose constant changes."""
        self.constant_at: dict[int, tuple[int, int]] = {}
        process = self.built.process
        if process.constants is None or process.is_constant is None:
            return
        low, words = 0, [0] * self.front.firings
        for column in np.flatnonzero(process.is_constant & ~self._in_blocks()).tolist():
            width, values = self.widths[column], process.constants[:, column].tolist()
            self.constant_at[column] = (low + width - 1, low)
            words = [w | (int(v) & ((1 << width) - 1)) << low for w, v in zip(words, values, strict=True)]
            low += width
        if not low:
            return
        yield from rom("constants_at", words, low)
        yield f"    wire [{low - 1}:0] constants = constants_at({'firing' if self.front.address is None else 'reading'});"

    def _in_blocks(self) -> np.ndarray:
        """Of each column whether its operand is the output of a block of memory."""
        sizes = self.built.process.sizes
        return np.repeat([n in self.built.in_blocks for n in range(len(sizes))], sizes)

    def _block(self, n: int, first: int) -> Iterator[str]:
        """The memory of an operand that is constants of each firing; it has a register of its own."""
        process, bits, width = self.built.process, self.built.operand_bits(n), self.widths[first]
        assert process.constants is not None
        mask = (1 << width) - 1
        yield f'    (* rom_style = "block" *) reg [{bits - 1}:0] table{n} [0:{self.front.firings - 1}];'
        yield "    initial begin"
        for k, row in enumerate(process.constants[:, first : first + process.sizes[n]].tolist()):
            word = "".join(f"{int(v) & mask:0{width}b}" for v in reversed(row))
            yield f"        table{n}[{k}] = {bits}'h{int(word, 2):x};"
        yield "    end"

    # ---- operands --------------------------------------------------------------------------------------------------------

    def _operands(self) -> Iterator[str]:
        first = 0
        for n, size in enumerate(self.built.process.sizes):
            if n in self.built.in_blocks:
                yield from self._block(n, first)
                first += size
                continue
            parts = list(self._elements(first, first + size))
            yield f"    wire [{sum(self.widths[first : first + size]) - 1}:0] now{n} = {{"
            yield ",\n".join(f"        {p}" for p in reversed(parts))
            yield "    };"
            first += size

    def _elements(self, first: int, end: int) -> Iterator[str]:
        """What stands side by side, from the low bits up: neighbours of one tap together."""
        column = first
        while column < end:
            length = 1
            if column in self.constant_at:
                while column + length < end and column + length in self.constant_at:
                    length += 1
                high, low = self.constant_at[column + length - 1][0], self.constant_at[column][1]
                yield f"constants[{high}:{low}]"
            elif self.front.address is not None:
                yield self._addressed(column)
            elif self.front.source[column] == EMPTY:
                yield f"{self.widths[column]}'d0"
            else:
                length = self._run(column, end)
                yield self._slice(column, length)
            column += length

    def _place(self, column: int) -> tuple[int, int, int, int]:
        """(stream, age, place in the tap, mask)."""
        front, k = self.front, int(self.front.source[column])
        element, mask = int(front.element[column]), self.control.mask_of.get(column, EMPTY)
        if front.sources[k].held:
            return k, EMPTY, element, mask
        age = int(front.delay[column])
        return k, age, self._places(k, age, np.array([element]))[0], mask

    def _run(self, first: int, end: int) -> int:
        k, age, place, mask = self._place(first)
        length = 1
        while (
            first + length < end
            and first + length not in self.constant_at
            and self.front.source[first + length] == k
            and self._place(first + length) == (k, age, place + length, mask)
        ):
            length += 1
        return length

    def _slice(self, column: int, length: int) -> str:
        k, age, place, mask = self._place(column)
        width = self.widths[column]
        tap = f"held{k}" if age == EMPTY else self._tap(k, age)
        text = f"{tap}[{(place + length) * width - 1}:{place * width}]"
        return text if mask == EMPTY else f"{text} & {{{length * width}{{!absent[{mask}]}}}}"

    def _addressed(self, column: int) -> str:
        """An element of one of all tokens, whose numbers are in a ROM."""
        token, element = self.addressed.numbers[column]
        width, starts = self.widths[column], self.addressed.starts
        at = self._looked_up("token", column, token)
        text = f"{width}'d0"
        used = self.addressed.streams(column)
        part = self._looked_up("element", column, element)
        for n, k in enumerate(used):
            value = f"read{k}_{self.addressed.first['token', column]}[({part}) * {width} +: {width}]"
            sure = not n and bool(np.all(token < starts[-1]))
            test = f"{at} >= {int(starts[k])} && {at} < {int(starts[k + 1])}"
            text = value if sure else f"({test} ? {value} : {text})"
        return text

    def _looked_up(self, what: str, column: int, values: np.ndarray) -> str:
        first = self.addressed.first[what, column]
        return str(int(values[0])) if np.all(values == values[0]) else f"{what}{first}"

    def _addresses(self) -> Iterator[str]:
        """The ROMs of tokens and of elements that change with the firing, each once, and the tokens that are read."""
        if self.front.address is None:
            return
        for column, both in self.addressed.numbers.items():
            for what, values in zip(("token", "element"), both, strict=True):
                if np.any(values != values[0]) and self.addressed.first[what, column] == column:
                    bits = bits_for(int(values.max()))
                    yield from rom(f"{what}{column}_at", values.tolist(), bits)
                    yield f"    wire [{bits - 1}:0] {what}{column} = {what}{column}_at(reading);"
        for k, column in sorted(
            {(k, self.addressed.first["token", c]) for c in self.addressed.columns for k in self.addressed.streams(c)}
        ):
            at, start = self._looked_up("token", column, self.addressed.numbers[column][0]), int(self.addressed.starts[k])
            bits = self.built.sources[k].bits
            yield f"    wire [{bits - 1}:0] read{k}_{column} = all{k}[{f'{at} - {start}' if start else at}];"

    def _registers(self) -> Iterator[str]:
        """What was gathered, at the clock after."""
        ready = "fire"
        if self.front.address is not None:
            yield "    reg read;"
            yield "    always @(posedge clock) read <= !reset && fire;"
            ready = "read"
        yield "    reg fired;"
        yield f"    always @(posedge clock) fired <= !reset && {ready};"
        first = 0
        for n, size in enumerate(self.built.process.sizes):
            yield f"    reg [{sum(self.widths[first : first + size]) - 1}:0] x{n};"
            now = f"table{n}[firing]" if n in self.built.in_blocks else f"now{n}"
            yield f"    always @(posedge clock) if ({ready}) x{n} <= {now};"
            first += size


def _runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """(first, last) of each row of neighbours."""
    found: list[tuple[int, int]] = []
    for p in places:
        if found and found[-1][1] == p - 1:
            found[-1] = (found[-1][0], p)
        else:
            found.append((p, p))
    return found
