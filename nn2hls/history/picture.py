"""The tree of states as an SVG: a box for each, an edge from what it was made of."""

from __future__ import annotations

from collections import Counter
from xml.sax.saxutils import escape

from nn2hls.history.tree import Entry, Tree, said
from nn2hls.text import printable

WIDTH, HEIGHT, GAP, MARGIN = 300, 64, 40, 20
_COLOURS = {"recipe": "#f4e3c1", "convert": "#cfe3f5", "build": "#d6ecd2", "scan": "#e6dcf2", "search": "#f3d7dc"}


def svg(tree: Tree) -> str:
    """The text of the picture; names and words are text in it, whatever they hold."""
    depth, row = tree.depths(), Counter[int]()
    place: dict[str, tuple[int, int]] = {}
    for entry in tree.entries:
        column = depth[entry.state.name]
        place[entry.state.name] = (MARGIN + column * (WIDTH + GAP), MARGIN + row[column] * (HEIGHT + GAP // 2))
        row[column] += 1
    width = 2 * MARGIN + (max(row, default=0) + 1) * (WIDTH + GAP) - GAP
    height = 2 * MARGIN + max(row.values(), default=1) * (HEIGHT + GAP // 2) - GAP // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for entry in tree.entries:
        parts += [_edge(place[p], place[entry.state.name]) for p in entry.parents if p in place]
    parts += [line for entry in tree.entries for line in _box(entry, *place[entry.state.name])]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _edge(start: tuple[int, int], end: tuple[int, int]) -> str:
    x, y = start[0] + WIDTH, start[1] + HEIGHT // 2
    return f'<path d="M {x} {y} L {end[0]} {end[1] + HEIGHT // 2}" stroke="#555" fill="none"/>'


def _box(entry: Entry, x: int, y: int) -> list[str]:
    state = entry.state
    lines = [f"{state.name}  {state.kind}", said(state), ", ".join(f.path for f in state.outputs[:2])]
    texts = [f'<text x="{x + 8}" y="{y + 18 + 18 * k}">{_inert(line)}</text>' for k, line in enumerate(lines)]
    return [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{_COLOURS[state.kind]}" stroke="#555"/>',
        *texts,
    ]


def _inert(text: str) -> str:
    line = printable(text).replace("\n", " ")
    return escape(line if len(line) <= 46 else line[:45] + "\u2026")
