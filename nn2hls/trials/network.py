"""One network, ready to be asked many times: what does not depend on types is computed once and travels to the workers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from nn2hls._version import __version__
from nn2hls.arith.fixed import FixedType
from nn2hls.compare.judge import Judge, Own
from nn2hls.compare.scores import areas, sqnr
from nn2hls.config.check import bind
from nn2hls.config.config import Config
from nn2hls.config.items import Level, Setting
from nn2hls.config.keys import BARE_WORDS
from nn2hls.config.read import read_config
from nn2hls.data.arrays import check_inputs
from nn2hls.design.design import Design
from nn2hls.design.load import load_model
from nn2hls.errors import DataError
from nn2hls.graph.graph import Graph
from nn2hls.graph.reference import run_float
from nn2hls.passes import run_passes
from nn2hls.passes.base import Context
from nn2hls.passes.signals import measure

Stage = tuple[Graph, Mapping[str, Any], tuple[str, ...]]  # a float graph, its statistics, its notes
SIZES = ("dsp", "lut", "ff", "bram", "latency_cycles", "ii", "latency_ns")


@dataclass
class Network:
    """A network with its data and its float answers.

    Args:
        graph: As it was loaded.
        config: Its settings, checked against the graph.
        inputs: One array (events, *shape) per input.
        judge: Of the first output.
        reference: Its float answers, (events, values).
        calibration: Data that may set types.
    """

    graph: Graph
    config: Config
    inputs: list[np.ndarray]
    judge: Judge
    reference: np.ndarray
    calibration: list[np.ndarray] | None = None
    _stages: dict[Any, Stage] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        model: Any,
        config: Any,
        x: Any,
        y: Any = None,
        metric: str | Own | None = None,
        threshold: float | None = None,
    ) -> Network:
        """Load, check and run the float reference.

        Args:
            model: As for :func:`nn2hls.convert`; None: what the config names.
            config: As for :func:`nn2hls.convert`.
            x: One array (events, *shape), or a list of one per input.
            y, metric, threshold: Of the first output; see :meth:`nn2hls.compare.judge.Judge.of`.

        Raises:
            ConfigError: No model is named, or the config or the metric does not fit it.
            DataError: Inputs or labels do not fit, or float answers with NaN or Inf.
        """
        settings = read_config(config)
        graph = load_model(model, settings)
        settings = bind(settings, graph)
        inputs = check_inputs(graph, x)
        calibration = None
        if settings.calibration is not None:
            from nn2hls.data.files import load_inputs

            calibration = load_inputs([settings.calibration], {n.name: n.shape for n in graph.inputs})
        stages: dict[Any, Stage] = {}
        float_graph, _, _ = _stage(graph, settings, calibration, stages)
        output = float_graph.outputs[0]
        first = run_float(float_graph, inputs)[output]
        reference = first.reshape(len(first), int(np.prod(first.shape[1:])))
        wrong = int(np.count_nonzero(~np.isfinite(reference).all(axis=1)))
        if wrong:
            what = f"Float answers {wrong} of {len(reference)} events with NaN or Inf."
            raise DataError(what, where=output, fix="Leave these events out; nn2hls compare shows the layer.")
        judge = Judge.of(float_graph, output, (len(reference), reference.shape[1]), y, metric, threshold)
        return cls(graph, settings, inputs, judge, reference, calibration, stages)

    def part(self, events: np.ndarray) -> Network:
        """The network with some of its events, by their places."""
        inputs = [x[events] for x in self.inputs]
        return dataclasses.replace(self, inputs=inputs, judge=self.judge.part(events), reference=self.reference[events])

    @cached_property
    def accuracy_float(self) -> float | None:
        """Accuracy of float; None without labels that are classes."""
        if not self.judge.classes or self.judge.truth is None:
            return None
        return float(np.mean(self.judge.answers(self.reference) == self.judge.truth))

    @cached_property
    def areas_float(self) -> tuple[float | None, ...]:
        """Area under the ROC curve of float, by class; empty without labels that are classes."""
        return () if self.judge.truth is None or not self.judge.classes else areas(self.reference, self.judge.truth)

    @cached_property
    def score_float(self) -> float | None:
        """The metric of float; infinite for SQNR."""
        return self.judge.score(self.reference, self.reference)

    @property
    def events(self) -> int:
        """Events of its data."""
        return len(self.reference)

    def stage(self, config: Config) -> Stage:
        """The float graph, its statistics and its notes: they depend on which layers have a type of their own, and seeded
        events on the types of inputs."""
        return _stage(self.graph, config, self.calibration, self._stages)

    def design(self, config: Config) -> Design:
        """The same design that :func:`nn2hls.convert` makes, without what it would compute again.

        Args:
            config: Checked against the graph, as ``self.config`` and what is derived from it are.
        """
        graph, signals, notes = self.stage(config)
        context = Context(config.settings_of, self.calibration, [*config.notes, *notes], signals)
        fixed = run_passes(graph, context, typed=True)
        notes, warned = tuple(context.notes), tuple(context.warnings)
        return Design(fixed, graph, config, notes, context.types, signals, warned)

    def answers(self, design: Design) -> dict[str, Any]:
        """What a design answers, against float and labels: the fields of a Point that do not depend on the reuse factor."""
        outputs, log = design.run(self.inputs)
        fixed, judge = outputs[0].reshape(self.reference.shape), self.judge
        found: dict[str, Any] = {
            "sqnr": sqnr(self.reference, fixed),
            "overflows": sum(o.count for o in log.overflows()),
            "score": judge.score(self.reference, fixed),
        }
        if found["score"] == np.inf:
            found["score"] = None  # exact, as in ``sqnr``
        return {**found, **(self._shares(fixed) if judge.classes else self._errors(fixed))}

    def _errors(self, fixed: np.ndarray) -> dict[str, Any]:
        error = fixed - self.judge.target(self.reference)
        return {"mse": float(np.mean(np.square(error))), "mae": float(np.mean(np.abs(error)))}

    def _shares(self, fixed: np.ndarray) -> dict[str, Any]:
        judge, truth = self.judge, self.judge.truth
        agreement = float(np.mean(judge.answers(fixed) == judge.answers(self.reference)))
        found: dict[str, Any] = {"agreement": agreement, "accuracy_ratio": agreement}
        if truth is not None:
            found["accuracy"] = float(np.mean(judge.answers(fixed) == truth))
            found["accuracy_ratio"] = found["accuracy"] / self.accuracy_float if self.accuracy_float else None
            both = zip(areas(fixed, truth), self.areas_float, strict=True)
            pairs = [(a, b) for a, b in both if a is not None and b is not None]
            found["auc"] = float(np.mean([a for a, _ in pairs])) if pairs else None
            found["auc_ratio"] = float(np.mean([a / b for a, b in pairs if b])) if any(b for _, b in pairs) else None
        return found

    def uniform(self, kind: FixedType | None, reuse: int | None, keep: Sequence[str] = ()) -> Config:
        """The config with one type and one reuse factor; the layers of ``keep`` stay as it says.

        Raises:
            ConfigError: ``keep`` names no layer of the network.
        """
        named = {name: Level("--keep", name) for name in keep}
        kept = bind(dataclasses.replace(Config(), layer_names=named), self.graph).layer_names
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
        judge = self.judge
        arrays = [*self.inputs, *([] if judge.truth is None else [judge.truth]), *(self.calibration or [])]
        by = [judge.classes, judge.threshold, judge.metric.name if judge.metric.own is None else secrets.token_hex(8)]
        data = {"model": _sha(str(self.graph).encode()), "data": data_digest(arrays)}
        return {"version": __version__, **data, "judge": by}  # a function of one's own is another one every time


def size(design: Design) -> dict[str, Any]:
    """The estimate's fields of a Point."""
    found = design.estimate()
    return {name: getattr(found, name) for name in SIZES}


def _stage(graph: Graph, config: Config, calibration: list[np.ndarray] | None, known: dict[Any, Stage]) -> Stage:
    """The float graph, its statistics and its notes, made once."""
    own = tuple(config.settings_of(n).own_type for n in graph)
    key = own, tuple(config.settings_of(n).precision.get("result") for n in graph.inputs if calibration is None)
    if key not in known:
        context = Context(config.settings_of, calibration)
        graph = run_passes(graph, context, typed=False)
        known[key] = graph, measure(graph, context), tuple(context.notes)
    return known[key]


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
