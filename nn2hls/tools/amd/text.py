"""Reading what AMD's tools write: files of bounded size, numbers that may be unknown, XML without entities, tables of bars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nn2hls.errors import ToolError
from nn2hls.guard import Guard

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_LONGEST = 400  # characters of a name
_AGAIN = "Run the step that writes it again."
_GUARD = Guard(ToolError, "This report", _AGAIN)
UNKNOWN = frozenset({"", "-", "?", "NA", "N/A", "undef", "inf"})


def report_error(path: Path, what: str) -> ToolError:
    """The error about a report that cannot be read."""
    return ToolError(f"This report cannot be read: {what}.", where=str(path), fix=_AGAIN)


def read_report(path: Path) -> str:
    """The text of a report.

    Raises:
        ToolError: It is not there, no regular file, or too large.
    """
    return _GUARD.report(path)


def read_xml(path: Path) -> Element:
    """The root of an XML report. Declarations of a document type, which entities need, are refused.

    Raises:
        ToolError: It is no such report.
    """
    return _GUARD.xml(read_report(path), path)


def whole(text: str | None, path: Path, what: str) -> int | None:
    """A whole number; None when the tool does not know it. Of a range such as ``4 ~ 10`` the larger end."""
    word = (text or "").strip()
    if word in UNKNOWN:
        return None
    ends = re.fullmatch(r"(\d{1,18})(?:\s*~\s*(\d{1,18}))?", word)
    if ends is None:
        raise report_error(path, f"{what} is {word[:40]!r}, which is no whole number")
    return int(ends[2] or ends[1])


def name(text: str | None, path: Path, what: str) -> str:
    """A name or a release: some printable words."""
    word = (text or "").strip()
    if not word:
        raise report_error(path, f"{what} is missing")
    if len(word) > _LONGEST or not word.isprintable():
        raise report_error(path, f"{what} is {word[:40]!r}, which is no name")
    return word


def decimal(text: str | None, path: Path, what: str) -> float | None:
    """A decimal number; None when the tool does not know it."""
    word = (text or "").strip()
    if word in UNKNOWN:
        return None
    if not re.fullmatch(r"-?\d{1,12}(\.\d{1,12})?", word):
        raise report_error(path, f"{what} is {word[:40]!r}, which is no number")
    return float(word)


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every line that stands between bars, ``| like | this |``."""
    for line in text.splitlines():
        if line.startswith("|") and line.rstrip().endswith("|"):
            yield line.rstrip()[1:-1].split("|")


def version(text: str) -> str:
    """The release that a tool names, such as ``2023.1``; empty when it names none."""
    found = re.search(r"(?<!\d)(?<!\d\.)(20\d\d\.\d(?:\.\d)?)(?!\.?\d)", text)
    return found[1] if found else ""
