"""``nn2hls scan``: precision and reuse against accuracy and size."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Result, UsageError, config_arguments, input_arguments, input_data, load_graph, read


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)
    parser.add_argument("--labels", metavar="FILE", type=Path, help="class numbers or one-hot rows of the first output")
    parser.add_argument("--precisions", metavar="PATTERN", default="", help="such as 'ap_fixed<{4..18},{2..7}>,ap_fixed<16,6>'")
    parser.add_argument("--reuses", metavar="RANGE", default="", help="such as 1..6 or 1,2,4")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write the table: .csv")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="where to draw: .png, .pdf or .svg")


def _run(args: Namespace) -> Result:
    from nn2hls.data import load_labels
    from nn2hls.scan import scan

    if not args.precisions and not args.reuses:
        fix = "Give --precisions 'ap_fixed<{8..18},6>', or --reuses 1..6, or both."
        raise UsageError("There is nothing to scan.", fix=fix)
    config = read(args)
    graph = load_graph(config)
    data = input_data(args, config, graph)
    labels = load_labels(args.labels, graph.outputs)[0] if args.labels else None
    result = scan(graph, config, x=data, y=labels, precisions=args.precisions, reuses=args.reuses, progress=_progress)
    text = result.text() + f"\n{len(result.points)} designs in {result.seconds:.1f} s\n"
    if args.output:
        args.output.write_text(result.csv(), encoding="utf-8")
        text += f"wrote {args.output}\n"
    if args.plot:
        from nn2hls.scan_plot import plot

        plot(result, args.plot)
        text += f"wrote {args.plot}\n"
    return Result(result.to_dict(), text, config.notes)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} designs", end="" if done < total else "\r\033[K", file=sys.stderr, flush=True)


COMMAND = Command(
    "scan",
    "scan precision and reuse against accuracy and size",
    _arguments,
    _run,
    "One type and one reuse factor for the whole network at a time; what layers have of their own gives way.",
)
