"""The devices that Bambu has characterised, and which of them a part is: data in ``bambu.csv``."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass

from nn2hls.errors import ConfigError, suggest
from nn2hls.files import own_text
from nn2hls.targets.part import DATA, Part, find_part


@dataclass(frozen=True)
class BambuDevice:
    """A device.

    Args:
        name: Bambu's.
        part, grade: Which of our parts it is; empty where it is none.
    """

    name: str
    part: str
    grade: str


@functools.cache
def bambu_devices() -> tuple[BambuDevice, ...]:
    """All of them, in the order of the data file."""
    lines = own_text(DATA / "bambu.csv").splitlines()
    return tuple(BambuDevice(**row) for row in csv.DictReader(x for x in lines if not x.startswith("#")))


def bambu_device(part: str, named: str | None = None) -> BambuDevice:
    """The device that Bambu builds for.

    Args:
        part: The Part of the config. The package does not count, the speed grade does: Bambu's delays belong to one grade.
        named: The user's own choice, by Bambu's name.

    Raises:
        ConfigError: Bambu has not characterised it; the message names the nearest device that it has.
    """
    if named is not None:
        return named_device(named)
    for device in bambu_devices():
        if is_device_of(device, part):
            return device
    wanted = find_part(part)
    near = nearest(wanted)
    raise ConfigError(
        f"Bambu has not characterised {wanted.name} with speed grade -{wanted.grade}.",
        where="Part",
        fix=f"The nearest that it knows is {near.name}: set Part to {near.part}-{near.grade}, or, to build for it in place of "
        f"the part, BambuDevice: {near.name} (--bambu-device {near.name}).",
    )


def is_device_of(device: BambuDevice, part: str) -> bool:
    """Whether this device is the part itself, in its speed grade."""
    wanted = find_part(part)
    return (device.part, device.grade) == (wanted.name, wanted.grade)


def named_device(name: str) -> BambuDevice:
    """The device by Bambu's own name, with or without the ``-VVD`` at its end.

    Raises:
        ConfigError: It has none of that name.
    """
    known = {d.name.lower(): d for d in bambu_devices()}
    asked = name.strip().lower()
    found = known.get(asked) or known.get(f"{asked}-vvd")
    if found is None:
        close = suggest(asked, list(known)) or f"Known are {', '.join(d.name for d in bambu_devices())}."
        raise ConfigError(f"Bambu has no device {name!r}.", fix=close)
    return found


def nearest(part: Part) -> BambuDevice:
    """The device of the same name, else the nearest in size of its family, else of all."""

    def distance(device: BambuDevice) -> tuple[bool, bool, float]:
        other = find_part(device.part)
        ratio = max(part.lut, other.lut) / min(part.lut, other.lut)
        return device.part != part.name, other.family.name != part.family.name, ratio

    return min((d for d in bambu_devices() if d.part), key=distance)
