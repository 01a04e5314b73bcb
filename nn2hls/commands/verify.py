"""``nn2hls verify``: every witness against the emulator, bit for bit."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Result, config_arguments, input_arguments, input_data, make_design


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)
    words = "csim: the C++, compiled here (default); rtl: our Verilog; bambu: the RTL that `build --tool bambu` has made"
    parser.add_argument("--tool", choices=("csim", "rtl", "bambu"), default="csim", help=words)
    words = "folder of the built project, for bambu (default: OutputDir of CONFIG)"
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help=words)


def _run(args: Namespace) -> Result:
    design = make_design(args)
    data = input_data(args, design.config, design.graph, states=True) if args.input else None
    verdict = design.verify(data, args.tool, args.output)
    return Result(verdict.to_dict(), verdict.text(), design.notes, ok=verdict.equal)


COMMAND = Command(
    "verify",
    "compare emulator and compiled C++ or RTL, bit for bit",
    _arguments,
    _run,
    "Without --input and InputData: 1,000 events, corners of the input type and seeded uniform ones over its whole range.\n"
    "Where CONFIG names OutputPredictions, it is said how far the answers to InputData are from them.",
)
