"""g++ and clang++: compile the generated C++ into a library of its own and run it."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nn2hls.errors import ToolError
from nn2hls.tools.folder import Project, data_folder
from nn2hls.tools.process import Ended
from nn2hls.tools.waiting import waiting

COMPILERS = ("g++", "clang++")
# -Og: half the time of -O1 where thousands of additions follow each other, and half its speed, which is enough for them.
FLAGS = ("-std=c++14", "-Og", "-fPIC", "-shared", "-pthread", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
NATIVE = "NN2HLS_NATIVE"  # chooses ap_types/ap_native.h: the bridge defines it where every integer fits 64 bits
CONCURRENT = "NN2HLS_CONCURRENT"  # processes run side by side: the bridge of a design in streams defines it
_NO_MEMORY = re.compile(r"\bKilled\b|bad_alloc|virtual memory exhausted|out of memory|cannot allocate memory", re.I)
TIME_LIMIT = 1200  # seconds for one program


def find_compiler(name: str | None = None) -> str:
    """The path of a C++ compiler: ``name``, else $CXX, else g++ or clang++.

    Raises:
        ToolError: None is there, or not the one that is asked for.
    """
    asked = name or os.environ.get("CXX", "")
    for candidate in [asked] if asked else COMPILERS:
        path = shutil.which(candidate)
        if path:
            return path
    if asked:
        source = "" if name else ", which CXX names,"
        fix = "Name a program without options, or nothing: then g++ or clang++ is taken."
        raise ToolError(f"The C++ compiler '{asked}'{source} is not there.", fix=fix)
    raise ToolError(
        f"No C++ compiler is there: looked for {', '.join(COMPILERS)}.",
        fix="Install g++ or clang++ (Debian: apt-get install g++), or set CXX. The emulator (predict, compare) needs none.",
    )


def compile_project(project: Project, compiler: str | None = None, flags: Sequence[str] = FLAGS) -> CompiledDesign:
    """Compile a project with our own ap_int/ap_fixed stand-ins and load it.

    Raises:
        ToolError: The compiler is missing or refuses the code; the message ends with the compiler's own words.
    """
    program = find_compiler(compiler)
    folder = Path(tempfile.mkdtemp(prefix="nn2hls-"))
    try:
        project.fill(folder)
        library = folder / f"design-{hashlib.sha256(project.digest.encode()).hexdigest()[:12]}.so"
        core = f"firmware/{project.name}_core.cpp" in project.files  # for Bambu: the bridge has all of it
        sources = [f"{project.name}_bridge.cpp", *([] if core else [f"firmware/{project.name}.cpp"])]
        flags = [*flags, "-D__BAMBU__"] if core else flags
        unity = folder / "unity.cpp"  # one translation unit: the headers are parsed once
        unity.write_text("".join(f'#include "{s}"\n' for s in sources), encoding="utf-8")
        stand_ins = data_folder("firmware_lib") / "ap_types"
        command = [program, *flags, "-I", str(stand_ins), "-I", str(folder), str(unity), "-o", str(library)]
        with waiting(f"compiling {project.name} with {Path(program).name}"):
            run = run_limited(command, folder, project.name)
        if run.returncode:
            raise refusal(program, run, project.name)
        return CompiledDesign(library)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def native_flags(bridge: str) -> list[str]:
    """What the text of a design's bridge defines for itself, as flags for the design's other sources."""
    defined = [f"-D{word}" for word in (NATIVE, CONCURRENT) if f"#define {word}" in bridge]
    return [*defined, "-pthread"] if f"-D{CONCURRENT}" in defined else defined


def refusal(program: str, run: subprocess.CompletedProcess[str], where: str) -> ToolError:
    """Why a compiler has made nothing: it was ended, mostly by a system without memory, or it does not take the code."""
    name, said = Path(program).name, (run.stderr or run.stdout)[:4000].strip()
    if run.returncode < 0 or _NO_MEMORY.search(said):
        fix = "Set a higher ReuseFactor for the largest layers, or compile where there is more memory."
        what = f"{name} {Ended(run.returncode, 0.0).text()}, most likely since the memory ran out."
        return ToolError(f"{what}\n{said}\n" if said else what, where=where, fix=fix)
    what = f"{name} refuses the generated C++:\n{said}" if said else f"{name} ended with {run.returncode} and said nothing."
    return ToolError(what, where=where)


def run_limited(
    command: Sequence[str], folder: Path, where: str, limit: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, for at most ``limit`` seconds; TIME_LIMIT without.

    Raises:
        ToolError: It took longer.
    """
    seconds = limit or TIME_LIMIT
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace", timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{Path(command[0]).name} took longer than {seconds:g} s.", where=where) from error


def _unload(handle: int) -> None:
    """Give a library's memory back; nothing of it is in use any more."""
    with contextlib.suppress(ImportError, OSError):  # a Windows DLL stays
        from _ctypes import dlclose

        dlclose(handle)


class CompiledDesign:
    """The generated C++ as a function on mantissas."""

    def __init__(self, library: Path) -> None:
        loaded = ctypes.CDLL(str(library))
        weakref.finalize(self, _unload, loaded._handle)
        self._run = loaded.nn2hls_run
        self._run.restype = None
        self._write = getattr(loaded, "nn2hls_write", None)  # of a design with Weights: reloadable
        self._failure = getattr(loaded, "nn2hls_failure", None)  # of a design in streams

    def __call__(self, inputs: Sequence[np.ndarray], sizes: Sequence[int]) -> list[np.ndarray]:
        """Run events.

        Args:
            inputs: int64 mantissas, (events, size) each.
            sizes: Elements of each output.

        Returns:
            int64 mantissas, (events, size) each.

        Raises:
            ToolError: The processes of a design in streams stopped, or left tokens over.
        """
        events = inputs[0].shape[0]
        arrays = [np.ascontiguousarray(x, dtype=np.int64) for x in inputs]
        results = [np.empty((events, n), dtype=np.int64) for n in sizes]
        pointers = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_longlong)) for a in (*arrays, *results)]
        self._run(ctypes.c_longlong(events), *pointers)
        self._check()
        return results

    def write(self, words: Sequence[tuple[int, int]]) -> None:
        """Write (address, word) of each into the memories of a design that has some."""
        assert self._write is not None
        addresses, data = (np.array([w[k] for w in words], dtype=kind) for k, kind in ((0, np.int64), (1, np.uint64)))
        pointers = addresses.ctypes.data_as(ctypes.c_void_p), data.ctypes.data_as(ctypes.c_void_p)
        self._write(ctypes.c_longlong(len(words)), *pointers)

    def _check(self) -> None:
        if self._failure is None:
            return
        self._failure.restype = ctypes.c_char_p
        if said := self._failure().decode():
            raise ToolError(f"The C++ of the design stopped: {said}")
