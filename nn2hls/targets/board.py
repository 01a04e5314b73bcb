"""Boards that open tools build for, and the steps to their bitstreams: data in ``open_boards.yml`` and ``flows.yml``."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import yaml

from nn2hls.errors import ConfigError, suggest
from nn2hls.files import own_text
from nn2hls.targets.part import DATA, Part, find_part

BAUD = 115_200  # when nobody says
SPI_RATE = 1_000_000  # likewise, or the fastest that the board's clock allows
SPI_CLOCKS = 8  # of a bit: its edges are found by the board's clock, and what follows from them must be there in half a bit
MOST_OFF = 0.025  # of the rate of a serial port, beyond which its bits are misread
LEAST_CLOCKS = 4  # of a bit, so that it can be read in its middle
UART, SPI = "uart", "spi"
LINES = {UART: ("rx", "tx"), SPI: ("sck", "mosi", "miso", "cs")}  # of the module that stands on the pins, beside clk and button


@dataclass(frozen=True)
class Pin:
    """A pin of the package.

    Args:
        name: As the package numbers it.
        io: Its electrical standard, where it is not the flow's usual one.
        active: The level of a pressed button.
    """

    name: str
    io: str = ""
    active: int = 1


@dataclass(frozen=True)
class Flow:
    """From Verilog to a bitstream, for one family; the fields are those of ``flows.yml``."""

    name: str
    program: str
    synth: str
    place: tuple[str, ...]
    constraints: Mapping[str, str]
    pack: tuple[str, ...]
    package: str
    made: str
    use: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Board:
    """A board with a serial port.

    Args:
        name, title: For the command line, and for people.
        part: With package and speed grade.
        flow: How its bitstream is made.
        clock, mhz: The oscillator's pin and frequency.
        lines: By the kind of a serial port, of LINES, its pins, as the FPGA sees them.
        reset: A button; None where there is none.
        place, pack: Arguments for this device.
        load: Its name for openFPGALoader.
    """

    name: str
    title: str
    part: str
    flow: Flow
    clock: Pin
    mhz: float
    lines: Mapping[str, Mapping[str, Pin]]
    reset: Pin | None
    place: tuple[str, ...]
    pack: tuple[str, ...]
    load: str

    @property
    def device(self) -> Part:
        """What stands on it."""
        return find_part(self.part)

    def pins(self, port: str = UART) -> dict[str, Pin]:
        """Port of the module -> pin, with a serial port of this kind.

        Raises:
            ConfigError: The board has none of this kind, or there is no such kind.
        """
        if port not in LINES:
            raise ConfigError(f"There is no port '{port}'.", where="--port", fix=f"Use {' or '.join(LINES)}.")
        if port not in self.lines:
            fix = f"Use --port {' or '.join(self.lines)}, or write its pins into open_boards.yml."
            raise ConfigError(f"No pins of {self.title} are known for {port.upper()}.", where="--port", fix=fix)
        return {"clk": self.clock, **self.lines[port], **({"button": self.reset} if self.reset else {})}

    def usual_rate(self, port: str) -> int:
        """Bits in a second when nobody says."""
        return BAUD if port == UART else min(SPI_RATE, self.most_spi)

    @property
    def most_spi(self) -> int:
        """The fastest SPI, in bits a second."""
        return int(self.mhz * 1e6 / SPI_CLOCKS)

    def check_port(self, port: str, rate: int) -> None:
        """Refuse a serial port that the board does not have, or a rate that its clock does not make.

        Raises:
            ConfigError: With a port or rate that works.
        """
        self.pins(port)
        if port == UART:
            self.bit_clocks(rate)
        elif not 0 < rate <= self.most_spi:
            what = f"From {self.mhz:g} MHz, {self.title} hears {rate:,} bits a second on SPI no more."
            raise ConfigError(what, where="--baud", fix=f"Use 1 to {self.most_spi:,}.")

    def check_clock(self, ns: float) -> None:
        """Refuse a design that is cut for a slower clock than the board's.

        Raises:
            ConfigError: With the period that works.
        """
        if ns > 1e3 / self.mhz * (1 + 1e-9):
            what = f"{self.title} has a clock of {self.mhz:g} MHz, and the design is cut for {1e3 / ns:.4g} MHz."
            raise ConfigError(what, where="ClockPeriod", fix=f"Set ClockPeriod: {1e3 / self.mhz:.6g} or less.")

    def bit_clocks(self, baud: int) -> int:
        """Clocks of one bit of the serial port.

        Raises:
            ConfigError: The clock does not make this rate.
        """
        clocks = round(self.mhz * 1e6 / baud) if baud > 0 else 0
        if clocks < LEAST_CLOCKS:
            most = int(self.mhz * 1e6 / LEAST_CLOCKS)
            raise ConfigError(
                f"{self.title} cannot make {baud:,} baud from {self.mhz:g} MHz.", where="--baud", fix=f"Use 1 to {most:,}."
            )
        off = abs(self.mhz * 1e6 / clocks / baud - 1)
        if off > MOST_OFF:
            near = int(self.mhz * 1e6 / clocks)
            what = f"From {self.mhz:g} MHz, {self.title} makes {baud:,} baud only to {off:.1%}."
            raise ConfigError(what, where="--baud", fix=f"Use {near:,}, or a lower rate, such as 115200.")
        return clocks


@dataclass(frozen=True)
class OnBoard:
    """Where a design stands.

    Args:
        board: The board.
        baud: Of its serial port, in bits a second; of SPI the fastest that is meant.
        port: Its kind, of LINES.
    """

    board: Board
    baud: int = BAUD
    port: str = UART


def on_board(name: str, baud: int | None, port: str, clock_ns: float) -> OnBoard:
    """Where a design for this clock stands.

    Args:
        name: Of the board.
        baud: Of its serial port; None: as usual.
        port: Its kind, of LINES.
        clock_ns: The period that the design is cut for.

    Raises:
        ConfigError: There is no such board or port, the board is faster than the design, or its clock does not make this rate.
    """
    board = find_board(name)
    board.pins(port)
    rate = board.usual_rate(port) if baud is None else baud
    board.check_port(port, rate)
    board.check_clock(clock_ns)
    return OnBoard(board, rate, port)


def constraints(board: Board, mhz: float, port: str = UART) -> str:
    """The text of the file that gives the ports their pins, and the clock the frequency to reach.

    Raises:
        ConfigError: Two ports are to stand on one pin.
    """
    lines, taken, form = [], dict[str, str](), board.flow.constraints
    for line, pin in board.pins(port).items():
        if pin.name in taken:
            what = f"The ports {taken[pin.name]} and {line} are both on pin {pin.name}."
            raise ConfigError(what, where=board.name, fix="Give each a pin of its own in open_boards.yml.")
        taken[pin.name] = line
        lines.append(form["pin"].format(port=line, pin=pin.name, io=pin.io or form["io"]))
    if form["clock"]:
        lines.append(form["clock"].format(port="clk", mhz=f"{mhz:.6g}"))
    return "\n".join(lines) + "\n"


@functools.cache
def _flows() -> dict[str, Flow]:
    return {name: _flow(name, data) for name, data in yaml.safe_load(own_text(DATA / "flows.yml")).items()}


def _flow(name: str, data: Mapping[str, Any]) -> Flow:
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
    return Flow(name=name, **fields)


@functools.cache
def open_boards() -> Mapping[str, Board]:
    """All of them by name, in the order of the data file."""
    return {name: _board(name, data) for name, data in yaml.safe_load(own_text(DATA / "open_boards.yml")).items()}


def _board(name: str, data: Mapping[str, Any]) -> Board:
    reset = data.get("reset")
    return Board(
        name,
        data["title"],
        data["part"],
        _flows()[data["flow"]],
        Pin(data["clock"]["pin"]),
        float(data["clock"]["mhz"]),
        {port: {line: Pin(str(data[port][line])) for line in lines} for port, lines in LINES.items() if port in data},
        Pin(reset["pin"], reset.get("io", ""), reset["active"]) if reset else None,
        tuple(data.get("place", ())),
        tuple(data.get("pack", ())),
        data["load"],
    )


Kind = TypeVar("Kind")


@overload
def find_board(text: str) -> Board: ...
@overload
def find_board(text: str, known: Mapping[str, Kind]) -> Kind: ...
def find_board(text: str, known: Mapping[str, Any] | None = None) -> Any:
    """The board of this name; case, spaces and underscores do not count.

    Args:
        text: The name.
        known: Boards by name; without, those of open tools.

    Raises:
        ConfigError: There is no board of this name among them.
    """
    asked = text.strip().lower().replace("_", "-").replace(" ", "-")
    known = open_boards() if known is None else known
    if asked in known:
        return known[asked]
    several = [name for name in known if asked and name.startswith(f"{asked}-")]
    fix = f"There are {' and '.join(several)}." if several else suggest(asked, known) or f"Known are {', '.join(known)}."
    raise ConfigError(f"There is no board '{text}'.", where="--board", fix=fix)
