"""The tools that ``build`` can run on a written project, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nn2hls.errors import ToolError, suggest

if TYPE_CHECKING:
    import numpy as np

    from nn2hls.targets.bambu import BambuDevice
    from nn2hls.tools.report import BuildReport
    from nn2hls.tools.rtl import Tensors


@dataclass(frozen=True, eq=False)
class CoreOrder:
    """A core to be built behind scalar ports.

    Args:
        inputs, outputs: Its tensors.
        pipelined: Whether it must take an event every clock; else it takes one at a time.
        device: What it is built for.
        arguments: Of the tool.
        stimulus, answers: Mantissas (events, elements) of each input and, from the emulator, of each output.
    """

    inputs: Tensors
    outputs: Tensors
    pipelined: bool
    device: BambuDevice
    arguments: tuple[str, ...]
    stimulus: tuple[np.ndarray, ...]
    answers: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Order:
    """What to run.

    Args:
        folder: The written project.
        name: Its name.
        digest: Of its sources.
        part, clock_ns: What it is for.
        steps: In the order of the tool; empty: the tool's own choice.
        timeout: Seconds for each program that is started; None: no limit of the user's.
        show: Called with each line that the tool prints.
        core: For Bambu.
    """

    folder: Path
    name: str
    digest: str
    part: str
    clock_ns: float
    steps: tuple[str, ...] = ()
    timeout: float | None = None
    show: Callable[[str], None] | None = None
    core: CoreOrder | None = None


@dataclass(frozen=True)
class Tool:
    """A tool of the table.

    Args:
        run: Runs it; raises ToolError when it is not there.
        backend: The Backend whose project it reads; None: every one.
        steps: What it can do, in order.
        usual: What it does when nobody says.
    """

    run: Callable[[Order], BuildReport]
    backend: str | None
    steps: tuple[str, ...]
    usual: tuple[str, ...]


def _csim(order: Order) -> BuildReport:
    from nn2hls.tools.testbench import run_test_bench

    return run_test_bench(order)


def _vitis(order: Order) -> BuildReport:
    from nn2hls.tools.vendor import run_vendor

    return run_vendor(order, "vitis")


def _vivado(order: Order) -> BuildReport:
    from nn2hls.tools.vendor import run_vendor

    return run_vendor(order, "vivado")


def _bambu(order: Order) -> BuildReport:
    from nn2hls.tools.bambu import run_bambu

    return run_bambu(order)


_BAMBU = ("hls", "simulate", "yosys")
_AMD = ("csim", "synth", "cosim", "export", "vsynth")
TOOLS: Mapping[str, Tool] = {
    "csim": Tool(_csim, None, ("csim",), ("csim",)),
    "vitis": Tool(_vitis, "Vitis", _AMD, _AMD[:2]),
    "bambu": Tool(_bambu, "Bambu", _BAMBU, _BAMBU),
    "vivado": Tool(_vivado, "Vivado", _AMD, _AMD[:2]),
}


def tool_named(name: str) -> Tool:
    """The tool of this name.

    Raises:
        ToolError: There is none.
    """
    if name not in TOOLS:
        raise ToolError(f"There is no tool '{name}'.", fix=suggest(name, TOOLS) or f"Known are {', '.join(TOOLS)}.")
    return TOOLS[name]


def chosen_steps(name: str, words: Sequence[str]) -> tuple[str, ...]:
    """The steps that these words name, in the tool's order; its usual ones without a word.

    Raises:
        ToolError: A word is none of its steps.
    """
    known = tool_named(name).steps
    wrong = next((w for w in words if w not in known), None)
    if wrong is not None:
        fix = suggest(wrong, known) or f"Its steps are {', '.join(known)}."
        raise ToolError(f"'{wrong}' is no step of {name}.", where="--steps", fix=fix)
    return tuple(step for step in known if step in words) or tool_named(name).usual
