"""``nn2hls replay``: a step of a history again, into a folder of its own, and the digests of its results compared."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nn2hls.commands import convert, export, scan, search
from nn2hls.commands.base import Command, Made, Result
from nn2hls.errors import DataError

if TYPE_CHECKING:
    from nn2hls.history.tree import Entry

_BY_KIND = {c.name: c for c in (convert.COMMAND, export.COMMAND, scan.COMMAND, search.COMMAND)}
_WHY_NOT = {
    "build": "times and logs of tools differ from run to run: run its command again",
    "recipe": "it was made outside of nn2hls",
}


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("place", metavar="DIR|FILE", type=Path, help="whose history holds the state")
    parser.add_argument("state", metavar="STATE", help="its name, or how that begins; `nn2hls history` lists them")


def _run(args: Namespace) -> Result:
    from nn2hls.history.state import PYTHON
    from nn2hls.history.tree import gather

    entry = gather(args.place).find(args.state)
    state = entry.state
    if state.kind not in _BY_KIND:
        raise DataError(f"A {state.kind} is not replayed: {_WHY_NOT[state.kind]}.", where=state.name)
    if state.command[:1] == (PYTHON,):
        what, fix = "It was made in Python, and nothing of a file is run as Python.", "Run the program that made it again."
        raise DataError(what, where=state.name, fix=fix)
    changed = [f"{f.path} is not what went in" for f in state.inputs if _digest(entry.path(f)) != f.sha256]
    near = entry.folder.absolute() if state.kind == "search" else None  # a config names its files from where it lies
    with tempfile.TemporaryDirectory(dir=near) as scratch, _inside(entry.folder / state.start):
        made = _again(_BY_KIND[state.kind], state.command, Path(scratch))
        lines = changed + _differences(entry, made)
    text = "\n".join([*lines, f"{state.name}: {'DIFFERENT' if lines else 'the same'}, {len(state.outputs)} files\n"])
    return Result({"state": state.name, "same": not lines, "differences": lines}, text, ok=not lines)


def _again(command: Command, words: Sequence[str], folder: Path) -> Made:
    """Run the words of a history, which come from a file: only as this command, and with everything written into ``folder``."""
    if not words or words[0] != command.name:
        raise DataError(f"Its words are not those of {command.name}.", where="command")
    parser = _Quiet(prog=f"nn2hls {command.name}")
    command.arguments(parser)
    for option in ("--json", "--quiet", "--verbose"):
        parser.add_argument(option, action="store_true")
    parser.set_defaults(command=command.name)
    args = parser.parse_args(list(words[1:]))
    _TAMED[command.name](args, folder)
    made = command.run(args).made
    if made is None:
        raise DataError("It wrote nothing.", where=command.name)
    return made


class _Quiet(ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise DataError(f"Its words are not understood: {message}.", where=self.prog)


def _tame_convert(args: Namespace, folder: Path) -> None:
    args.output, args.force = folder / "project", True


def _tame_export(args: Namespace, folder: Path) -> None:
    args.output = folder / "exported"


def _tame_scan(args: Namespace, folder: Path) -> None:
    args.output = folder / "scan.csv" if args.output else None
    args.record = args.plot = args.cluster = None
    args.jobs = 1


def _tame_search(args: Namespace, folder: Path) -> None:
    args.output, args.force = folder / "found.yml", True
    args.storage = args.cluster = None
    args.jobs = 1


_TAMED: dict[str, Callable[[Namespace, Path], None]] = {
    "convert": _tame_convert,
    "export": _tame_export,
    "scan": _tame_scan,
    "search": _tame_search,
}


def _differences(entry: Entry, made: Made) -> list[str]:
    """Results that are not what they were: those of a folder by their paths in it, a file by itself."""
    before = [f.sha256 for f in entry.state.outputs]
    after = [_digest(p) for p in made.outputs]
    if len(before) != len(after):
        return [f"{len(before)} files became {len(after)}"]
    pairs = zip(entry.state.outputs, before, after, strict=True)
    return [f"{file.path} differs" for file, a, b in pairs if a != b]


def _digest(path: Path) -> str | None:
    from nn2hls.guard import Guard

    guard = Guard(DataError, "A file of the history")
    return None if guard.status(path) is None else guard.digest(path)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """In the folder where the command ran."""
    before = Path.cwd()
    try:
        os.chdir(folder)
    except OSError:
        raise DataError("The folder it ran in is not there.", where=str(folder)) from None
    try:
        yield
    finally:
        os.chdir(before)


COMMAND = Command("replay", "run a step of a history again and compare its results", _arguments, _run)
