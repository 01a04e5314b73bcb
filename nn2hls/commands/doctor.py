"""``nn2hls doctor``: which tools and frameworks are here, and what each missing one would add."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass, replace

from nn2hls.commands.base import Command, Result
from nn2hls.extras import available, install

REQUIRED = ("numpy", "pyyaml", "jinja2")


@dataclass(frozen=True)
class _Package:
    """A Python package, what it adds, and how to get it."""

    name: str
    adds: str
    extra: str = ""

    @property
    def get(self) -> str:
        return install(self.extra) if available(self.extra) else "nothing to install for this Python"


PACKAGES = (
    _Package("numpy", "the emulator"),
    _Package("pyyaml", "configs"),
    _Package("jinja2", "projects"),
    _Package("h5py", "Keras files", "keras"),
    _Package("onnx", "ONNX files", "onnx"),
    _Package("torch", "live PyTorch modules (.pt2 files need no PyTorch)", "torch"),
    _Package("keras", "live Keras models (files need no Keras)", "tensorflow"),
    _Package("tensorflow", "live Keras models on TensorFlow", "tensorflow"),
    _Package("matplotlib", "scan --plot, compare --plots", "plot"),
    _Package("joblib", "scan and search on all cores", "scan"),
    _Package("optuna", "search", "search"),
    _Package("alkaid", "Strategy DistributedArithmetic with fewer additions", "da"),
    _Package("pyserial", "nn2hls.board: the serial port of a board", "open"),
    _Package("distributed", "scan and search on a Dask cluster", "cluster"),
)


@dataclass(frozen=True)
class Found:
    """A part of the installation.

    Args:
        name, kind: What it is; kind is ``package`` or ``program``.
        adds, get: What needs it, and how to get it.
        version: None when it is missing or does not run.
        path: Of a program that is there.
        problem: What is wrong with what is there.
    """

    name: str
    kind: str
    adds: str
    get: str
    version: str | None = None
    path: str | None = None
    problem: str | None = None


def find_packages() -> list[Found]:
    """Every optional and required Python package."""
    return [Found(p.name, "package", p.adds, p.get, _package_version(p.name)) for p in PACKAGES]


def _package_version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    for distribution in (name, *(["tensorflow-cpu"] if name == "tensorflow" else [])):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def find_programs() -> list[Found]:
    """Every program; each that is there is run for its version."""
    from nn2hls.tools.find import PROGRAMS

    found = {name: _program(name) for name in PROGRAMS}
    for name, program in PROGRAMS.items():
        own, needed = found[name], found.get(program.needs)
        if own.version and needed and not needed.version:
            found[name] = replace(own, problem=f"it runs {needed.name}, which is missing; to get that: {needed.get}")
    return list(found.values())


def _program(name: str) -> Found:
    from nn2hls.errors import ToolError
    from nn2hls.tools.find import PROGRAMS, find, version

    program = PROGRAMS[name]
    own = Found(name, "program", program.adds, program.get)
    named = bool(os.environ.get(program.variable)) if program.variable else False
    try:
        path = find(name)
    except ToolError as error:
        return replace(own, problem=str(error)) if named else own
    try:
        return replace(own, path=str(path), version=version(path, program.option))
    except ToolError as error:
        return replace(own, path=str(path), problem=str(error))


def _run(args: Namespace) -> Result:
    from nn2hls._version import __version__

    found = [*find_packages(), *find_programs()]
    python = sys.version.split()[0]
    ready = all(f.version for f in found if f.name in REQUIRED) and not any(f.problem for f in found)
    boards = _boards(found)
    amd = _amd_boards(found)
    about = {"nn2hls": __version__, "python": python}
    document = {**about, "parts": [asdict(f) for f in found], "boards": boards, "amd_boards": amd}
    text = f"nn2hls {__version__}, Python {python}\n\n{_text(found)}\n{_boards_text(boards)}\n{_amd_boards_text(amd)}"
    return Result(document, text, ok=ready)


def _boards(found: list[Found]) -> list[dict[str, object]]:
    """The boards that open tools build for, and whether their place and route is here."""
    from nn2hls.targets.board import open_boards

    here = {f.name for f in found if f.version}
    about = ((b, b.flow.program in here) for b in open_boards().values())
    return [{"name": b.name, "title": b.title, "part": b.part, "mhz": b.mhz, "ready": ready} for b, ready in about]


def _amd_boards(found: list[Found]) -> list[dict[str, object]]:
    """The boards whose bitstreams AMD's tools make, and whether all that it takes is here."""
    from nn2hls.targets.amd_board import amd_boards

    here = {f.name for f in found if f.version}
    hls = bool(here & {"vitis_hls", "vitis-run"})
    return [
        {"name": b.name, "title": b.title, "part": b.part, "makes": list(b.shell.makes), "ready": hls and b.maker in here}
        for b in amd_boards().values()
    ]


def _amd_boards_text(boards: list[dict[str, object]]) -> str:
    from nn2hls.text import table

    rows = [[b["name"], "yes" if b["ready"] else "no", b["part"], b["title"]] for b in boards]
    return "Boards of build --tool vitis --board NAME:\n\n" + table(["", "its tools are here", "part", ""], rows)


def _boards_text(boards: list[dict[str, object]]) -> str:
    from nn2hls.text import table

    rows = [[b["name"], "yes" if b["ready"] else "no", b["part"], f"{b['mhz']:g} MHz", b["title"]] for b in boards]
    return "Boards of build --tool rtl --board NAME:\n\n" + table(["", "nextpnr is here", "part", "clock", ""], rows)


def _text(found: list[Found]) -> str:
    from nn2hls.text import table

    def version(part: Found) -> str:
        return part.version or ("does not run" if part.problem else "missing")

    rows = [[f.name, version(f), f.adds, "" if f.version else f.get] for f in found]
    problems = "".join(f"\n{f.name}: {f.problem}\n" for f in found if f.problem)
    return table(["", "version", "adds", "to get it"], rows) + problems


def _arguments(parser: ArgumentParser) -> None:
    """It has none of its own."""


COMMAND = Command(
    "doctor",
    "which tools and frameworks are here, and what each would add",
    _arguments,
    _run,
    "NN2HLS_BAMBU names Bambu where it is not on the PATH. Ends with 1 when what is there does not work.",
)
