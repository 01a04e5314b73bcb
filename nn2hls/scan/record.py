"""The record of a scan: one JSON line a point, appended as soon as the point is known, so that an interrupted scan goes on."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import NoneType, TracebackType
from typing import IO, Any

from nn2hls.errors import DataError
from nn2hls.guard import Guard
from nn2hls.scan.point import Point
from nn2hls.text import finite

MAX_RECORD = 256 << 20  # bytes; a point takes about two thousand
_START = b'{"provenance": '  # of every line
_GUARD = Guard(DataError, "The record", "Give another file, or remove this one.")


class Record:
    """An append-only file of points with their provenance; a context manager.

    A line holds ``provenance`` (digests of model, config and data, version, seed), the whole ``config`` of the point as
    :func:`nn2hls.convert` takes it, with paths from the folder of the record, the ``point``, and the ``checksum`` of all that.

    Args:
        path: The file; None: nothing is kept.

    Raises:
        DataError: The file is there and is no such record, or a line is not what was written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.known: dict[str, Point] = {}
        self._file: IO[bytes] | None = None
        self._cut = 0, 0  # where a line begins that an interruption cut short, and where it ends
        if path is not None and _GUARD.status(path) is not None:
            self._read(path)

    def _read(self, path: Path) -> None:
        data = _GUARD.read(path, MAX_RECORD)
        whole = data.rfind(b"\n") + 1
        self._cut = whole, len(data)
        if not _START.startswith(data[whole : whole + len(_START)]):  # not the beginning of a line: somebody else's file
            raise _GUARD.refuse("This is not a record of a scan.", path)
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                entry = _GUARD.json(line, f"{path}:{number}")
                key, point, checksum = _key(entry["provenance"], entry["point"]), _point(entry["point"]), entry.pop("checksum")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise _GUARD.refuse("This is not a record of a scan.", f"{path}:{number}") from error
            if checksum != _checksum(entry):
                fix = "Remove the line, and its point is run again."
                raise DataError("This is not what was written: its checksum is wrong.", where=f"{path}:{number}", fix=fix)
            self.known[key] = point

    def __enter__(self) -> Record:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
            whole, end = self._cut
            if whole < end == self._file.seek(0, os.SEEK_END):  # and no other scan has gone on writing since
                self._file.truncate(whole)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def find(self, provenance: Mapping[str, Any], point: Point) -> Point | None:
        """The finished point of the same provenance, name, type and reuse factor."""
        return self.known.get(_key(provenance, asdict(point)))

    def add(self, provenance: Mapping[str, Any], config: Mapping[str, Any], point: Point) -> None:
        """Append a finished point.

        Raises:
            OSError: The disk is full; the error names the record, which ends with the point before.
        """
        if self._file is None:
            return
        entry = {"provenance": provenance, "config": config, "point": _plain(asdict(point))}
        rest = (json.dumps({**entry, "checksum": _checksum(entry)}) + "\n").encode()
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error


_KINDS = {"str": (str,), "int | None": (int, NoneType), "float | None": (float, int, NoneType)}


def _point(document: Mapping[str, Any]) -> Point:
    """The point of a line; TypeError when it has other members or other types than a point."""
    members: dict[str, Any] = {k: -math.inf if v == -sys.float_info.max else v for k, v in document.items()}
    point = Point(**members)
    if len(document) < len(fields(Point)) or not all(
        type(getattr(point, f.name)) in _KINDS[str(f.type)] for f in fields(Point)
    ):
        raise TypeError(document)
    return point


def _plain(point: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a point; ratios of no signal, which JSON cannot say, as the least number, which no ratio reaches."""
    return {k: -sys.float_info.max if v == -math.inf else finite(v) for k, v in point.items()}


def _checksum(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]


def _key(provenance: Mapping[str, Any], point: Mapping[str, Any]) -> str:
    return json.dumps([provenance, point["network"], point["precision"], point["reuse"]], sort_keys=True)
