"""Boards whose bitstreams AMD's tools make, and what stands around a kernel: ``amd_boards.yml`` and ``amd_shells.yml``."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from nn2hls.errors import ConfigError
from nn2hls.files import own_text
from nn2hls.targets.board import Board, find_board, open_boards
from nn2hls.targets.part import DATA, boards


@dataclass(frozen=True)
class Processor:
    """The processor beside the logic; the fields are those of ``amd_shells.yml``."""

    ip: str
    automation: Mapping[str, str]
    settings: Mapping[str, str]
    clock: str
    reset: str
    control: str
    memory: str
    clocks: Sequence[str]


@dataclass(frozen=True)
class Shell:
    """What stands around a kernel; the fields are those of ``amd_shells.yml``.

    Args:
        processor: None on a card in a computer, whose kernel reads and writes memory by itself; else it is a stream.
    """

    name: str
    word: int
    driver: str
    mhz: tuple[float, float]
    makes: tuple[str, ...]
    processor: Processor | None = None


@dataclass(frozen=True)
class AmdBoard:
    """A board of AMD's devices.

    Args:
        name, title: For the command line, and for people.
        part: With package and speed grade.
        shell: What stands around the kernel.
        files: Vivado's board files, by the middle word of their name; empty: none are looked for.
        platform: That of ``v++ --link``; empty on a board with a processor.
        memory: The banks of what enters and of what leaves.
    """

    name: str
    title: str
    part: str
    shell: Shell
    files: str = ""
    platform: str = ""
    memory: tuple[str, ...] = ()

    @property
    def maker(self) -> str:
        """The program that makes what it loads."""
        return "vivado" if self.shell.processor else "v++"

    def check_clock(self, ns: float) -> None:
        """Refuse a clock that the board does not make.

        Raises:
            ConfigError: With the periods that it makes.
        """
        slowest, fastest = self.shell.mhz
        if not slowest * (1 - 1e-9) <= 1e3 / ns <= fastest * (1 + 1e-9):
            what = f"{self.title} makes clocks of {slowest:g} to {fastest:g} MHz, and the design asks for {1e3 / ns:.4g} MHz."
            fix = f"Set ClockPeriod: {1e3 / fastest:.4g} to {1e3 / slowest:.4g}."
            raise ConfigError(what, where="ClockPeriod", fix=fix)


@functools.cache
def amd_boards() -> Mapping[str, AmdBoard]:
    """All of them by name, in the order of the data file."""
    shells = {name: _shell(name, data) for name, data in yaml.safe_load(own_text(DATA / "amd_shells.yml")).items()}
    found = {}
    for name, data in yaml.safe_load(own_text(DATA / "amd_boards.yml")).items():
        own = {**data, "shell": shells[data["shell"]], "memory": tuple(data.get("memory", ()))}
        found[name] = AmdBoard(name=name, part=boards()[name], **own)
    return found


def _shell(name: str, data: Mapping[str, Any]) -> Shell:
    processor = Processor(**data["processor"]) if "processor" in data else None
    return Shell(name, data["word"], data["driver"], tuple(data["mhz"]), tuple(data["makes"]), processor)


def any_board(text: str) -> Board | AmdBoard:
    """The board of this name, whoever builds for it; case, spaces and underscores do not count.

    Raises:
        ConfigError: There is none.
    """
    known: dict[str, Board | AmdBoard] = {**open_boards(), **amd_boards()}
    return find_board(text, known)
