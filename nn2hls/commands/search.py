"""``nn2hls search``: per-layer types and reuse factors for accuracy, size and latency at once."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import (
    Command,
    Made,
    Result,
    UsageError,
    config_arguments,
    config_target,
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
    config_arguments(parser, leave_out=("precision", "reuse"))
    input_arguments(parser)
    words = "class numbers, one-hot rows, or values of the first output"
    metric_arguments(parser, words, target="score that the chosen design reaches (default: 40 dB of SQNR, else by --max-loss)")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write the chosen config: .yml")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    group = parser.add_argument_group("the search")
    group.add_argument("--reuse", metavar="RANGE", default="", help="reuse factors to choose from, such as 1,2,4")
    group.add_argument("--max-loss", metavar="POINTS", type=float, default=0.5, help="allowed loss, in per cent (default: 0.5)")
    group.add_argument("--max-latency", metavar="NS", type=float, help="allowed latency")
    group.add_argument("--widest", metavar="BITS", type=int, default=12, help="of results and weights (default: 12)")
    group.add_argument("--trials", metavar="N", type=int, default=300, help="designs after the first look (default: 300)")
    group.add_argument("--held-out", metavar="SHARE", type=float, default=0.5, help="of the events, never seen (default: 0.5)")
    group.add_argument("--seed", metavar="N", type=int, default=0, help="of the split and of the sampler (default: 0)")
    group.add_argument("--storage", metavar="URL", help="where Optuna keeps the study, such as sqlite:///search.db")
    group.add_argument("--study", metavar="NAME", help="its name there (default: nn2hls)")
    worker_arguments(parser)


def _run(args: Namespace) -> Result:
    from nn2hls.files import write_whole
    from nn2hls.search.run import search, written

    target = config_target(args)
    if args.study and not args.storage:
        raise UsageError("Without --storage a study is not kept.", where="--study", fix="Add --storage sqlite:///search.db.")
    config = read(args, leave_out=("precision", "reuse"))
    graph = load_graph(config)
    result = search(
        graph,
        config,
        x=input_data(args, config, graph),
        y=label_data(args, graph.outputs[:1]),
        trials=args.trials,
        max_loss=args.max_loss / 100,
        max_latency=args.max_latency,
        reuses=args.reuse,
        widest=args.widest,
        held_out=args.held_out,
        seed=args.seed,
        jobs=args.jobs,
        cluster=args.cluster,
        storage=args.storage,
        study=args.study or "nn2hls",
        metric=args.metric,
        threshold=args.threshold,
        target=args.target,
        progress=progress(),
    )
    text = result.text()
    if target is not None:
        write_whole(target, written(result, graph, target))
        text += f"wrote {target}\nnext: nn2hls convert {target}\n"
    data_files = [*(args.input or []), *([Path(args.labels)] if args.labels else [])]
    made = Made("search", target, files_of(config, more=data_files), (target,), args.seed) if target else None
    return Result({**result.to_dict(), "written": str(target) if target else None}, text, config.notes, made=made)


COMMAND = Command(
    "search",
    "search types and reuse factors of every layer for accuracy, size and latency",
    _arguments,
    _run,
    "Half of the events choose the design, the other half says what it is worth.",
)
