"""A state of a model and what made it: a small JSON beside every artefact.

A file ``tagger.csv`` has ``tagger.csv.history.json``, a folder ``nn2hls-history.json`` in it. Both hold states in the order in
which they came about. Paths in it start at its folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nn2hls._version import __version__
from nn2hls.errors import DataError
from nn2hls.files import write_whole
from nn2hls.guard import Guard

IN_FOLDER, BESIDE = "nn2hls-history.json", ".history.json"
PYTHON = "python"  # in place of the words of the command line: the call follows
KINDS = ("recipe", "convert", "build", "export", "weights", "scan", "search")
MOST_STATES, MOST_FILES, MOST_BYTES = 1000, 100_000, 64 << 20  # of one JSON
_GUARD = Guard(DataError, "The history", "Remove it; it is written again by the next command.")


@dataclass(frozen=True)
class File:
    """A file that went in or came out: its path from the folder of the history, and its SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class State:
    """What made one artefact.

    Args:
        kind: One of ``KINDS``; a recipe is what was done outside of nn2hls, in the words of who did it.
        command: The words of the command line behind ``nn2hls``; of a recipe those of the user; or ``PYTHON`` and a call.
        inputs, outputs: Files.
        start: The folder it ran in, from the folder of the history.
        seed: Of what was drawn.
        versions: Of nn2hls, Python and NumPy.
    """

    kind: str
    command: tuple[str, ...]
    inputs: tuple[File, ...] = ()
    outputs: tuple[File, ...] = ()
    start: str = "."
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def edge(self) -> tuple[Any, ...]:
        """What it is apart from the words: of two spellings it is one."""
        words = self.command if self.kind == "recipe" or not self.outputs else ()
        return self.kind, words, self.inputs, self.outputs, self.seed, tuple(sorted(self.versions.items()))

    @property
    def name(self) -> str:
        """Twelve digits of the digest of all that it says: the same edge has the same name wherever it lies."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


_told: ContextVar[bool] = ContextVar("told", default=False)


@contextmanager
def told() -> Iterator[None]:
    """Whoever runs inside keeps what is written there; a design keeps nothing by itself."""
    token = _told.set(True)
    try:
        yield
    finally:
        _told.reset(token)


def is_told() -> bool:
    """Whether somebody keeps what is written now."""
    return _told.get()


def versions() -> dict[str, str]:
    """Of what computes."""
    import numpy as np

    return {"nn2hls": __version__, "python": platform.python_version(), "numpy": np.__version__}


def history_of(place: Path) -> Path:
    """Where the history of a file or folder lies."""
    return place / IN_FOLDER if place.is_dir() else place.with_name(place.name + BESIDE)


def files(paths: Iterable[Path], folder: Path) -> tuple[File, ...]:
    """Paths from a folder on, with their digests."""
    real = Path(os.path.realpath(folder))
    return tuple(File(Path(os.path.relpath(os.path.realpath(p), real)).as_posix(), _GUARD.digest(p)) for p in paths)


def keep(
    place: Path, kind: str, command: Sequence[str], inputs: Iterable[Path], outputs: Iterable[Path], seed: int | None
) -> State:
    """Write a state into the history of ``place``; one that is there already is not written twice, however its command spells
    the files that went in and the folder that came out.

    Raises:
        DataError: A history is there and is none, or a file cannot be read.
    """
    path = history_of(place)
    folder = path.parent
    start = Path(os.path.relpath(Path.cwd(), os.path.realpath(folder))).as_posix()
    state = State(kind, tuple(command), files(inputs, folder), files(outputs, folder), start, seed, versions())
    known = read(path) if _GUARD.status(path) is not None else []
    if state.edge not in {s.edge for s in known}:
        states = [asdict(s) for s in [*known, state]][-MOST_STATES:]
        write_whole(path, json.dumps({"states": states}, indent=1) + "\n")
    return state


def read(path: Path) -> list[State]:
    """The states of a history.

    Raises:
        DataError: It is missing, damaged, or holds something else.
    """
    document = _GUARD.load(path, MOST_BYTES)
    try:
        states = document["states"]
        if set(document) != {"states"} or not isinstance(states, list) or len(states) > MOST_STATES:
            raise TypeError
        return [_state(one) for one in states]
    except (KeyError, TypeError, AttributeError):
        raise _GUARD.refuse("It is not the history of an artefact.", path) from None


def _state(document: Mapping[str, Any]) -> State:
    found = dict(document)
    for key in ("inputs", "outputs"):
        found[key] = tuple(File(**_words(one)) for one in found[key])
    found["command"] = tuple(map(_word, found["command"]))
    found["versions"] = _words(found["versions"])
    state = State(**found)
    if state.kind not in KINDS or not isinstance(_word(state.start), str) or not isinstance(state.seed, int | None):
        raise TypeError
    if len(state.inputs) + len(state.outputs) > MOST_FILES:
        raise TypeError
    return state


def _word(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    return value


def _words(document: Mapping[str, Any]) -> dict[str, str]:
    return {_word(k): _word(v) for k, v in document.items()}
