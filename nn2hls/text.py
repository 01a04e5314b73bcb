"""Aligned tables and numbers for people, and what JSON takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def printable(text: str) -> str:
    """Text for a terminal or a message: what would move its cursor, colour or hide text is shown as an escape; lines stay.

    Names come from model files, whose authors may mean no good.
    """
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text)


def one_line(name: object) -> str:
    """A name the same way, on one line."""
    return printable(str(name)).replace("\n", "\\n")


def _escape(character: str) -> str:
    return "    " if character == "\t" else character.encode("unicode_escape", "backslashreplace").decode()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns under their heads, two spaces apart; columns of numbers stand right, None is a dash."""
    cells = [["-" if c is None else one_line(c) for c in row] for row in rows]
    columns = list(zip(head, *cells, strict=True))
    right = [all(_is_number(c) for c in column[1:]) and len(column) > 1 for column in columns]
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for row in (list(head), *cells):
        parts = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines) + "\n"


def _is_number(cell: str) -> bool:
    word = cell.replace(",", "").rstrip("%x").removesuffix(" dB")
    try:
        float(word)
    except ValueError:
        return cell in ("-", "exact")
    return True


def number(value: float | None, digits: int = 4) -> str | None:
    """A number with so many significant digits; None stays None."""
    if value is None:
        return None
    return f"{value:.{digits}g}" if math.isfinite(value) else str(value)


def percent(share: float | None, digits: int = 2) -> str | None:
    """A share as per cent; None stays None."""
    return None if share is None else f"{100 * share:.{digits}f}%"


def plural(count: int, word: str) -> str:
    """``1 event``, ``2 events``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def finite(value: Any) -> Any:
    """Plain data with None in place of the infinities that JSON cannot say."""
    if isinstance(value, Mapping):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
