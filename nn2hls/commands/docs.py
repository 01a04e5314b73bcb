"""Writes docs/cli.md from the commands: ``python -m nn2hls.commands.docs > docs/cli.md``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from nn2hls.commands import COMMANDS

_INTRO = """\
# The command line

`nn2hls COMMAND [CONFIG] [options]`. CONFIG is a YAML config or a model file. Every command has `--json`, one document on the
standard output, and ends with 0 when it did what was asked, 1 when it failed, 2 when the command line is wrong. Progress and
notes go to the standard error. This page is written by `python -m nn2hls.commands.docs`.
"""


def text() -> str:
    """The page."""
    return "\n".join([_INTRO, *(line for command in COMMANDS for line in _command(command.name))])


def _command(name: str) -> Iterator[str]:
    command = next(c for c in COMMANDS if c.name == name)
    parser = argparse.ArgumentParser(prog=f"nn2hls {name}", add_help=False)
    command.arguments(parser)
    yield f"## {name}\n"
    yield f"{_sentence(command.help)} {command.more}".strip() + "\n"
    named = [a for a in parser._actions if a.option_strings]
    rows = [(a.metavar if isinstance(a.metavar, str) else a.dest, a) for a in parser._actions if not a.option_strings]
    rows += [(", ".join(a.option_strings) + _value(a), a) for a in named]
    if rows:
        yield "| argument | |"
        yield "|---|---|"
        yield from (f"| `{words}` | {_cell(action)} |" for words, action in rows)
        yield ""


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _value(action: argparse.Action) -> str:
    """What follows an option."""
    if action.nargs == 0:
        return ""
    if action.choices is not None:
        return " " + "\\|".join(map(str, action.choices))
    return f" {action.metavar or action.dest.upper()}" + (" ..." if action.nargs == "+" else "")


def _cell(action: argparse.Action) -> str:
    """The help of an argument inside a table."""
    return (action.help or "").replace("%%", "%").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


if __name__ == "__main__":
    print(text(), end="")
