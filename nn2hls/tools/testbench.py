"""The test bench of a written project, compiled with g++ or clang++ and run: what a vendor's C simulation does."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.guard import Guard
from nn2hls.tools import gxx
from nn2hls.tools.folder import data_folder
from nn2hls.tools.gxx import find_compiler, native_flags, refusal, run_limited
from nn2hls.tools.order import Order
from nn2hls.tools.report import BuildReport, Check, Step
from nn2hls.tools.waiting import waiting

_GUARD = Guard(ToolError, "The bridge", "Write the project again.")
FLAGS = tuple(f for f in gxx.FLAGS if f not in ("-fPIC", "-shared"))


def run_test_bench(order: Order) -> BuildReport:
    """Compile and run ``<name>_test.cpp`` in a written project.

    Raises:
        ToolError: No compiler is here, it refuses the code, or the test bench does not run to its end.
    """
    start = time.perf_counter()
    compiler, folder = find_compiler(), order.folder
    stand_ins = data_folder("firmware_lib") / "ap_types"
    with tempfile.TemporaryDirectory(prefix="nn2hls-") as scratch:
        program = Path(scratch) / "test_bench"
        sources = [f"{order.name}_test.cpp", f"firmware/{order.name}.cpp"]
        bridge = folder / f"{order.name}_bridge.cpp"
        flags = [*FLAGS, *native_flags(_GUARD.report(bridge) if bridge.exists() else "")]
        command = [compiler, *flags, "-I", str(stand_ins), "-I.", *sources, "-o", str(program)]
        with waiting(f"compiling {order.name} with {Path(compiler).name}"):
            made = run_limited(command, order.folder, str(order.folder), order.timeout)
        if made.returncode:
            raise refusal(compiler, made, str(order.folder))
        run = _call([str(program)], order, "stopped", (0, 1))
    found = re.search(r"(\d+) events, (\d+) differ", run)
    if found is None:
        raise ToolError(f"The test bench gave no verdict:\n{run[-2000:]}", where=str(folder))
    check = Check("csim", int(found[1]), int(found[2]))
    away = re.findall(r"^largest difference from .*", run, re.M)
    step = Step("csim", not check.differ and check.events > 0, time.perf_counter() - start)
    return BuildReport(
        "csim",
        str(folder),
        order.digest,
        Path(compiler).name,
        order.part,
        order.clock_ns,
        (step,),
        checks=(check,),
        notes=tuple(away),
    )


def _call(command: list[str], order: Order, failure: str, accepted: tuple[int, ...] = (0,)) -> str:
    where = str(order.folder)
    run = run_limited(command, order.folder, where, order.timeout)
    if run.returncode not in accepted:
        raise ToolError(f"{Path(command[0]).name} {failure}:\n{(run.stderr or run.stdout)[:4000]}", where=where)
    return run.stdout
