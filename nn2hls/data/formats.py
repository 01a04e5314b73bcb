"""Files of data: .npy, .npz, and text. Nothing is unpickled, and no size in a file is believed."""

from __future__ import annotations

import io
import re
import tokenize
import warnings
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nn2hls.errors import DataError, ReadWarning
from nn2hls.guard import Guard, shortened

MANTISSAS = "# mantissas:"  # how files of a test bench begin, whose numbers are no values
MAX_VALUES = 1 << 27  # of a file, 1 GiB as float64
MAX_FILE = 2 << 30  # bytes
MAX_LINE = 1 << 24  # characters
_TEXT = (".csv", ".dat", ".txt", ".tsv")
KNOWN = ".npy, .npz, .csv, .dat, .txt or .tsv"
_GUARD = Guard(DataError, "The data")
_OBJECTS = ("It holds Python objects.", "Save plain numbers with numpy.save: nothing is unpickled.")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)


def load(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of a file, by name; ``.npy`` and text hold one, without a name.

    Text is one event a line. Values are apart by commas (in .tsv by tabs), or by white space where a line has no comma; a
    first line without a number holds names and is skipped.

    Raises:
        DataError: The file is missing, damaged, too large, of unknown kind, or holds Python objects.
    """
    path = Path(path).expanduser()
    kind = path.suffix.lower()
    if kind not in (".npy", ".npz", *_TEXT):
        raise DataError(f"Data of kind '{kind}' is not read.", where=str(path), fix=f"Give {KNOWN}.")
    if kind == ".npz":
        return _archive(path)
    with _GUARD.open(path, MAX_FILE) as file:
        return {"": _array(file, str(path)) if kind == ".npy" else _text(file, path)}


def _archive(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with _GUARD.archive(path, path) as archive:
        left = 8 * MAX_VALUES
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            where = f"{path}: {shortened(info.filename)}"
            if name == info.filename or name in arrays:
                raise DataError("It is no .npy, or is there twice.", where=where, fix="Save the arrays with numpy.savez.")
            data = _GUARD.member(archive, info, left, where)
            left -= len(data)
            arrays[name] = _array(io.BytesIO(data), where)
    return arrays


def _array(file: BinaryIO, where: str) -> np.ndarray:
    """The array of an open .npy."""
    shape, is_fortran, dtype = _header(file, where)
    if dtype.hasobject:
        raise DataError(_OBJECTS[0], where=where, fix=_OBJECTS[1])
    count = _GUARD.values(shape, MAX_VALUES, where)
    size = count * dtype.itemsize
    data = file.read(size)
    if len(data) < size or not dtype.itemsize:
        raise DataError(f"Its shape {shape} asks for {size} bytes, it holds {len(data)}.", where=where, fix="Save it again.")
    values = np.frombuffer(data, dtype)
    return values.reshape(shape[::-1]).T if is_fortran else values.reshape(shape)


def _header(file: BinaryIO, where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    formats = np.lib.format
    try:
        version = formats.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise DataError("It holds records with names, not numbers.", where=where)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
            return read(file)
    except (
        *(ValueError, TypeError, SyntaxError, tokenize.TokenError, EOFError, KeyError, AttributeError),
        *(OverflowError, RecursionError, MemoryError, UnicodeDecodeError, IndexError, NotImplementedError),
    ) as error:
        if file.seek(0) == 0 and file.read(1) == b"\x80":
            raise DataError(_OBJECTS[0], where=where, fix=_OBJECTS[1]) from None
        raise DataError(f"The file is damaged or no .npy ({shortened(str(error), 200)}).", where=where) from None


def _text(file: BinaryIO, path: Path) -> np.ndarray:
    values, width, events = array("d"), 0, 0
    for line, words in _rows(file, path):
        where = f"{path}:{line}"
        if not events and not width and not any(map(is_number, words)):
            width = -1  # names
            continue
        if not events:
            if not width:
                _suspect(words, where)
            width = len(words)
        wrong = next((k for k, word in enumerate(words) if not is_number(word)), None)
        if wrong is not None:
            raise DataError(*_reason(words[wrong], events + 1), where=f"{where}, column {wrong + 1}")
        events += 1
        if len(words) != width:
            raise DataError(f"Event {events} has {len(words)} values, the first has {width}.", where=where)
        values.extend(map(float, words))
        if len(values) > MAX_VALUES:
            raise DataError(f"It holds more than {MAX_VALUES} values.", where=where, fix="Save fewer events.")
    if not events:
        raise DataError("The file has no events.", where=str(path))
    return np.frombuffer(values, np.float64).reshape(events, width)


def _reason(word: str, event: int) -> tuple[str]:
    if not word:
        return (f"Event {event} has no value here. Every value must be given.",)
    hint = " Commas or white space part values, not both, and the decimal point is a point." if len(word.split()) > 1 else ""
    return (f"{shortened(word)} in event {event} is not a number.{hint}",)


def _rows(file: BinaryIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and words; blank lines and comments are skipped."""
    tabs = path.suffix.lower() == ".tsv"
    text = io.TextIOWrapper(file, encoding="utf-8-sig")
    number = 0
    try:
        while line := text.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE:
                raise DataError(f"The line has more than {MAX_LINE} characters.", where=f"{path}:{number}")
            content = line.strip()
            if content.startswith(MANTISSAS):
                fix = "Give the data that the project was written with."
                raise DataError("It holds mantissas of a test bench, not values.", where=str(path), fix=fix)
            if content and content[0] != "#":
                separator = "," if "," in line else "\t" if tabs else None
                words = (line if separator else content).split(separator)
                yield number, [word.strip() for word in words]
    except UnicodeDecodeError as error:
        raise DataError("This is not text.", where=str(path), fix=f"Give {KNOWN}.") from error
    finally:
        text.detach()


def is_number(word: str) -> bool:
    """Whether a word of a text is a number: ASCII digits with a point and an exponent, NaN or infinity."""
    return _NUMBER.fullmatch(word) is not None


def _suspect(words: list[str], where: str) -> None:
    """Warn of a first event of three values or more that counts its columns, as programs write that make up names."""
    if len(words) > 2 and words in ([str(k + first) for k in range(len(words))] for first in (0, 1)):
        what = f"{where}: this line counts the columns and is taken for an event; remove it if it is a header."
        warnings.warn(what, ReadWarning, stacklevel=4)
