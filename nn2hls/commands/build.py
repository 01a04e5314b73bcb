"""``nn2hls build``: run a tool on the project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nn2hls.commands.base import Command, Made, Result, UsageError, config_arguments, make_design, read
from nn2hls.design.kept import files_of
from nn2hls.text import one_line
from nn2hls.tools.run import TOOLS, chosen_steps

if TYPE_CHECKING:
    from nn2hls.design.design import Design
    from nn2hls.tools.report import BuildReport


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    words = "csim: compile the C++ here and run its test bench (default); rtl: our Verilog; bambu; vitis, vivado: AMD's tools"
    parser.add_argument("--tool", choices=tuple(TOOLS), default="csim", help=words)
    words = (
        "what the tool does, with commas: csim,synth,cosim,export,vsynth (default: csim,synth); bambu: hls,simulate,yosys; "
        "rtl: verilog,simulate,yosys, and on a board nextpnr,pack (all); vitis on a board: simulate,kernel,bitstream (all)"
    )
    parser.add_argument("--steps", metavar="STEPS", default="", help=words)
    words = "with rtl: what yosys counts for, with commas, of xilinx,ecp5,gates (default: what the part is)"
    parser.add_argument("--synth", metavar="WORDS", default="", help=words)
    words = "with rtl or vitis: down to the bitstream of a board; nn2hls doctor lists them"
    parser.add_argument("--board", metavar="NAME", help=words)
    words = "of the board: uart (default), or spi, where it answers a master"
    parser.add_argument("--port", metavar="KIND", help=words)
    words = "of the board's serial port, in bits a second; of spi the most"
    parser.add_argument("--baud", metavar="RATE", type=int, help=words)
    words = "with a board: cut the pipeline more often until place and route meets ClockPeriod"
    parser.add_argument("--until-timing", action="store_true", help=words)
    words = "after so long a program of the tool is ended (default: never; csim: 1200)"
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help=words)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder of the project (default: OutputDir of CONFIG)")


def _run(args: Namespace) -> Result:
    from nn2hls.tools.report import FOLDER

    if args.timeout is not None and not 0 < args.timeout < float("inf"):
        raise UsageError("This must be a number of seconds above 0.", where="--timeout")
    steps = chosen_steps(args.tool, [word for word in args.steps.split(",") if word], board=_maker(args))
    synths = [word for word in args.synth.split(",") if word]
    backend = TOOLS[args.tool].backend
    if backend and args.backend and args.backend.lower() != backend.lower():
        raise UsageError(f"--tool {args.tool} builds a project for {backend}.", where="--backend", fix="Leave --backend out.")
    said = read(args).backend
    notes = (
        () if backend in (None, said) else (f"The project is for {backend}, as --tool {args.tool} wants; Backend is {said}.",)
    )
    args.backend = args.backend or backend
    design = make_design(args)
    if args.board is not None:
        notes = (*notes, *_board_notes(args, design.config.part))
        design = design.on_board(args.board, args.baud, args.port)
    else:
        for option in ("baud", "port", "until_timing"):
            if getattr(args, option) not in (None, False):
                raise UsageError("This is for a board.", where=f"--{option.replace('_', '-')}", fix="Name it with --board.")
    if args.until_timing and design.board is None:
        raise UsageError("This is for boards of open tools.", where="--until-timing", fix="Leave it out.")
    folder = args.output or design.config.output_dir

    def build(one: Design) -> BuildReport:
        return one.build(args.tool, folder, steps=steps, timeout=args.timeout, show=_watcher(args.verbose), synths=synths)

    if args.until_timing:
        from nn2hls.board import until_timing

        report, rounds = until_timing(design, build)
        notes = (*notes, *rounds)
    else:
        report = build(design)
    place = Path(folder)
    made = Made("build", place, files_of(design.config), (place / FOLDER / f"{args.tool}.json",))
    return Result(report.to_dict(), report.text(), (*notes, *design.notes, *report.notes), report.ok, made)


def _maker(args: Namespace) -> str:
    """The tool that builds for the board; empty where there is none."""
    if args.board is None:
        return ""
    from nn2hls.targets.amd_board import AmdBoard, any_board

    return "vitis" if isinstance(any_board(args.board), AmdBoard) else "rtl"


def _board_notes(args: Namespace, part: str) -> tuple[str, ...]:
    """What the board changes of the config."""
    from nn2hls.targets.amd_board import any_board

    own = any_board(args.board).part
    return () if part.lower() == own.lower() else (f"The design is for {own}, the part of the board; Part is {part}.",)


def _watcher(verbose: bool) -> Callable[[str], None] | None:
    """Prints the tool's lines on the standard error, where that is a terminal, or where they are asked for."""
    from nn2hls.tools.waiting import shows

    return _show if verbose or shows() else None


def _show(line: str) -> None:
    from nn2hls.tools.waiting import line as above

    above(one_line(line))


COMMAND = Command(
    "build",
    "run a tool on the project",
    _arguments,
    _run,
    "--tool also decides for which Backend the project is written. What a tool prints is kept in reports/ of the project.\n"
    "cosim, export and vsynth need synth, now or before. Without the tool on the PATH, it is said what to run where it is.",
)
