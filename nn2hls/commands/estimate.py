"""``nn2hls estimate``: how large and how fast the design will be."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from nn2hls.commands.base import Command, Result, config_arguments, make_design, plan_command


def _run(args: Namespace) -> Result:
    design = make_design(args)
    found = design.estimate()
    return Result(found.to_dict(), found.text(plan_command(args)), design.notes)


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)


COMMAND = Command("estimate", "estimate resources and latency, without a vendor tool", _arguments, _run)
