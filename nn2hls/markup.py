"""Tables that show themselves: as text where they are printed, as HTML in a notebook; names in them are inert."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nn2hls.text import one_line, printable, table

_STYLE = "text-align:left;white-space:nowrap"


@dataclass(frozen=True, repr=False)
class Table:
    """Rows under a head.

    Args:
        head: Names of the columns.
        rows: Cells; None is a dash.
        title: A line above; empty: none.
        foot: Lines below.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    foot: Sequence[str] = ()

    def text(self) -> str:
        """For a terminal."""
        above = f"{one_line(self.title)}\n" if self.title else ""
        return above + table(self.head, self.rows) + "".join(f"{one_line(line)}\n" for line in self.foot)

    def __repr__(self) -> str:
        return self.text().rstrip("\n")

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="{_STYLE}">{_cell(name)}</th>' for name in self.head)
        cells = ("".join(f"<td style={_quoted(cell)}>{_cell(cell)}</td>" for cell in row) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        title = f'<caption style="{_STYLE}">{_cell(self.title)}</caption>' if self.title else ""
        foot = "".join(f"<p>{_cell(line)}</p>" for line in self.foot)
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}"


def notebook(title: str, parts: Iterable[Table | str]) -> str:
    """HTML of a result: its short form, its tables, lines of text, and texts of several lines, which keep them."""
    shown = "".join(part._repr_html_() if isinstance(part, Table) else _text(part) for part in parts)
    return f"<div><p><strong>{_cell(title)}</strong></p>{shown}</div>"


def _text(part: str) -> str:
    return f"<pre>{html.escape(printable(part))}</pre>" if "\n" in part else f"<p>{_cell(part)}</p>"


def _cell(value: object) -> str:
    return html.escape("-" if value is None else one_line(value))


def _quoted(cell: object) -> str:
    numeric = isinstance(cell, (int, float)) or (isinstance(cell, str) and cell[:1].isdigit())
    return f'"text-align:{"right" if numeric else "left"};white-space:nowrap"'
