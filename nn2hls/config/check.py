"""Compares the names in a config with the layers of a loaded graph."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from nn2hls.config.config import Config, types_of
from nn2hls.config.items import Level, Problems
from nn2hls.errors import ConfigError, suggest
from nn2hls.graph.graph import Absent, Fate, Graph, Node
from nn2hls.known_layers import is_layer_type

_MADE_BY_HLS4ML = {"Dense_": ("MatMul", "Gemm"), "bn_": ("Add", "Sub", "Mul", "Div", "BatchNormalization")}
_LISTED = 40  # names in a message


def bind(config: Config, graph: Graph) -> Config:
    """Compare the names and types of layers in a config with a loaded graph.

    Returns:
        The config with ``NAME_input`` and ``NAME_linear`` standing under the node they mean.

    Raises:
        ConfigError: LayerName or LayerType names something that is not in the graph; all of them are listed.
    """
    problems, names = Problems(), _Names(graph)
    levels: dict[str, Level] = {}
    for name, level in config.layer_names.items():
        with problems.at(level.where, ""):
            node, level = names.meant(name, level)
            if node:
                levels[node] = _joined(node, levels.get(node), level)
    kinds = {k.lower(): k for n in graph.nodes for k in types_of(n) if k}
    for name, level in config.layer_types.items():
        with problems.at(level.where, ""):
            if name not in kinds and not is_layer_type(name):
                raise _unknown("layer type", level.name, kinds.values(), kinds.values())
            if name not in kinds:
                names.notes.append(f"{level.where}: {level.name}: The model has no layer of this type.")
    problems.raise_all()
    live = config.live if isinstance(config.live, bytes) else None  # an object of a framework has done its part
    return dataclasses.replace(config, live=live, layer_names=levels, notes=(*config.notes, *names.notes))


class _Names:
    """What a user may call the layers of a graph.

    Args:
        graph: The graph.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.notes = graph, list[str]()
        self.meanings = _meanings(graph)
        self.absent: dict[str, Absent] = {}
        for gone in graph.absent:
            for name in (gone.layer, _of_fx(gone.layer)):
                if name not in self.meanings:
                    self.absent.setdefault(name, gone)

    def meant(self, name: str, level: Level) -> tuple[str, Level]:
        """The node that a name of LayerName means, and the settings that hold for it; no node when they have no effect.

        Raises:
            ConfigError: The name is unknown, or its settings cannot hold.
        """
        known = name if name in self.meanings or name in self.absent else self._made_by_hls4ml(name)
        if not known:
            raise _unknown("layer", name, self.meanings, [n.name for n in self.graph.nodes])
        if known in self.absent:
            return self._without_node(name, level, self.absent[known])
        node, inputs = self.meanings[known], sorted(n.name for n in self.graph.inputs)
        if "input" in level.precision and node not in inputs:
            fix = f"Its input is the result of the layer before it; the inputs of the design are {', '.join(inputs)}."
            raise ConfigError(f"'{name}' is not an input of the design.", where=level.precision["input"].where, fix=fix)
        return node, level

    def _made_by_hls4ml(self, name: str) -> str:
        """The ONNX node X that hls4ml's passes made Dense_X or bn_X of, and wrote into its config too; empty without one."""
        for prefix, kinds in _MADE_BY_HLS4ML.items():
            node = name.removeprefix(prefix)
            gone = node in self.absent and self.absent[node].fate is Fate.FOLDED
            if node != name and (gone or any(n.origin.layer == node and n.origin.kind in kinds for n in self.graph)):
                return node
        return ""

    def _without_node(self, name: str, level: Level, gone: Absent) -> tuple[str, Level]:
        named = {word: s for word, s in level.precision.items() if s.value is not None}
        if gone.fate is Fate.CONSTANT and named:
            fix = "Name it as weight or bias of the layer that reads it."
            raise ConfigError(f"'{name}' is a constant of the model, which has no type of its own.", fix=fix)
        if gone.fate is Fate.FOLDED and "result" in named:
            kept = dataclasses.replace(level, settings={}, precision={"result": named["result"]})
            self.notes.append(f"{level.where}: {name}: It is part of {gone.node}; the type of its result holds there.")
            return gone.node, kept
        if named or level.settings:
            self.notes.append(f"{level.where}: {name}: Its settings have no effect: {gone.why}.")
        return "", level


def _meanings(graph: Graph) -> dict[str, str]:
    """What a user may call a node, and the node or layer that is meant."""
    meanings = {name: name for n in graph.nodes for name in (n.name, n.origin.layer, *_inside(n)) if name}
    for source in graph.inputs:
        for user in graph.users[source.name]:
            meanings.setdefault(f"{user.origin.layer}_input", source.name)
    for node in graph.nodes:
        meanings.setdefault(f"{node.origin.layer}_linear", node.origin.layer)  # hls4ml has a node for no activation
    for k, source in enumerate(graph.inputs, start=1):
        meanings.setdefault(f"input_{k}", source.name)
    for name in list(meanings):
        meanings.setdefault(_of_fx(name), meanings[name])
    return meanings


def _inside(node: Node) -> list[str]:
    return [f"{node.origin.layer or node.name}_{word}" for word in node.op.inside()]


def _of_fx(name: str) -> str:
    """The name that hls4ml has for a PyTorch module: features.0 is features_0, and 0 is _0."""
    word = re.sub(r"\W", "_", name)
    return f"_{word}" if word[:1].isdigit() else word


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
