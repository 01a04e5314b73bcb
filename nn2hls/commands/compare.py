"""``nn2hls compare``: float against fixed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import (
    Command,
    Result,
    config_arguments,
    input_arguments,
    input_data,
    label_data,
    make_design,
    metric_arguments,
)


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)
    words = "class numbers, one-hot rows, or values; once for each output"
    metric_arguments(parser, words, several=True)
    words = "the model file before pruning: right answers of every class are compared with it, too"
    parser.add_argument("--before", metavar="MODEL", type=Path, help=words)
    parser.add_argument("--plots", metavar="DIR", type=Path, help="draw ranges, float against fixed, and ROC curves: .png")


def _run(args: Namespace) -> Result:
    from nn2hls.emulate.states import own_outputs

    design = make_design(args)
    data = input_data(args, design.config, design.graph, states=True)
    by = {"metric": args.metric, "threshold": args.threshold}
    labels = label_data(args, own_outputs(design.graph))  # nobody has labels of a state
    result = design.compare(data, labels, **by, before=args.before)
    if not args.plots:
        return Result(result.to_dict(), result.text(), design.notes)
    from nn2hls.compare.plots import draw

    paths = draw(design, design.with_states(data), labels, args.plots, **by)
    wrote = "".join(f"wrote {path}\n" for path in paths)
    return Result({**result.to_dict(), "plots": list(map(str, paths))}, f"{result.text()}\n{wrote}", design.notes)


COMMAND = Command(
    "compare",
    "compare the design with the float network",
    _arguments,
    _run,
    "Per output: errors, SQNR, and by what it is agreement, accuracy and AUC of classes or MSE and MAE of values. Per layer: "
    "ranges, overflows, SQNR, what the layer alone costs, and the bits that would mend it (docs/precision.md).",
)
