"""What the user asks for: the settings of a YAML file or a dict, and what holds for one layer.

A setting of LayerName comes before one of LayerType, and that before one of Model, key by key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nn2hls.arith.fixed import FixedType
from nn2hls.config.decision import Scaling, Score
from nn2hls.config.items import Level, Setting
from nn2hls.config.keys import BARE_WORDS
from nn2hls.config.settings import LayerSettings
from nn2hls.graph.graph import Node
from nn2hls.graph.leaves import Input
from nn2hls.graph.op import Op


@dataclass(frozen=True)
class Config:
    """A whole config. Paths of the model and of data are absolute or start at the current directory.

    Args:
        model: The model file; None when a live model or a graph is converted.
        live: A model that is no file: the bytes of an ONNX model in the config, or an object in a dict.
        unread: Why the model in the config is not read, such as a pickle.
        input_shape: The shape of a live PyTorch module's input without batch axis, or several of them.
        weights: The weights file of a Keras architecture in JSON.
        input_data: Data to run, for the test bench.
        output_predictions: What the model answers to it.
        output_dir: Folder of the project.
        project_name: Name of the top function.
        part: The device.
        bambu_device: What Bambu builds for in place of the part; None: the part.
        clock_period: In ns.
        clock_uncertainty: Share of the period, 0 to 1; None: what the tool takes by itself.
        io_type: ``io_parallel`` or ``io_stream``.
        fifo: The depths of queues of streams, ``fast`` or ``tight``.
        backend: ``Vivado``, ``Vitis`` or ``Bambu``.
        interface: Whose ports the top function has, ``nn2hls``, ``hls4ml`` or ``axis``.
        calibration: Data that may set types.
        input_scaling: How raw inputs become those of the model, by input; an empty name is the only one.
        score: What is computed of the model's values and leaves the chip in place of its outputs.
        threshold: From which number on an output answers with 1, and below it with 0; an empty name is every output.
        output: ``argmax`` or ``values``, likewise.
        model_level, layer_types, layer_names: The settings of HLSConfig.
        notes: What the user should know: keys without effect and why, one line each.
        path: The YAML file.
    """

    model: Path | None = None
    live: Any = field(default=None, repr=False)
    unread: str = ""
    input_shape: tuple[Any, ...] | None = None
    weights: Path | None = None
    input_data: Path | None = None
    output_predictions: Path | None = None
    output_dir: Path = Path("my-hls-test")
    project_name: str = "myproject"
    part: str = "xcvu13p-flga2577-2-e"
    bambu_device: str | None = None
    clock_period: float = 5.0
    clock_uncertainty: float | None = None
    io_type: str = "io_parallel"
    fifo: str = "fast"
    backend: str = "Vitis"
    interface: str = "nn2hls"
    calibration: Path | None = None
    input_scaling: Mapping[str, Scaling] = field(default_factory=dict)
    score: Score | None = None
    threshold: Mapping[str, float] = field(default_factory=dict)
    output: Mapping[str, str] = field(default_factory=dict)
    model_level: Level = field(default_factory=Level)
    layer_types: Mapping[str, Level] = field(default_factory=dict)
    layer_names: Mapping[str, Level] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    path: Path | None = None

    @property
    def name_a_model(self) -> str:
        """What to do when the config names no model that can be read."""
        if self.unread:
            return "Write the name of a model file in its place, such as model.pt2."
        return "Add KerasModel, PytorchModel or OnnxModel."

    def settings_for(self, origin_layer: str, node_name: str, kind: str, op: type[Op]) -> LayerSettings:
        """What holds for a node.

        Args:
            origin_layer: The user's layer.
            node_name: The node; ``NAME_relu`` is the activation inside the layer NAME and has settings of its own.
            kind: The framework's class of the layer (``Dense``, ``Linear``, ``Gemm``).
            op: The class of the op.
        """
        own = list(self._own_levels(origin_layer, node_name, kind, op))
        levels = self._levels(own, op)
        settings = _first(level.settings for level in levels)
        precision = _first(level.precision for level in levels)
        named = _first(mapping for level in own for mapping in (level.settings, level.precision))
        return LayerSettings(
            precision=MappingProxyType({w: s.value for w, s in precision.items() if s.value is not None}),
            sources=MappingProxyType({k: s.where for k, s in {**settings, **precision}.items()}),
            own=MappingProxyType({k: s.where for k, s in named.items() if s.value is not None and not s.bare}),
            own_words=frozenset(w for level in own for w, s in level.precision.items() if s.value is not None),
            own_type=any(s.value is not None for level in own for s in level.precision.values()),
            **self._usual | {k: s.value for k, s in settings.items() if k in _FIELDS},
        )

    @property
    def _usual(self) -> dict[str, Any]:
        """Settings that follow from others of the whole design: in streams a recurrent layer takes a token in each step."""
        return {"time_steps": "Off"} if self.io_type == "io_stream" else {}

    def settings_of(self, node: Node) -> LayerSettings:
        """What holds for a node of a graph."""
        return self.settings_for(*_names_of(node))

    def candidates_of(self, node: Node) -> dict[str, list[Setting]]:
        """All that was set for a node, by field or word: what holds first, what it overrides after it."""
        found: dict[str, list[Setting]] = {}
        names = _names_of(node)
        for level in self._levels(list(self._own_levels(*names)), names[-1]):
            for key, setting in {**level.settings, **level.precision}.items():
                found.setdefault(key, []).append(setting)
        return found

    def _levels(self, own: list[Level], op: type[Op]) -> list[Level]:
        """The levels that a node sees, by precedence."""
        model = _without_input(self.model_level)
        if issubclass(op, Input):
            own = [_of_input(level, level.precision.get("result")) for level in own]
            model = _of_input(self.model_level, None)
        given = ("result",) if issubclass(op, Input) else ("weight", "bias")
        return [*(_as_default(level, model, given) for level in own), model]

    def _own_levels(self, layer: str, node: str, kind: str, op: type[Op]) -> Iterator[Level]:
        inline = _is_inline(layer, node, op)
        for name in dict.fromkeys((node,) if inline else (node, layer)):
            if name in self.layer_names:
                yield self.layer_names[name]
        for word in _types(kind, op, inline):
            if word.lower() in self.layer_types:
                yield self.layer_types[word.lower()]

    def uniform(self, precision: FixedType | None = None, reuse: int | None = None) -> Config:
        """A copy with one type or one reuse factor everywhere, in place of what layers have of their own."""

        def cleared(level: Level) -> Level:
            kept = {k: s for k, s in level.settings.items() if k != "reuse" or reuse is None}
            return Level(level.where, level.name, kept, level.precision if precision is None else {})

        model = cleared(self.model_level)
        if precision is not None:
            model = dataclasses.replace(model, precision=dict.fromkeys(BARE_WORDS, Setting(precision, "option")))
        if reuse is not None:
            model = dataclasses.replace(model, settings={**model.settings, "reuse": Setting(reuse, "option")})
        return dataclasses.replace(
            self,
            model_level=model,
            layer_types={k: cleared(level) for k, level in self.layer_types.items()},
            layer_names={k: cleared(level) for k, level in self.layer_names.items()},
        )

    def with_settings(self, layers: Mapping[str, Mapping[str, Any]], where: str) -> Config:
        """A copy with settings, by field, under LayerName; ``where`` stands for the place they were set at."""
        names = dict(self.layer_names)
        for name, settings in layers.items():
            level = names.get(name, Level(where))
            own = {field: Setting(value, where) for field, value in settings.items()}
            names[name] = dataclasses.replace(level, settings={**level.settings, **own})
        return dataclasses.replace(self, layer_names=names)


_FIELDS = frozenset(f.name for f in dataclasses.fields(LayerSettings)) - {
    "precision",
    "sources",
    "own",
    "own_words",
    "own_type",
}


def _names_of(node: Node) -> tuple[str, str, str, type[Op]]:
    """The arguments of ``settings_for``; a step inside a layer that only moves values is none of the layer's numbers."""
    name = node.origin.part or node.name
    if node.op.moves and not node.origin.is_result and name != node.origin.layer:
        return name, name, "", type(node.op)
    return node.origin.layer, name, node.origin.kind, type(node.op)


def _is_inline(layer: str, node: str, op: type[Op]) -> bool:
    """Whether a node is the activation inside a layer, which has its own name and type."""
    return node != layer and op.activation


def _types(kind: str, op: type[Op], inline: bool) -> Iterable[str]:
    """What LayerType may call a node, the framework's word first."""
    words = (op.__name__, *op.called)
    return words if inline else dict.fromkeys((kind, *words))


def types_of(node: Node) -> Iterable[str]:
    """What LayerType may call a node of a graph."""
    op = type(node.op)
    return _types(node.origin.kind, op, _is_inline(node.origin.layer, node.name, op))


def _of_input(level: Level, otherwise: Setting | None) -> Level:
    """A level as an input of the design sees it: its result is what ``input`` names."""
    named = level.precision.get("input", otherwise)
    return dataclasses.replace(level, precision={"result": named} if named else {})


def _without_input(level: Level) -> Level:
    """The level of Model as other layers see it."""
    return dataclasses.replace(level, precision={w: s for w, s in level.precision.items() if w != "input"})


def _as_default(level: Level, model: Level, words: Container[str]) -> Level:
    """A level whose ``auto`` for ``words``, types of what comes from outside, leaves them to a Model with a ``default``.

    So it is in the files that hls4ml writes, where ``auto`` stands at every name.
    """
    if not any(s.default for s in model.precision.values()):
        return level
    kept = {w: s for w, s in level.precision.items() if s.value is not None or w not in words}
    return dataclasses.replace(level, precision=kept)


def _first(levels: Iterable[Mapping[str, Setting]]) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for level in levels:
        for key, setting in level.items():
            found.setdefault(key, setting)
    return found
