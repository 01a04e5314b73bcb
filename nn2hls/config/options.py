"""Options of the command line on top of a config, read by the readers of the same keys."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nn2hls.config.config import Config
from nn2hls.config.items import Problems, Setting
from nn2hls.config.keys import BARE_WORDS, Key, Place, keys_at
from nn2hls.config.values import fixed_type

# Option -> where its key stands, and the key.
OPTIONS = {
    "weights": (Place.TOP, "KerasH5"),
    "part": (Place.TOP, "Part"),
    "bambu_device": (Place.TOP, "BambuDevice"),
    "clock": (Place.TOP, "ClockPeriod"),
    "backend": (Place.TOP, "Backend"),
    "output_dir": (Place.TOP, "OutputDir"),
    "project_name": (Place.TOP, "ProjectName"),
    "calibration": (Place.MODEL, "Calibration"),
    "precision": (Place.MODEL, "Precision"),
    "reuse": (Place.MODEL, "ReuseFactor"),
    "strategy": (Place.MODEL, "Strategy"),
    "adder_depth": (Place.MODEL, "AdderDepth"),
    "io_type": (Place.TOP, "IOType"),
    "fifo": (Place.TOP, "FifoDepths"),
    "max_width": (Place.MODEL, "MaxWidth"),
    "target_sqnr": (Place.MODEL, "TargetSQNR"),
}


def with_options(config: Config, options: Mapping[str, Any]) -> Config:
    """The config with options in place of its own values at the top or under Model; those that are None change nothing.

    Raises:
        ConfigError: A value is not what its key takes; the place is the option.
    """
    problems = Problems()
    fields: dict[str, Any] = {}
    settings, precision = dict(config.model_level.settings), dict(config.model_level.precision)
    for name, value in options.items():
        if value is None:
            continue
        place, key_name = OPTIONS[name]
        key = keys_at(place)[key_name.lower()]
        where = f"--{name.replace('_', '-')}"
        with problems.at(where, ""):
            if name == "precision":
                precision.update(dict.fromkeys(BARE_WORDS, Setting(fixed_type(value), where)))
            elif place is Place.TOP or name == "calibration":
                fields[key.field] = _value(key, value)
            else:
                settings[key.field] = Setting(key.reader(_whole(value)), where)
    problems.raise_all()
    level = dataclasses.replace(config.model_level, settings=settings, precision=precision)
    return dataclasses.replace(config, model_level=level, **fields)


def _value(key: Key, value: Any) -> Any:
    plain = key.reader(value)
    return Path(os.path.expanduser(plain)) if key.values in ("file", "folder") else plain


def _whole(text: Any) -> Any:
    return int(text) if isinstance(text, str) and text.isdecimal() else text
