"""What all figures have in common: paper, colours that everyone can tell apart, names as they are, and files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nn2hls.errors import DataError, ToolError
from nn2hls.extras import missing
from nn2hls.figures.layout import shortened
from nn2hls.files import write_whole
from nn2hls.guard import Guard
from nn2hls.text import drawn, one_line

# Okabe and Ito (2008), in an order in which neighbours differ in lightness too; the last one is for what stands back.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#8a8f98")
BLUE, ORANGE, GREEN, RED, GREY = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[5], "#d9dee4"
DPI = 150
LETTERS = 36  # of a name beside an axis
FORMATS = (".png", ".pdf", ".svg")
MAKER = "drawn by nn2hls"  # stands in every figure
_ENDS = 4096  # bytes at its start and at its end, where it says who drew it
_GUARD = Guard(DataError, "The figure")


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
    kind = path.suffix[1:].lower()
    about = {"Software" if kind == "png" else "Creator": MAKER}
    write_whole(path, partial(figure.savefig, dpi=DPI, format=kind, metadata=about))
    return path


def save_all(figures: Mapping[str, Any], folder: Path, ending: str = ".png") -> list[Path]:
    """Each figure as a file of its name, in place of an earlier one of ours.

    Raises:
        DataError: Another file has one of these names, which nobody has asked for.
    """
    paths = {name: folder / f"{name}{ending}" for name in figures}
    taken = [path.name for path in paths.values() if not _is_free(path)]
    if taken:
        what = f"nn2hls did not draw what stands here: {', '.join(sorted(taken))}."
        raise DataError(what, where=str(folder), fix="Move it to another place, or choose another folder.")
    return [save(figures[name], path) for name, path in paths.items()]


def _is_free(path: Path) -> bool:
    """Whether nothing is lost when a figure is written there."""
    if _GUARD.status(path) is None:
        return True
    with _GUARD.open(path, None) as file:
        head, size = file.read(_ENDS), file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _ENDS))
        return MAKER.encode() in head + file.read(_ENDS)
