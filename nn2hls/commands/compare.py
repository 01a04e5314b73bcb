"""``nn2hls compare``: float against fixed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Result, config_arguments, input_arguments, input_data, make_design


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)
    parser.add_argument("--labels", metavar="FILE", type=Path, help="class numbers or one-hot rows, for accuracy and AUC")
    parser.add_argument("--plots", metavar="DIR", type=Path, help="draw ranges, float against fixed, and ROC curves: .png")


def _run(args: Namespace) -> Result:
    from nn2hls.data import load_labels

    design = make_design(args)
    data = input_data(args, design.config, design.graph)
    labels = load_labels(args.labels, design.graph.outputs) if args.labels else None
    given = labels if labels is None or len(labels) > 1 else labels[0]
    result = design.compare(data, given)
    if not args.plots:
        return Result(result.to_dict(), result.text(), design.notes)
    from nn2hls.compare_plots import draw

    paths = draw(design, data, given, args.plots)
    wrote = "".join(f"wrote {path}\n" for path in paths)
    return Result({**result.to_dict(), "plots": list(map(str, paths))}, f"{result.text()}\n{wrote}", design.notes)


COMMAND = Command(
    "compare",
    "compare the design with the float network",
    _arguments,
    _run,
    "Per output: errors, SQNR, agreement, with --labels accuracy and AUC. Per layer: ranges, overflows, SQNR, what the layer "
    "alone costs, and the bits that would mend it (docs/precision.md).",
)
