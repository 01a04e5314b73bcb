"""``nn2hls.export``: a design as a folder for somebody else's project."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from nn2hls.design.about import with_origins
from nn2hls.design.design import Design
from nn2hls.design.kept import keep_call
from nn2hls.errors import ConfigError, suggest
from nn2hls.export.emulator import emulator_project
from nn2hls.export.rtl import rtl_project
from nn2hls.tools.folder import Project

# How a design is made into a project, by the word of the command line.
KINDS: dict[str, Callable[[Design], Project]] = {"emulator": emulator_project, "rtl": rtl_project}


def export(design: Design, kind: str, folder: str | os.PathLike[str]) -> Path:
    """Write a design into ``folder``, which is returned, as what another project takes.

    Args:
        design: Of any Backend and IOType: the numbers are the same.
        kind: ``emulator``: a C++17 library, bit for bit the same answers. ``rtl``: our Verilog, whatever the
            Backend, with what an IP core has around it.
        folder: Where; what nn2hls did not write there stays as it is.

    Raises:
        ConfigError: There is no such kind.
        LimitError: The design is wider than the target has room for, or too slow for its clock; the layer is named.
    """
    place = Path(os.path.expanduser(folder))
    project = exported(design, kind, place)
    written = project.write(place)
    keep_call("export", "nn2hls.export", (kind, folder), design.config, written, project.files)
    return written


def exported(design: Design, kind: str, folder: Path) -> Project:
    """What :func:`export` writes into ``folder``.

    Raises:
        ConfigError, LimitError: As there.
    """
    if kind not in KINDS:
        fix = suggest(kind, list(KINDS)) or f"Known are {', '.join(KINDS)}."
        raise ConfigError(f"A design is not exported as {kind!r}.", fix=fix)
    return with_origins(KINDS[kind](design), design.config, folder)
