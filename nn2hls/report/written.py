"""A written project read back: its settings, what it was made from, what was expected of it, and what tools made of it.

project = nn2hls.open("my-hls-test")
project.config.part, project.estimate["lut"], project.damage
design = project.design()              # the same network again, where its model is still what it was
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn2hls.config.config import Config
from nn2hls.config.read import read_config
from nn2hls.design.about import CONFIG
from nn2hls.errors import ConfigError, Nn2hlsError, ToolError
from nn2hls.guard import Guard
from nn2hls.report.project import ToolReport, project_report
from nn2hls.text import one_line
from nn2hls.tools.boards.frames import FILE, Layout
from nn2hls.tools.folder import MANIFEST, MARK, Manifest, is_interrupted
from nn2hls.tools.mark import Mark, is_file, sha_of

if TYPE_CHECKING:
    from nn2hls.design.design import Design

_GUARD = Guard(ToolError, "This file", "Write the project again.")
_FIX = "Write the project again, with nn2hls convert or build."
SAME, CHANGED, GONE = "as it was", "changed since", "gone"


@dataclass(frozen=True)
class Origin:
    """A file that a project was made from.

    Args:
        what: The field of Config that names it.
        path: Where it was, seen from here.
        sha256: Its digest then; empty when it was gone.
        state: SAME, CHANGED or GONE.
    """

    what: str
    path: Path
    sha256: str
    state: str


@dataclass(frozen=True, repr=False)
class Written:
    """A project's folder; what is missing or damaged there is listed, and the rest is read.

    Args:
        folder: The project.
        name, backend, part, clock_ns: What it is; empty and 0 where its manifest is missing.
        version: Of the nn2hls that wrote it.
        digest: Of its sources.
        config: Every setting; None where it cannot be read.
        origins: The files that it was made from.
        estimate: What was expected of it: resources, latency, II; empty where nobody wrote it down.
        board: What it takes and gives on a board; None where it stands on none.
        tools: What each tool made of it, judged.
        damage: What is missing, changed or unreadable, a sentence each.
    """

    folder: Path
    name: str
    backend: str
    part: str
    clock_ns: float
    version: str
    digest: str
    config: Config | None
    origins: tuple[Origin, ...]
    estimate: Mapping[str, Any]
    board: Layout | None
    tools: tuple[ToolReport, ...]
    damage: tuple[str, ...]

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{t.report.tool} {t.verdict}" for t in self.tools) or "no tool was run"
        damage = f"; {len(self.damage)} damaged" if self.damage else ""
        return f"<Written {self.name or 'a project'} in {self.folder}: {verdicts}{damage}>"

    def __str__(self) -> str:
        return self.text()

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged, and every tool that was run is content."""
        return not self.damage and all(t.ok for t in self.tools)

    def design(self) -> Design:
        """The design that this project was written from, converted again, on its board.

        Raises:
            ConfigError: The settings cannot be read, or a file that decides the numbers is not what it was.
        """
        from nn2hls.design.design import convert

        if self.config is None:
            raise ConfigError("The settings of this project cannot be read.", where=str(self.folder / CONFIG), fix=_FIX)
        for origin in self.origins:
            if origin.what in ("model", "weights", "calibration") and origin.state != SAME:
                what = f"The project was written from this file, which is {origin.state}."
                raise ConfigError(what, where=str(origin.path), fix="Bring that file back, or write the project again.")
        design = convert(None, self.config)
        return design if self.board is None else design.on_board(self.board.board, self.board.baud, self.board.port)

    def text(self) -> str:
        """For people."""
        lines = [f"{self.name or 'a project'} in {self.folder}"]
        if self.name:
            lines.append(f"{self.backend}, {self.part}, {self.clock_ns:g} ns; written by nn2hls {self.version or 'unknown'}")
            lines.append(f"sources {self.digest[:12] or 'unknown'}")
        if self.board is not None:
            lines.append(f"on {self.board.board}, {self.board.port} with {self.board.baud:,} bits a second")
        lines += [f"{o.what}: {o.path}, {o.state}" for o in self.origins]
        if self.estimate:
            lines.append(f"estimate: {', '.join(f'{k} {v:,}' for k, v in self.estimate.items() if v)}")
        lines += [f"{t.report.tool}: {t.verdict}" for t in self.tools] or ["no tool was run"]
        lines += [f"DAMAGED: {what}" for what in self.damage]
        return "\n".join("  " * (k > 0) + one_line(line) for k, line in enumerate(lines)) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        names = ("name", "backend", "part", "clock_ns", "version", "digest")
        origins = [{"what": o.what, "path": str(o.path), "sha256": o.sha256, "state": o.state} for o in self.origins]
        return {
            "folder": str(self.folder),
            **{name: getattr(self, name) for name in names},
            "origins": origins,
            "estimate": dict(self.estimate),
            "board": None if self.board is None else self.board.board,
            "tools": {t.report.tool: t.verdict for t in self.tools},
            "damage": list(self.damage),
            "ok": self.ok,
        }


def open(folder: str | os.PathLike[str]) -> Written:  # noqa: A001  # the public name is nn2hls.open
    """Read a project that nn2hls wrote.

    Args:
        folder: Where it stands.

    Raises:
        ToolError: There is no such folder, or nn2hls wrote nothing there.
    """
    place = Path(os.path.expanduser(folder))
    if not place.is_dir():
        raise ToolError("There is no such folder.", where=str(folder), fix="Name the OutputDir of a project.")
    reader = _Reader(place)
    mark = reader.read(lambda: Mark.read(place), None)
    manifest = reader.read(lambda: Manifest.read(place), None)
    if mark is None and manifest is None and not reader.damage and not is_interrupted(place):
        fix = "Name the OutputDir of a project, or write one: nn2hls convert CONFIG."
        raise ToolError("There is no project that nn2hls wrote.", where=str(folder), fix=fix)
    reader.files(mark)
    more = reader.read(lambda: _GUARD.load(place / MANIFEST), {}) if manifest else {}
    about = more if isinstance(more, dict) else {}
    name, backend, part = (manifest.name, manifest.backend, manifest.part) if manifest else ("", "", "")
    return Written(
        place,
        name,
        backend,
        part,
        manifest.clock_ns if manifest else 0.0,
        _text(about.get("version")),
        mark.digest if mark else "",
        reader.read(lambda: read_config(place / CONFIG), None) if is_file(place / CONFIG) else None,
        tuple(reader.origins(about.get("origins"))),
        reader.estimate(about.get("estimate")),
        reader.read(lambda: Layout.read(place), None) if is_file(place / "rtl" / FILE) else None,
        reader.tools(),
        tuple(dict.fromkeys(reader.damage)),
    )


def _text(data: Any) -> str:
    return data[:80] if isinstance(data, str) else ""


class _Reader:
    """Reads what can be read, and keeps what cannot."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.damage = folder, list[str]()

    def read(self, one: Any, default: Any) -> Any:
        """What is read; the default where it is damaged."""
        try:
            return one()
        except Nn2hlsError as error:
            self.damage.append(str(error))
            return default

    def files(self, mark: Mark | None) -> None:
        """What does not stand there as it was written."""
        if is_interrupted(self.folder):
            self.damage.append(f"Writing the project was interrupted: its files may be of two versions. {_FIX}")
        if mark is None:
            self.damage.append(f"{MARK} is missing, which says what was written. {_FIX}")
            return
        for path, sha in sorted({**mark.sources, **mark.about}.items()):
            found = self.read(lambda p=path: sha_of(self.folder / p), None)
            if found is None:
                self.damage.append(f"{path} is missing. {_FIX}")
            elif found != sha and path in mark.sources:
                self.damage.append(f"{path} was changed after it was written.")

    def origins(self, data: Any) -> list[Origin]:
        """The files that it was made from, as they are today."""
        found = []
        for what, origin in data.items() if isinstance(data, dict) else ():
            path, sha = (origin.get("path"), origin.get("sha256")) if isinstance(origin, dict) else (None, None)
            if not isinstance(path, str) or not isinstance(sha, (str, type(None))):
                self.damage.append(f"{MANIFEST} does not say from which file '{one_line(str(what))[:40]}' was. {_FIX}")
                continue
            place = Path(os.path.normpath(os.path.realpath(self.folder) + "/" + path))
            now = self.read(lambda p=place: sha_of(p), None)
            state = GONE if now is None else SAME if now == sha else CHANGED
            found.append(Origin(str(what), place, sha or "", state))
        return found

    def estimate(self, data: Any) -> dict[str, Any]:
        """The figures that the manifest has."""
        if data is None:
            return {}
        if not isinstance(data, dict) or not all(isinstance(v, (int, float)) for v in data.values()):
            self.damage.append(f"{MANIFEST} has no estimate that can be read. {_FIX}")
            return {}
        return {str(k): v for k, v in data.items()}

    def tools(self) -> tuple[ToolReport, ...]:
        """What tools made of it."""
        damage = list[Nn2hlsError]()
        try:
            found = project_report(self.folder, damage=damage).tools
        except Nn2hlsError:  # no report: no tool was run
            found = ()
        self.damage += [str(error) for error in damage]
        return found
