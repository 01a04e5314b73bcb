"""``nn2hls config``: write a YAML config for a model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nn2hls.commands.base import Command, Result, UsageError, config_arguments, load_graph, read

if TYPE_CHECKING:
    from nn2hls.config import Config
    from nn2hls.ir import Graph


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write (default: the standard output)")
    parser.add_argument("--explain", action="store_true", help="show what holds for each layer, and where it was set")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def _run(args: Namespace) -> Result:
    from nn2hls.config_write import to_yaml

    config = read(args)
    graph = load_graph(config)
    if args.explain:
        return _explain(config.check(graph), graph)
    target: Path | None = args.output
    text = to_yaml(config.check(graph), graph, (target.parent if target else Path()).absolute())
    document = {"config": text, "written": str(target) if target else None, "layers": [n.name for n in graph]}
    if target is None:
        return Result(document, text, config.notes)
    if target.exists() and not args.force:
        raise UsageError("The file is there already.", where=str(target), fix="Add --force to write over it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return Result(document, f"wrote {target}\nnext: nn2hls convert {target}\n", config.notes)


def _explain(config: Config, graph: Graph) -> Result:
    """What the config says of each node; what it does not say is derived or a default."""
    from nn2hls.text import table

    found = []
    for node in graph:
        settings = config.settings_of(node)
        for name, where in settings.sources.items():
            value = getattr(settings, name, None) if name not in settings.precision else settings.precision[name]
            found.append(
                {"layer": node.name, "setting": name, "value": "auto" if value is None else str(value), "where": where}
            )
    head = ["layer", "setting", "value", "where"]
    text = table(head, [[row[h] for h in head] for row in found]) if found else ""
    return Result(
        {"settings": found}, text + "What is not listed is derived, or the default of docs/config.md.\n", config.notes
    )


COMMAND = Command("config", "write a YAML config for a model", _arguments, _run)
