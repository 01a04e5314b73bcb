"""``nn2hls build``: run a tool on the project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Result, config_arguments, make_design

TOOLS = ("csim", "vitis", "vivado")


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    words = "csim: compile the C++ here and run its test bench (default); vitis, vivado: write the project and say what to run"
    parser.add_argument("--tool", choices=TOOLS, default="csim", help=words)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder of the project (default: OutputDir of CONFIG)")


def _run(args: Namespace) -> Result:
    design = make_design(args)
    report = design.build(args.tool, args.output or design.config.output_dir)
    return Result(report.to_dict(), report.text(), design.notes, ok=report.ok)


COMMAND = Command("build", "run a tool on the project", _arguments, _run)
