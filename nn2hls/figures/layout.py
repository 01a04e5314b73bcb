"""Where the layers of a network stand in its drawing: levels from top to bottom, as few crossings as a few sweeps leave.

After Sugiyama, Tagawa and Toda (1981): layers by their longest way from the inputs, edges over several levels as chains of
bends, an order in each level by the mean of the neighbours, and places that keep that order.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 222, 64  # of a box, in pixels
GAP, BEND, RISE = 22, 14, 40  # between boxes, width of a bend, between levels
MARGIN = 10
MOST = 400  # layers that are drawn
SWEEPS = 6
_WIDE = frozenset("mwMW@%")
LETTERS = 28  # of a box's line


@dataclass(frozen=True)
class Box:
    """A layer: its number, and its upper left corner."""

    number: int
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """Boxes and the ways between them.

    Args:
        width, height: In pixels.
        boxes: In the order of the network.
        ways: As paths of SVG.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    ways: tuple[str, ...]


def drawing(reads: Sequence[Sequence[int]]) -> Drawing | None:
    """The drawing of a network.

    Args:
        reads: For each layer the numbers of those that it reads, all smaller than its own.

    Returns:
        None for one with nothing in it, or with more layers than a drawing can show.
    """
    if not 0 < len(reads) <= MOST:
        return None
    levels, edges, widths = _levels(reads)
    _order(levels, edges)
    places = _places(levels, edges, widths)
    left = min(places[k] - widths[k] / 2 for k in places) - MARGIN
    tops = {k: MARGIN + row * (HEIGHT + RISE) for row, level in enumerate(levels) for k in level}
    places = {k: round(x - left, 1) for k, x in places.items()}
    width = max(places[k] + widths[k] / 2 for k in places) + MARGIN
    boxes = tuple(Box(k, round(places[k] - WIDTH / 2, 1), tops[k]) for k in range(len(reads)))
    ways = tuple(_way(a, b, places, tops, len(reads)) for a, b in edges)
    return Drawing(round(width), len(levels) * (HEIGHT + RISE) - RISE + 2 * MARGIN, boxes, ways)


def _levels(reads: Sequence[Sequence[int]]) -> tuple[list[list[int]], list[tuple[int, int]], dict[int, float]]:
    """Layers and bends by level, the steps between neighbouring levels, and widths."""
    depth: list[int] = []
    for before in reads:
        depth.append(1 + max((depth[k] for k in before), default=-1))
    levels: list[list[int]] = [[] for _ in range(max(depth) + 1)]
    widths: dict[int, float] = {}
    for k, level in enumerate(depth):
        levels[level].append(k)
        widths[k] = WIDTH
    edges: list[tuple[int, int]] = []
    bends: dict[tuple[int, int], int] = {}  # one chain of bends for all readers of a layer
    for k, before in enumerate(reads):
        for source in dict.fromkeys(before):
            last = source
            for level in range(depth[source] + 1, depth[k]):
                if (source, level) not in bends:
                    bends[source, level] = bend = len(widths)
                    widths[bend] = BEND
                    levels[level].append(bend)
                    edges.append((last, bend))
                last = bends[source, level]
            edges.append((last, k))
    return levels, edges, widths


def _neighbours(edges: Sequence[tuple[int, int]]) -> tuple[Mapping[int, list[int]], Mapping[int, list[int]]]:
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for a, b in edges:
        above.setdefault(b, []).append(a)
        below.setdefault(a, []).append(b)
    return above, below


def _order(levels: list[list[int]], edges: Sequence[tuple[int, int]]) -> None:
    """Sort each level by the mean place of the neighbours, downwards and upwards in turn."""
    above, below = _neighbours(edges)
    place = {k: float(i) for level in levels for i, k in enumerate(level)}
    for sweep in range(SWEEPS):
        near = below if sweep % 2 else above
        for level in levels[::-1] if sweep % 2 else levels:
            level.sort(key=lambda k, near=near: _mean([place[n] for n in near.get(k, ())], place[k]))  # type: ignore[misc]
            place.update({k: float(i) for i, k in enumerate(level)})


def _places(levels: Sequence[Sequence[int]], edges: Sequence[tuple[int, int]], widths: Mapping[int, float]) -> dict[int, float]:
    """The middle of each box and bend: near its neighbours, in the order of its level, a gap apart."""
    above, below = _neighbours(edges)
    x = {k: 0.0 for level in levels for k in level}
    for sweep in range(2 * SWEEPS):
        near = below if sweep % 2 else above
        for level in levels[::-1] if sweep % 2 else levels:
            wanted = [_mean([x[n] for n in near.get(k, ())], x[k]) for k in level]
            x.update(zip(level, _apart(wanted, [widths[k] for k in level]), strict=True))
    return x


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Places in order and a gap apart, of which the mean is that of the wanted ones."""
    found: list[float] = []
    for k, place in enumerate(wanted):
        least = found[-1] + (widths[k - 1] + widths[k]) / 2 + GAP if found else place
        found.append(max(place, least))
    shift = _mean(wanted, 0.0) - _mean(found, 0.0)
    return [place + shift for place in found]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _way(a: int, b: int, places: Mapping[int, float], tops: Mapping[int, float], boxes: int) -> str:
    """A curve from the lower edge of one box or bend to the upper edge of the next; through a bend it goes straight down."""
    x, y, u, v = places[a], tops[a] + HEIGHT, places[b], tops[b]
    middle = (y + v) / 2
    through = f"M{x} {tops[a]}V{y}" if a >= boxes else f"M{x} {y}"
    return f"{through}C{x} {middle} {u} {middle} {u} {v}"


def shortened(text: str, letters: int = LETTERS) -> str:
    """A line of at most so many letters of the common width; an ellipsis stands for what is cut off."""
    widths = [2.0 if unicodedata.east_asian_width(c) in "WF" else 1.6 if c in _WIDE else 1.0 for c in text]
    if sum(widths) <= letters:
        return text
    taken, kept = 0.0, []
    for letter, width in zip(text, widths, strict=True):
        taken += width
        if taken > letters - 1:
            break
        kept.append(letter)
    return "".join(kept) + "…"
