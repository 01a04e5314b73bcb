"""FPGA parts: resources by name, read from ``parts.csv``; board names from ``boards.yml`` and ``open_boards.yml``."""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from nn2hls.errors import ConfigError, suggest
from nn2hls.files import own_text
from nn2hls.hardware.schedule import Operator
from nn2hls.targets.family import Family, family

DATA = Path(__file__).parent

# What may follow a device name: package, speed grade, temperature, in the spellings Vivado and the order codes use:
# -flvb2104-2-i, clg400-1, icsg324-1l, -vsva2197-2mp-e-s, -1clg400c, -2; and in those of other vendors
_GRADE = r"(?P<{0}>[1-3](?:lv|lp|mp|hp|l|i)?)"
_SUFFIX = re.compile(
    r"(?:-?i?[a-z]{2,4}\d{3,4}[a-z]?)?"
    rf"(?:-{_GRADE.format('a')}(?:-(?:[a-z]|es\d?))*)?\Z"
    rf"|-{_GRADE.format('b')}[a-z]{{2,4}}\d{{3,4}}[a-z]?\Z"
    r"|-(?P<c>[6-8])[a-z]{2}\d{3}[a-z]?\Z"  # ECP5: -6BG381C
    r"|-[a-z]{2}\d{2,3}\Z"  # iCE40: -SG48
    r"|[a-z]{2}\d{2,3}[a-z]?(?P<d>c\d)/i\d\Z"  # Gowin: QN88PC6/I5
)


@dataclass(frozen=True)
class Part:
    """One device in one speed grade.

    Args:
        name: The device without package, speed and temperature: ``xcku115``.
        family: Costs and delays of its operators.
        lut, ff, dsp, bram18, uram: What it has; BRAM in units of 18 Kbit.
        grade: Speed grade, lower case: ``2``, ``1l``.
    """

    name: str
    family: Family
    lut: int
    ff: int
    dsp: int
    bram18: int
    uram: int
    grade: str

    @property
    def available(self) -> dict[str, int]:
        """Resources by the names that Estimate uses."""
        return {"dsp": self.dsp, "lut": self.lut, "ff": self.ff, "bram": self.bram18, "uram": self.uram}

    def bit_delay(self, op: Operator) -> tuple[float, float]:
        """Nanoseconds of an operator: from an operand's bit to that bit of the result, and of its carry to the top bit."""
        fixed, carry = self.family.bit_delay(op)
        return fixed * self.speed, carry * self.speed

    @property
    def speed(self) -> float:
        """Factor on the delays of the family."""
        return self.family.grades[self.grade]


@functools.cache
def _rows() -> dict[str, dict[str, str]]:
    lines = own_text(DATA / "parts.csv").splitlines()
    return {row["name"]: row for row in csv.DictReader(x for x in lines if not x.startswith("#"))}


@functools.cache
def boards() -> dict[str, str]:
    """Board name -> full name of the part on it."""
    amd = yaml.safe_load(own_text(DATA / "boards.yml"))
    return {**amd, **{name: board["part"] for name, board in yaml.safe_load(own_text(DATA / "open_boards.yml")).items()}}


def part_names() -> list[str]:
    """All devices, in the order of the data file."""
    return list(_rows())


def find_part(text: str, where: str = "Part") -> Part:
    """The part that ``text`` names: a device, with or without package, speed and temperature grade, or a board.

    Args:
        text: ``xcku115-flvb2104-2-i``, ``xc7z020clg400-1``, ``XCVU13P``, ``pynq-z2``; case and surrounding space do not count.
        where: The place that holds the text, for the message.

    Raises:
        ConfigError: Nothing is known by this name, or its speed grade is not sold for the family.
    """
    asked = text.strip().lower()
    full = boards().get(asked.replace("_", "-").replace(" ", "-"), asked).lower()
    for name in sorted(_rows(), key=len, reverse=True):
        match = _SUFFIX.match(full[len(name) :]) if full.startswith(name) else None
        if match:
            return _part(name, next(filter(None, match.groups()), None), where)
    known = [*_rows(), *boards()]
    close = suggest(asked, known) or suggest(re.split(r"-", asked)[0], known)
    what = f"The part {text!r} is not known." if asked.startswith("xc") else f"The part {text!r} is no device that is known."
    other = "Name the nearest device that is known, which the estimate is for, and your own in build_prj.tcl"
    raise ConfigError(what, where=where, fix=f"{close} {other}." if close else f"{other}. Known are {', '.join(known)}.")


def _part(name: str, grade: str | None, where: str) -> Part:
    row = _rows()[name]
    kind = family(row["family"])
    chosen = grade or row["grade"]
    if chosen not in kind.grades:
        grades = ", ".join(f"-{g}" for g in kind.grades)
        raise ConfigError(f"{name} has no speed grade -{chosen}.", where=where, fix=f"{kind.title} comes in {grades}.")
    numbers = {key: int(row[key]) for key in ("lut", "ff", "dsp", "bram18", "uram")}
    return Part(name, kind, **numbers, grade=chosen)
