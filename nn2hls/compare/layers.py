"""A design against its float graph, node by node: ranges, overflows, noise, and who is to blame."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn2hls.arith.fixed import MAX_WIDTH
from nn2hls.arith.fixed import Overflow as Mode
from nn2hls.compare.comparison import Comparison
from nn2hls.compare.converted import Converted
from nn2hls.compare.judge import Judge, Own, metric_named
from nn2hls.compare.lines import proposals, together
from nn2hls.compare.own import Finding, Layer, examine, missing_integer, narrowed, type_of_cast, widened
from nn2hls.compare.result import BLAME_FROM, LayerComparison, Need, compare_output, labels_of
from nn2hls.compare.scores import Power
from nn2hls.config.settings import LayerSettings
from nn2hls.emulate.overflow import Overflow, OverflowLog
from nn2hls.emulate.states import completed, completed_float
from nn2hls.errors import DataError
from nn2hls.graph.analysis import demanded
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.reference import run_float

SAMPLE = 4096  # events that are run at a time; the first of them judge each layer alone


@dataclass
class _Sums:
    """What is gathered of one node over all events; of values that float gives as NaN or Inf only their number."""

    signal: Power = field(default_factory=Power)
    noise: Power = field(default_factory=Power)
    error: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    infinite: int = 0

    def add(self, reference: np.ndarray, fixed: np.ndarray) -> None:
        """Add events."""
        finite = np.isfinite(reference)
        if not finite.all():
            self.infinite += int(np.count_nonzero(~finite))
            reference, fixed = reference[finite], fixed[finite]
        if not reference.size:
            return
        self.signal.add(reference)
        self.noise.add_differences(fixed, reference)
        with np.errstate(over="ignore"):
            self.error = max(self.error, float(np.abs(fixed - reference).max()))
        self.low, self.high = min(self.low, float(reference.min())), max(self.high, float(reference.max()))


def judges(
    graph: Graph, events: int, labels: Any = None, metric: str | Own | None = None, threshold: float | None = None
) -> list[Judge]:
    """The judge of each output of a float graph; see :meth:`nn2hls.compare.judge.Judge.of`.

    Args:
        graph: The float graph.
        events: How many are judged.
        labels: Of the first output; a list, or arrays by name, for several outputs.
        metric: The same for all outputs; one that needs labels is asked of the outputs that have some.
        threshold: Of the outputs of one value.
    """
    given, names = labels_of(labels, graph.outputs), graph.outputs
    sizes = [int(np.prod(graph[name].shape)) for name in names]
    chosen = metric_named(metric)
    some = chosen is not None and chosen.labelled and any(y is not None for y in given)
    single = threshold is not None and 1 in sizes
    return [
        Judge.of(
            *(graph, name, (events, size), y),
            None if some and y is None else metric,
            None if single and size != 1 else threshold,
        )
        for name, size, y in zip(names, sizes, given, strict=True)
    ]


def compare_design(
    design: Converted,
    inputs: Sequence[np.ndarray],
    labels: Any = None,
    metric: str | Own | None = None,
    threshold: float | None = None,
    before: Graph | None = None,
) -> Comparison:
    """Compare a design with its float graph.

    Args:
        design: With types.
        inputs: One checked array (events, *shape) per input; without those of states the events follow one another, in the
            design with its own states, in float with those that float has.
        labels, metric, threshold: See :func:`judges`.
        before: The network before it was pruned.

    Raises:
        DataError: That one takes or gives something else.
    """
    by = judges(design.float_graph, len(inputs[0]) if inputs else 1, labels, metric, threshold)
    given, inputs = inputs, completed(design.graph, inputs, design.emulator)
    with np.errstate(over="ignore", invalid="ignore"):  # what float does not hold is counted
        run = _Run(design, inputs, completed_float(design.float_graph, given))
        layers = _Judge(design, run).layers()
        part = [a[:SAMPLE] for a in inputs]
        needed = {name: p for name, p in proposals(layers).items() if not p.none}
        floats = [run.float_outputs[name][:SAMPLE] for name in design.float_graph.outputs]
        mended = together(design, needed, part, floats) if needed else None
    pairs = zip(design.graph.outputs, design.float_graph.outputs, by, strict=True)
    first = _answers_before(before, design.float_graph, given)
    outputs = tuple(
        compare_output(n, run.float_outputs[f], run.fixed_outputs[n], judge=j, before=b)
        for (n, f, j), b in zip(pairs, first, strict=True)
    )
    guilty = [x for x in layers if (x.drop or 0.0) >= BLAME_FROM and _own_noise(x)]
    worst = max(guilty, key=lambda x: x.drop or 0.0, default=None)
    return Comparison(outputs, tuple(layers), worst.name if worst else None, mended or ())


def _answers_before(before: Graph | None, graph: Graph, inputs: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    """Float answers of the network before pruning, for each output."""
    if before is None:
        return [None] * len(graph.outputs)
    shapes = [[n.shape for n in g.inputs] for g in (before, graph)]
    if shapes[0] != shapes[1] or len(before.outputs) != len(graph.outputs):
        what = (
            f"The network before pruning takes {shapes[0]} and gives {len(before.outputs)} outputs, this one takes {shapes[1]}."
        )
        raise DataError(what, where="before", fix="Give the network that this one was pruned from.")
    found = run_float(before, completed_float(before, inputs))
    return [found[name] for name in before.outputs]


def _own_noise(x: LayerComparison) -> bool:
    """Whether a good part of the noise is the layer's own: a layer that is exact can amplify that of its operands."""
    return x.own_sqnr is not None and x.sqnr is not None and x.own_sqnr < x.sqnr + BLAME_FROM


class _Run:
    """Both graphs, run side by side on parts of the events, so that memory does not grow with them."""

    def __init__(self, design: Converted, inputs: Sequence[np.ndarray], floats_in: Sequence[np.ndarray]) -> None:
        self.log = OverflowLog()
        known = design.float_graph.by_name
        self.nodes = [n for n in design.graph if n.name in known]
        self.read_float = demanded(design.float_graph)
        needed = demanded(design.graph)
        self.read = {n.name: np.broadcast_to(needed[n.name], n.shape) for n in self.nodes}
        # Inputs, and layers that rounding made constant, count whole, even where nobody reads them any more.
        self.whole = {n.name for n in self.nodes if isinstance(n.op, Input | Constant)}
        self.sums = {n.name: _Sums() for n in self.nodes}
        self.sample: Mapping[str, np.ndarray] = {}
        fixed: dict[str, list[np.ndarray]] = {name: [] for name in design.graph.outputs}
        floats: dict[str, list[np.ndarray]] = {name: [] for name in design.float_graph.outputs}
        for start in range(0, max(len(inputs[0]) if inputs else 1, 1), SAMPLE):
            parts_in = ([x[start : start + SAMPLE] for x in own] for own in (inputs, floats_in))
            reference, values = self._part(design, *parts_in)
            for parts, found in ((fixed, values), (floats, reference)):
                for name, part in parts.items():
                    part.append(found[name])
        self.fixed_outputs = {name: np.concatenate(parts) for name, parts in fixed.items()}
        self.float_outputs = {name: np.concatenate(parts) for name, parts in floats.items()}

    def _part(
        self, design: Converted, part: Sequence[np.ndarray], floats_in: Sequence[np.ndarray]
    ) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
        reference = run_float(design.float_graph, floats_in, [n.name for n in design.float_graph])
        wanted = {*design.graph.outputs, *(n.name for n in self.nodes)}
        values = {n: np.empty((len(part[0]) if part else 1, *design.graph[n].shape)) for n in wanted}

        def take(name: str, start: int, mantissas: Any) -> None:
            step = design.graph[name].result_type.step
            np.multiply(mantissas, step, out=values[name][start : start + len(mantissas)], casting="unsafe")

        design.emulator.run(part, take, wanted, log=self.log)
        for node in self.nodes:
            exact, fixed, read = reference[node.name], values[node.name], self.read[node.name]
            if node.name in self.whole:
                fixed, read = node.whole(fixed), self.read_float[node.name]
            else:
                exact = narrowed(node, exact)
            self.sums[node.name].add(exact[:, read], fixed[:, read])
        self.sample = self.sample or reference
        return reference, values


class _Judge:
    """Turns what a run gathered into findings, in the order of the graph."""

    def __init__(self, design: Converted, run: _Run) -> None:
        self.design, self.run = design, run
        self.found = {o.layer: o for o in run.log.overflows()}
        self.sqnr = {name: s.signal.over(s.noise) for name, s in run.sums.items()}
        self.dirty: set[str] = set()  # nodes behind an overflow

    def layers(self) -> list[LayerComparison]:
        """A row per node, after it a row per type inside it that overflowed."""
        rows = []
        for node in self.run.nodes:
            inside = [o for name, o in self.found.items() if name.startswith(f"{node.name}.") and name not in self.run.sums]
            rows += [self._node(node), *map(_inside, inside)]
            if node.name in self.found or inside or self.dirty & set(node.inputs):
                self.dirty.add(node.name)
        return self._at_inputs(rows)

    def _at_inputs(self, rows: Sequence[LayerComparison]) -> list[LayerComparison]:
        """What the type of a state misses stands at the input that it is in the next event, where the config names it."""
        known = {x.name: x for x in rows}
        for before, after in self.design.graph.states.items():
            both = known[before], known[after]
            needs = [need for x in both for need in x.needs]
            if needs:
                integer, fraction = max(n.integer for n in needs), max(n.fraction for n in needs)
                negative = any(x.low is not None and x.low < 0 for x in both)
                needs = [widened("result", self.design.graph[before].result_type, integer, fraction, negative=negative)]
            known[before] = dataclasses.replace(known[before], needs=tuple(needs))
            known[after] = dataclasses.replace(known[after], needs=())
        return list(known.values())

    def _node(self, node: Node) -> LayerComparison:
        kind, sums, found = node.result_type, self.run.sums[node.name], self.found.get(node.name)
        low, high = (0.0, 0.0) if sums.low > sums.high else (sums.low + 0.0, sums.high + 0.0)  # no -0
        settings = self.design.config.settings_of(node)
        target, alone = settings.target_sqnr, self._alone(node, settings)
        integer = self._integer(node, low, high, alone)
        needs: tuple[Need, ...] = alone.needs
        if integer or alone.fraction:
            needs = (widened("result", kind, integer, alone.fraction, negative=low < 0), *needs)
        error = None if sums.infinite and sums.low > sums.high else sums.error
        row = LayerComparison(node.name, str(kind), kind.min, kind.max, low, high, self.sqnr[node.name], error, alone.sqnr)
        if node.origin.folded and not settings.own_type:
            row = dataclasses.replace(row, folded=node.origin.folded, raised=self._raised(node, needs, target))
        row = dataclasses.replace(row, drop=self._drop(node, target), shows=node.origin.trace_key, infinite=sums.infinite)
        return dataclasses.replace(row, needs=needs, **_counts(found))

    def _raised(self, node: Node, needs: Sequence[Need], target: float) -> float | None:
        """A TargetSQNR that gives derived types the fraction bits they miss, 6 dB a bit; None where types are given."""
        given = {r.word for r in self.design.types.get(node.name, ()) if r.level == "given"}
        wanted = max((need.fraction for need in needs), default=0)
        return target + BLAME_FROM * wanted if wanted and not given & {need.word for need in needs} else None

    def _integer(self, node: Node, low: float, high: float, alone: Finding) -> int:
        """Missing integer bits: what the run saw; what float says when it rounded otherwise or values were spoilt before."""
        fraction = alone.fraction
        if (
            fraction
            or any(need.integer for need in alone.needs)
            or isinstance(node.op, Constant)
            or self.dirty & set(node.inputs)
        ):
            kind = type_of_cast(node)
            return missing_integer(low, high, dataclasses.replace(kind, width=min(kind.width + fraction, MAX_WIDTH)))
        found = self.found.get(node.name)
        return found.bits if found else 0

    def _alone(self, node: Node, settings: LayerSettings) -> Finding:
        graph, sample = self.design.graph, self.run.sample
        operands = graph.operands(node)
        source = self.design.float_graph[node.name]
        return examine(
            Layer(
                node,
                source.op,
                operands,
                [self.design.emulator.ranges[o.name] for o in operands],
                [sample[name] for name in node.inputs or source.inputs],
                sample[node.name],
                [self.run.read.get(o.name, np.ones(o.shape, dtype=bool)) for o in operands],
                self.run.read[node.name],
                self.run.read_float[node.name],
                settings,
                self.design.types.get(node.name, ()),
                self.design.signals,
            )
        )

    def _drop(self, node: Node, target: float) -> float | None:
        mine = self.sqnr[node.name]
        if mine is None:
            return 0.0
        if math.isinf(mine):
            return None
        # A layer that rounding made constant reads nothing any more; in float it does.
        before = [self.sqnr.get(name) for name in node.inputs or self.design.float_graph[node.name].inputs]
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
