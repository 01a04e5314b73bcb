"""A config to begin with, as a dict to be edited, in hls4ml's words."""

from __future__ import annotations

from typing import Any

from nn2hls.config.config import Config
from nn2hls.config.keys import PRECISION_WORDS
from nn2hls.design.model import load_model
from nn2hls.errors import ConfigError, suggest
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Node

GRANULARITIES = ("model", "type", "name")
_SETTINGS = {"reuse": ("ReuseFactor", 1), "strategy": ("Strategy", "Latency")}  # by what an op has a use for


def config_for(model: Any, granularity: str = "name", example: Any = None) -> dict[str, Any]:
    """A config of all that can be set for a model, each as it is without a config: `auto` types are derived.

    Args:
        model: As for :func:`nn2hls.convert`.
        granularity: ``model``: what holds for all layers; ``type``: also for each class of layers; ``name``: for each layer.
        example: An example input of a PyTorch module, as for :func:`nn2hls.convert`.

    Returns:
        ``{"Model": ..}``, with ``LayerType`` or ``LayerName``; :func:`nn2hls.convert` takes it as its config.

    Raises:
        ConfigError: There is no such granularity.
    """
    if granularity not in GRANULARITIES:
        fix = suggest(granularity, GRANULARITIES) or f"Use {', '.join(GRANULARITIES)}."
        raise ConfigError(f"There is no granularity '{granularity}'.", fix=fix)
    found: dict[str, Any] = {"Model": {"Precision": "auto", "ReuseFactor": 1, "Strategy": "Latency"}}
    if granularity == "model":
        return found
    key = "LayerName" if granularity == "name" else "LayerType"
    levels: dict[str, dict[str, Any]] = found.setdefault(key, {})
    for node in load_model(model, Config(), example).nodes:
        own = _level(node)
        level = levels.setdefault(node.name if key == "LayerName" else node.origin.kind or type(node.op).__name__, own)
        level["Precision"].update(own["Precision"])
        level.update({k: v for k, v in own.items() if k != "Precision"})
    return found


def _level(node: Node) -> dict[str, Any]:
    constants = [word for word in PRECISION_WORDS if isinstance(getattr(node.op, word, None), Const)]
    settings = {name: value for use, (name, value) in _SETTINGS.items() if use in node.op.uses}
    return {"Precision": dict.fromkeys(["result", *constants], "auto"), **settings}
