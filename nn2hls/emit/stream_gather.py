"""What a process gathers for a firing of its core, in Verilog: elements of taps, masked; constants; or all by address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nn2hls.emit.verilog_rom import rom
from nn2hls.streams.build import Built, Link
from nn2hls.streams.control import bits_for
from nn2hls.streams.front import EMPTY


class Gather:
    """The registers ``x0`` .. with the operands of the core, and ``fired``, which says that they are there.

    It reads ``step``, ``go``, ``fire`` and ``ending`` of the process's module, the streams ``s0`` .., and the taps ``t0_9`` ..
    """

    def __init__(self, built: Built) -> None:
        self.built, self.front = built, built.front
        self.control, process = built.control, built.process
        sized = zip(process.sizes, process.types, strict=True)
        self.widths = [kind.width for size, kind in sized for _ in range(size)]

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
            width, size = self.built.sources[k].type.width, source.size
            if addressed:
                yield f"    reg [{width - 1}:0] all{k} [0:{source.tokens * size - 1}];"
                yield f"    always @(posedge clock) if (go && turn{k}) begin"
                for e in range(size):
                    place = f"step * {size} + {e}" if size > 1 else "step"
                    yield f"        all{k}[{place}] <= s{k}[{(e + 1) * width - 1}:{e * width}];"
                yield "    end"
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
            yield from rom("absent_at", _words(control.masks), count)
            yield "    assign absent = absent_at(firing);"
            return
        by_row, by_column = control.split
        bits = bits_for(len(by_column) - 1)
        wraps = f"column == {bits}'d{len(by_column) - 1}"
        yield from self.counter("column", len(by_column), wraps)
        yield from self.counter("row", len(by_row), "ending", f"fire && {wraps}")
        yield from rom("absent_row", _words(by_row), count)
        yield from rom("absent_column", _words(by_column), count)
        yield "    assign absent = absent_row(row) | absent_column(column);"

    def _constants(self) -> Iterator[str]:
        """The bits of ``constants``, of the elements whose constant changes."""
        self.constant_at: dict[int, tuple[int, int]] = {}
        process = self.built.process
        if process.constants is None or process.is_constant is None:
            return
        low, words = 0, [0] * self.front.firings
        for column in np.flatnonzero(process.is_constant).tolist():
            width, values = self.widths[column], process.constants[:, column].tolist()
            self.constant_at[column] = (low + width - 1, low)
            words = [w | (int(v) & ((1 << width) - 1)) << low for w, v in zip(words, values, strict=True)]
            low += width
        if not low:
            return
        yield from rom("constants_at", words, low)
        yield f"    wire [{low - 1}:0] constants = constants_at({'firing' if self.front.address is None else 'reading'});"

    # ---- operands --------------------------------------------------------------------------------------------------------

    def _operands(self) -> Iterator[str]:
        first = 0
        for n, size in enumerate(self.built.process.sizes):
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
                high, low = self.constant_at[column]
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
        """One of all elements, whose number is in a ROM."""
        assert self.front.address is not None
        numbers, width = self.front.address[:, column], self.widths[column]
        starts = np.cumsum([0, *(s.tokens * s.size for s in self.front.sources)])
        if np.all(numbers == EMPTY):
            return f"{width}'d0"
        if np.all(numbers == numbers[0]):
            k = int(np.searchsorted(starts, numbers[0], side="right")) - 1
            return f"all{k}[{int(numbers[0] - starts[k])}]"
        at = f"address{column}(reading)"
        streams = np.searchsorted(starts, numbers, side="right") - 1
        text = f"{width}'d0"
        used = np.unique(streams[numbers >= 0]).tolist()
        for n, k in enumerate(used):
            place = f"all{k}[{at} - {int(starts[k])}]" if starts[k] else f"all{k}[{at}]"
            sure = not n and not (numbers == EMPTY).any()
            test = f"{at} >= {int(starts[k])} && {at} < {int(starts[k + 1])}"
            text = place if sure else f"({test} ? {place} : {text})"
        return text

    def _addresses(self) -> Iterator[str]:
        """The ROMs of addresses; where none is meant, one beyond all."""
        if self.front.address is None:
            return
        beyond = sum(s.tokens * s.size for s in self.front.sources)
        for column, numbers in enumerate(self.front.address.T):
            if column not in self.constant_at and np.any(numbers != numbers[0]):
                yield from rom(f"address{column}", np.where(numbers < 0, beyond, numbers).tolist(), bits_for(beyond))

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
            yield f"    always @(posedge clock) if ({ready}) x{n} <= now{n};"
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


def _words(bits: np.ndarray) -> list[int]:
    """Rows of bits as whole numbers, the first one the lowest."""
    return [sum(1 << k for k in np.flatnonzero(row).tolist()) for row in bits]
