"""Around a core on a board of AMD's: a kernel with streams or memory, scripts to its bitstream, and a Python driver."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nn2hls.emit.cpp_memories import port_types
from nn2hls.emit.layer import Value
from nn2hls.emit.options import Options
from nn2hls.emit.tool import TOOLS
from nn2hls.files import own_text
from nn2hls.targets.amd_board import AmdBoard
from nn2hls.tools.boards import packing
from nn2hls.tools.boards.packing import Field, bytes_of, memory_fields
from nn2hls.tools.folder import render

FOLDER = "board"  # of the project
SUFFIX = "_kernel"  # of the function around the core


def field_of(value: Value) -> Field:
    """A tensor as it stands in an event's words."""
    kind = value.node.result_type
    return Field(value.size, kind.width, kind.signed)


def kernel_files(
    options: Options, inputs: Sequence[Value], outputs: Mapping[str, Value], memories: tuple[int, int] | None = None
) -> dict[str, str]:
    """The files of a project that are for its board, by path.

    Args:
        options: The project's, with the board.
        inputs: Of the core, in the order of its parameters.
        outputs: Of the core, by port.
        memories: Bits of an address and of a word of its memories; None where it has none that can be written.
    """
    board, name = options.board, options.name
    assert board is not None
    kernel = f"{name}{SUFFIX}"
    entering, leaving = [field_of(v) for v in inputs], [field_of(v) for v in outputs.values()]
    entering += memory_fields(memories)
    word = board.shell.word
    context: dict[str, Any] = {
        "name": name,
        "kernel": kernel,
        "board": board,
        "options": options,
        "tool": TOOLS[options.backend],
        "axis": board.shell.processor is not None,
        "ps": board.shell.processor,
        "word": word,
        "inputs": inputs,
        "outputs": outputs,
        "memory_ports": port_types(memories) if memories else {},
        "in_words": 8 * bytes_of(entering, word) // word,
        "out_words": 8 * bytes_of(leaving, word) // word,
        "lows_in": _lows(entering),
        "lows_out": _lows(leaving),
        "mhz": f"{1e3 / options.clock_period:.6g}",
        "hertz": round(1e9 / options.clock_period),
        "driver": board.shell.driver,
    }
    last = "block_design.tcl" if board.shell.processor else "link.cfg"
    files = {
        f"{kernel}.h": "kernel.h",
        f"{kernel}.cpp": "kernel.cpp",
        f"{kernel}_bridge.cpp": "bridge.cpp",
        "kernel.tcl": "kernel.tcl",
        last: last,
        "driver.py": "driver.py",
    }
    found = {f"{FOLDER}/{path}": render(f"amd/{template}", **context) for path, template in files.items()}
    found[f"{FOLDER}/packing.py"] = own_text(Path(packing.__file__))
    about = _about(name, kernel, board, inputs, outputs.values())
    if memories:
        about["weights"] = dict(zip(("address_bits", "word_bits"), memories, strict=True))
    found[f"{FOLDER}/board.json"] = json.dumps(about, indent=1) + "\n"
    return found


def _lows(fields: Iterable[Field]) -> list[int]:
    """The lowest bit of each tensor in an event."""
    return [0, *itertools.accumulate(f.size * f.width for f in fields)]


def _about(name: str, kernel: str, board: AmdBoard, inputs: Iterable[Value], outputs: Iterable[Value]) -> dict[str, Any]:
    """What a driver must know."""
    return {
        "project": name,
        "board": board.name,
        "kernel": kernel,
        "word": board.shell.word,
        "inputs": [_tensor(v) for v in inputs],
        "outputs": [_tensor(v) for v in outputs],
    }


def _tensor(value: Value) -> dict[str, Any]:
    kind = value.node.result_type
    return {
        "name": value.node.name,
        "shape": list(value.node.shape),
        "type": str(kind),
        "width": kind.width,
        "signed": kind.signed,
        "fraction": kind.fraction,
    }
