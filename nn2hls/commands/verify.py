"""``nn2hls verify``: every witness against the emulator, bit for bit."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from nn2hls.commands.base import Command, Result, config_arguments, input_arguments, input_data, make_design


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)


def _run(args: Namespace) -> Result:
    design = make_design(args)
    data = input_data(args, design.config, design.graph) if args.input else None
    verdict = design.verify(data)
    return Result(verdict.to_dict(), verdict.text(), design.notes, ok=verdict.equal)


COMMAND = Command(
    "verify",
    "compare emulator and compiled C++, bit for bit",
    _arguments,
    _run,
    "Without --input: 1,000 events, corners of the input type and seeded uniform ones over its whole range.",
)
