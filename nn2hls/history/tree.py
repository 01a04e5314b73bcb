"""The tree of states behind an artefact: the histories of what went in, and of what went into that."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn2hls.errors import DataError
from nn2hls.guard import Guard
from nn2hls.history.state import PYTHON, File, State, history_of, read
from nn2hls.text import one_line, plural

MOST_HISTORIES = 1000
_GUARD = Guard(DataError, "A file of the history")


@dataclass(frozen=True)
class Entry:
    """A state and where its history lies, with the states whose results it read."""

    state: State
    folder: Path
    parents: tuple[str, ...] = ()

    def path(self, file: File) -> Path:
        """A file of it, from the current directory."""
        return Path(os.path.normpath(self.folder / file.path))


@dataclass(frozen=True)
class Tree:
    """All states, those that came first before the others."""

    entries: tuple[Entry, ...]

    def find(self, name: str) -> Entry:
        """The state whose name begins so.

        Raises:
            DataError: There is none, or several.
        """
        found = [e for e in self.entries if name and e.state.name.startswith(name)]
        if len(found) != 1:
            known = ", ".join(e.state.name for e in self.entries)
            raise DataError(f"{len(found) or 'No'} states are called '{name}'.", where="state", fix=f"There are {known}.")
        return found[0]

    def depths(self) -> dict[str, int]:
        """How many edges lead to each state, the longest way."""
        depth: dict[str, int] = {}
        for entry in self.entries:
            depth[entry.state.name] = 1 + max((depth[p] for p in entry.parents if p in depth), default=-1)
        return depth

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain data for JSON."""
        from dataclasses import asdict

        return [{"name": e.state.name, "parents": list(e.parents), **asdict(e.state)} for e in self.entries]

    def text(self) -> str:
        """For people: a line a state, deeper ones further right, with what went in and what became of the results."""
        depth, lines = self.depths(), []
        for entry in self.entries:
            indent = "  " * depth[entry.state.name]
            lines.append(f"{indent}{entry.state.name}  {said(entry.state)}")
            lines += [f"{indent}  from {name}" for name in _sources(entry)]
            lines.append(f"{indent}  {outcome(entry)}")
        return "\n".join(lines) + "\n" if lines else "No state is known.\n"


def said(state: State) -> str:
    """What was done, on one line that no terminal takes for more than text."""
    own = f" (nn2hls {one_line(state.versions.get('nn2hls', '?'))})"
    if state.kind == "recipe":
        return f"recipe: {one_line(' '.join(state.command))}"
    if state.command[:1] == (PYTHON,):
        return f"Python: {one_line(' '.join(state.command[1:]))}{own}"
    return one_line(shlex.join(["nn2hls", *state.command])) + own


def _sources(entry: Entry) -> list[str]:
    return [f"{one_line(f.path)} {f.sha256[:8]}" for f in entry.state.inputs[:8]]


def outcome(entry: Entry) -> str:
    """Whether the results are there as they were made."""
    changed, gone = 0, 0
    for file in entry.state.outputs:
        path = entry.path(file)
        if _GUARD.status(path) is None:
            gone += 1
        elif _GUARD.digest(path) != file.sha256:
            changed += 1
    count = len(entry.state.outputs)
    found = [f"{changed} changed"] * bool(changed) + [f"{gone} gone"] * bool(gone)
    return f"gave {plural(count, 'file')}: {', '.join(found) if found else 'as they were made'}"


def gather(place: Path) -> Tree:
    """The states of a file or folder and of all that they came from.

    Raises:
        DataError: Nothing is known of it, or a history is damaged.
    """
    first = history_of(place)
    if _GUARD.status(first) is None:
        fix = "convert, build, scan and search write one; `nn2hls history FILE --recipe WORDS` tells of another file."
        raise DataError("It has no history.", where=str(place), fix=fix)
    found: dict[str, tuple[State, Path]] = {}
    todo, seen = [first], {os.path.realpath(first)}
    while todo and len(seen) < MOST_HISTORIES:
        path = todo.pop()
        for state in read(path):
            found.setdefault(state.name, (state, path.parent))
            for file in state.inputs:
                near = Path(os.path.normpath(path.parent / file.path))
                history = history_of(near)
                if os.path.realpath(history) not in seen and _GUARD.status(history) is not None:
                    seen.add(os.path.realpath(history))
                    todo.append(history)
    return Tree(tuple(_ordered(found)))


def _ordered(found: dict[str, tuple[State, Path]]) -> list[Entry]:
    """Parents first; a state read what an earlier one wrote where the digests are the same."""
    made = {file.sha256: name for name, (state, _) in found.items() for file in state.outputs}
    parents = {
        name: tuple(dict.fromkeys(made[f.sha256] for f in state.inputs if made.get(f.sha256, name) != name))
        for name, (state, _) in found.items()
    }
    done: dict[str, Entry] = {}
    left = list(found)
    while left:
        ready = [n for n in left if all(p in done for p in parents[n])] or left[
            :1
        ]  # of a circle, which no run makes, the first
        for name in ready:
            done[name] = Entry(*found[name], parents[name])
        left = [n for n in left if n not in done]
    return list(done.values())
