"""``nn2hls convert``: write the HLS project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Made, Result, config_arguments, files_of, make_design, plan_command
from nn2hls.errors import LimitError


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder of the project (default: OutputDir of CONFIG)")
    parser.add_argument("--force", action="store_true", help="write even what takes twice the part or 50,000 lines of C++")


def _run(args: Namespace) -> Result:
    from nn2hls.design.text import layer_rows, layer_table
    from nn2hls.estimate.result import does_not_fit
    from nn2hls.size import savings
    from nn2hls.text import plural

    design = make_design(args)
    plan = plan_command(args)
    if not args.force and (what := design.oversize()):
        raise LimitError(what, fix=f"{plan} picks reuse factors that fit, if any do; --force writes it as it is.")
    written = design.write(args.output or design.config.output_dir, force=True)
    layers = layer_rows(design)
    text = layer_table(layers)
    saved = savings.savings(design.sizer, design.float_graph) if design.streams is None else ()
    text += "\n" + savings.text(saved) if saved else ""
    adders = design.additions
    text += f"\n{adders}" if adders.layers else ""
    short = does_not_fit(design.estimate(), plan)
    text += f"\n{short}\n" if short else ""
    text += f"\nwrote {plural(sum(1 for p in Path(written).rglob('*') if p.is_file()), 'file')} to {written}/\n"
    document = {"output_dir": str(written), "layers": layers, "savings": savings.document(saved), "additions": adders.to_dict()}
    place = Path(written)
    sources = tuple(place / path for path in sorted(design.project.files))
    made = Made("convert", place, files_of(design.config), sources)
    return Result({**document, "fits": not short}, text, design.notes, made=made)


COMMAND = Command("convert", "turn a model into an HLS project", _arguments, _run)
