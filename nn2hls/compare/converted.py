"""What a comparison reads of a converted network: a Design is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from nn2hls.config.config import Config
from nn2hls.emulate.emulator import Emulator
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.graph.graph import Graph
from nn2hls.passes.base import Provenance


class Converted(Protocol):
    """A network with its types."""

    @property
    def graph(self) -> Graph:
        """The fixed graph."""

    @property
    def float_graph(self) -> Graph:
        """The user's network."""

    @property
    def config(self) -> Config:
        """The settings it was converted with."""

    @property
    def types(self) -> Mapping[str, tuple[Provenance, ...]]:
        """For each node where its types come from."""

    @property
    def signals(self) -> Mapping[str, Any]:
        """Float statistics of every node."""

    @property
    def emulator(self) -> Emulator:
        """The fixed graph, prepared to run."""

    def run(self, x: Any) -> tuple[list[np.ndarray], OverflowLog]:
        """All outputs for events, and the overflows."""

    def predict_float(self, x: Any) -> Any:
        """The float reference."""
