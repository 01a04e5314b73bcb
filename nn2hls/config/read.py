"""Reads a config from a YAML file or a dict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nn2hls.config.config import Config
from nn2hls.config.items import BlockReader, Level, Problems
from nn2hls.config.keys import Key, Place, keys_at
from nn2hls.config.values import Unread
from nn2hls.config.yaml import Item, from_mapping, read_yaml
from nn2hls.errors import ConfigError


def read_config(source: str | Path | Mapping[str, Any] | Config | None = None) -> Config:
    """Read a config.

    Args:
        source: A YAML file, a whole config as a dict, only hls4ml's ``hls_config`` dict (Model, LayerType, LayerName), a
            Config, or None for the defaults.

    Raises:
        ConfigError: Names every error with its line and the way out.
    """
    if source is None or isinstance(source, Config):
        return source or Config()
    if isinstance(source, (str, Path)):
        path = Path(source).expanduser()
        return _read(read_yaml(path), path.parent, path)
    if isinstance(source, Mapping):
        return _read(from_mapping(source), Path(), None)
    fix = "Give a YAML file, a dict, a Config or None."
    raise ConfigError(f"A config cannot be a {type(source).__name__}.", fix=fix)


def _read(root: Item, base: Path, path: Path | None) -> Config:
    problems = Problems()
    reader = BlockReader(problems, base)
    items = reader.block(root, "config")
    if _is_hls_config(items):
        items = _with_hls_config(items, root.where)
    top = _Top(reader)
    reader.each(items, Place.TOP, top.take)
    top.finish(root.where)
    problems.raise_all()
    return Config(path=path, notes=reader.notes, **top.fields)


def _is_hls_config(items: Mapping[str, Item]) -> bool:
    lower = {k.lower(): i for k, i in items.items()}
    model = lower.get("model")
    blocks = {"layertype", "layername"} & lower.keys() or (model is not None and isinstance(model.value, dict))
    return bool(blocks) and "hlsconfig" not in lower


def _with_hls_config(items: Mapping[str, Item], where: str) -> dict[str, Item]:
    """hls4ml's ``hls_config`` as a whole config; keys that stand at the top of one may stand beside its blocks."""
    inner, top = keys_at(Place.HLS), keys_at(Place.TOP)
    hls = {k: i for k, i in items.items() if k.lower() in inner or k.lower() not in top}
    return {"HLSConfig": Item(hls, where), **{k: i for k, i in items.items() if k not in hls}}


class _Top:
    """Collects the fields of a Config."""

    def __init__(self, reader: BlockReader) -> None:
        self.reader = reader
        self.fields: dict[str, Any] = {}
        self._set_by: dict[str, str] = {}

    def take(self, key: Key, item: Item) -> None:
        """Keep the value of an honoured key."""
        if key.values == "block":
            place = Place.HLS if key.name == "HLSConfig" else Place.WRITER
            self.reader.each(self.reader.block(item, key.name), place, self._levels)
            return
        value = self.reader.value(key, item)
        first = self._set_by.get(key.field)
        if first is not None and (key.field == "model" or self.fields[key.field] != value):
            raise ConfigError(f"{first} names another one.", fix="Keep one of them.")
        self._set_by[key.field] = key.name
        if isinstance(value, Unread):
            self.fields["unread"] = f"{key.name}: {value.what}."
        else:
            self.fields[key.field if key.field != "model" or isinstance(value, Path) else "live"] = value

    def _levels(self, key: Key, item: Item) -> None:
        if Place.TOP in key.places:
            self.take(key, item)
        elif key.name == "Model":
            level = self.reader.level(item, key.name, Place.MODEL)
            whole = {name: level.settings[name].value for name in ("calibration", "io_type") if name in level.settings}
            self.fields.update(model_level=level, **whole)
        else:
            by_type = key.name == "LayerType"
            self.fields["layer_types" if by_type else "layer_names"] = self._blocks(key, item, by_type)

    def _blocks(self, key: Key, item: Item, by_type: bool) -> dict[str, Level]:
        levels: dict[str, Level] = {}
        for name, block in self.reader.block(item, key.name).items():
            with self.reader.problems.at(block.where, name):
                known = name.lower() if by_type else name
                if known in levels:
                    raise ConfigError("This layer type is repeated in another case.", fix="Keep one of them.")
                levels[known] = self.reader.level(block, name, Place.LAYER)
        return levels

    def finish(self, where: str) -> None:
        """The rules between keys."""
        keras_json = self._set_by.get("model") == "KerasJson"
        with self.reader.problems.at(where, ""):
            if keras_json and "weights" not in self.fields:
                raise ConfigError("KerasJson names no weights.", fix="Add KerasH5 with the weights file.")
            if "weights" in self.fields and "model" not in self._set_by:
                self.fields["model"] = self.fields.pop("weights")
            elif "weights" in self.fields and not (keras_json or self._set_by["model"] == "Model"):
                raise ConfigError(f"KerasH5 does not go with {self._set_by['model']}.", fix="Keep one of them.")
