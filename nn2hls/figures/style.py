"""What all figures have in common: paper, colours that everyone can tell apart, names as they are, and files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nn2hls.errors import DataError, ToolError
from nn2hls.extras import missing
from nn2hls.figures.layout import shortened
from nn2hls.files import write_whole
from nn2hls.text import drawn, one_line

# Okabe and Ito (2008), in an order in which neighbours differ in lightness too; the last one is for what stands back.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#8a8f98")
BLUE, ORANGE, GREEN, RED, GREY = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[5], "#d9dee4"
DPI = 150
LETTERS = 36  # of a name beside an axis
FORMATS = (".png", ".pdf", ".svg")


def colour(number: int) -> str:
    """The colour of a layer, a class or a curve."""
    return COLOURS[number % len(COLOURS)]


def new_figure(width: float, height: float) -> Any:
    """An empty figure, in inches, which nobody has to close.

    Raises:
        ToolError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolError("matplotlib, which draws the plots, is not here.", fix=missing("plot")) from error
    figure: Any = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure._repr_png_ = partial(_png, figure)  # for a notebook, which without pyplot knows no figures
    return figure


def _png(figure: Any) -> bytes:
    from io import BytesIO

    drawn = BytesIO()
    figure.savefig(drawn, dpi=DPI, format="png")
    return drawn.getvalue()


def label(name: str) -> str:
    """A name beside an axis or in a legend: letter by letter, and no longer than a figure can hold."""
    return drawn(shortened(one_line(name), LETTERS))


def quiet(axes: Any, grid: str = "y") -> None:
    """Axes without a frame, with a light grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, alpha=0.3)
    axes.set_axisbelow(True)


def around(values: list[float], share: float = 0.06) -> tuple[float, float]:
    """The ends of an axis on which all values can be told apart: theirs, and a little more."""
    low, high = min(values), max(values)
    more = share * (high - low) or 0.05 * abs(high) or 1.0
    return low - more, high + more


def save(figure: Any, path: Path) -> Path:
    """Write a figure whole or not at all; the ending of ``path`` chooses the format.

    Raises:
        DataError: There is no such format.
    """
    if path.suffix.lower() not in FORMATS:
        what = f"A plot is not written as '{path.suffix}'."
        raise DataError(what, where=str(path), fix=f"Use {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")
    write_whole(path, partial(figure.savefig, dpi=DPI, format=path.suffix[1:].lower()))
    return path


def save_all(figures: Mapping[str, Any], folder: Path, ending: str = ".png") -> list[Path]:
    """Each figure as a file of its name."""
    return [save(figure, folder / f"{name}{ending}") for name, figure in figures.items()]
