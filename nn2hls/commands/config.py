"""``nn2hls config``: write a YAML config for a model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nn2hls.commands.base import (
    Command,
    Result,
    UsageError,
    config_arguments,
    config_target,
    input_arguments,
    input_data,
    label_data,
    load_graph,
    metric_arguments,
    read,
)

if TYPE_CHECKING:
    from nn2hls.config.config import Config
    from nn2hls.graph.graph import Graph


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write (default: the standard output)")
    parser.add_argument(
        "--target-agreement",
        metavar="SHARE",
        help="find the TargetSQNR at which this share of the events, 0.995 or 99.5%%, is answered as in float",
    )
    words = "class numbers, one-hot rows, or values; once for each output"
    metric_arguments(parser, words, several=True, target="find the TargetSQNR at which --metric reaches this score")
    parser.add_argument(
        "--explain",
        metavar="LAYER",
        nargs="?",
        const="",
        help="show the types and settings of a layer, or of all, and where they come from",
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def _run(args: Namespace) -> Result:
    from nn2hls.config.check import bind
    from nn2hls.config.write import to_yaml
    from nn2hls.files import write_whole

    target = config_target(args)
    if target and args.explain is not None:
        raise UsageError("--explain writes no config.", where="--output", fix="Leave one of the two out.")
    finding = _finding(args)
    config = read(args)
    graph = load_graph(config)
    found: tuple[str, ...] = ()
    if finding:
        config, said = _agree(args, config, graph)
        found = (said,)
    if args.explain is not None:
        return _explain(config, graph, args.explain, found)
    text = to_yaml(bind(config, graph), graph, (target.parent if target else Path()).absolute())
    document = {"config": text, "written": str(target) if target else None, "layers": [n.name for n in graph]}
    notes = (*config.notes, *found)
    if target is None:
        return Result(document, text, notes)
    write_whole(target, text)
    return Result(document, f"wrote {target}\nnext: nn2hls convert {target}\n", notes)


def _finding(args: Namespace) -> bool:
    """Whether a TargetSQNR is to be found.

    Raises:
        UsageError: It is given, or what is asked for does not fit together.
    """
    given = [f"--{name.replace('_', '-')}" for name in ("target_agreement", "target") if getattr(args, name) is not None]
    if given and args.target_sqnr is not None:
        raise UsageError(f"{given[0]} finds the TargetSQNR itself.", where="--target-sqnr", fix="Leave one of the two out.")
    if len(given) > 1:
        raise UsageError("Both say what is to be reached.", where=", ".join(given), fix="Leave one of the two out.")
    if args.target is not None and args.metric is None:
        raise UsageError("A score needs a metric.", where="--target", fix="Add --metric sqnr, or another one.")
    if args.target_agreement is not None and args.metric not in (None, "agreement"):
        raise UsageError(f"It asks for agreement, not for {args.metric}.", where="--target-agreement", fix="Use --target.")
    if not given and (args.metric or args.labels or args.threshold is not None):
        raise UsageError("There is nothing to judge.", where="--metric", fix="Add --target SCORE, or --target-agreement SHARE.")
    return bool(given)


def _agree(args: Namespace, config: Config, graph: Graph) -> tuple[Config, str]:
    """The config with the TargetSQNR that reaches the goal on --input, else on the calibration data."""
    from nn2hls.config.options import with_options
    from nn2hls.data.files import load_inputs
    from nn2hls.scan.agreement import find_target, parse_share

    goal = args.target if args.target is not None else parse_share(args.target_agreement)
    if args.input or not config.calibration:
        data = input_data(args, config, graph)
    else:
        data = load_inputs([config.calibration], {n.name: n.shape for n in graph.inputs})
    found = find_target(graph, config, data, goal, label_data(args, graph.outputs), args.metric, args.threshold)
    return with_options(config, {"target_sqnr": found.target_sqnr}), found.text()


def _explain(config: Config, graph: Graph, layer: str, found: tuple[str, ...]) -> Result:
    """Where the types and settings of one layer, or of all, come from."""
    from nn2hls.commands.types import setting_rows
    from nn2hls.design.design import convert
    from nn2hls.design.text import layer_rows, layer_table, type_rows
    from nn2hls.errors import suggest
    from nn2hls.text import table

    design = convert(graph, config)
    nodes = [n for n in design.graph if layer in ("", n.name, n.origin.layer)]
    if not nodes:
        known = [n.name for n in design.graph]
        fix = suggest(layer, known) or f"Layers are {', '.join(known)}."
        raise UsageError(f"The design has no layer '{layer}'.", where="--explain", fix=fix)
    names = {n.name for n in nodes}
    layers = [row for row in layer_rows(design) if row["name"] in names]
    types = [row for node in nodes for row in type_rows(design, node)]
    settings = [row for node in nodes for row in setting_rows(design.config, node)]
    parts = [layer_table(layers)] if not layer else []
    for head, rows in ((["layer", "word", "type", "level", "why"], types), (["layer", "setting", "value", "where"], settings)):
        parts.append(table(head, [[row[h] for h in head] for row in rows]) if rows else "")
    parts.append("What is not listed is the default of docs/config.md; docs/precision.md explains the levels.\n")
    document = {"layers": layers, "types": types, "settings": settings}
    return Result(document, "\n".join(p for p in parts if p), (*design.notes, *found))


COMMAND = Command("config", "write a YAML config for a model", _arguments, _run)
