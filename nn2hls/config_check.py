"""Compares the names in a config with the layers of a loaded graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from nn2hls.config import Config, Level, types_of
from nn2hls.config_read import Problems
from nn2hls.errors import ConfigError, suggest
from nn2hls.ir import Graph

_LISTED = 40  # names in a message


def bind(config: Config, graph: Graph) -> Config:
    """See :meth:`nn2hls.config.Config.check`."""
    problems = Problems()
    names: dict[str, Level] = {}
    inputs = {n.name for n in graph.inputs}
    meanings = _meanings(graph)
    for name, level in config.layer_names.items():
        with problems.at(level.where, ""):
            if name not in meanings:
                raise _unknown("layer", name, meanings, [n.name for n in graph.nodes])
            node = meanings[name]
            if "input" in level.precision and node not in inputs:
                fix = (
                    f"Its input is the result of the layer before it; the inputs of the design are {', '.join(sorted(inputs))}."
                )
                raise ConfigError(f"'{name}' is not an input of the design.", where=level.precision["input"].where, fix=fix)
            names[node] = _joined(node, names.get(node), level)
    kinds = {k.lower(): k for n in graph.nodes for k in types_of(n) if k}
    for name, level in config.layer_types.items():
        with problems.at(level.where, ""):
            if name not in kinds:
                raise _unknown("layer type", level.name, kinds.values(), kinds.values())
    problems.raise_all()
    return dataclasses.replace(config, layer_names=names)


def _meanings(graph: Graph) -> Mapping[str, str]:
    """What a user may call a node, and the node or layer that is meant."""
    meanings = {name: name for n in graph.nodes for name in (n.name, n.origin.layer) if name}
    for source in graph.inputs:
        for user in graph.users[source.name]:
            meanings.setdefault(f"{user.origin.layer}_input", source.name)
    for node in graph.nodes:
        meanings.setdefault(f"{node.origin.layer}_linear", node.origin.layer)  # hls4ml has a node for no activation
    return meanings


def _joined(node: str, first: Level | None, second: Level) -> Level:
    """The settings of a node that two names address."""
    if first is None:
        return second
    for name in ("precision", "settings"):
        a, b = getattr(first, name), getattr(second, name)
        for key in a.keys() & b.keys():
            if a[key].value != b[key].value:
                what = f"Two names address '{node}', and its {key} is {a[key].value} at {a[key].where} and {b[key].value} here."
                raise ConfigError(what, where=b[key].where, fix="Keep one of them.")
    return Level(first.where, first.name, {**first.settings, **second.settings}, {**first.precision, **second.precision})


def _unknown(kind: str, name: str, known: Iterable[str], listed: Iterable[str]) -> ConfigError:
    unique = list(dict.fromkeys(listed))
    more = f" and {len(unique) - _LISTED} more" if len(unique) > _LISTED else ""
    hint = f"{suggest(name, known)} The model has {', '.join(unique[:_LISTED])}{more}.".strip()
    return ConfigError(f"There is no {kind} '{name}' in the model.", fix=hint)
