"""What a tool is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from nn2hls.targets.amd_board import AmdBoard
    from nn2hls.targets.bambu import BambuDevice
    from nn2hls.targets.board import Board
    from nn2hls.tools.boards.frames import Layout
    from nn2hls.tools.rtl.core import Tensors


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
class RtlOrder:
    """A design in Verilog to be checked.

    Args:
        events: Of the project's bench.
        latency, interval: What it was built for, in clocks.
        registers: Its flip-flops.
        board: Where it is to stand; None: nowhere.
    """

    events: int
    latency: int
    interval: int
    registers: int
    board: BoardOrder | None = None


@dataclass(frozen=True, eq=False)
class BoardOrder:
    """A board to build a bitstream for.

    Args:
        board: The board.
        layout: What it takes and gives.
        requests, answers: Payloads of the events that its simulation plays, and of the emulator's answers.
    """

    board: Board
    layout: Layout
    requests: tuple[bytes, ...]
    answers: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class KernelOrder:
    """A kernel to be built for a board of AMD's.

    Args:
        board: The board.
        kernel: The name of its function.
        requests, answers: Bytes (events, bytes) that its simulation sends, and of the emulator's answers.
    """

    board: AmdBoard
    kernel: str
    requests: np.ndarray
    answers: np.ndarray


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
        rtl: For Verilog of our own.
        synths: What yosys counts for, in its words; empty: for the part.
        kernel: For a board of AMD's.
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
    rtl: RtlOrder | None = None
    synths: tuple[str, ...] = ()
    kernel: KernelOrder | None = None
