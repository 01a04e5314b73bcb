"""``nn2hls convert``: write the HLS project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Result, config_arguments, make_design
from nn2hls.commands.types import layer_rows, layer_table


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder of the project (default: OutputDir of CONFIG)")


def _run(args: Namespace) -> Result:
    from nn2hls import savings
    from nn2hls.text import plural

    design = make_design(args)
    written = design.write(args.output or design.config.output_dir)
    layers = layer_rows(design)
    text = layer_table(layers)
    saved = savings.savings(design.sizer, design.float_graph)
    text += "\n" + savings.text(saved) if saved else ""
    text += f"\nwrote {plural(sum(1 for p in Path(written).rglob('*') if p.is_file()), 'file')} to {written}/\n"
    return Result({"output_dir": str(written), "layers": layers, "savings": savings.document(saved)}, text, design.notes)


COMMAND = Command("convert", "turn a model into an HLS project", _arguments, _run)
