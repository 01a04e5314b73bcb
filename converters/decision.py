"""What the config asks around a network: raw inputs scaled before it, scores, thresholds and argmax after it.

The keys InputScaling, Score, Threshold and Output become nodes of the graph right after it was read, so that the float
reference, types, emulator, C++ and Verilog know no difference from a model that holds these steps itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.config.config import Config
from nn2hls.config.decision import Scaling
from nn2hls.converters.lower import arith, choice, reductions, shape
from nn2hls.converters.lower.activations import function
from nn2hls.converters.lower.quantised import levels
from nn2hls.converters.lower.value import Site, Tensor
from nn2hls.data.formats import load
from nn2hls.errors import ConfigError, DataError, suggest
from nn2hls.graph.builder import Builder
from nn2hls.graph.graph import BY_CONFIG, Graph, Node, Origin
from nn2hls.guard import Guard
from nn2hls.ops import Op, Reduction, Softmax

_GUARD = Guard(DataError, "The scaling")
_MOST = 1 << 26  # bytes of a JSON file
# What the arrays of a file are called: our own words, and those of scikit-learn's StandardScaler.
_NAMES = (("mean", "std"), ("mean_", "scale_"))


def decide(graph: Graph, config: Config) -> Graph:
    """The network between its scaled inputs and what is asked of its answers; itself where nothing is, or where it is done.

    Raises:
        ConfigError: A key names nothing of the network, or what it asks does not fit.
        DataError: The file of a scaling cannot be read.
    """
    asked = config.input_scaling or config.score or config.threshold or "argmax" in config.output.values()
    if not asked or any(n.origin.by_config for n in graph):
        return graph
    made = _Decision(graph)
    made.scale(config.input_scaling)
    outputs = list(graph.outputs)
    if config.score:
        outputs = [made.score(config.score.kind, config.score.of)]
    outputs = made.answer(outputs, config.threshold, config.output)
    return made.graph(outputs)


class _At(Site):
    """Where one step goes.

    Args:
        builder: The graph.
        name: Of the node that holds its result.
        key: The key that asks for it.
    """

    def __init__(self, builder: Builder, name: str, key: str) -> None:
        self.builder, self.name, self.key = builder, name, key

    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:  # as in Site
        name = f"{self.name}_{word}" if word else self.name
        return self.builder.add(name, op, nodes, Origin(self.name, f"{BY_CONFIG}{self.key}", not word))


class _Decision:
    """The graph that is being extended."""

    def __init__(self, graph: Graph) -> None:
        self.before, self.builder = graph, Builder()
        self.reads: dict[str, str] = {}  # what stands for an input of the network
        self._taken = {n.name for n in graph}

    def _name(self, name: str) -> str:
        """A name that no node of the network has."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def scale(self, scalings: Mapping[str, Scaling]) -> None:
        """The nodes of the network, every input followed by its scaling."""
        inputs = {n.name: n for n in self.before.inputs}
        if "" in scalings and len(inputs) > 1:
            fix = f"Write it by input: {{{', '.join(f'{name}: ..' for name in inputs)}}}."
            raise ConfigError(f"The model has {len(inputs)} inputs.", where="InputScaling", fix=fix)
        by_name = {name or next(iter(inputs)): one for name, one in scalings.items()}
        for name in by_name:
            if name not in inputs:
                fix = f"{suggest(name, inputs)} Inputs are {', '.join(inputs)}.".strip()
                raise ConfigError(f"The model has no input '{name}'.", where="InputScaling", fix=fix)
        places: list[int] = []  # how many nodes of the new graph stand before each of the old one
        for node in self.before:
            places.append(len(places) + len(self.reads))
            self.builder.add(node.name, node.op, [self.reads.get(i, i) for i in node.inputs], node.origin)
            self.builder.give(node.name, node.given)
            if node.name in by_name:
                self.reads[node.name] = self._scaled(node, by_name[node.name])
        self.places = [*places, len(places) + len(self.reads)]

    def _scaled(self, node: Node, scaling: Scaling) -> str:
        where = str(scaling.path or "InputScaling")
        mean, std = (np.asarray(a, np.float64) for a in (_read(scaling) if scaling.path else (scaling.mean, scaling.std)))
        for word, array in (("mean", mean), ("std", std)):
            if array.shape not in ((), node.shape, node.shape[-1:]):
                what = f"Its {word} has the shape {array.shape}, and input '{node.name}' {node.shape}."
                raise ConfigError(what, where=where, fix="Give a number, one for each feature, or one for each element.")
            if not np.isfinite(array).all():
                raise ConfigError(f"Its {word} holds NaN or Inf.", where=where, fix="Leave such events out where it is made.")
        if not (std > 0).all():
            fix = "A feature that never changes has no scale: give it std 1."
            raise ConfigError("Its std must be above zero everywhere.", where=where, fix=fix)
        at = _At(self.builder, self._name(f"{node.name}_scaled"), "InputScaling")
        return arith.scale(at, Tensor(node.name, node.shape), 1 / std, -mean / std).node

    def _value(self, name: str, key: str) -> Tensor:
        """A value of the network: an input as the model sees it, a layer's result, a node."""
        found = next((n.name for n in self.before if n.name == name), None)
        found = found or next((n.name for n in self.before if n.origin.layer == name and n.origin.is_result), None)
        if found is None:
            known = [n.name for n in self.before]
            fix = f"{suggest(name, known)} The model has {', '.join(known[:40])}.".strip()
            raise ConfigError(f"The model has no value '{name}'.", where=key, fix=fix)
        found = self.reads.get(found, found)
        return Tensor(found, self.builder.shape(found))

    def score(self, kind: str, names: Sequence[str]) -> str:
        """The node of a score, a value an event."""
        given = list(names) or _usual(kind, self.before)
        values = [self._value(name, "Score") for name in given]
        sizes = [math.prod(x.shape) for x in values]
        if len(set(sizes)) > 1:
            listed = ", ".join(f"'{name}' {x.shape}" for name, x in zip(given, values, strict=True))
            fix = f"Name what belongs together: Score: {{{kind}: [.., ..]}}."
            raise ConfigError(f"{kind} is made of values of one size, and these differ: {listed}.", where="Score", fix=fix)
        at = _At(self.builder, self._name("score"), "Score")
        flat = [shape.reshape(at.step(f"flat{k}"), x, (sizes[0],)) for k, x in enumerate(values)]
        return _SCORES[kind](at, *flat).node

    def answer(self, outputs: list[str], thresholds: Mapping[str, float], answers: Mapping[str, str]) -> list[str]:
        """What leaves in place of the outputs."""
        for key, names in (("Threshold", thresholds), ("Output", answers)):
            for name in names:
                if name and name not in outputs:
                    fix = f"{suggest(name, outputs)} Outputs are {', '.join(outputs)}.".strip()
                    raise ConfigError(f"There is no output '{name}'.", where=key, fix=fix)
        found = []
        for name in outputs:
            threshold = thresholds.get(name, thresholds.get(""))
            largest = answers.get(name, answers.get("", "values")) == "argmax"
            if largest and threshold is not None:
                what = f"Output '{name}' cannot answer with the largest element and with a threshold."
                raise ConfigError(what, where="Output", fix="Keep one of the two for it.")
            found.append(self._argmax(name) if largest else name if threshold is None else self._over(name, threshold))
        return found

    def _over(self, name: str, threshold: float) -> str:
        at = _At(self.builder, self._name(f"{name}_threshold"), "Threshold")
        return levels(at, Tensor(name, self.builder.shape(name)), [threshold], [0.0, 1.0]).node

    def _argmax(self, name: str) -> str:
        x = Tensor(name, self.builder.shape(name))
        if not x.shape or x.shape[-1] < 2:
            raise ConfigError(
                f"Output '{name}' has one value, which is always the largest.", where="Output", fix="Use Threshold."
            )
        node = self.before.by_name.get(name)
        if node is not None and isinstance(node.op, Softmax) and node.op.axis == len(x.shape) - 1 and node.op.present is None:
            x = replace(x, node=self.reads.get(node.inputs[0], node.inputs[0]))  # it keeps the order, and need not be built
        at = _At(self.builder, self._name(f"{name}_argmax"), "Output")
        found = choice.place_of_extreme(at, x, len(x.shape) - 1, keepdims=len(x.shape) == 1)
        bits = (x.shape[-1] - 1).bit_length()
        self.builder.give(found.node, {"result": FixedType(bits, bits, signed=False)})
        return found.node

    def graph(self, outputs: Sequence[str]) -> Graph:
        """The whole graph; layers without a node stay where they stood."""
        absent = tuple(replace(a, places=tuple(self.places[p] for p in a.places)) for a in self.before.absent)
        return replace(self.builder.build(outputs), absent=absent)


def _usual(kind: str, graph: Graph) -> list[str]:
    """What a score is made of where nothing is named: the input and the output, or the outputs in their order."""
    inputs, outputs = [n.name for n in graph.inputs], list(graph.outputs)
    wanted = [*inputs, *outputs] if kind in ("mse", "mae") else outputs
    count = 1 if kind == "radius" else 2
    if len(wanted) != count or (kind in ("mse", "mae") and len(outputs) != 1):
        has = f"The model has the inputs {', '.join(inputs)} and the outputs {', '.join(outputs)}"
        fix = "Name them: Score: {kl: [z_mean, z_log_var]}, {radius: z_mean}, {mse: [INPUT, OUTPUT]}."
        raise ConfigError(f"{has}, and {kind} is made of {_MADE_OF[kind]}.", where="Score", fix=fix)
    return wanted


_MADE_OF = {
    "mse": "one input and one output",
    "mae": "one input and one output",
    "radius": "one output, the mean",
    "kl": "two outputs, the mean and the logarithm of the variance",
}


def _error(kind: str) -> Callable[..., Tensor]:
    """The mean of ``square`` or ``abs`` of differences."""

    def make(at: Site, x: Tensor, y: Tensor) -> Tensor:
        apart = arith.subtract(at.step("difference"), x, y)
        return reductions.reduce(at, function(at.step(kind), apart, kind), Reduction.MEAN, [0], keepdims=True)

    return make


def _radius(at: Site, mean: Tensor) -> Tensor:
    """The mean of squares."""
    return reductions.reduce(at, function(at.step("square"), mean, "square"), Reduction.MEAN, [0], keepdims=True)


def _divergence(at: Site, mean: Tensor, log_variance: Tensor) -> Tensor:
    return reductions.divergence(at, mean, log_variance, Reduction.SUM)


_SCORES: Mapping[str, Callable[..., Tensor]] = {
    "mse": _error("square"),
    "mae": _error("abs"),
    "radius": _radius,
    "kl": _divergence,
}


def _read(scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std from a file: .json, or .npz with both by name, or .npy and text with one row for each.

    Raises:
        DataError: It holds something else.
    """
    path = scaling.path
    assert path is not None
    found = _from_json(path) if path.suffix.lower() == ".json" else load(path)
    for names in _NAMES:
        if set(names) <= set(found):
            return found[names[0]], found[names[1]]
    rows = found.get("")
    if rows is not None and rows.ndim > 1 and len(rows) == 2:
        return rows[0], rows[1]
    fix = 'Save numpy.savez(file, mean=.., std=..), or the JSON {"mean": [..], "std": [..]}.'
    raise DataError("It does not hold the two arrays mean and std.", where=str(path), fix=fix)


def _from_json(path: Path) -> dict[str, np.ndarray]:
    value = _GUARD.load(path, _MOST)
    try:
        return {str(k): np.asarray(a, np.float64) for k, a in value.items()}
    except (AttributeError, TypeError, ValueError):
        raise DataError("It does not hold numbers by name.", where=str(path)) from None
