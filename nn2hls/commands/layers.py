"""``nn2hls layers``: which layers are read, by each framework's own names."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from nn2hls.commands.base import Command, Result, UsageError


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="only layers with this in one of their names, in any case")


def _run(args: Namespace) -> Result:
    from nn2hls.converters.catalogue import COLUMNS, ROWS
    from nn2hls.errors import suggest
    from nn2hls.text import table

    columns = [column for _, column in COLUMNS]
    known = [name for row in ROWS for column in columns for name in row.names(column)]
    word = (args.name or "").lower()
    rows = [r for r in ROWS if word in r.what.lower() or any(word in n.lower() for c in columns for n in r.names(c))]
    if not rows:
        raise UsageError(f"No layer that is read is called '{args.name}'.", fix=suggest(args.name, known))
    listed = [
        {"layer": r.what, "numbers": r.numbers, "strategies": r.strategies, **{c: r.names(c) for c in columns}} for r in rows
    ]
    shown = [[r.what, r.numbers, *(getattr(r, c) for c in columns)] for r in rows]
    return Result({"layers": listed}, table(["layer", "numbers", *(title for title, _ in COLUMNS)], shown))


COMMAND = Command("layers", "list the layers that are read, by each framework's names", _arguments, _run)
