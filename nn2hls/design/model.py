"""Which network a conversion is asked for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from nn2hls.config.config import Config
from nn2hls.errors import ConfigError
from nn2hls.graph.graph import Graph


def with_path(config: Config, model: Any) -> Config:
    """The config that names the model's file, where the model is one, so that projects and histories tell of it."""
    return replace(config, model=Path(model)) if isinstance(model, str | os.PathLike) else config


def load_model(model: Any, config: Config, example: Any = None) -> Graph:
    """The network: ``model``, or the one that the config names, with what the config asks before and behind it.

    Raises:
        ConfigError: Neither is there, or what is asked does not fit it.
        ModelError: It cannot be read.
    """
    from nn2hls.converters.decision import decide
    from nn2hls.frontends import load

    if isinstance(model, Graph):
        return decide(model, config)

    if model is None:
        model = config.model or config.live
    if model is None:
        fix = f"{config.name_a_model} Or pass the model itself: convert(model, config)."
        raise ConfigError(config.unread or "The config names no model.", where=str(config.path or ""), fix=fix)
    weights = config.weights if isinstance(model, str | os.PathLike) else None
    return decide(load(model, weights=weights, example=example, input_shape=config.input_shape), config)
