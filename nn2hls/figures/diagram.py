"""The network as a drawing: a box for each layer, ways from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nn2hls.errors import DataError
from nn2hls.figures.layout import HEIGHT, MOST, WIDTH, drawing, shortened
from nn2hls.figures.style import BLUE, GREEN, new_figure
from nn2hls.text import drawn, one_line

PIXELS = 100  # of the layout in an inch


def network(layers: Sequence[Mapping[str, Any]]) -> Any:
    """The drawing of layers.

    Args:
        layers: With ``name``, ``op``, ``shape``, ``type``, and the names of their ``inputs``, which stand before them.

    Raises:
        DataError: There are none, or more than a drawing can show.
    """
    known = {layer["name"]: k for k, layer in enumerate(layers)}
    found = drawing([[known[name] for name in layer["inputs"]] for layer in layers])
    if found is None:
        raise DataError(f"A drawing shows 1 to {MOST} layers, and these are {len(layers)}.", where="network")
    figure = new_figure(found.width / PIXELS, found.height / PIXELS)
    figure.set_layout_engine("none")  # every place is known
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, found.width), ylim=(found.height, 0))
    ax.set_axis_off()
    for way in found.ways:
        _way(ax, way)
    for box in found.boxes:
        _box(ax, box.x, box.y, layers[box.number])
    return figure


def _box(ax: Any, x: float, y: float, layer: Mapping[str, Any]) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    shape = " × ".join(map(str, layer["shape"])) or "scalar"
    lines = (one_line(layer["name"]), f"{layer['op']} · {shape}", layer["type"])
    style = "round,pad=0,rounding_size=7"
    ax.add_patch(FancyBboxPatch((x, y), WIDTH, HEIGHT, boxstyle=style, facecolor="white", edgecolor="0.7", linewidth=1))
    kind = BLUE if layer["inputs"] else GREEN
    ax.add_patch(Rectangle((x + 4, y + 9), 4, HEIGHT - 18, facecolor=kind, linewidth=0))
    for k, line in enumerate(lines):
        ink, weight = ("black", "bold") if k == 0 else ("0.35", "normal")
        ax.text(
            x + 16,
            y + 20 + 17 * k,
            drawn(shortened(line, 32 if k else 28)),
            fontsize=7.6 - 0.8 * (k > 0),
            color=ink,
            fontweight=weight,
        )


def _way(ax: Any, way: str) -> None:
    """A path of SVG with the commands M, V and C, as the layout makes them."""
    import re

    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for command, text in re.findall(r"([MVC])([^MVC]*)", way):
        numbers = [float(n) for n in text.split()]
        if command == "V":
            numbers = [points[-1][0], numbers[0]]
        points += list(zip(numbers[::2], numbers[1::2], strict=True))
        codes += {"M": [Path.MOVETO], "V": [Path.LINETO], "C": [Path.CURVE4] * 3}[command]
    ax.add_patch(PathPatch(Path(points, codes), facecolor="none", edgecolor="0.45", linewidth=1, zorder=0))
