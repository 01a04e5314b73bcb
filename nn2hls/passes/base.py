"""What a pass is: a pure function from graph to graph, listed once with the reason for its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from nn2hls.fixed import FixedType
from nn2hls.ir import Graph, Node


class LayerSettings(Protocol):
    """What passes read of a layer's settings; ``nn2hls.config`` provides it."""

    @property
    def precision(self) -> Mapping[str, FixedType]:
        """Types the user named, by word."""

    @property
    def own(self) -> Mapping[str, str]:
        """Words of types named for this layer alone, and where."""

    @property
    def own_type(self) -> bool:
        """Whether the user gave this very layer a type."""

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each setting was made, by field or word."""

    @property
    def reuse(self) -> int:
        """Reuse factor."""

    @property
    def strategy(self) -> str:
        """``Latency`` or ``Resource``."""

    @property
    def table_size(self) -> int | None:
        """Entries of each table; None: derived."""

    @property
    def max_width(self) -> int:
        """No derived type is wider."""

    @property
    def target_sqnr(self) -> float:
        """Signal to rounding noise that derived types keep, in dB."""


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
    """

    settings: Callable[[Node], LayerSettings]
    calibration: Sequence[np.ndarray] | None = None
    notes: list[str] = field(default_factory=list)
    signals: Mapping[str, Any] | None = None
    types: dict[str, tuple[Provenance, ...]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Keep a note that the user must know."""
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
