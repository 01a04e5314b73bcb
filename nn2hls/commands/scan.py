"""``nn2hls scan``: precision and reuse against accuracy and size."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from nn2hls.commands.base import (
    Command,
    Made,
    Result,
    UsageError,
    config_arguments,
    input_arguments,
    input_data,
    label_data,
    load_graph,
    metric_arguments,
    progress,
    read,
    worker_arguments,
)
from nn2hls.design.kept import files_of


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser, several=True, leave_out=("precision", "reuse"))
    input_arguments(parser)
    words = "class numbers, one-hot rows, or values of the first output"
    metric_arguments(parser, words)
    parser.add_argument("--precision", metavar="PATTERN", default="", help="such as 'ap_fixed<{4..18},{2..7}>,ap_fixed<16,6>'")
    parser.add_argument("--reuse", metavar="RANGE", default="", help="such as 1..6 or 1,2,4")
    parser.add_argument("--keep", metavar="LAYER", action="append", default=[], help="a layer that stays as CONFIG says")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="the table, .csv or .json")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="where to draw: .png, .pdf or .svg")
    parser.add_argument(
        "--record",
        metavar="FILE",
        type=Path,
        help="every point with its provenance; what it holds is not run again (default: beside --output, .jsonl)",
    )
    worker_arguments(parser)


def _run(args: Namespace) -> Result:
    from nn2hls.scan.run import scan

    if not args.precision and not args.reuse:
        fix = "Give --precision 'ap_fixed<{8..18},6>', or --reuse 1..6, or both."
        raise UsageError("There is nothing to scan.", fix=fix)
    if args.output and args.output.suffix not in (".csv", ".json"):
        raise UsageError("A scan is written as .csv or .json.", where=str(args.output))
    if args.plot and args.plot.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"A plot is not written as '{args.plot.suffix}'.", where=str(args.plot), fix="Use .png, .pdf or .svg.")
    twice = next((path for path in args.config if args.config.count(path) > 1), None)
    if twice:
        raise UsageError("It is named twice.", where=str(twice), fix="Name every CONFIG once.")
    configs = {path: read(args, path, ("precision", "reuse")) for path in args.config}
    graphs = {path: load_graph(config) for path, config in configs.items()}
    first = next(iter(graphs))
    data = input_data(args, configs[first], graphs[first])
    labels = label_data(args, graphs[first].outputs[:1])
    names = _names(list(configs))
    result = scan(
        {names[path]: graph for path, graph in graphs.items()},
        {names[path]: config for path, config in configs.items()},
        x=data,
        y=labels,
        precisions=args.precision,
        reuses=args.reuse,
        keep=args.keep,
        jobs=args.jobs,
        cluster=args.cluster,
        record=args.record or (args.output.with_suffix(".jsonl") if args.output else None),
        metric=args.metric,
        threshold=args.threshold,
        progress=progress(),
    )
    found = _report(args, result, tuple(note for config in configs.values() for note in config.notes))
    if not args.output:
        return found
    data_files = [*(args.input or []), *([Path(args.labels)] if args.labels else [])]
    return replace(found, made=Made("scan", args.output, files_of(*configs.values(), more=data_files), (args.output,)))


def _names(paths: list[Path]) -> dict[Path, str]:
    """One network has no name; several are called as their files, or by their whole paths where these are alike."""
    if len(paths) == 1:
        return {paths[0]: ""}
    stems = [p.stem for p in paths]
    return {p: p.stem if stems.count(p.stem) == 1 else str(p) for p in paths}


def _report(args: Namespace, result: Any, notes: tuple[str, ...]) -> Result:
    import json

    from nn2hls.files import write_whole
    from nn2hls.text import finite

    text = result.text()
    if args.output:
        as_json = args.output.suffix == ".json"
        content = json.dumps(finite(result.to_dict()), indent=1) + "\n" if as_json else result.csv()
        write_whole(args.output, content)
        text += f"wrote {args.output}\n"
    if args.plot:
        from nn2hls.scan.plot import plot

        plot(result, args.plot)
        text += f"wrote {args.plot}\n"
    return Result(result.to_dict(), text, notes)


COMMAND = Command(
    "scan",
    "scan precision and reuse against accuracy and size",
    _arguments,
    _run,
    "One type and one reuse factor for the whole network at a time; what layers have of their own gives way.\n"
    "Several CONFIGs are scanned side by side, with the same data.",
)
