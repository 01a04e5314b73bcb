"""How narrow the types that nn2hls derives may be for what a network may lose."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from nn2hls.arith.fixed import FixedType
from nn2hls.config.config import Config
from nn2hls.config.items import Level, Setting
from nn2hls.config.settings import LayerSettings
from nn2hls.errors import ConfigError, Nn2hlsError
from nn2hls.text import plural
from nn2hls.trials.network import Network

LEAST = 2  # bits, as MaxWidth has it
WHERE = "--max-loss"


@dataclass(frozen=True)
class Narrowed:
    """The narrowest derived types that keep the loss.

    Args:
        config: With them.
        width: MaxWidth.
        words: What answers are judged by.
        score, exact: Of them, and of float, for people.
        loss, allowed: How much worse than float they are, and may be, in units of the metric (SQNR: noise by signal power).
        events: On so many events.
    """

    config: Config
    width: int
    words: str
    score: str
    exact: str
    loss: float
    allowed: float
    events: int

    def __str__(self) -> str:
        on = plural(self.events, "event")
        return f"Types of at most {self.width} bits (MaxWidth): {self.words} {self.score}, float {self.exact}, on {on}.\n"

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "config"}


def narrowest(network: Network, max_loss: float) -> Narrowed:
    """Lower MaxWidth by halving, as far as the network loses no more than it may.

    Args:
        network: With data.
        max_loss: As :meth:`nn2hls.compare.judge.Judge.allowed` has it.

    Raises:
        ConfigError: The config names all types, or its own types lose more.
    """
    allowed = network.judge.allowed(network.reference, max_loss, None)
    high = max(network.config.settings_of(node).max_width for node in network.graph)
    best, types = _tried(network, network.config, high)
    _, lowest = _tried(network, _capped(network.config, LEAST), LEAST)
    if types == lowest:
        fix = "Set Precision: auto, with Calibration, or leave --max-loss out."
        raise ConfigError("The config names all types: none of them gives way.", where=WHERE, fix=fix)
    if best is None or best.loss > allowed:
        lost = "cannot be built" if best is None else f"has {best.words} {best.score}, float {best.exact}"
        fix = "Allow a larger loss, or raise MaxWidth and TargetSQNR."
        raise ConfigError(f"With the types that the config derives the design {lost}: more is lost than may be.", fix=fix)
    low = LEAST
    while low < high:
        middle = (low + high) // 2
        found, _ = _tried(network, _capped(network.config, middle), middle)
        if found is not None and found.loss <= allowed:
            best, high = found, middle
        else:
            low = middle + 1
    return dataclasses.replace(best, allowed=allowed)


def _capped(config: Config, width: int) -> Config:
    """The config with no derived type wider than that."""
    default = LayerSettings().max_width

    def lowered(level: Level, *, always: bool = False) -> Level:
        own = level.settings.get("max_width")
        if own is None and not always:
            return level
        least = min(width, default if own is None else own.value)
        return dataclasses.replace(level, settings={**level.settings, "max_width": Setting(least, WHERE)})

    return dataclasses.replace(
        config,
        model_level=lowered(config.model_level, always=True),
        layer_types={k: lowered(level) for k, level in config.layer_types.items()},
        layer_names={k: lowered(level) for k, level in config.layer_names.items()},
    )


def _tried(network: Network, config: Config, width: int) -> tuple[Narrowed | None, tuple[FixedType, ...]]:
    """A design's answers, and its types; None and none where it cannot be built."""
    judge, reference = network.judge, network.reference
    try:
        design = network.design(config)
        outputs, _ = design.run(network.inputs)
        fixed = outputs[0].reshape(reference.shape)
        loss, _ = judge.loss(reference, fixed)
    except Nn2hlsError:
        return None, ()
    score, exact = (str(judge.metric.show(judge.score(reference, values))) for values in (fixed, reference))
    found = Narrowed(config, width, judge.metric.words, score, exact, loss, loss, network.events)
    return found, tuple(row.type for rows in design.types.values() for row in rows)
