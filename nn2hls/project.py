"""A generated project: files by path, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from nn2hls.errors import Nn2hlsError

MARK = ".nn2hls-project"  # says that the folder was generated, so that writing again may replace it
MANIFEST = "nn2hls.json"  # what the project is, for whoever reads its results


@dataclass(frozen=True)
class Manifest:
    """What a written project is.

    Args:
        name: Of the project and its top function.
        backend: ``Vivado``, ``Vitis`` or ``Bambu``.
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
        if not path.is_file():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            name, layers = str(data["name"]), {str(k): str(v) for k, v in data["layers"].items()}
            found = cls(name, str(data["backend"]), str(data["part"]), float(data["clock_ns"]), layers)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise Nn2hlsError(
                "This file does not describe a project.", where=str(path), fix="Write the project again."
            ) from error
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):  # files are named after it
            raise Nn2hlsError(f"The project's name {name!r} is no C++ name.", where=str(path), fix="Write the project again.")
        return found


def written_sources(folder: Path) -> tuple[str, bool] | None:
    """The digest of the sources that were written into a folder, and whether they still stand there as they were written.

    None when the folder was not written by nn2hls.
    """
    try:
        digest, *paths = (folder / MARK).read_text(encoding="utf-8").splitlines()
        inside = [p for p in paths if not Path(p).is_absolute() and ".." not in Path(p).parts and (folder / p).is_file()]
        texts = {p: (folder / p).read_bytes().decode("utf-8") for p in inside}
    except (OSError, ValueError):
        return None
    return digest, len(inside) == len(paths) and Project("", texts).digest == digest


def data_folder(name: str) -> Path:
    """The folder of data files ``firmware_lib``, ``templates`` or ``example_configs``.

    It lies inside the package when nn2hls is installed, and beside it in a checkout (an editable install).
    """
    package = Path(__file__).resolve().parent
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
    """Text files by relative path."""

    name: str
    files: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """Identity of the generated sources: SHA-256 over paths and texts in order."""
        state = hashlib.sha256()
        for path, text in sorted(self.files.items()):
            state.update(f"{path}\0{len(text.encode())}\0".encode())
            state.update(text.encode())
        return state.hexdigest()

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write the project as ``folder``, replacing a project that was generated there before.

        Raises:
            Nn2hlsError: The folder holds something that nn2hls did not write, or cannot be written.
        """
        try:
            target = Path(folder).resolve()  # a link keeps its place, what it leads to is replaced
            self._check(target, folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=".nn2hls-", dir=target.parent))
            try:
                (fresh / "project").mkdir()
                self._fill(fresh / "project")
                _swap(fresh / "project", target)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        except OSError as error:
            raise Nn2hlsError(f"The project cannot be written: {error.strerror}.", where=str(folder)) from error
        return Path(folder)

    @staticmethod
    def _check(target: Path, folder: str | os.PathLike[str]) -> None:
        if target.exists() and not _replaceable(target):
            raise Nn2hlsError(
                "This folder exists and holds files that nn2hls did not write.",
                where=str(folder),
                fix="Choose another OutputDir, or remove the folder first.",
            )
        here = Path.cwd()
        if target == here or target in here.parents:
            fix = "Choose a folder inside it, such as my-hls-test, or work from another one."
            raise Nn2hlsError("The current directory cannot be replaced by a project.", where=str(folder), fix=fix)

    def _fill(self, folder: Path) -> None:
        for path, text in self.files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        (folder / MARK).write_text("\n".join([self.digest, *sorted(self.files)]) + "\n", encoding="utf-8")
        folder.chmod(0o755)


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / MARK).is_file() or not any(folder.iterdir()))


def _swap(fresh: Path, target: Path) -> None:
    """Put ``fresh`` in the place of ``target``; files there that nn2hls did not generate move along."""
    if not target.exists():
        fresh.rename(target)
        return
    old = fresh.with_name("old")
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
    mark = old / MARK
    generated = {MARK, *(mark.read_text(encoding="utf-8").splitlines()[1:] if mark.is_file() else ())}
    for place in [p for p in old.rglob("*") if not p.is_dir() and str(p.relative_to(old)) not in generated]:
        kept = target / place.relative_to(old)
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            place.rename(kept)
