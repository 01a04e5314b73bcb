"""The network that a design is made of."""

from __future__ import annotations

import os
from typing import Any

from nn2hls.config.config import Config
from nn2hls.errors import ConfigError
from nn2hls.graph.graph import Graph


def load_model(model: Any, config: Config, example: Any = None) -> Graph:
    """The network: ``model``, or the one that the config names.

    Raises:
        ConfigError: Neither is there.
        ModelError: It cannot be read.
    """
    if isinstance(model, Graph):
        return model
    from nn2hls.frontends import load

    if model is None:
        model = config.model or config.live
    if model is None:
        fix = f"{config.name_a_model} Or pass the model itself: convert(model, config)."
        raise ConfigError(config.unread or "The config names no model.", where=str(config.path or ""), fix=fix)
    weights = config.weights if isinstance(model, str | os.PathLike) else None
    return load(model, weights=weights, example=example, input_shape=config.input_shape)
