"""The test bench of a written project, compiled with g++ or clang++ and run: what a vendor's C simulation does."""

from __future__ import annotations

import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nn2hls.errors import ToolError
from nn2hls.tools.gxx import find_compiler, run_limited

FLAGS = ("-std=c++14", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")


@dataclass(frozen=True)
class BuildReport:
    """What a tool made of a project.

    Args:
        tool: The tool.
        folder: The project.
        ok: True when every step succeeded and nothing differs.
        events, differ: Events run, and those that differ from the emulator.
        seconds: For compiling and running.
    """

    tool: str
    folder: str
    ok: bool
    events: int
    differ: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    def text(self) -> str:
        """For people."""
        verdict = "all as the emulator" if self.ok else f"{self.differ} DIFFERENT from the emulator"
        lines = [f"{self.tool}: {self.events:,} events, {verdict} ({self.seconds:.1f} s)", f"wrote {self.folder}/"]
        return "\n".join(lines) + "\n"


def run_test_bench(folder: Path, name: str, stand_ins: Path) -> BuildReport:
    """Compile and run ``<name>_test.cpp`` in a written project.

    Args:
        folder: The project.
        name: Its name.
        stand_ins: Folder with ap_int.h and ap_fixed.h.

    Raises:
        ToolError: No compiler is here, it refuses the code, or the test bench does not run to its end.
    """
    start = time.perf_counter()
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(prefix="nn2hls-") as scratch:
        program = Path(scratch) / "test_bench"
        sources = [f"{name}_test.cpp", f"firmware/{name}.cpp"]
        _call(
            [compiler, *FLAGS, "-I", str(stand_ins), "-I.", *sources, "-o", str(program)], folder, "refuses the generated C++"
        )
        run = _call([str(program)], folder, "stopped", (0, 1))
    found = re.search(r"(\d+) events, (\d+) differ", run)
    if found is None:
        raise ToolError(f"The test bench gave no verdict:\n{run[-2000:]}", where=str(folder))
    events, differ = int(found[1]), int(found[2])
    return BuildReport("csim", str(folder), not differ and events > 0, events, differ, time.perf_counter() - start)


def _call(command: list[str], folder: Path, failure: str, accepted: tuple[int, ...] = (0,)) -> str:
    run = run_limited(command, folder, str(folder))
    if run.returncode not in accepted:
        raise ToolError(f"{Path(command[0]).name} {failure}:\n{(run.stderr or run.stdout)[:4000]}", where=str(folder))
    return run.stdout
