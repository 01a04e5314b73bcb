"""One guard for every file that is opened: a regular file, not too large, nothing in it too deep, too many or too big.

Models, configs and data come from anywhere. Each reader opens its file and takes its JSON and its archive members here.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nn2hls.errors import Nn2hlsError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_FILE = 1 << 29  # bytes of a model
MAX_JSON = 64 << 20  # bytes
MAX_ITEMS = 1 << 22  # numbers, words, lists and objects of a JSON text
MAX_DEPTH = 200  # lists and objects within each other
MAX_REPORT = 64 << 20  # bytes of what a tool reports, or of the end of its log; thousands of modules take some ten million
MAX_ELEMENTS = 1 << 20  # of an XML
MAX_VALUES = 1 << 25  # of all arrays of a model, 256 MiB as float64
MAX_TENSOR = 1 << 21  # values of one input of a network, or of one step on the way to its outputs
MAX_TENSORS = 1 << 23  # of all of these together
MAX_LAYERS = 25_000  # of a network, every call of a shared one counted
MAX_WORD = 1 << 63  # no integer in a file has more than 64 bits

MAX_CONTENTS = 4 << 20  # bytes of the table of contents of an archive
_TAIL = (1 << 16) + 22 + 20 + 56  # where the ends of that table may lie, of a zip and of a zip64

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_DAMAGED_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, OSError, ValueError, OverflowError),
)


class Guard:
    """Opens files and reads their parts; what is refused raises one class of error.

    Args:
        error: The class.
        noun: What a file is called in messages: ``The config``.
        fix: What to do about a damaged file.
        smaller: What to do about one that is too large.
    """

    def __init__(self, error: type[Nn2hlsError], noun: str, fix: str = "", smaller: str = "") -> None:
        self._error, self.noun, self.fix, self.smaller = error, noun, fix, smaller

    def refuse(self, what: str, where: object, fix: str | None = None) -> Nn2hlsError:
        """The error, to be raised."""
        return self._error(what, where=str(where), fix=self.fix if fix is None else fix)

    def status(self, path: Path) -> os.stat_result | None:
        """What lies at a path, links followed; None when nothing does.

        Raises:
            Nn2hlsError: The path cannot be one, leads in a circle, or may not be looked at.
        """
        try:
            return path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:  # a circle of links, a name too long, a NUL
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise self.refuse(f"{self.noun} cannot be read: {reason}.", _shown(path), "Name a file.") from None

    @contextmanager
    def open(self, path: Path, limit: int | None = MAX_FILE) -> Iterator[BinaryIO]:
        """A regular file of at most ``limit`` bytes; a device or pipe is never read from, for it may have no end.

        Args:
            path: The file.
            limit: None for who takes it a part at a time.

        Raises:
            Nn2hlsError: It is none, too large, or cannot be opened or read.
        """
        found = self.status(path)
        try:
            if found is not None:
                self._regular(found, path, limit)
            with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
                self._regular(os.fstat(file.fileno()), path, limit)  # again: the name may have changed hands
                yield file
        except OSError as error:
            raise self.refuse(f"{self.noun} cannot be read: {error.strerror or error}.", path, "") from error

    def read(self, path: Path, limit: int = MAX_FILE) -> bytes:
        """All bytes of a regular file; errors as for :meth:`open`."""
        with self.open(path, limit) as file:
            data = file.read(limit + 1)
        if len(data) > limit:  # it grew
            raise self._too_large(len(data), limit, path)
        return data

    def load(self, path: Path, limit: int = MAX_JSON) -> Any:
        """The JSON value of a file; errors as for :meth:`open` and :meth:`json`."""
        return self.json(self.read(path, limit), path)

    def report(self, path: Path, limit: int = MAX_REPORT) -> str:
        """The text of what a program reports: paths and dates in it may be of any encoding. Errors as for :meth:`open`."""
        return self.read(path, limit).decode("utf-8", "replace")

    def log(self, path: Path, last: int = MAX_REPORT) -> str:
        """The end of what a program has printed, of any encoding and however long; errors as for :meth:`open`."""
        with self.open(path, None) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - last))
            return file.read(last).decode("utf-8", "replace").replace("\r\n", "\n")

    def digest(self, path: Path) -> str:
        """The SHA-256 of a file of any length; errors as for :meth:`open`."""
        state = hashlib.sha256()
        with self.open(path, None) as file:
            while part := file.read(1 << 20):
                state.update(part)
        return state.hexdigest()

    def check(self, path: Path) -> None:
        """Raise when something stands there that is no regular file, for who lets another library open it."""
        found = self.status(path)
        if found is not None:
            self._regular(found, path, None)

    def _regular(self, found: os.stat_result, path: Path, limit: int | None) -> None:
        if not stat.S_ISREG(found.st_mode):
            kind = next((name for test, name in _KINDS if test(found.st_mode)), "something else")
            raise self.refuse(f"It is {kind}, not a file.", path, "Name a file.")
        if limit is not None and found.st_size > limit:
            raise self._too_large(found.st_size, limit, path)

    def _too_large(self, size: int, limit: int, where: object) -> Nn2hlsError:
        return self.refuse(f"{self.noun} has {size} bytes; at most {limit} are read.", where, self.smaller)

    def text(self, data: bytes, where: object, encoding: str = "utf-8-sig") -> str:
        """Bytes as text.

        Raises:
            Nn2hlsError: They are not in this encoding.
        """
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self.refuse(f"This is not text (byte {error.start}).", f"{where}:{line}") from None

    def json(self, text: str | bytes, where: object) -> Any:
        """A JSON value that no reader can stumble over: bounded depth, count and integers, and no halves of characters.

        Raises:
            Nn2hlsError: The text is not JSON, or more than this.
        """
        if len(text) > MAX_JSON:
            raise self.refuse(f"A JSON of more than {MAX_JSON >> 20} MiB is not read.", where, "")
        if isinstance(text, bytes):
            text = self.text(text, where, "utf-8-sig" if text[:3] == b"\xef\xbb\xbf" else json.detect_encoding(text))
        if text.count(",") + text.count("[") + text.count("{") > MAX_ITEMS:
            raise self.refuse(f"The JSON holds more than {MAX_ITEMS} items.", where, "")
        try:
            value = json.loads(text, parse_int=_integer)
            text.encode("utf-8")
            if "\\ud" in text or "\\uD" in text:
                json.dumps(value, ensure_ascii=False).encode("utf-8")
        except RecursionError:
            raise self.refuse(f"The JSON nests more than {MAX_DEPTH} deep.", where, "") from None
        except UnicodeEncodeError:
            raise self.refuse("The JSON holds half a character (a lone surrogate).", where) from None
        except ValueError as error:
            raise self.refuse(f"The JSON is damaged ({error}).", where) from None
        if _depth(value) > MAX_DEPTH:
            raise self.refuse(f"The JSON nests more than {MAX_DEPTH} deep.", where, "")
        return value

    def xml(self, text: str, where: object) -> Element:
        """The root of an XML of bounded depth and count, without the declarations that entities need.

        Raises:
            Nn2hlsError: The text is no such XML.
        """
        from xml.etree import ElementTree

        if "\0" in text:  # which would make the parser take it for UTF-16, where a document type could hide from the next line
            raise self.refuse("It is no text.", where)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise self.refuse("It declares a document type, which no such file does.", where)
        if text.count("<") > 2 * MAX_ELEMENTS:
            raise self.refuse(f"The XML holds more than {MAX_ELEMENTS} elements.", where)
        try:
            root = ElementTree.fromstring(text)  # without NULs a str is never decoded again, whatever it declares
        except (ElementTree.ParseError, ValueError) as error:
            raise self.refuse(f"It is no XML ({error}).", where) from None
        level = [root]
        for _ in range(MAX_DEPTH):
            level = [inner for element in level for inner in element]
        if level:
            raise self.refuse(f"The XML nests more than {MAX_DEPTH} deep.", where)
        return root

    @contextmanager
    def archive(self, source: Path | BinaryIO, where: object) -> Iterator[zipfile.ZipFile]:
        """A zip archive; what is damaged in it, also when that shows while it is read, is refused.

        Raises:
            Nn2hlsError: It is no zip archive, or a part of it is damaged.
        """
        try:
            if isinstance(source, Path):
                with self.open(source) as file, self._zip(file, where) as archive:
                    yield archive
            else:
                with self._zip(source, where) as archive:
                    yield archive
        except _DAMAGED_ZIP as error:
            raise self.refuse(f"The archive is damaged or of a kind that is not read ({error}).", where) from None

    def _zip(self, file: BinaryIO, where: object) -> zipfile.ZipFile:
        """The archive, whose table of contents the library reads at once: its size is looked at first."""
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _TAIL))
        tail = file.read(_TAIL)
        file.seek(0)
        for mark, place, width in ((b"PK\5\6", 12, 4), (b"PK\6\6", 40, 8)):
            at = tail.rfind(mark)
            size = int.from_bytes(tail[at + place : at + place + width], "little") if at >= 0 else 0
            if MAX_CONTENTS < size < (1 << 32) - 1 or (width == 8 and size > MAX_CONTENTS):
                raise self.refuse(f"The archive's table of contents has {size} bytes; at most {MAX_CONTENTS} are read.", where)
        return zipfile.ZipFile(file)

    def member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int, where: object) -> bytes:
        """The bytes of a member, unpacked in memory; neither its header nor its bytes may exceed the limit.

        Raises:
            Nn2hlsError: It is encrypted or too large.
        """
        if info.flag_bits & 1:
            raise self.refuse(f"'{info.filename}' is encrypted.", where)
        data = b""
        if info.file_size <= limit:
            with archive.open(info) as file:
                data = file.read(limit + 1)
        if max(info.file_size, len(data)) > limit:
            raise self.refuse(f"'{info.filename}' is larger than {limit} bytes.", where)
        return data

    def values(self, shape: Iterable[Any], limit: int, where: object) -> int:
        """The number of values of a shape.

        Raises:
            Nn2hlsError: A size is not a whole number of zero or more, or they are more than the limit.
        """
        sizes = tuple(shape)
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in sizes):
            raise self.refuse(f"The shape {shortened(sizes)} must be whole numbers.", where)
        count: int = math.prod(sizes)
        if count > limit:
            raise self.refuse(f"The shape {shortened(sizes)} has more than {limit} values.", where)
        return count


def shortened(value: object, width: int = 80) -> str:
    """A value of unknown size for a message."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = f"a {type(value).__name__} of more digits than are shown"
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _shown(path: Path) -> str:
    return repr(str(path)) if "\0" in str(path) else str(path)


def _integer(text: str) -> int:
    """An integer of JSON."""
    value = int(text) if len(text) < 24 else 2 * MAX_WORD
    if not -MAX_WORD <= value < 2 * MAX_WORD:
        raise ValueError(f"the integer {text[:20]}... has more than 64 bits" if len(text) > 20 else f"{text} has over 64 bits")
    return value


def _depth(value: Any) -> int:
    """How deep lists and objects lie within each other."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner = [v.values() if type(v) is dict else v for v in level if type(v) in (dict, list)]
        level = [x for items in inner for x in items if type(x) in (dict, list)]
    return depth
