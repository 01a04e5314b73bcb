"""The lowest TargetSQNR at which a design answers as well as the user asks: as often like float, or with so little noise."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nn2hls.compare.judge import METRICS, Judge, Metric, Own
from nn2hls.compare.layers import judges
from nn2hls.config.config import Config
from nn2hls.config.options import with_options
from nn2hls.errors import ConfigError, ConversionWarning
from nn2hls.graph.graph import Graph
from nn2hls.text import plural

if TYPE_CHECKING:
    from nn2hls.design.design import Design

LOWEST, HIGHEST = 6, 120  # dB; beyond, float32 weights have no more to give


@dataclass(frozen=True)
class Agreement:
    """What the search found.

    Args:
        target_sqnr: In dB, whole.
        share: The score at it; with several outputs the worst of theirs. Of agreement the share of events answered alike.
        below: The score at one dB less; None at the lowest target.
        events: How many were run.
        metric: Whose score it is.
    """

    target_sqnr: int
    share: float
    below: float | None
    events: int
    metric: Metric

    def text(self) -> str:
        """One sentence."""
        less = "" if self.below is None else f", at {self.target_sqnr - 1} dB {self.metric.show(self.below)}"
        shown, events = self.metric.show(self.share), plural(self.events, "event")
        what = f"{shown} of {events} answered as in float"
        if self.metric.name != "agreement":
            what = f"{self.metric.words} {shown} on {events}"
        return f"TargetSQNR {self.target_sqnr} dB: {what}{less}."


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


def find_target(
    graph: Graph,
    config: Config,
    x: Sequence[np.ndarray],
    goal: float,
    labels: Any = None,
    metric: str | Own | None = None,
    threshold: float | None = None,
) -> Agreement:
    """Bisect whole dB; scores get better with the target up to a few events, so what is returned was measured itself.

    Args:
        graph, config: As for :func:`nn2hls.convert`.
        x: One array (events, *shape) per input.
        goal: The score that must be reached: a share of events, dB, an error.
        labels, metric, threshold: As for :meth:`nn2hls.design.design.Design.compare`; without a metric it is agreement.

    Raises:
        ConfigError: The highest target does not reach it, or agreement is asked of an output that is values.
    """
    from nn2hls.design.design import convert

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConversionWarning)  # many designs are tried to see what they lose
        design = convert(graph, config)
    by = judges(design.float_graph, len(x[0]), labels, metric, threshold)
    chosen = next(iter(by)).metric
    if metric is None:
        chosen, by = _agreement(by, design.graph.outputs), judges(design.float_graph, len(x[0]), None, "agreement", threshold)
    known: dict[int, float] = {}

    def measure(target: int) -> float:
        if target not in known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConversionWarning)
                known[target] = _worst(convert(graph, with_options(config, {"target_sqnr": target})), x, by)
        return known[target]

    def reaches(score: float) -> bool:
        return score >= goal if chosen.larger else score <= goal

    if not reaches(measure(HIGHEST)):
        fix = "Types or widths that are set may hold it back: raise MaxWidth, or see `nn2hls compare`."
        best = chosen.show(known[HIGHEST])
        what = f"At most {best} of the events are answered as in float, at TargetSQNR {HIGHEST} dB."
        if chosen.name != "agreement":
            what = f"{chosen.words} is {best} at TargetSQNR {HIGHEST} dB, and {chosen.show(goal)} is asked for."
        where = "--target-agreement" if metric is None else "--target"
        raise ConfigError(what, where=where, fix=fix)
    low, high = LOWEST - 1, HIGHEST  # low fails, or is below the scale; high reaches the goal
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(measure(middle)) else (middle, high)
    return Agreement(high, known[high], known.get(high - 1), len(x[0]), chosen)


def _agreement(by: Sequence[Judge], outputs: Sequence[str]) -> Metric:
    """The metric agreement, where every output is classes.

    Raises:
        ConfigError: One is values.
    """
    for judge, name in zip(by, outputs, strict=True):
        if not judge.classes:
            fix = "Ask for its noise instead, `--metric sqnr --target 40`, or say --metric agreement to take it as classes."
            what = f"An output that is values does not answer alike or otherwise. {judge.text()}"
            raise ConfigError(what, where=f"--target-agreement, output {name}", fix=fix)
    return METRICS["agreement"]


def _worst(design: Design, x: Sequence[np.ndarray], by: Sequence[Judge]) -> float:
    """The score of the output that has the worst one."""
    outputs, _ = design.run(list(x))
    floats = design.predict_float(list(x))
    references = floats if isinstance(floats, list) else [floats]
    scores = []
    for judge, exact, fixed in zip(by, references, outputs, strict=True):
        reference = exact.reshape(len(exact), int(np.prod(exact.shape[1:])))
        score = judge.score(reference, fixed.reshape(reference.shape))
        if score is None or math.isnan(score):
            raise ConfigError(f"{judge.metric.words} is not defined on this data.", where="--metric")
        scores.append(score)
    return min(scores) if by[0].metric.larger else max(scores)
