"""One network, ready to be asked many times: what does not depend on types is computed once and travels to the workers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from nn2hls import __version__
from nn2hls.compare import auc, class_numbers, sqnr
from nn2hls.config import Config, Level, Setting, read_config
from nn2hls.config_keys import BARE_WORDS
from nn2hls.design import Design, load_model
from nn2hls.fixed import FixedType
from nn2hls.inputs import check_inputs
from nn2hls.ir import Graph
from nn2hls.passes import run_passes
from nn2hls.passes.base import Context
from nn2hls.passes.signals import measure
from nn2hls.reference import run_float

SIZES = ("dsp", "lut", "ff", "bram", "latency_cycles", "ii", "latency_ns")


@dataclass
class Network:
    """A network with its data and its float answers.

    Args:
        graph: As it was loaded.
        config: Its settings, checked against the graph.
        inputs: One array (events, *shape) per input.
        truth: Class numbers of the first output; None without labels.
        calibration: Data that may set types.
    """

    graph: Graph
    config: Config
    inputs: list[np.ndarray]
    truth: np.ndarray | None = None
    calibration: list[np.ndarray] | None = None
    reference: np.ndarray = field(default_factory=lambda: np.empty(0))
    accuracy_float: float | None = None
    areas_float: tuple[float | None, ...] = ()
    _stages: dict[Any, tuple[Graph, Mapping[str, Any], tuple[str, ...]]] = field(default_factory=dict)

    @classmethod
    def prepare(cls, model: Any, config: Any, x: Any, y: Any = None) -> Network:
        """Load, check and run the float reference.

        Args:
            model: As for :func:`nn2hls.convert`; None: what the config names.
            config: As for :func:`nn2hls.convert`.
            x: One array (events, *shape), or a list of one per input.
            y: Labels of the first output, class numbers or one-hot.

        Raises:
            ConfigError: No model is named, or the config does not fit it.
            DataError: Inputs or labels do not fit.
        """
        settings = read_config(config)
        graph = load_model(model, settings)
        settings = settings.check(graph)
        inputs = check_inputs(graph, x)
        calibration = None
        if settings.calibration is not None:
            from nn2hls.data import load_inputs

            calibration = load_inputs([settings.calibration], {n.name: n.shape for n in graph.inputs})
        network = cls(graph, settings, inputs, calibration=calibration)
        float_graph, _, _ = network.stage(settings)
        first = run_float(float_graph, inputs)[float_graph.outputs[0]]
        network.reference = first.reshape(len(first), -1)
        if y is not None:
            network.truth = class_numbers(np.asarray(y), *network.reference.shape)
            network.accuracy_float = float(np.mean(answers(network.reference) == network.truth))
            network.areas_float = _areas(network.reference, network.truth)
        return network

    @property
    def events(self) -> int:
        """Events of its data."""
        return len(self.reference)

    def stage(self, config: Config) -> tuple[Graph, Mapping[str, Any], tuple[str, ...]]:
        """The float graph, its statistics and its notes: they depend on which layers have a type of their own, and seeded
        events on the types of inputs."""
        own = tuple(config.settings_of(n).own_type for n in self.graph)
        kinds = [config.settings_of(n).precision.get("result") for n in self.graph.inputs if self.calibration is None]
        key = own, tuple(kinds)
        if key not in self._stages:
            context = Context(config.settings_of, self.calibration)
            graph = run_passes(self.graph, context, typed=False)
            self._stages[key] = graph, measure(graph, context), tuple(context.notes)
        return self._stages[key]

    def design(self, config: Config) -> Design:
        """The same design that :func:`nn2hls.convert` makes, without what it would compute again.

        Args:
            config: Checked against the graph, as ``self.config`` and what is derived from it are.
        """
        graph, signals, notes = self.stage(config)
        context = Context(config.settings_of, self.calibration, [*config.notes, *notes], signals)
        fixed = run_passes(graph, context, typed=True)
        return Design(fixed, graph, config, tuple(context.notes), warnings=tuple(context.warnings))

    def answers(self, design: Design) -> dict[str, Any]:
        """What a design answers, against float and labels: the fields of a Point that do not depend on the reuse factor."""
        outputs, log = design.run(self.inputs)
        fixed = outputs[0].reshape(self.reference.shape)
        chosen = answers(fixed)
        agreement = float(np.mean(chosen == answers(self.reference)))
        found: dict[str, Any] = {
            "sqnr": sqnr(self.reference, fixed),
            "agreement": agreement,
            "accuracy_ratio": agreement,
            "overflows": sum(o.count for o in log.overflows()),
        }
        if self.truth is not None:
            found["accuracy"] = float(np.mean(chosen == self.truth))
            found["accuracy_ratio"] = found["accuracy"] / self.accuracy_float if self.accuracy_float else None
            pairs = [
                (a, b)
                for a, b in zip(_areas(fixed, self.truth), self.areas_float, strict=True)
                if a is not None and b is not None
            ]
            found["auc"] = float(np.mean([a for a, _ in pairs])) if pairs else None
            found["auc_ratio"] = float(np.mean([a / b for a, b in pairs if b])) if any(b for _, b in pairs) else None
        return found

    def uniform(self, kind: FixedType | None, reuse: int | None, keep: Sequence[str] = ()) -> Config:
        """The config with one type and one reuse factor; the layers of ``keep`` stay as it says.

        Raises:
            ConfigError: ``keep`` names no layer of the network.
        """
        named = {name: Level("--keep", name) for name in keep}
        kept = dataclasses.replace(Config(), layer_names=named).check(self.graph).layer_names
        changed = self.config.uniform(kind, reuse)
        levels = dict(changed.layer_names)
        for node in self.graph:
            if node.name in kept or node.origin.layer in kept:
                own = self.config.settings_of(node)
                words = dict.fromkeys(BARE_WORDS, None) | dict(own.precision)
                if not self.graph[node.name].inputs:  # an input takes its type from ``input`` or ``result``
                    words["input"] = words["result"]
                precision = {w: Setting(t, "--keep") for w, t in words.items() if w != "input" or not node.inputs}
                levels[node.name] = Level("--keep", node.name, {"reuse": Setting(own.reuse, "--keep")}, precision)
        return dataclasses.replace(changed, layer_names=levels)

    def provenance(self, config: Config, seed: int = 0) -> dict[str, Any]:
        """What a point is made from; equal provenance means equal results, on any machine.

        Args:
            config: The whole config of the point.
            seed: Of whatever was drawn.
        """
        return {**self._fixed_part, "config": config_digest(config, self.graph), "seed": seed}

    @cached_property
    def _fixed_part(self) -> dict[str, Any]:
        arrays = [*self.inputs, *([] if self.truth is None else [self.truth]), *(self.calibration or [])]
        return {"version": __version__, "model": _sha(str(self.graph).encode()), "data": data_digest(arrays)}


def answers(values: np.ndarray) -> np.ndarray:
    """The class each event is answered with: the largest value, or for a single one whether it is above one half."""
    return np.asarray(values[:, 0] > 0.5 if values.shape[1] == 1 else values.argmax(axis=1)).astype(np.int64)


def size(design: Design) -> dict[str, Any]:
    """The estimate's fields of a Point."""
    found = design.estimate()
    return {name: getattr(found, name) for name in SIZES}


def _areas(values: np.ndarray, truth: np.ndarray) -> tuple[float | None, ...]:
    """Area under the ROC curve of each class against the rest; a single value is the score of class 1."""
    if values.shape[1] == 1:
        return (auc(values[:, 0], truth == 1),)
    return tuple(auc(values[:, k], truth == k) for k in range(values.shape[1]))


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def data_digest(arrays: Iterable[np.ndarray]) -> str:
    """Identity of arrays: shapes, kinds and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def config_digest(config: Config, graph: Graph) -> str:
    """Identity of what a config means for a network: the settings of each node, device, clock and tool, however written."""
    top = (config.part, config.clock_period, config.clock_uncertainty, config.io_type, config.backend)
    layers = {}
    for node in graph:
        settings = config.settings_of(node)
        names = [f.name for f in dataclasses.fields(settings) if f.name not in ("sources", "own")]
        layers[node.name] = {name: _plain(getattr(settings, name)) for name in names}
    return _sha(json.dumps([_plain(top), layers], sort_keys=True).encode())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
