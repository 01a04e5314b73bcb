"""What a design wrote, kept in the history beside it where no command does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn2hls.config.config import Config


def files_of(*configs: Config, more: Sequence[Path] = ()) -> tuple[Path, ...]:
    """The files that configs name, themselves included, and further ones; what is not there has no digest and is left out."""
    named: list[Path | None] = list(more)
    for c in configs:
        scalings = [scaling.path for scaling in c.input_scaling.values()]
        named += [c.path, c.model, c.weights, c.calibration, c.input_data, c.output_predictions, *scalings]
    return tuple(dict.fromkeys(p for p in named if p is not None and p.is_file()))


def keep_call(kind: str, function: str, arguments: Sequence[Any], config: Config, place: Path, outputs: Iterable[str]) -> None:
    """Keep what a call from Python wrote.

    Args:
        kind: Of the state.
        function, arguments: What was called; the last arguments are left out where they are None.
        config: Of the design.
        place: The folder.
        outputs: Files in it.

    Raises:
        DataError: A history is there and is none, or a file cannot be read.
    """
    from nn2hls.history.state import PYTHON, is_told, keep

    if not is_told():
        said = ", ".join(repr(os.fspath(a)) for a in arguments if a is not None)
        call = f"{function}({said})"
        keep(place, kind, (PYTHON, call), files_of(config), [place / name for name in sorted(outputs)], None)
