"""``nn2hls export``: a design for somebody else's project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Made, Result, config_arguments, make_design
from nn2hls.design.kept import files_of

KINDS = ("emulator", "rtl")


def _arguments(parser: ArgumentParser) -> None:
    words = "emulator: a C++17 library that answers as the design does; rtl: our Verilog as an IP core for any vendor's tools"
    parser.add_argument("kind", metavar="KIND", choices=KINDS, help=words)
    config_arguments(parser)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder to write")


def _run(args: Namespace) -> Result:
    from nn2hls.export.run import exported
    from nn2hls.text import plural

    design = make_design(args)
    place = args.output.expanduser()
    project = exported(design, args.kind, place)
    written = project.write(place)
    files = sorted(project.files)
    text = f"wrote {plural(len(files), 'file')} to {written}/; its README.md says how to use them\n"
    made = Made("export", written, files_of(design.config), tuple(written / f for f in files))
    return Result({"output_dir": str(written), "kind": args.kind}, text, design.notes, made=made)


COMMAND = Command("export", "write a design for somebody else's project", _arguments, _run)
