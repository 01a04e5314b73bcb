"""Files that are written whole or not at all: what stood there before stays until all of the new one is on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

Content = str | bytes | Callable[[IO[bytes]], object]
PREFIX = ".nn2hls-"  # of files that become another's successor


def own_text(path: Path) -> str:
    """The text of a file that is part of nn2hls itself; those of a user are opened by :mod:`nn2hls.guard`."""
    return path.read_text(encoding="utf-8")


def open_new(path: Path) -> IO[bytes]:
    """A file that is written from its start on, and may be read again by its number.

    Raises:
        OSError: It cannot be, or a pipe or device stands there, which could keep the writer for ever.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags, 0o666), "wb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EEXIST, "what stands there is no regular file", str(path))
    return file


def write_whole(path: str | os.PathLike[str], content: Content) -> None:
    """Write a file beside its place, then rename it there; its folder is made. A link stays, the file it leads to is replaced.

    Args:
        path: The file. A device or a pipe takes the content as it comes.
        content: Text (UTF-8), bytes, or a function that writes to the binary file it is given.

    Raises:
        OSError: It cannot be written; its ``filename`` is ``path``, and what stood there stands there still.
    """
    try:
        place = real_place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and not place.is_file() and not place.is_dir():
            with place.open("wb") as file:
                _put(file, content)
            return
        _check_may_replace(place)
        replace_by(place, place.with_name(f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"), content)
    except OSError as error:
        raise _about(error, path) from error


def real_place(path: str | os.PathLike[str]) -> Path:
    """Where a path leads, through all links.

    Raises:
        OSError: The links lead in a circle.
    """
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return place


def replace_by(place: Path, scratch: Path, content: Content) -> None:
    """Write ``scratch``, a file that is not there, and rename it to ``place``; after an error it is not there either."""
    try:
        stage(scratch, content, like=place)
        os.replace(scratch, place)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise


def stage(scratch: Path, content: Content, like: Path | None = None) -> None:
    """Write a new file to the disk, with the permissions of ``like`` where that is there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(scratch, flags, 0o666), "wb") as file:
        _put(file, content)
        file.flush()
        os.fsync(file.fileno())  # some systems say only now that the disk is full
    if like is not None and like.exists():
        os.chmod(scratch, stat.S_IMODE(like.stat().st_mode))


def _put(file: IO[bytes], content: Content) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content.encode() if isinstance(content, str) else content)


def _check_may_replace(place: Path) -> None:
    """A file that its owner protects, or a folder, is not renamed over."""
    if place.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if place.exists() and not os.access(place, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def _about(error: OSError, path: str | os.PathLike[str]) -> OSError:
    """The same error with the file's name; NumPy's has no number when the disk is full."""
    return OSError(error.errno or errno.EIO, error.strerror or str(error), str(path))
