"""The kernel of a board, compiled here with our own types: bytes in, bytes out, as the driver sends them."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from pathlib import Path

import numpy as np

from nn2hls.errors import ToolError
from nn2hls.tools.folder import data_folder
from nn2hls.tools.gxx import FLAGS, find_compiler, refusal, run_limited
from nn2hls.tools.waiting import waiting

FOLDER = "board"  # of the project


class CompiledKernel:
    """A kernel as a function on events' bytes.

    Args:
        folder: A written project.
        name: Of its core.
        kernel: Of the kernel's function.
        seconds: For the compiler; None: as long as it needs, up to its limit.

    Raises:
        ToolError: The compiler is missing or refuses the code.
    """

    def __init__(self, folder: Path, name: str, kernel: str, seconds: float | None = None) -> None:
        program, scratch = find_compiler(), Path(tempfile.mkdtemp(prefix="nn2hls-"))
        try:
            place, unity, library = folder.resolve(), scratch / "unity.cpp", scratch / f"{kernel}.so"
            sources = [f"{FOLDER}/{kernel}_bridge.cpp", f"{FOLDER}/{kernel}.cpp", f"firmware/{name}.cpp"]
            unity.write_text("".join(f'#include "{s}"\n' for s in sources), encoding="utf-8")
            command = [program, *FLAGS, "-I", str(data_folder("firmware_lib") / "ap_types"), "-I", str(place)]
            with waiting(f"compiling {kernel} with {Path(program).name}"):
                run = run_limited([*command, str(unity), "-o", str(library)], scratch, kernel, seconds)
            if run.returncode:
                raise refusal(program, run, kernel)
            self._run = ctypes.CDLL(str(library)).nn2hls_kernel_run
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def __call__(self, data: np.ndarray, given: int) -> np.ndarray:
        """Bytes (events, given) that the kernel answers to bytes (events, bytes).

        Raises:
            ToolError: It does not send whole events, or says the end of a transfer in a wrong place.
        """
        sent, found = np.ascontiguousarray(data, dtype=np.uint8), np.zeros((len(data), given), dtype=np.uint8)
        pointers = [x.ctypes.data_as(ctypes.POINTER(ctypes.c_ubyte)) for x in (sent, found)]
        if self._run(ctypes.c_longlong(len(data)), *pointers):
            raise ToolError("The kernel does not send whole events with their end at the end of a transfer.")
        return found
