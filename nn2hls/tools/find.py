"""The programs that nn2hls runs: where they are, which version they are, what each adds, and how to get it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nn2hls.errors import ToolError

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
    """

    name: str
    adds: str
    get: str
    option: str = "--version"
    variable: str = ""
    needs: str = ""


def _debian(package: str) -> str:
    return f"Debian: apt-get install {package}"


_AMD = "install AMD Vitis and source its settings64.sh"
_LIST = (
    Program("g++", "build --tool csim, verify: the generated C++, compiled here", _debian("g++")),
    Program("clang++", "build --tool csim, verify: in place of g++", _debian("clang")),
    Program("vitis_hls", "build --tool vitis, versions 2020.1 to 2024.1", _AMD, "-version"),
    Program("vitis-run", "build --tool vitis, from version 2024.2 on", _AMD),
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
        _debian("yosys"),
        "-V",
    ),
)
PROGRAMS = {p.name: p for p in _LIST}


def find(name: str) -> Path:
    """The absolute path of a program of PROGRAMS: what its environment variable names, else from the PATH.

    Raises:
        ToolError: It is not there; the message says what it adds and how to get it.
    """
    program = PROGRAMS[name]
    named = os.environ.get(program.variable, "") if program.variable else ""
    found = shutil.which(named or name)
    if found:
        return Path(found).absolute()
    if named:
        raise ToolError(
            f"It names '{named}', which is no program that can be run.",
            where=program.variable,
            fix=f"Give the path of {name} itself, or unset {program.variable}: then the PATH is searched.",
        )
    raise ToolError(f"{name} is not on the PATH. It adds {program.adds}.", fix=f"To get it: {program.get}.")


def version(path: str | os.PathLike[str], option: str = "") -> str:
    """What a program says of its version, such as ``2024.10``.

    Args:
        path: The program.
        option: Prints the version; without, the option in PROGRAMS, else ``--version``.

    Raises:
        ToolError: It does not start, ends with an error, takes longer than TIME_LIMIT or says no version.
    """
    name = Path(path).name
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
