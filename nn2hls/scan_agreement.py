"""The lowest TargetSQNR at which a design answers as often like float as the user asks."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nn2hls.compare import compare_output
from nn2hls.config import Config
from nn2hls.config_options import with_options
from nn2hls.errors import ConfigError, ConversionWarning
from nn2hls.ir import Graph
from nn2hls.text import percent, plural

if TYPE_CHECKING:
    from nn2hls.design import Design

LOWEST, HIGHEST = 6, 120  # dB; beyond, float32 weights have no more to give


@dataclass(frozen=True)
class Agreement:
    """What the search found.

    Args:
        target_sqnr: In dB, whole.
        share: Of events that are answered alike at it; with several outputs the lowest of theirs.
        below: The share at one dB less; None at the lowest target.
        events: How many were run.
    """

    target_sqnr: int
    share: float
    below: float | None
    events: int

    def text(self) -> str:
        """One sentence."""
        less = "" if self.below is None else f", at {self.target_sqnr - 1} dB {percent(self.below)}"
        what = f"TargetSQNR {self.target_sqnr} dB: {percent(self.share)} of {plural(self.events, 'event')} answered as in float"
        return f"{what}{less}."


def parse_share(text: str) -> float:
    """A share above 0 and at most 1, written as ``0.995`` or ``99.5%``.

    Raises:
        ConfigError: It is something else.
    """
    match = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{0,12})?|\.\d{1,12})\s*(%?)\s*", text)
    share = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < share <= 1:
        raise ConfigError(f"'{text}' is not a share of events.", where="--target-agreement", fix="Write 0.995 or 99.5%.")
    return share


def find_target(graph: Graph, config: Config, x: Sequence[np.ndarray], share: float) -> Agreement:
    """Bisect whole dB; agreement grows with the target up to a few events, so what is returned was measured itself.

    Args:
        graph, config: As for :func:`nn2hls.convert`.
        x: One array (events, *shape) per input.
        share: Of events that must be answered alike, 0 to 1.

    Raises:
        ConfigError: The highest target does not reach it.
    """
    from nn2hls.design import convert

    known: dict[int, float] = {}

    def measure(target: int) -> float:
        if target not in known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConversionWarning)  # many of them are tried to see what they lose
                known[target] = _share(convert(graph, with_options(config, {"target_sqnr": target})), x)
        return known[target]

    if measure(HIGHEST) < share:
        fix = "Types or widths that are set may hold it back: raise MaxWidth, or see `nn2hls compare`."
        what = f"At most {percent(known[HIGHEST])} of the events are answered as in float, at TargetSQNR {HIGHEST} dB."
        raise ConfigError(what, where="--target-agreement", fix=fix)
    low, high = LOWEST - 1, HIGHEST  # low fails, or is below the scale; high reaches the share
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if measure(middle) >= share else (middle, high)
    return Agreement(high, known[high], known.get(high - 1), len(x[0]))


def _share(design: Design, x: Sequence[np.ndarray]) -> float:
    outputs, _ = design.run(list(x))
    floats = design.predict_float(list(x))
    references = floats if isinstance(floats, list) else [floats]
    return min(compare_output("", a, b).agreement for a, b in zip(references, outputs, strict=True))
