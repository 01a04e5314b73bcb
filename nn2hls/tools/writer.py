"""Writing files into a folder that others use too: what nn2hls did not write is never moved or deleted, whatever interrupts it.

New files are written beside their places, then renamed one by one, and the mark, which says what stands there, comes last.
Before the first step a journal says what nn2hls has written and is about to write: after an interruption the next run knows
all of it, and completes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from nn2hls.errors import Nn2hlsError
from nn2hls.files import replace_by, stage
from nn2hls.guard import MAX_JSON
from nn2hls.tools.mark import FILES, MARK, Mark, is_file, is_inside, sha256, sha_of

JOURNAL = ".nn2hls-writing"  # stands there while a project is being written, and after an interruption
LOCK = ".nn2hls-lock"
PATIENCE = 30.0  # seconds to wait for another writer
KEPT = ".by-hand"  # ending of the copy of a generated file that somebody has changed
_LISTED = 5  # files in a message
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}  # some network file systems have none
_HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}


def is_interrupted(folder: Path) -> bool:
    """Whether the folder's files may be of two projects: writing one was interrupted.

    Raises:
        Nn2hlsError: What stands in the journal's place is no file.
    """
    FILES.check(folder / JOURNAL)
    return (folder / JOURNAL).is_file()


def write_folder(folder: Path, mark: Mark, files: Mapping[str, bytes], last: str) -> list[str]:
    """Write files into a folder in place of those that nn2hls wrote there before; all others stay as they are.

    Args:
        folder: Made when it is not there.
        mark: Of the files. Those that only tell of the sources give way to files of somebody else, but for the last one.
        files: Contents by path.
        last: The file that is renamed after all others.

    Returns:
        What became of generated files that somebody had changed, a sentence each.

    Raises:
        Nn2hlsError: Files of somebody else stand in the way, or another process does not stop writing here.
        OSError: A file cannot be written, which the error names.
    """
    made = _missing(folder)
    try:
        with _locked(folder):
            check_folder(folder, str(folder))
            return _Writer(folder, mark, files, last).write()
    except BaseException:
        _remove_empty(made)
        raise


def check_folder(folder: Path, where: str) -> None:
    """Raise when a folder is not ours to write to.

    Raises:
        Nn2hlsError: It holds something, and nothing of it was written by nn2hls.
    """
    if not folder.exists():
        return
    own = {MARK, JOURNAL, LOCK}
    names = set(os.listdir(folder)) if folder.is_dir() else {""}
    if names - own - {_scratch(Path(n)).name for n in own} and not names & {MARK, JOURNAL}:
        raise Nn2hlsError(
            "This folder exists and holds files that nn2hls did not write.",
            where=where,
            fix="Choose another OutputDir, or remove the folder first.",
        )


class _Writer:
    def __init__(self, folder: Path, mark: Mark, files: Mapping[str, bytes], last: str) -> None:
        self.folder = folder
        self.resumed = is_interrupted(folder)
        self.known = _known(folder)  # what nn2hls has ever put at each path
        self.made: list[Path] = []
        taken = [path for path in mark.about if path != last and self._obstacle(path)]
        self.notes = (
            [f"What stands here is not of nn2hls, and stays in place of the project's own: {_listed(taken)}."] if taken else []
        )
        self.mark = replace(mark, about={path: sha for path, sha in mark.about.items() if path not in taken})
        self.files = {path: content for path, content in files.items() if path not in taken}
        self.order = sorted(self.files, key=lambda path: (path == last, path))
        self.shas = {path: sha256(content) for path, content in self.files.items()}

    def write(self) -> list[str]:
        todo = [p for p in self.order if sha_of(self.folder / p) != self.shas[p]]
        stale = [p for p in sorted(self.known) if p not in self.files and os.path.lexists(self.folder / p)]
        self._refuse_others(todo)
        if not todo and not stale and not self.resumed and Mark.read(self.folder) == self.mark:
            return self.notes
        began = False
        try:
            self._begin()
            for path in todo:
                self._stage(path)
            began = True
            for path in todo:
                self._place(path)
            for path in stale:
                self._remove(path)
            _put(self.folder / MARK, self.mark.text)
            (self.folder / JOURNAL).unlink()
        except BaseException:
            self._give_up(todo, began=began)
            raise
        return self.notes

    def _refuse_others(self, todo: list[str]) -> None:
        """What nn2hls never wrote at these paths is not ours to replace.

        Raises:
            Nn2hlsError: There is something.
        """
        found = {str(p.relative_to(self.folder)) for path in todo for p in [self._obstacle(path)] if p}
        if found:
            raise Nn2hlsError(
                f"nn2hls did not write what stands here in the place of its own files: {_listed(found)}.",
                where=str(self.folder),
                fix="Move it to another place, or choose another OutputDir.",
            )

    def _obstacle(self, path: str) -> Path | None:
        place = self.folder / path
        for parent in reversed(place.relative_to(self.folder).parents[:-1]):
            if os.path.lexists(self.folder / parent) and not (self.folder / parent).is_dir():
                return self.folder / parent
        ours = path in self.known and is_file(place)
        return place if os.path.lexists(place) and not ours else None

    def _begin(self) -> None:
        """Remove what an interrupted run left, and write the journal of this one."""
        for path in (*self.known, MARK, JOURNAL):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                _scratch(self.folder / path).unlink()
        ours = {p: sorted(self.known.get(p, set()) | {self.shas[p]}) for p in self.files}
        ours |= {p: sorted(shas) for p, shas in self.known.items() if p not in ours}
        _put(self.folder / JOURNAL, json.dumps({"ours": ours}, indent=1) + "\n")

    def _stage(self, path: str) -> None:
        place = self.folder / path
        with _naming(place):
            missing = _missing(place.parent)
            self.made += missing
            place.parent.mkdir(parents=True, exist_ok=True)
            stage(_scratch(place), self.files[path], like=place)

    def _place(self, path: str) -> None:
        place = self.folder / path
        with _naming(place):
            if os.path.lexists(place) and sha_of(place) not in self.known.get(path, ()):
                kept = _keep(place)
                self.notes.append(f"{path} was changed by hand: it is written anew, and what it was is kept as {kept.name}.")
            os.replace(_scratch(place), place)

    def _remove(self, path: str) -> None:
        """Remove a file of an earlier project, if it is still what nn2hls wrote, and its folders that are empty then."""
        place = self.folder / path
        if sha_of(place) not in self.known[path]:
            self.notes.append(f"{path} was changed by hand: it stays, although the project has no such file any more.")
            return
        with _naming(place):
            place.unlink()
        _remove_empty([self.folder / p for p in reversed(PurePosixPath(path).parents[:-1])])

    def _give_up(self, todo: list[str], *, began: bool) -> None:
        """Take back what was prepared; once files were renamed, the journal stays for the next run."""
        for path in todo:
            with contextlib.suppress(OSError):
                _scratch(self.folder / path).unlink()
        _remove_empty(self.made)
        if not began and not self.resumed:
            with contextlib.suppress(OSError):
                (self.folder / JOURNAL).unlink()


# ---- small steps -----------------------------------------------------------------------------------------------------------


def _known(folder: Path) -> dict[str, set[str]]:
    """The digests of all that nn2hls may have left at each path: by the mark, and by the journal of an interrupted run."""
    mark = Mark.read(folder)
    files = {**mark.sources, **mark.about} if mark else {}
    known = {path: {sha} if sha else set() for path, sha in files.items()}
    if not is_interrupted(folder):
        return known
    journal = FILES.read(folder / JOURNAL, MAX_JSON)
    try:
        for path, shas in FILES.json(journal, folder / JOURNAL)["ours"].items():
            if is_inside(path):
                known.setdefault(path, set()).update(map(str, shas))
    except (Nn2hlsError, LookupError, TypeError, AttributeError):
        pass  # no journal of ours: then the mark alone counts
    return known


def _listed(paths: Collection[str]) -> str:
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return ", ".join(sorted(paths)[:_LISTED]) + more


def _scratch(place: Path) -> Path:
    return place.with_name(f".{place.name}.nn2hls-new")


def _put(place: Path, text: str) -> None:
    """Write one of our own small files."""
    with _naming(place):
        replace_by(place, _scratch(place), text)


def _keep(place: Path) -> Path:
    """A second name for a file that is about to be replaced."""
    for n in range(1, 10_000):
        kept = place.with_name(f"{place.name}{KEPT}{n if n > 1 else ''}")
        try:
            os.link(place, kept)
        except FileExistsError:
            if sha_of(kept) != sha_of(place):
                continue
        except OSError:  # this file system has no such names
            stage(kept, FILES.read(place), like=place)
        return kept
    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))


def _missing(folder: Path) -> list[Path]:
    """The folders on the way to this one, and itself, that are not there yet; the outermost first."""
    return [p for p in (*reversed(folder.parents), folder) if not os.path.lexists(p)]


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove these folders, the outermost first in the list, where nothing is in them."""
    for folder in reversed(list(folders)):
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _naming(place: Path) -> Iterator[None]:
    """Errors inside name the file that was to be written, not the one beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(place)) from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only one who writes here; the system ends a lock with the process that holds it.

    Raises:
        Nn2hlsError: Another process holds it for too long.
    """
    place, until = folder / LOCK, time.monotonic() + PATIENCE
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.fdopen(os.open(place, flags, 0o666), "r+b")
        if _take(lock.fileno()) and _is_at(lock.fileno(), place):
            break
        lock.close()
        if time.monotonic() > until:
            fix = "Wait for it, or choose another OutputDir."
            raise Nn2hlsError("Another process is writing a project into this folder.", where=str(folder), fix=fix)
        time.sleep(0.02)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a Windows file that is open stays, and serves the next one
            place.unlink()
        lock.close()


def _take(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS | _HELD:
            raise
        return error.errno in _NO_LOCKS
    return True


def _is_at(handle: int, place: Path) -> bool:
    """Whether the file that is locked is still the one at its place: its holder removes it."""
    try:
        return os.path.samestat(os.fstat(handle), place.lstat())
    except FileNotFoundError:
        return False
