"""Aligned tables and numbers for people, and what JSON takes."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Context
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


def fitted(text: str, width: int) -> str:
    """Text whose long lines go on in the next one, below the last column of a table: none is wider than a terminal."""
    import re
    import textwrap

    lines = []
    for line in text.split("\n"):
        if len(line) <= width:
            lines.append(line)
            continue
        columns = [m.end() for m in re.finditer(r"  +", line) if m.end() <= width - _NARROW]
        indent = columns[-1] if columns else len(line) - len(line.lstrip())
        rest = textwrap.wrap(line[indent:], max(width - indent, _NARROW), break_on_hyphens=False) or [""]
        lines += [line[:indent] + rest[0], *(" " * indent + part for part in rest[1:])]
    return "\n".join(lines)


_NARROW = 20  # columns that what goes on needs at least


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


def at_most(value: float, digits: int = 2) -> str:
    """An upper bound with so many significant digits, rounded up."""
    if not math.isfinite(value):
        return str(value)
    return f"{float(Context(prec=digits, rounding=ROUND_CEILING).create_decimal(value)):.{digits}g}"


def percent(share: float | None, digits: int = 2) -> str | None:
    """A share as per cent; None stays None."""
    return None if share is None else f"{100 * share:.{digits}f}%"


def plural(count: int, word: str) -> str:
    """``1 event``, ``2 events``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def drawn(name: str) -> str:
    """A name as matplotlib draws it letter by letter: dollars would begin a formula, a leading underscore hides a label."""
    shown = "".join(c if c.isprintable() else "?" for c in name).replace("$", r"\$")
    return f"\N{ZERO WIDTH SPACE}{shown}" if shown.startswith("_") else shown


def csv_lines(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV with a head; None is empty, text that a spreadsheet would run as a formula begins with an apostrophe, and what would
    move a terminal's cursor is an escape.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_plain_cell, head))
    writer.writerows([_plain_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def _plain_cell(cell: object) -> object:
    if isinstance(cell, str):
        return ("'" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else "") + printable(cell)
    return "" if cell is None else cell


def finite(value: Any) -> Any:
    """Plain data with None in place of the infinities that JSON cannot say."""
    if isinstance(value, Mapping):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
