"""A design against its float graph, node by node: ranges, overflows, noise, and who is to blame."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nn2hls.analysis import demanded
from nn2hls.compare import Comparison, LayerComparison, Need, compare_output, decibels, labels_of
from nn2hls.compare_own import Finding, Layer, examine, missing_integer, narrowed, type_of_cast, widened
from nn2hls.emulate import Overflow, OverflowLog
from nn2hls.fixed import Overflow as Mode
from nn2hls.ir import Node
from nn2hls.ops import Constant
from nn2hls.reference import run_float

if TYPE_CHECKING:
    from nn2hls.design import Design

SAMPLE = 4096  # events that are run at a time; the first of them judge each layer alone
BLAME_FROM = 6.0  # dB: one bit


@dataclass
class _Sums:
    """What is gathered of one node over all events."""

    signal: float = 0.0
    noise: float = 0.0
    error: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def add(self, reference: np.ndarray, fixed: np.ndarray) -> None:
        """Add events."""
        if not reference.size:
            return
        difference = fixed - reference
        self.signal += float(np.sum(np.square(reference)))
        self.noise += float(np.sum(np.square(difference)))
        self.error = max(self.error, float(np.abs(difference).max()))
        self.low, self.high = min(self.low, float(reference.min())), max(self.high, float(reference.max()))


def compare_design(design: Design, inputs: Sequence[np.ndarray], labels: Any = None) -> Comparison:
    """Compare a design with its float graph.

    Args:
        design: With types.
        inputs: One checked array (events, *shape) per input.
        labels: Of the first output, class numbers or one-hot; a list for several outputs.
    """
    run = _Run(design, inputs)
    given = labels_of(labels, len(design.graph.outputs))
    pairs = zip(design.graph.outputs, design.float_graph.outputs, given, strict=True)
    outputs = tuple(compare_output(n, run.float_outputs[f], run.fixed_outputs[n], y) for n, f, y in pairs)
    layers = _Judge(design, run).layers()
    guilty = [x for x in layers if (x.drop or 0.0) >= BLAME_FROM and x.own_sqnr is not None]
    worst = max(guilty, key=lambda x: x.drop or 0.0, default=None)
    return Comparison(outputs, tuple(layers), worst.name if worst else None)


class _Run:
    """Both graphs, run side by side on parts of the events, so that memory does not grow with them."""

    def __init__(self, design: Design, inputs: Sequence[np.ndarray]) -> None:
        self.log = OverflowLog()
        known = design.float_graph.by_name
        self.nodes = [n for n in design.graph if n.name in known]
        self.read_float = demanded(design.float_graph)
        # Inputs are there whole, even those that nobody reads any more because rounding made the weights zero.
        needed = {**demanded(design.graph), **{n.name: self.read_float[n.name] for n in design.graph.inputs}}
        self.read = {n.name: np.broadcast_to(needed[n.name], n.shape) for n in self.nodes}
        self.sums = {n.name: _Sums() for n in self.nodes}
        self.sample: Mapping[str, np.ndarray] = {}
        fixed: dict[str, list[np.ndarray]] = {name: [] for name in design.graph.outputs}
        floats: dict[str, list[np.ndarray]] = {name: [] for name in design.float_graph.outputs}
        for start in range(0, max(len(inputs[0]) if inputs else 1, 1), SAMPLE):
            reference, values = self._part(design, [x[start : start + SAMPLE] for x in inputs])
            for parts, found in ((fixed, values), (floats, reference)):
                for name, part in parts.items():
                    part.append(found[name])
        self.fixed_outputs = {name: np.concatenate(parts) for name, parts in fixed.items()}
        self.float_outputs = {name: np.concatenate(parts) for name, parts in floats.items()}

    def _part(self, design: Design, part: Sequence[np.ndarray]) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
        reference = run_float(design.float_graph, part, [n.name for n in design.float_graph])
        wanted = {*design.graph.outputs, *(n.name for n in self.nodes)}
        values = {n: np.empty((len(part[0]) if part else 1, *design.graph[n].shape)) for n in wanted}

        def take(name: str, start: int, mantissas: Any) -> None:
            step = design.graph[name].result_type.step
            np.multiply(mantissas, step, out=values[name][start : start + len(mantissas)], casting="unsafe")

        design.emulator.run(part, take, wanted, log=self.log)
        for node in self.nodes:
            read = self.read[node.name]
            self.sums[node.name].add(narrowed(node, reference[node.name])[:, read], values[node.name][:, read])
        self.sample = self.sample or reference
        return reference, values


class _Judge:
    """Turns what a run gathered into findings, in the order of the graph."""

    def __init__(self, design: Design, run: _Run) -> None:
        self.design, self.run = design, run
        self.found = {o.layer: o for o in run.log.overflows()}
        self.sqnr = {name: decibels(s.signal, s.noise) for name, s in run.sums.items()}
        self.dirty: set[str] = set()  # nodes behind an overflow

    def layers(self) -> list[LayerComparison]:
        """A row per node, after it a row per type inside it that overflowed."""
        rows = []
        for node in self.run.nodes:
            inside = [o for name, o in self.found.items() if name.startswith(f"{node.name}.") and name not in self.run.sums]
            rows += [self._node(node), *map(_inside, inside)]
            if node.name in self.found or inside or self.dirty & set(node.inputs):
                self.dirty.add(node.name)
        return rows

    def _node(self, node: Node) -> LayerComparison:
        kind, sums, found = node.result_type, self.run.sums[node.name], self.found.get(node.name)
        low, high = (0.0, 0.0) if sums.low > sums.high else (sums.low + 0.0, sums.high + 0.0)  # no -0
        target = self.design.config.settings_of(node).target_sqnr
        alone = self._alone(node, target)
        integer = self._integer(node, low, high, alone.fraction)
        needs: tuple[Need, ...] = alone.needs
        if integer or alone.fraction:
            needs = (widened("result", kind, integer, alone.fraction, negative=low < 0), *needs)
        row = LayerComparison(node.name, str(kind), kind.min, kind.max, low, high, self.sqnr[node.name], sums.error, alone.sqnr)
        return dataclasses.replace(
            row, drop=self._drop(node, target), needs=needs, shows=node.origin.trace_key, **_counts(found)
        )

    def _integer(self, node: Node, low: float, high: float, fraction: int) -> int:
        """Missing integer bits: what the run saw; what float says when it rounded otherwise or an overflow spoilt it before."""
        if fraction or isinstance(node.op, Constant) or self.dirty & set(node.inputs):
            kind = type_of_cast(node)
            return missing_integer(low, high, dataclasses.replace(kind, width=kind.width + fraction))
        found = self.found.get(node.name)
        return found.bits if found else 0

    def _alone(self, node: Node, target: float) -> Finding:
        graph, sample = self.design.graph, self.run.sample
        operands = graph.operands(node)
        names = list(node.inputs) or [node.name]
        return examine(
            Layer(
                node,
                self.design.float_graph[node.name].op,
                operands,
                [self.design.emulator.ranges[o.name] for o in operands],
                [sample[name] for name in names],
                [self.run.read.get(o.name, np.ones(o.shape, dtype=bool)) for o in operands],
                self.run.read[node.name],
                self.run.read_float[node.name],
                target,
                self.design.types.get(node.name, ()),
            )
        )

    def _drop(self, node: Node, target: float) -> float | None:
        mine = self.sqnr[node.name]
        if mine is None:
            return 0.0
        if math.isinf(mine):
            return None
        before = [self.sqnr.get(name) for name in node.inputs]
        return max(0.0, min([target, *(b for b in before if b is not None)]) - mine)


def _counts(found: Overflow | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "overflows": found.count,
        "values": found.total,
        "missing_bits": found.bits,
        "saturates": found.type.overflow is not Mode.WRAP,
    }


def _inside(found: Overflow) -> LayerComparison:
    kind, word = found.type, found.layer.rpartition(".")[2]
    row = LayerComparison(found.layer, str(kind), kind.min, kind.max, **_counts(found))
    return dataclasses.replace(row, needs=(widened(word, kind, found.bits, 0),))
