"""Reading what AMD's tools write: files of bounded size, numbers that may be unknown, XML without entities, tables of bars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from nn2hls.errors import ToolError

LARGEST = 64 << 20  # bytes of a report; a synthesis report of thousands of modules has some ten million
_LONGEST = 400  # characters of a name
UNKNOWN = frozenset({"", "-", "?", "NA", "N/A", "undef", "inf"})


def report_error(path: Path, what: str) -> ToolError:
    """The error about a report that cannot be read."""
    return ToolError(f"This report cannot be read: {what}.", where=str(path), fix="Run the step that writes it again.")


def read_report(path: Path) -> str:
    """The text of a report.

    Raises:
        ToolError: It is not there, or too large.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise report_error(path, f"it has more than {LARGEST >> 20} MiB")
        return path.read_bytes().decode("utf-8", "replace")  # paths and dates in it may be written in another encoding
    except OSError as error:
        raise report_error(path, str(error.strerror)) from error


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an XML report. Declarations of a document type, which entities need, are refused.

    Raises:
        ToolError: It is no such report.
    """
    text = read_report(path)
    if "\0" in text:  # which would make the parser take it for UTF-16, where a document type could hide from the next line
        raise report_error(path, "it is no text")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise report_error(path, "it declares a document type, which no report of these tools does")
    try:
        return ElementTree.fromstring(text)  # without NULs a str is never decoded again, whatever it declares
    except (ElementTree.ParseError, ValueError) as error:
        raise report_error(path, f"it is no XML ({error})") from error


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
