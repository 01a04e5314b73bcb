"""What a pass is: a pure function from graph to graph, listed once with the reason for its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.config.settings import LayerSettings
from nn2hls.graph.analysis import KnownRanges
from nn2hls.graph.graph import Graph, Node


@dataclass(frozen=True)
class Provenance:
    """Where a type comes from.

    Args:
        word: ``result``, or the word of the config for a type inside the layer (``weight``, ``accum``, ``table`` ...).
        type: The type.
        level: ``sound``: holds every value for any input of the input type. ``calibrated``: held all calibration data with a
            bit to spare, saturates beyond. ``guessed``: the same of seeded inputs, with two bits to spare, because there is no
            data and what holds every value leaves too few fraction bits. ``given``: the user's. ``default``: of an input that
            nothing is known about.
        why: Which bits come from where.
    """

    word: str
    type: FixedType
    level: str
    why: str


@dataclass
class Context:
    """What a pass may read besides the graph.

    Args:
        settings: The settings of a node.
        calibration: One array (events, *shape) per input, or None without data.
        notes: What passes tell the user, in order.
        signals: Float statistics of every node where the caller has them already; None: resolve-types measures.
        types: Where the types of each node come from, the result first; ``resolve_types`` fills it.
        warnings: Those of the notes that the user must know, because answers suffer.
        ranges: Bounds of all values once they have types, from pass to pass.
    """

    settings: Callable[[Node], LayerSettings]
    calibration: Sequence[np.ndarray] | None = None
    notes: list[str] = field(default_factory=list)
    signals: Mapping[str, Any] | None = None
    types: dict[str, tuple[Provenance, ...]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    ranges: KnownRanges = field(default_factory=KnownRanges)

    def warn(self, text: str) -> None:
        """Keep a note that the user must know, once."""
        if text in self.warnings:
            return
        self.notes.append(text)
        self.warnings.append(text)


@dataclass(frozen=True)
class Pass:
    """One entry of the pipeline.

    Args:
        name: As ``nn2hls passes`` prints it.
        run: The function.
        typed: True when the graph it returns has types.
        why: Why it stands where it stands.
    """

    name: str
    run: Callable[[Graph, Context], Graph]
    typed: bool
    why: str
