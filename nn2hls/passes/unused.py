"""Tells the user of settings that a layer has no use for, so that none is dropped in silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nn2hls.arith.fixed import FixedType
from nn2hls.config.settings import LayerSettings
from nn2hls.graph.graph import Node

# Settings that only some ops have a use for, as the config calls them.
_NAMES = {
    "reuse": "ReuseFactor",
    "strategy": "Strategy",
    "adder_depth": "AdderDepth",
    "weights": "Weights",
    "table_size": "TableSize",
    "positions": "ParallelizationFactor",
    "time_steps": "TimeStepLoopParallelism",
}
_HARMLESS = {"reuse": 1, "strategy": "Latency", "adder_depth": 0, "weights": "fixed"}  # what hls4ml writes for every layer
_ALWAYS = {"result", "input"}


class Words(dict[str, FixedType]):
    """The types that the user named for a layer; remembers which words the op asked for."""

    def __init__(self, named: Mapping[str, FixedType]) -> None:
        super().__init__(named)
        self.asked: set[str] = set()

    def __contains__(self, word: object) -> bool:
        self.asked.add(str(word))
        return super().__contains__(word)

    def __getitem__(self, word: str) -> FixedType:
        self.asked.add(word)
        return super().__getitem__(word)

    def get(self, word: str, default: Any = None) -> Any:
        """As of a dict."""
        self.asked.add(word)
        return super().get(word, default)


def unused(node: Node, settings: LayerSettings, words: Mapping[str, FixedType]) -> list[str]:
    """A note for each setting in the layer's own blocks of the config that its op has no use for, after it was resolved."""
    asked = words.asked if isinstance(words, Words) else set()
    notes = []
    for name, where in settings.own.items():
        if name == "positions":
            taken = len(node.shape) > 1 or settings.positions == 1
        elif name == "time_steps":
            taken = node.turn is not None or settings.time_steps == "Unroll"
        elif name in _NAMES:
            taken = name in node.op.uses or getattr(settings, name) == _HARMLESS.get(name)
        else:
            taken = name in asked or name in _ALWAYS or name not in settings.precision
        if not taken:
            what = _NAMES.get(name, f"the type of '{name}'")
            notes.append(f"{where}: {node.name} is a {type(node.op).__name__}, which has no use for {what}.")
    return notes
