"""``nn2hls history``: how an artefact came about, and ``nn2hls replay``: one step of it again."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Result, UsageError


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("place", metavar="DIR|FILE", type=Path, help="a project, a config, a model, or what a scan wrote")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="draw the tree: .svg")
    parser.add_argument(
        "--recipe", metavar="WORDS", help="what made FILE outside of nn2hls, such as 'pruned to 30 %%, 7 rounds'"
    )
    parser.add_argument("--from", dest="sources", metavar="FILE", nargs="+", type=Path, default=[], help="what the recipe took")
    parser.add_argument("--seed", metavar="N", type=int, help="of the recipe")


def _run(args: Namespace) -> Result:
    from nn2hls.files import write_whole
    from nn2hls.history.picture import svg
    from nn2hls.history.state import keep
    from nn2hls.history.tree import gather

    if args.svg and args.svg.suffix.lower() != ".svg":
        raise UsageError(f"The picture is not written as '{args.svg.suffix}'.", where=str(args.svg), fix="Use .svg.")
    if (args.sources or args.seed is not None) and not args.recipe:
        raise UsageError("They belong to a recipe.", where="--from, --seed", fix="Add --recipe WORDS.")
    if args.recipe:
        if not args.place.is_file():
            raise UsageError("A recipe makes a file that is there.", where=str(args.place))
        keep(args.place, "recipe", [args.recipe], args.sources, [args.place], args.seed)
    tree = gather(args.place)
    text = tree.text()
    if args.svg:
        write_whole(args.svg, svg(tree))
        text += f"wrote {args.svg}\n"
    return Result({"states": tree.to_dict()}, text)


COMMAND = Command(
    "history",
    "show how a project, config or model came about",
    _arguments,
    _run,
    "convert, build, scan and search keep what went in and came out, with digests, versions and seeds, in a JSON beside it.",
)
