"""How large the values of a float graph are: measured on calibration data, else on seeded events that suit the inputs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.errors import DataError
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Input
from nn2hls.graph.reference import CHUNK_BYTES, run_float
from nn2hls.passes.base import Context
from nn2hls.passes.model_types import is_quantised
from nn2hls.text import plural

SAMPLES = 512  # seeded events that measure the signal of each layer
MOST_NUMBERS = 1 << 24  # that all of them have together: inputs that are larger are measured on fewer events
MOST_PRODUCTS = 1 << 32  # of all layers and events, about two seconds; larger networks are measured on fewer events
FEWEST = 16
QUANTISED = 1 << 26  # products where the model itself says how large values are: then statistics only say how fine factors are
NARROW = 8  # bits: a type that the user made so narrow is used whole
STEPS = 16  # of a wider type, the least that values spread over


@dataclass(frozen=True)
class Signal:
    """Float statistics of one value: root mean square, spread around the mean of each element, smallest and largest."""

    rms: float
    spread: float
    low: float
    high: float

    def integer(self, spare: int) -> int:
        """Integer bits, without sign, of the range seen and ``spare`` more; of a value that was never zero alone."""
        return math.frexp(max(abs(self.low), abs(self.high)))[1] + spare

    def bits(self, integer: int, spare: int, source: str) -> str:
        """Why a type has its integer bits, when they are of the range that ``source`` gave."""
        return f"{plural(integer, 'integer bit')}: {source} {self.low:.3g}..{self.high:.3g}, {spare} to spare"


def measure(graph: Graph, context: Context) -> Mapping[str, Signal]:
    """Statistics of every value on the calibration data, or on seeded events without any; memory does not grow with events.

    An operand for which a function is undefined counts as one for which it is: its pole says nothing of the values to come.
    """
    graph = away_from_poles(graph)
    if context.calibration is not None:
        inputs = [np.asarray(x, dtype=np.float64) for x in context.calibration]
    else:
        inputs = seeded(graph, context)
    sums: dict[str, _Sum] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for part in _chunks(graph, inputs):
            for name, values in run_float(graph, part, [n.name for n in graph]).items():
                sums[name] = sums[name].add(values) if name in sums else _Sum.of(values)
        return {node.name: _known(node, sums[node.name].signal(), context) for node in graph}


def _known(node: Node, signal: Signal, context: Context) -> Signal:
    """The statistics, or none where float64 does not hold them."""
    if math.isfinite(signal.rms) and math.isfinite(signal.spread):
        return signal
    if isinstance(node.op, Input):
        what = f"Its calibration data reaches {max(abs(signal.low), abs(signal.high)):.3g}, whose square float64 does not hold."
        raise DataError(what, where=node.name, fix="Scale the data, or name the type of this input.")
    context.warn(
        f"{node.name}: float64 does not hold the squares of its values, so nothing is known of their size; name its type."
    )
    return Signal(0.0, 0.0, 0.0, 0.0)


def away_from_poles(graph: Graph) -> Graph:
    """The graph with ops in whose values an operand outside a function's domain does not count as a pole."""
    return Graph(tuple(dataclasses.replace(n, op=n.op.measured()) for n in graph), graph.outputs)


def seeded(graph: Graph, context: Context) -> list[np.ndarray]:
    """Events (events, *shape) for each input, normally distributed, always the same ones.

    An input of unknown type is thought to be normalised: spread 1. One of a type that the user named has the spread 1 too where
    the type holds that, at least 16 of its steps; a quarter of its range if that is less, or if the type has up to 8 bits.
    """
    rng = np.random.default_rng(0)
    numbers = sum(math.prod(n.shape) for n in graph.inputs)
    products = QUANTISED if is_quantised(graph) else MOST_PRODUCTS
    affordable = min(MOST_NUMBERS // max(1, numbers), products // max(1, _products(graph)))
    events = min(SAMPLES, max(FEWEST, affordable))
    normal = [rng.standard_normal((events, *n.shape)) for n in graph.inputs]
    kinds = [context.settings(n).precision.get("result") for n in graph.inputs]
    return [x if kind is None else _suited(x, kind) for x, kind in zip(normal, kinds, strict=True)]


def _products(graph: Graph) -> int:
    """Of one event, in all layers."""
    shapes = {n.name: Range(np.broadcast_to(0, n.shape), np.broadcast_to(0, n.shape), 0) for n in graph}
    return sum(n.op.work([shapes[i] for i in n.inputs]) for n in graph)


def _suited(normal: np.ndarray, kind: FixedType) -> np.ndarray:
    most = min(max(kind.max, -kind.min), 2.0**500) / 4
    spread = most if kind.width <= NARROW else min(max(1.0, STEPS * kind.step), most)
    values = normal * spread
    return np.clip(values if kind.signed else np.abs(values), kind.min, kind.max)


def _chunks(graph: Graph, inputs: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """The events in parts whose values of all nodes together take little memory."""
    events = len(inputs[0]) if inputs else 1
    numbers = sum(math.prod(n.shape) for n in graph)
    step = max(1, 16 * CHUNK_BYTES // (8 * max(1, numbers)))
    for start in range(0, max(events, 1), step):
        yield [x[start : start + step] for x in inputs]


@dataclass(frozen=True)
class _Sum:
    """Of so many events: the sum of all squares, the mean and the squares around it by element, the ends."""

    events: int
    squares: float
    mean: np.ndarray
    around: np.ndarray
    low: float
    high: float

    @classmethod
    def of(cls, v: np.ndarray) -> _Sum:
        """Of the events (events, *shape) of one part."""
        ends = (float(v.min()), float(v.max())) if v.size else (0.0, 0.0)
        return cls(len(v), float(np.sum(np.square(v))), v.mean(axis=0), len(v) * np.var(v, axis=0), *ends)

    def add(self, v: np.ndarray) -> _Sum:
        """With the events of another part (T. Chan, G. Golub and R. LeVeque, 1979)."""
        more = _Sum.of(v)
        events, apart = self.events + more.events, more.mean - self.mean
        return _Sum(
            events,
            self.squares + more.squares,
            self.mean + apart * (more.events / events),
            self.around + more.around + np.square(apart) * (self.events * more.events / events),
            min(self.low, more.low),
            max(self.high, more.high),
        )

    def signal(self) -> Signal:
        """Their statistics."""
        numbers = self.events * self.mean.size
        if not numbers:
            return Signal(0.0, 0.0, 0.0, 0.0)
        spread = float(np.sqrt(np.mean(self.around) / self.events))
        return Signal(math.sqrt(self.squares / numbers), spread, self.low, self.high)
