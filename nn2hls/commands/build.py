"""``nn2hls build``: run a tool on the project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from nn2hls.commands.base import Command, Result, UsageError, config_arguments, make_design, read
from nn2hls.text import one_line
from nn2hls.tools.run import TOOLS, chosen_steps


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    words = "csim: compile the C++ here and run its test bench (default); rtl: our Verilog; bambu; vitis, vivado: AMD's tools"
    parser.add_argument("--tool", choices=tuple(TOOLS), default="csim", help=words)
    words = (
        "what the tool does, with commas: csim,synth,cosim,export,vsynth (default: csim,synth); bambu: hls,simulate,yosys (all)"
    )
    parser.add_argument("--steps", metavar="STEPS", default="", help=words)
    words = "with rtl: what yosys counts for, with commas, of xilinx,ecp5,gates (default: what the part is)"
    parser.add_argument("--synth", metavar="WORDS", default="", help=words)
    words = "after so long a program of the tool is ended (default: never; csim: 1200)"
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help=words)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder of the project (default: OutputDir of CONFIG)")


def _run(args: Namespace) -> Result:
    from nn2hls.tools.report import build_text

    if args.timeout is not None and not 0 < args.timeout < float("inf"):
        raise UsageError("This must be a number of seconds above 0.", where="--timeout")
    steps = chosen_steps(args.tool, [word for word in args.steps.split(",") if word])
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
    folder = args.output or design.config.output_dir
    report = design.build(args.tool, folder, steps=steps, timeout=args.timeout, show=_watcher(args.verbose), synths=synths)
    return Result(report.to_dict(), build_text(report), (*notes, *design.notes, *report.notes), ok=report.ok)


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
