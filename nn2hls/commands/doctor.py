"""``nn2hls doctor``: which tools and frameworks are here, and what each missing one would add."""

from __future__ import annotations

import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from nn2hls.commands.base import Command, Result

_SECONDS = 20  # for a tool to say its version


@dataclass(frozen=True)
class _Part:
    """A program (with its version option) or a Python package, what it adds, and how to get it."""

    name: str
    adds: str
    get: str
    version: str = ""  # programs: the option that prints the version


PACKAGES = (
    _Part("numpy", "the emulator", "pip install nn2hls"),
    _Part("pyyaml", "configs", "pip install nn2hls"),
    _Part("jinja2", "projects", "pip install nn2hls"),
    _Part("h5py", "Keras files", "pip install 'nn2hls[keras]'"),
    _Part("onnx", "ONNX files", "pip install 'nn2hls[onnx]'"),
    _Part("torch", "live PyTorch modules (.pt2 files need no PyTorch)", "pip install 'nn2hls[torch]'"),
    _Part("keras", "live Keras models (files need no Keras)", "pip install 'nn2hls[tensorflow]'"),
    _Part("tensorflow", "live Keras models on TensorFlow", "pip install 'nn2hls[tensorflow]'"),
    _Part("matplotlib", "the plot of scan", "pip install 'nn2hls[plot]'"),
    _Part("joblib", "scan and search on all cores", "pip install 'nn2hls[scan]'"),
    _Part("optuna", "search", "pip install 'nn2hls[search]'"),
    _Part("distributed", "scan and search on a Dask cluster", "pip install 'nn2hls[cluster]'"),
)

_AMD = "install AMD Vitis and source its settings64.sh"
PROGRAMS = (
    _Part("g++", "csim and verify: the generated C++, compiled here", "apt-get install g++", "--version"),
    _Part("clang++", "csim and verify, in place of g++", "apt-get install clang", "--version"),
    _Part("vitis_hls", "synthesis for AMD parts, up to 2024.1", _AMD, "-version"),
    _Part("vitis-run", "the same, from 2024.2 on", _AMD, "--version"),
    _Part("vivado_hls", "synthesis for AMD parts, up to 2020.1", "install Vivado HLS and source its settings64.sh", "-version"),
    _Part("vivado", "logic synthesis for AMD parts", _AMD, "-version"),
    _Part("bambu", "synthesis to Verilog, open source", "see the PandA-bambu project", "--version"),
    _Part("verilator", "simulation of Verilog", "apt-get install verilator", "--version"),
    _Part("yosys", "logic synthesis, open source", "apt-get install yosys", "-V"),
)


def _run(args: Namespace) -> Result:
    from nn2hls import __version__
    from nn2hls.text import table

    found = [*map(_package, PACKAGES), *map(_program, PROGRAMS)]
    python = sys.version.split()[0]
    rows = [[f["name"], f["version"] or "missing", f["adds"], "" if f["version"] else f["get"]] for f in found]
    text = f"nn2hls {__version__}, Python {python}\n\n" + table(["", "version", "adds", "to get it"], rows)
    ready = all(f["version"] for f in found if f["name"] in ("numpy", "pyyaml", "jinja2"))
    return Result({"nn2hls": __version__, "python": python, "parts": found}, text, ok=ready)


def _package(part: _Part) -> dict[str, str | None]:
    from importlib.metadata import PackageNotFoundError, version

    names = [part.name, "tensorflow-cpu"] if part.name == "tensorflow" else [part.name]
    for name in names:
        try:
            return _row(part, "package", version(name))
        except PackageNotFoundError:
            continue
    return _row(part, "package", None)


def _program(part: _Part) -> dict[str, str | None]:
    path = shutil.which(part.name)
    if path is None:
        return _row(part, "program", None)
    try:
        run = subprocess.run([path, part.version], capture_output=True, text=True, timeout=_SECONDS, check=False)
        lines = [line.strip() for line in (run.stdout + run.stderr).splitlines() if any(c.isdigit() for c in line)]
    except (OSError, subprocess.TimeoutExpired) as error:
        return _row(part, "program", f"does not run ({type(error).__name__})")
    return _row(part, "program", lines[0] if lines else "unknown version")


def _row(part: _Part, kind: str, version: str | None) -> dict[str, str | None]:
    return {"name": part.name, "kind": kind, "version": version, "adds": part.adds, "get": part.get}


def _arguments(parser: ArgumentParser) -> None:
    """It has none of its own."""


COMMAND = Command("doctor", "which tools and frameworks are here, and what each would add", _arguments, _run)
