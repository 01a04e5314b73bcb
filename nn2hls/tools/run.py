"""The tools that ``build`` can run on a written project, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nn2hls.errors import ToolError, suggest

if TYPE_CHECKING:
    from nn2hls.tools.report import BuildReport
from nn2hls.tools.order import Order


@dataclass(frozen=True)
class Tool:
    """A tool of the table.

    Args:
        run: Runs it; raises ToolError when it is not there.
        backend: The Backend whose project it reads; None: every one.
        steps: What it can do, in order.
        usual: What it does when nobody says.
        on_board: What it does for a board, all of it when nobody says; empty: it builds for none.
    """

    run: Callable[[Order], BuildReport]
    backend: str | None
    steps: tuple[str, ...]
    usual: tuple[str, ...]
    on_board: tuple[str, ...] = ()


def _csim(order: Order) -> BuildReport:
    from nn2hls.tools.testbench import run_test_bench

    return run_test_bench(order)


def _vitis(order: Order) -> BuildReport:
    if order.kernel is not None:
        from nn2hls.tools.amd.board import run_kernel

        return run_kernel(order, order.kernel)
    from nn2hls.tools.amd.run import run_vendor

    return run_vendor(order, "vitis")


def _vivado(order: Order) -> BuildReport:
    from nn2hls.tools.amd.run import run_vendor

    return run_vendor(order, "vivado")


def _bambu(order: Order) -> BuildReport:
    from nn2hls.tools.bambu import run_bambu

    return run_bambu(order)


def _rtl(order: Order) -> BuildReport:
    if order.rtl is not None and order.rtl.board is not None:
        from nn2hls.tools.boards.run import run_board

        return run_board(order)
    from nn2hls.tools.rtl.run import run_rtl

    return run_rtl(order)


_RTL = ("verilog", "simulate", "yosys")
_BAMBU = ("hls", "simulate", "yosys")


_AMD = ("csim", "synth", "cosim", "export", "vsynth")


TOOLS: Mapping[str, Tool] = {
    "csim": Tool(_csim, None, ("csim",), ("csim",)),
    "vitis": Tool(_vitis, "Vitis", _AMD, _AMD[:2], ("simulate", "kernel", "bitstream")),
    "bambu": Tool(_bambu, "Bambu", _BAMBU, _BAMBU),
    "rtl": Tool(_rtl, "Verilog", _RTL, _RTL, (*_RTL, "nextpnr", "pack")),
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


def chosen_synths(name: str, part: str, words: Sequence[str]) -> tuple[str, ...]:
    """What yosys counts a design for, each once, in the order that was asked for.

    Raises:
        ToolError: The tool is not ``rtl``, there is no such word, or it does not go with the part.
    """
    if words and name != "rtl":
        raise ToolError(f"{name} has no choice of syntheses.", where="--synth", fix="Use it with --tool rtl.")
    from nn2hls.tools.rtl.yosys import command_for

    for word in words:
        command_for(part, word)
    return tuple(dict.fromkeys(words))


def chosen_steps(name: str, words: Sequence[str], *, board: str = "") -> tuple[str, ...]:
    """The steps that these words name, in the tool's order; its usual ones without a word, for a board all of them.

    Args:
        name: Of the tool.
        words: The steps.
        board: The tool that builds for the board; empty: there is none.

    Raises:
        ToolError: A word is none of its steps, or is one for a board alone; the tool does not build for the board.
    """
    tool = tool_named(name)
    if board and name != board:
        what = f"{name} does not build for this board." if tool.on_board else f"{name} builds for no board."
        raise ToolError(what, where="--board", fix=f"Use it with --tool {board}.")
    known = tool.on_board if board else tool.steps
    wrong = next((w for w in words if w not in known), None)
    if wrong is not None and wrong in tool.on_board:
        raise ToolError(f"The step {wrong} is for a board.", where="--steps", fix="Name one with --board; doctor lists them.")
    if wrong is not None:
        fix = suggest(wrong, known) or f"Its steps are {', '.join(known)}."
        raise ToolError(f"'{wrong}' is no step of {name}.", where="--steps", fix=fix)
    usual = known if board else tool.usual
    return tuple(step for step in known if step in words) or usual
