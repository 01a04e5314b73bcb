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
    load_graph,
    read,
)

if TYPE_CHECKING:
    from nn2hls.config import Config
    from nn2hls.ir import Graph


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write (default: the standard output)")
    parser.add_argument(
        "--target-agreement",
        metavar="SHARE",
        help="find the TargetSQNR at which this share of the events, 0.995 or 99.5%%, is answered as in float",
    )
    parser.add_argument(
        "--explain",
        metavar="LAYER",
        nargs="?",
        const="",
        help="show the types and settings of a layer, or of all, and where they come from",
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def _run(args: Namespace) -> Result:
    from nn2hls.config_write import to_yaml

    target = config_target(args)
    if target and args.explain is not None:
        raise UsageError("--explain writes no config.", where="--output", fix="Leave one of the two out.")
    if args.target_agreement is not None and args.target_sqnr is not None:
        raise UsageError(
            "--target-agreement finds the TargetSQNR itself.", where="--target-sqnr", fix="Leave one of the two out."
        )
    config = read(args)
    graph = load_graph(config)
    found: tuple[str, ...] = ()
    if args.target_agreement is not None:
        config, said = _agree(args, config, graph)
        found = (said,)
    if args.explain is not None:
        return _explain(config, graph, args.explain, found)
    text = to_yaml(config.check(graph), graph, (target.parent if target else Path()).absolute())
    document = {"config": text, "written": str(target) if target else None, "layers": [n.name for n in graph]}
    notes = (*config.notes, *found)
    if target is None:
        return Result(document, text, notes)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return Result(document, f"wrote {target}\nnext: nn2hls convert {target}\n", notes)


def _agree(args: Namespace, config: Config, graph: Graph) -> tuple[Config, str]:
    """The config with the TargetSQNR that reaches --target-agreement on --input, else on the calibration data."""
    from nn2hls.config_options import with_options
    from nn2hls.data import load_inputs
    from nn2hls.scan_agreement import find_target, parse_share

    share = parse_share(args.target_agreement)
    if args.input or not config.calibration:
        data = input_data(args, config, graph)
    else:
        data = load_inputs([config.calibration], {n.name: n.shape for n in graph.inputs})
    found = find_target(graph, config, data, share)
    return with_options(config, {"target_sqnr": found.target_sqnr}), found.text()


def _explain(config: Config, graph: Graph, layer: str, found: tuple[str, ...]) -> Result:
    """Where the types and settings of one layer, or of all, come from."""
    from nn2hls.commands.types import setting_rows, type_rows
    from nn2hls.design import convert
    from nn2hls.design_text import layer_rows, layer_table
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
