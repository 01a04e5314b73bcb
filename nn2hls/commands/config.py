"""``nn2hls config``: write a YAML config for a model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Result, UsageError, config_arguments, load_graph, read


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write (default: the standard output)")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def _run(args: Namespace) -> Result:
    from nn2hls.config_write import to_yaml

    config = read(args)
    graph = load_graph(config)
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


COMMAND = Command("config", "write a YAML config for a model", _arguments, _run)
