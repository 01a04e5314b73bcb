"""A harness in simulation: bits in, bits out, by the bench that its project has."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.files import write_whole
from nn2hls.tools.boards.frames import Answer, Layout, request
from nn2hls.tools.find import find
from nn2hls.tools.process import PRINTED
from nn2hls.tools.report import Check
from nn2hls.tools.rtl.verilator import SHARED
from nn2hls.tools.step import run_step

FOLDER = "rtl"  # of the project
SCRIPT = "script.hex"
_OPTIMISE = "VM_PARALLEL_BUILDS=0 OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
_BYTE = re.compile(r"^([0-9a-fxz]{2})$", re.M)
WAIT, RESET = 0x0200, 0x0300


def send(data: bytes) -> list[int]:
    """Words of the script that send bytes."""
    return list(data)


def damaged(byte: int) -> int:
    """The word that sends a byte with a wrong stop bit."""
    return 0x0100 | byte


def pause(bits: int) -> list[int]:
    """Words that let bits pass."""
    return [0x0400 | min(255, bits - k) for k in range(0, bits, 255)]


@dataclass(frozen=True)
class Played:
    """What a script heard.

    Args:
        data: All bytes.
        silent: Whether an answer did not come.
        command: What was run.
        log: In the project's folder.
        seconds: For compiling and running.
    """

    data: bytes
    silent: bool
    command: str
    log: str
    seconds: float


def play(folder: Path, name: str, script: Iterable[int], seconds: float, simulator: str = "verilator") -> Played:
    """Play a script on the serial port of a project's harness.

    Args:
        folder: The project.
        name: Of its core.
        script: Words, as the bench reads them: made by :func:`send`, :func:`damaged`, :func:`pause`, WAIT and RESET.
        seconds: For compiling, and again for running.
        simulator: ``verilator`` or ``iverilog``.

    Raises:
        ToolError: The simulator is missing, refuses the Verilog or takes too long; or a bit that comes back is none.
    """
    place, words, top = folder / FOLDER, list(script), f"{name}_board_bench"
    build = place / f"{simulator}_board_build"
    write_whole(place / SCRIPT, "".join(f"{w:04x}\n" for w in words))
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    files = [f"{name}.v", f"{name}_board.v", f"{top}.v"]
    if simulator == "verilator":
        flags = ["--binary", "--timing", "-Wno-fatal", "-Wno-lint", SHARED, "--x-assign", "unique", f"-GWORDS={len(words)}"]
        flags += ["--top-module", top, "--Mdir", build.name, "-o", "bench", "-MAKEFLAGS", _OPTIMISE]
        program: list[str | Path] = [f"./{build.name}/bench"]
    else:
        flags = ["-g2001", f"-P{top}.WORDS={len(words)}", "-s", top, "-o", f"{build.name}/bench"]
        program = ["vvp", "-n", f"{build.name}/bench"]
    made = run_step([find(simulator), *flags, *files], place, place / f"{simulator}_board.log", seconds)
    if made.status:
        raise ToolError(f"{simulator} refuses the Verilog:\n{made.tail}", where=str(place / f"{name}_board.v"))
    log = place / f"{simulator}_board_run.log"
    run = run_step(program, place, log, seconds)
    text = PRINTED.log(log)
    shutil.rmtree(build, ignore_errors=True)
    heard = _BYTE.findall(text)
    if run.status or not re.search(r"^(END|SILENT)$", text, re.M) or any(set(b) & set("xz") for b in heard):
        raise ToolError(f"The simulated board does not answer in bits:\n{run.tail}", where=str(log))
    silent = re.search(r"^SILENT$", text, re.M) is not None
    return Played(bytes(int(b, 16) for b in heard), silent, made.command, f"{FOLDER}/{log.name}", made.seconds + run.seconds)


def simulate_board(
    folder: Path, layout: Layout, requests: Sequence[bytes], answers: Sequence[bytes], seconds: float, simulator: str
) -> tuple[Check, str, Played]:
    """Send events to a simulated board, and compare its answers and their clocks.

    Args:
        folder: The project.
        layout: What the board takes and gives.
        requests, answers: Payloads of each event, and of the emulator's answer.
        seconds: For compiling, and again for running.
        simulator: ``verilator`` or ``iverilog``.

    Returns:
        What was found, the first difference (empty: none), and the run.
    """
    script = [word for payload in requests for word in (*send(request(payload)), WAIT)]
    played = play(folder, layout.project, script, seconds, simulator)
    found = list(_answers(played.data, layout.answer_bytes))
    differ, first, clocks = abs(len(requests) - len(found)), "", 0
    for k, (frame, meant) in enumerate(zip(found, answers, strict=False)):
        said = Answer.of(frame)
        clocks = max(clocks, said.clocks)
        if said.payload != meant:
            differ += 1
            first = first or f"event {k}: {said.payload[::-1].hex()}, not {meant[::-1].hex()}"
    if len(found) != len(requests):
        first = first or f"{len(found)} answers to {len(requests)} events"
    return Check("board", len(requests), differ, clocks), first, played


def _answers(data: bytes, length: int) -> Iterator[bytes]:
    for at in range(0, len(data) - length + 1, length):
        yield data[at : at + length]
