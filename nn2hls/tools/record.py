"""Plain data of a JSON file as dataclasses, every field checked against its declared type."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from nn2hls.errors import ToolError, suggest
from nn2hls.guard import Guard

T = TypeVar("T")
LARGEST = 1 << 53  # of whole numbers: all of them are counts
_GUARD = Guard(ToolError, "The report")
_WORDS = {str: "text", int: "a whole number from 0 on", float: "a finite number", bool: "true or false"}


def read_json(path: Path) -> Any:
    """The data of a JSON file.

    Raises:
        ToolError: It cannot be read, or is no JSON.
    """
    return _GUARD.load(path)


def record(kind: type[T], data: Any, where: str, place: str = "") -> T:
    """A dataclass from plain data. Its fields are text, numbers, dataclasses, and tuples and mappings of these, or None.

    Args:
        kind: The dataclass.
        data: What the file holds.
        where: The file, for messages.
        place: Where in it ``data`` stands, for messages.

    Raises:
        ToolError: A field is missing, unknown or of another type; the message names it.
    """
    if not isinstance(data, dict):
        raise _wrong(where, place, "an object", data)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # a dataclass by contract
    dot = f"{place}." if place else ""
    for name in data:
        if name not in known:
            raise ToolError(f"The field '{dot}{name[:40]}' is not known.", where=where, fix=suggest(name[:40], known))
    for name, field in known.items():
        if name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise ToolError(f"The field '{dot}{name}' is missing.", where=where)
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], value, where, f"{dot}{name}") for name, value in data.items()})


def _value(hint: Any, data: Any, where: str, place: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return record(hint, data, where, place)
    if origin is types.UnionType:  # a type, or None
        return None if data is None else _value(inner[0], data, where, place)
    if origin is tuple:
        if not isinstance(data, list):
            raise _wrong(where, place, "a list", data)
        return tuple(_value(inner[0], item, where, f"{place}[{k}]") for k, item in enumerate(data))
    if origin is Mapping:
        if not isinstance(data, dict):
            raise _wrong(where, place, "an object", data)
        return {key: _value(inner[1], item, where, f"{place}.{key[:40]}") for key, item in data.items()}
    if not _fits(hint, data):
        raise _wrong(where, place, _WORDS[hint], data)
    return float(data) if hint is float else data


def _fits(hint: type, data: Any) -> bool:
    if hint is float:
        return isinstance(data, (int, float)) and not isinstance(data, bool) and abs(data) < LARGEST and math.isfinite(data)
    if hint is int:
        return isinstance(data, int) and not isinstance(data, bool) and 0 <= data < LARGEST
    return isinstance(data, hint)


def _wrong(where: str, place: str, expected: str, data: Any) -> ToolError:
    small = isinstance(data, (str, float, bool, type(None))) or (isinstance(data, int) and abs(data) < LARGEST)
    shown = repr(data)[:60] if small else f"a value of type {type(data).__name__}"
    return ToolError(f"{f'The field {place!r}' if place else 'The document'} must be {expected}, not {shown}.", where=where)
