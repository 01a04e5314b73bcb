"""Verilator: a bench of our own runs a core or its wrapper, and every bit is compared with the emulator's mantissas."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nn2hls.errors import ToolError
from nn2hls.files import own_text
from nn2hls.guard import Guard
from nn2hls.tools.find import find
from nn2hls.tools.folder import data_folder, render
from nn2hls.tools.rtl.core import Core, Element, Tensors, elements, port_names
from nn2hls.tools.step import Done, run_step

BUILD = "rtl_sim"  # folder for Verilator's files and the vectors, inside the core's
_RANDOM = ("--x-assign", "unique", "--x-initial", "unique")  # what nothing has set yet has any value
# Verilator's joining of gates writes a value out again for each of its readers: of shared sums between two registers, 18 kB of
# Verilog, it made 45 MB of C++, which took a compiler 2 GB.
SHARED = "-fno-gate"
FLAGS = ("--cc", "--exe", "--build", "-j", "2", "-sv", "-O3", SHARED, *_RANDOM, "-Wno-fatal", "-Wno-lint")
# Of the C++, as one file: what runs every clock, what runs once, and Verilator's own library. A pipelined core needs few clocks
# and is large: compiling it takes longer than running it. Another one runs for long.
OPTIMISE = "VM_PARALLEL_BUILDS=0 OPT_FAST={} OPT_SLOW=-O0 OPT_GLOBAL=-O0"
PATIENCE = {True: 10_000, False: 5_000_000}  # clocks without an answer, of a pipelined core and another one
STUCK = 3  # the bench's exit status when nothing comes
SECONDS = 1200.0  # for each of compiling and running
MAX_ANSWERS = 1 << 30  # bytes, eight a value
_GUARD = Guard(ToolError, "The simulation's answers")


@dataclass(frozen=True)
class Record:
    """What a run showed.

    Args:
        clock: Of each recorded clock, its number; (rows,).
        valid: Whether an event was answered in it.
        values: The outputs in it; int64 (rows, elements).
        taken: The clock in which each event was taken, (events,).
    """

    clock: np.ndarray
    valid: np.ndarray
    values: np.ndarray
    taken: np.ndarray


class StuckError(ToolError):
    """No answer came for too many clocks."""


@dataclass(frozen=True)
class Bench:
    """A compiled simulation of a core, bare or in its wrapper.

    Args:
        core: The core.
        program: The compiled bench.
        inputs, outputs: The elements.
        build: How it was compiled.
        seconds: For one run.
    """

    core: Core
    program: Path
    inputs: Sequence[Element]
    outputs: Sequence[Element]
    build: Done
    seconds: float = SECONDS

    def run(
        self,
        words: np.ndarray,
        *,
        seed: int = 1,
        gaps: int = 0,
        reset: int = 0,
        patience: int | None = None,
        hold: int = -1,
        every: bool = False,
        tail: int = 64,
    ) -> Record:
        """Feed events.

        Args:
            words: int64 mantissas, (events, elements).
            seed: Of the values that registers have before the reset, of the gaps, and of the inputs in clocks without an event.
            gaps: Chance of a clock without an event, in per cent.
            reset: After so many events comes a reset, and then all events from the start; 0: only the reset at the start.
            patience: Clocks without a sign of life after which the run ends; None: what PATIENCE says.
            hold: For a bare core that takes one event at a time: inputs stay, and the next event waits, until so many
                clocks after the answer.
            every: Record every clock, not only those with an answer.
            tail: Clocks that the run goes on after the last answer.

        Raises:
            StuckError: Nothing came.
            ToolError: The run failed or took too long.
        """
        folder = self.program.parent
        files = {key: folder / f"{self.program.name}_{key}.bin" for key in ("in", "out", "taken")}
        np.ascontiguousarray(words, dtype="<i8").tofile(files["in"])
        numbers = {
            "events": len(words),
            "seed": seed,
            "gaps": gaps,
            "reset": reset,
            "patience": patience or PATIENCE[self.core.pipelined],
            "hold": hold,
        }
        settings = {**numbers, "every": int(every), "tail": tail, **files}
        random = ("+verilator+rand+reset+2", f"+verilator+seed+{seed}")
        command: list[str | Path] = [self.program, *random, *(f"{k}={v}" for k, v in settings.items())]
        run = run_step(command, self.core.folder, folder / f"{self.program.name}.log", self.seconds)
        if run.status == STUCK:
            raise StuckError(f"The simulated core is stuck: {run.tail}.", where=self.core.name)
        if run.status:
            raise ToolError(f"The simulation failed (exit status {run.status}):\n{run.tail}", where=self.core.name)
        out, taken = (np.frombuffer(_GUARD.read(files[name], MAX_ANSWERS), dtype="<i8") for name in ("out", "taken"))
        rows = out.reshape(-1, 2 + len(self.outputs))
        return Record(rows[:, 0], rows[:, 1] != 0, rows[:, 2:], taken)


def compile_bench(core: Core, *, bare: bool, seconds: float = SECONDS) -> Bench:
    """Compile the bench for a core, or for its wrapper, which must be written.

    Raises:
        ToolError: Verilator is missing, refuses the Verilog, or takes too long.
    """
    inputs, outputs = elements(core, core.inputs, "input"), elements(core, core.outputs, "output")
    folder, kind = core.folder / BUILD, "core" if bare else "wrapper"
    model = f"Vnn2hls_{kind}"
    folder.mkdir(exist_ok=True)
    _write_bench(folder, kind, core, inputs, outputs, model)
    verilog = [core.source.name, *([] if bare else [f"{core.wrapper}.v"])]
    sources = (f"{BUILD}/{kind}_bench.v", *verilog, f"{BUILD}/{kind}_bench.cpp")
    names = ("--top-module", "nn2hls_bench", "--prefix", model, "--Mdir", BUILD, "-o", f"{kind}_bench")
    optimise = OPTIMISE.format("-O0" if core.pipelined else "-O1")
    made = " ".join(f"-o {p.name}" for p in folder.glob("verilated*.o"))  # the library is the same for all: not made again
    sizes = f"-DINPUTS={len(inputs)} -DOUTPUTS={len(outputs)}"
    options = (*FLAGS, *names, "-CFLAGS", sizes, "-MAKEFLAGS", f"{optimise} {made}".strip())
    run = run_step([find("verilator"), *options, *sources], core.folder, core.folder / f"verilator_{kind}.log", seconds)
    if run.status:
        raise ToolError(f"Verilator refuses the Verilog:\n{run.tail}", where=str(core.source))
    return Bench(core, (folder / f"{kind}_bench").resolve(), inputs, outputs, run, seconds)


def _write_bench(
    folder: Path, kind: str, core: Core, inputs: Sequence[Element], outputs: Sequence[Element], model: str
) -> None:
    verilog = render(
        "rtl_bench.v",
        core=core,
        bare=kind == "core",
        inputs=inputs,
        outputs=outputs,
        names=port_names(core),
        widths={t: sum(p.width for p in ports) for t, ports in (*core.inputs, *core.outputs)},
    )
    (folder / f"{kind}_bench.v").write_text(verilog, encoding="utf-8")
    code = own_text(data_folder("templates") / "rtl_bench.cpp")
    (folder / f"{kind}_bench.cpp").write_text(code.replace("MODEL", model), encoding="utf-8")


def as_words(core: Core, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All elements of an event side by side, of the inputs and of the outputs: int64 (events, elements).

    Raises:
        ToolError: The arrays are not those of the core, or a mantissa does not fit its type.
    """
    events = len(inputs[0])
    return _words(inputs, core.inputs, events, "inputs"), _words(outputs, core.outputs, events, "outputs")


def _words(arrays: Sequence[np.ndarray], tensors: Tensors, events: int, what: str) -> np.ndarray:
    sizes = [len(ports) for _, ports in tensors]
    shapes = [(len(a), a.size // max(1, len(a))) for a in arrays]
    if shapes != [(events, size) for size in sizes] or not events:
        raise ToolError(f"The {what} have the shapes {shapes}; the core takes {events} events of {sizes} elements.")
    words = np.concatenate([a.reshape(events, -1) for a in arrays], axis=1).astype(np.int64)
    for k, port in enumerate(p for _, ports in tensors for p in ports):
        low, high = (-(1 << port.width - 1), (1 << port.width - 1) - 1) if port.signed else (0, (1 << port.width) - 1)
        if words[:, k].min() < low or words[:, k].max() > high:
            raise ToolError(f"A mantissa does not fit {port.width} bits.", where=port.name)
    return words


def clean(core: Core, keep: bool) -> None:
    """Remove the simulation, unless it is kept."""
    if not keep:
        shutil.rmtree(core.folder / BUILD, ignore_errors=True)
