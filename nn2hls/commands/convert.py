"""``nn2hls convert``: write the HLS project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from nn2hls.commands.base import Command, Made, Result, config_arguments, make_design, plan_command
from nn2hls.design.kept import files_of
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
    network, streams = design.float_graph, design.streams
    saved = savings.stream_savings(streams, network) if streams else savings.savings(design.sizer, network)
    text += "\n" + savings.text(saved) if saved else ""
    adders = design.additions
    text += f"\n{adders}" if adders.layers else ""
    text += f"\n{streams.fifos.queues}\n" if streams else ""
    found = design.estimate()
    text += "".join(f"\n{pace.text()}; an event every {found.ii} clocks\n" for pace in found.paces)
    short = does_not_fit(found, plan)
    text += f"\n{short}\n" if short else ""
    text += f"\nwrote {plural(sum(1 for p in Path(written).rglob('*') if p.is_file()), 'file')} to {written}/\n"
    document = {"output_dir": str(written), "layers": layers, "savings": savings.document(saved), "additions": adders.to_dict()}
    document |= {"paces": [asdict(pace) for pace in found.paces]} if found.paces else {}
    place = Path(written)
    sources = tuple(place / path for path in sorted(design.project.files))
    made = Made("convert", place, files_of(design.config), sources)
    return Result({**document, "fits": not short}, text, design.notes, made=made)


COMMAND = Command("convert", "turn a model into an HLS project", _arguments, _run)
