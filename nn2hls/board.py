"""A board at the other end of a serial port or of SPI: events to it, answers from it, and what the emulator says of them.

design = nn2hls.convert("tagger.keras", "config.yml").on_board("ulx3s-25")
with open_port("/dev/ttyUSB0", 115_200) as port:
    print(check(design, Link(port, layout_of(design)), x))
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nn2hls.design.bench import mantissas_of
from nn2hls.emit.harness import layout
from nn2hls.errors import ConfigError, LimitError, ToolError
from nn2hls.extras import install
from nn2hls.hardware.reload import sizes
from nn2hls.targets.board import SPI_CLOCKS
from nn2hls.tools.boards.frames import ANSWER, LOAD, REQUEST, Answer, Layout, image_words, packed, request
from nn2hls.tools.boards.run import PLACED
from nn2hls.tools.report import BuildReport, Check

if TYPE_CHECKING:
    from nn2hls.data.arrays import Data
    from nn2hls.design.design import Design

TRIES = 3  # for each event
SPARE = 4  # bytes on SPI until the harness has found a request whole
SECONDS = 2.0  # for an answer
ROUNDS = 6  # of place and route for a clock
STEP = 0.05  # of a period: less is not tried


class Port(Protocol):
    """A serial port, or whatever behaves like one: `read` gives what has come so far, at most so many bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """At most so many bytes; none when nothing came for a while."""

    def write(self, data: bytes, /) -> Any:
        """Send them."""


class Master(Protocol):
    """A master of SPI, mode 0, high bits first, such as a ``spidev.SpiDev``."""

    def xfer2(self, data: list[int], /) -> Sequence[int]:
        """Send bytes while the board is selected, and give those that come meanwhile."""


class Spi:
    """A board on SPI, which behaves like one at a serial port.

    Args:
        master: At most ``layout.baud`` bits a second fast.
        layout: What the board takes and gives.
    """

    def __init__(self, master: Master, layout: Layout) -> None:
        self.master, self._come = master, b""
        # Zeros go on until the answer is there: one byte takes the board 64 clocks or more.
        self._after = layout.answer_bytes + -(-layout.latency // (8 * SPI_CLOCKS)) + SPARE

    def write(self, data: bytes, /) -> int:
        """Send a request, and hear its answer while the board is still selected."""
        self._come = bytes(self.master.xfer2([*data, *bytes(self._after)]))
        return len(data)

    def read(self, size: int = 1, /) -> bytes:
        """What has come so far, at most so many bytes."""
        part, self._come = self._come[:size], self._come[size:]
        return part


@contextlib.contextmanager
def open_port(name: str | os.PathLike[str], baud: int) -> Iterator[Port]:
    """A serial port of this computer.

    Raises:
        ToolError: pyserial is missing, or the port cannot be opened.
    """
    try:
        import serial
    except ImportError as error:
        raise ToolError("pyserial is missing, which opens serial ports.", fix=f"Install it with: {install('open')}.") from error
    try:
        port = serial.Serial(os.fspath(name), baud, timeout=0.1)
    except (OSError, ValueError) as error:
        fix = "Check its name, that the board is plugged in, and that you may open it."
        raise ToolError(f"The serial port does not open: {error}.", where=str(name), fix=fix) from error
    with port:
        yield port


def layout_of(design: Design) -> Layout:
    """What a design on a board takes and gives.

    Raises:
        ConfigError: It stands on none.
    """
    if design.board is None:
        raise ConfigError("This design stands on no board.", fix="Use design.on_board(name).")
    latency = design.estimate().latency_cycles
    memories = sizes(design.sizer.placed().layers) if design.streams is None else None
    return layout(design.graph.needed(), design.config.project_name, design.board, latency, memories)


def _words(image: str, layout: Layout) -> list[bytes]:
    """The payload of each line of an image.

    Raises:
        ToolError: The line is none, or the board has no such words.
    """
    if not layout.words:
        fix = "Build it with Weights: reloadable for its layers."
        raise ToolError("This board's design has no weights that can be loaded.", where="weights", fix=fix)
    words = image_words(image, layout.address_bits, layout.word_bits)
    return [address.to_bytes(4, "little") + word.to_bytes(layout.words, "little") for address, word in words]


@dataclass
class Link:
    """A conversation with a board.

    Args:
        port: Its serial port, or :class:`Spi`.
        layout: What it takes and gives: :func:`layout_of` a design, or ``Layout.read`` of a project's folder.
        seconds: For an answer.
        tries: For each event, when its answer is damaged or does not come.
    """

    port: Port
    layout: Layout
    seconds: float = SECONDS
    tries: int = TRIES

    def ask(self, payload: bytes, first: int = REQUEST) -> Answer:
        """One event, or with LOAD one word of the memories.

        Raises:
            ToolError: No whole answer came.
        """
        last = ToolError("The board was not asked.")
        for _ in range(self.tries):
            self._drain()
            self.port.write(request(payload, first))
            try:
                return Answer.of(self._frame())
            except ToolError as error:
                last = error
        raise ToolError(f"After {self.tries} tries: {last.what}", where="serial port", fix=last.fix)

    def load(self, image: str) -> int:
        """Write an image into the memories of a design with ``Weights: reloadable``, while no event is on its way.

        Args:
            image: The text of a file of ``nn2hls weights``.

        Returns:
            Words that were written.

        Raises:
            ToolError: The design has no such memories, the text is no image, or no whole answer came.
        """
        words = _words(image, self.layout)
        for payload in words:
            self.ask(payload, LOAD)
        return len(words)

    def run(self, inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
        """Events one after the other.

        Args:
            inputs: Mantissas (events, *shape) of each input.

        Returns:
            Mantissas (events, *shape) of each output, and the clocks of each event.
        """
        answers = [self.ask(payload) for payload in self.layout.requests(inputs)]
        return self.layout.values([a.payload for a in answers]), [a.clocks for a in answers]

    def _drain(self) -> None:
        """What is left of an older answer."""
        until = time.monotonic() + self.seconds
        while self.port.read(4096) and time.monotonic() < until:
            pass

    def _frame(self) -> bytes:
        """The bytes from the first that can begin an answer."""
        data, until, length = b"", time.monotonic() + self.seconds, self.layout.answer_bytes
        while len(data) < length:
            data += self.port.read(length - len(data))
            data = data[data.find(ANSWER) :] if ANSWER in data else b""
            if time.monotonic() > until:
                fix = "Check that the bitstream of this project is loaded, the wiring, and the rate."
                raise ToolError(f"{len(data)} of {length} bytes came within {self.seconds:g} s.", where="serial port", fix=fix)
        return data


def check(design: Design, link: Link, x: Data) -> Check:
    """Send events to a board and compare every bit of its answers with the emulator's.

    Args:
        design: On the board.
        link: To it.
        x: One array (events, *shape) per input.

    Raises:
        ToolError: No whole answer came.
    """
    x = design.with_states(x)
    inputs = mantissas_of(design.graph, x)
    found, clocks = link.run(inputs)
    meant = design.predict_raw(x)
    raws = [r.mantissas for r in (meant if isinstance(meant, list) else [meant])]
    pairs = (packed(link.layout.outputs, arrays) for arrays in (found, raws))
    differ = sum(a != b for a, b in zip(*pairs, strict=True))
    return Check("board", len(clocks), differ, max(clocks, default=0))


def until_timing(design: Design, build: Callable[[Design], BuildReport], rounds: int = ROUNDS) -> tuple[BuildReport, list[str]]:
    """Build a design on a board with less and less of the period for operators, until place and route meets ClockPeriod.

    Args:
        design: On a board.
        build: Builds it.
        rounds: At most so many.

    Returns:
        The last report, and a line for each round.
    """
    asked, lines, report = design.config.clock_period, list[str](), build(design)
    while True:
        used = design.config.clock_uncertainty or 0.0
        placed = next((f for f in report.total if f.source == PLACED), None)
        if placed is None or placed.clock_ns is None:
            return report, lines
        met = placed.clock_ns <= asked
        lines.append(f"ClockUncertainty {100 * used:.0f}%: {placed.clock_ns:.2f} ns of {asked:g} ns{', met' if met else ''}.")
        if met or len(lines) == rounds or any("is in the harness" in note for note in report.notes):
            return report, lines
        left = (1 - used) * min(asked / placed.clock_ns, 1 - STEP)
        design = replace(design, config=replace(design.config, clock_uncertainty=round(1 - left, 3)), _compiled=None)
        try:
            report = build(design)
        except LimitError as error:
            return report, [*lines, f"No pipeline is cut more often: {error}"]
