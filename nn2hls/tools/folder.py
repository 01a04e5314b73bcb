"""A generated project: files by path, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from nn2hls.errors import Nn2hlsError, ProjectWarning
from nn2hls.files import real_place
from nn2hls.guard import Guard
from nn2hls.tools.mark import MARK, Mark, digest_of, sha256
from nn2hls.tools.writer import check_folder, is_interrupted, write_folder

__all__ = ["MANIFEST", "MARK", "Manifest", "Project", "data_folder", "is_interrupted", "render", "written_sources"]

_GUARD = Guard(Nn2hlsError, "This file", "Write the project again.")
MANIFEST = "nn2hls.json"  # what the project is, for whoever reads its results


@dataclass(frozen=True)
class Manifest:
    """What a written project is.

    Args:
        name: Of the project and its top function.
        backend: ``Vivado``, ``Vitis``, ``Bambu`` or ``Verilog``.
        part, clock_ns: What it is for.
        layers: The layer's name by the name of its C++ function.
    """

    name: str
    backend: str
    part: str
    clock_ns: float
    layers: Mapping[str, str]

    def text(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The manifest of a written project; None when the folder holds none.

        Raises:
            Nn2hlsError: The file is damaged.
        """
        path = folder / MANIFEST
        if _GUARD.status(path) is None:
            return None
        data = _GUARD.load(path)
        try:
            name, layers = str(data["name"]), {str(k): str(v) for k, v in data["layers"].items()}
            found = cls(name, str(data["backend"]), str(data["part"]), float(data["clock_ns"]), layers)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise _GUARD.refuse("This file does not describe a project.", path) from error
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):  # files are named after it
            raise _GUARD.refuse(f"The project's name {name!r} is no C++ name.", path)
        return found


def written_sources(folder: Path) -> tuple[str, bool] | None:
    """The digest of the sources that were written into a folder, and whether they still stand there as they were written.

    None when the folder was not written by nn2hls.

    Raises:
        Nn2hlsError: What it wrote there cannot be read.
    """
    mark = Mark.read(folder)
    if mark is None:
        return ("", False) if is_interrupted(folder) else None
    return mark.digest, mark.untouched(folder)


def data_folder(name: str) -> Path:
    """The folder of data files ``firmware_lib``, ``templates`` or ``example_configs``.

    It lies inside the package when nn2hls is installed, and beside it in a checkout (an editable install).
    """
    package = Path(__file__).resolve().parents[1]
    inside = package / name
    return inside if inside.is_dir() else package.parent / name.replace("example_configs", "example-configs")


def render(template: str, **context: Any) -> str:
    """The text of ``templates/<template>.jinja``.

    Every name in the context must be an identifier of the language that is written: nothing is escaped.
    """
    return str(_environment().get_template(f"{template}.jinja").render(**context))


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(data_folder("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the text is C++, Tcl and Verilog
    )


@dataclass(frozen=True)
class Project:
    """Text files by relative path.

    Args:
        name: Of the top function.
        files: The sources.
        about: Files that tell of them: they are no part of the digest.
    """

    name: str
    files: Mapping[str, str]
    about: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Identity of the generated sources: SHA-256 over paths and texts in order."""
        return digest_of({path: text.encode() for path, text in self.files.items()})

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write the project as ``folder``, in place of one that was generated there before.

        What nn2hls did not write stays as it is. A generated file that somebody has changed is kept beside the new one.

        Raises:
            Nn2hlsError: The folder holds something that nn2hls did not write, or cannot be written.

        Warns:
            ProjectWarning: A generated file was changed by hand.
        """
        try:
            target = real_place(folder)  # a link keeps its place, what it leads to is written
            _check_place(target, folder)
            files = {path: text.encode() for path, text in {**self.files, **self.about}.items()}
            shas = {path: sha256(content) for path, content in files.items()}
            mark = Mark(self.digest, {p: shas[p] for p in self.files}, {p: shas[p] for p in self.about})
            notes = write_folder(target, mark, files, last=MANIFEST)
        except OSError as error:
            what = f"The project cannot be written: {error.strerror}."
            raise Nn2hlsError(what, where=str(error.filename or folder)) from error
        for note in notes:
            warnings.warn(f"{folder}: {note}", ProjectWarning, stacklevel=2)
        return Path(folder)

    def fill(self, folder: Path) -> None:
        """Write the sources into a scratch folder of one's own."""
        for path, text in self.files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")


def _check_place(target: Path, folder: str | os.PathLike[str]) -> None:
    check_folder(target, str(folder))
    here = Path.cwd()
    if target == here or target in here.parents:
        fix = "Choose a folder inside it, such as my-hls-test, or work from another one."
        raise Nn2hlsError("The current directory cannot be replaced by a project.", where=str(folder), fix=fix)
