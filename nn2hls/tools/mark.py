"""The mark of a project's folder: what nn2hls wrote there, with a digest of each file."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nn2hls.errors import Nn2hlsError
from nn2hls.guard import MAX_REPORT, Guard

MARK = ".nn2hls-project"  # its first line is the digest of the sources
FILES = Guard(Nn2hlsError, "A file of this folder", "Remove it, or choose another OutputDir.")
_LINE = re.compile(r"([0-9a-f]{64}) (source|about) (.+)")


def sha256(data: bytes) -> str:
    """The digest of one file."""
    return hashlib.sha256(data).hexdigest()


def digest_of(files: Mapping[str, bytes]) -> str:
    """Identity of sources: SHA-256 over paths and contents in order."""
    state = hashlib.sha256()
    for path, content in sorted(files.items()):
        state.update(f"{path}\0{len(content)}\0".encode())
        state.update(content)
    return state.hexdigest()


@dataclass(frozen=True)
class Mark:
    """What nn2hls wrote into a folder.

    Args:
        digest: Of the sources.
        sources: Digests of the files behind it, by path; None in a mark that was written before there were any.
        about: Digests of what only tells of them.
    """

    digest: str
    sources: Mapping[str, str | None]
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The file's text."""
        kinds = (("source", self.sources), ("about", self.about))
        return (
            "\n".join([self.digest, *(f"{sha} {kind} {p}" for kind, files in kinds for p, sha in sorted(files.items()))]) + "\n"
        )

    @classmethod
    def read(cls, folder: Path) -> Mark | None:
        """The mark of a folder; None when there is none.

        Raises:
            Nn2hlsError: It cannot be read.
        """
        path = folder / MARK
        if FILES.status(path) is None:
            return None
        try:
            digest, *lines = FILES.read(path, MAX_REPORT).decode("utf-8").splitlines()
        except ValueError:  # empty, or no text: it says nothing
            return cls("", {})
        sources: dict[str, str | None] = {}
        about: dict[str, str] = {}
        for line in lines:
            found = _LINE.fullmatch(line)
            place = found[3] if found else line
            if not is_inside(place):
                continue
            if found and found[2] == "about":
                about[place] = found[1]
            else:
                sources[place] = found[1] if found else None
        if None in sources.values():
            return cls(digest, _digests_of_old(folder, digest, sources))
        return cls(digest, sources, about)

    def untouched(self, folder: Path) -> bool:
        """Whether every source stands in the folder as it was written."""
        return bool(self.digest) and all(sha is not None and sha_of(folder / p) == sha for p, sha in self.sources.items())


def is_inside(path: str) -> bool:
    """Whether a relative path stays in its folder."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\0" not in path


def _digests_of_old(folder: Path, digest: str, paths: Collection[str]) -> dict[str, str | None]:
    """The digests that a mark without any stands for: those of what is there, when all of it has the one that it names."""
    content = {p: FILES.read(folder / p) for p in paths if is_file(folder / p)}
    same = len(content) == len(paths) and digest_of(content) == digest
    return {p: sha256(content[p]) if same else None for p in paths}


def is_file(place: Path) -> bool:
    """A regular file, not a link to one."""
    try:
        return stat.S_ISREG(place.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def sha_of(place: Path) -> str | None:
    """The digest of a regular file; None when there is none."""
    return FILES.digest(place) if is_file(place) else None
