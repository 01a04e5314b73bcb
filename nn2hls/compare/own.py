"""One layer alone: what its own types cost when it is fed with float values, and the bits that would mend it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn2hls.arith.fixed import MAX_WIDTH, FixedType, Overflow, Rounding, cast_to
from nn2hls.arith.ranges import FLOAT64_EXACT, Range
from nn2hls.compare.mend import Trial, mend_table
from nn2hls.compare.result import Need
from nn2hls.compare.scores import decibels
from nn2hls.config.settings import LayerSettings
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.emulate.quantise import ints_of, quantise, round_exact
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Node
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.op import Op
from nn2hls.passes.base import Provenance

MOST_BITS = 64  # asked for at most


@dataclass(frozen=True)
class Layer:
    """A node, ready to be examined.

    Args:
        node: Of the fixed graph.
        source: The op with float constants.
        operands: The nodes it reads.
        ranges: Sound bounds of the operands.
        floats: Float values of the operands, (events, *shape of the user's layer); of a layer that rounding made constant,
            those that it reads in float.
        result: Float values of the node itself, alike.
        used: Which elements of each operand anybody reads, boolean, of its shape.
        read: Which elements of its result anybody reads, boolean, of its shape.
        read_float: The same in the float graph, where no weight was rounded to zero, of the shape of the user's layer.
        settings: Of the layer.
        types: Where its types come from.
        signals: Float statistics of all nodes, by which types were derived; empty when nobody kept them.
    """

    node: Node
    source: Op
    operands: Sequence[Node]
    ranges: Sequence[Range]
    floats: Sequence[np.ndarray]
    result: np.ndarray
    used: Sequence[np.ndarray]
    read: np.ndarray
    read_float: np.ndarray
    settings: LayerSettings
    types: Sequence[Provenance] = ()
    signals: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> float:
        """Its TargetSQNR in dB."""
        return self.settings.target_sqnr


@dataclass(frozen=True)
class Finding:
    """What a layer alone does.

    Args:
        sqnr: Of its result; None when exact.
        fraction: Fraction bits that its result misses.
        needs: What the types inside it miss.
    """

    sqnr: float | None
    fraction: int
    needs: tuple[Need, ...] = ()


def widened(word: str, kind: FixedType, integer: int, fraction: int, *, negative: bool = False) -> Need:
    """A type with more bits; ``negative`` values need a signed one, whose sign is among the integer bits."""
    signed = kind.signed or negative
    whole = kind.integer + integer
    fraction = min(fraction, MAX_WIDTH - whole - kind.fraction)  # no type is wider: then low bits go, as anywhere
    better = dataclasses.replace(kind, width=whole + kind.fraction + fraction, integer=whole, signed=signed)
    return Need(word, integer, fraction, str(better))


def missing_integer(low: float, high: float, kind: FixedType) -> int:
    """Integer bits that ``kind`` misses to hold ``low`` to ``high``, rounded by its mode."""
    first, last = (int(v) for v in ints_of(np.array([low, high]), kind))
    if kind.min_mantissa <= first and last <= kind.max_mantissa:
        return 0
    span = max(last.bit_length(), (-first - 1).bit_length() if first < 0 else 0) + (kind.signed or first < 0)
    return max(span - kind.width, 1)


def narrowed(node: Node, values: np.ndarray) -> np.ndarray:
    """Values (events, *shape of the user's layer) in the shape of a node that computes fewer channels; zero in idle ones."""
    if node.spread is None:
        return values
    holds = node.spread.source == np.arange(node.shape[-1])[:, None]
    return np.where(holds.any(axis=1), values[..., holds.argmax(axis=1)], 0)


def examine(layer: Layer) -> Finding:
    """Feed a layer with float values, rounded to the types of its operands, and compare it with float on the same values.

    Events in which float gives NaN or Inf are left out.
    """
    layer = _events(layer, *layer.floats, layer.result)
    if isinstance(layer.node.op, Input | Constant):
        return _examine_source(layer)
    mantissas, values = zip(*map(_operand, layer.operands, layer.floats, layer.ranges, layer.used), strict=True)
    wanted = layer.source.evaluate_float(*values)
    if not np.isfinite(wanted).all():  # float values that the types of the operands moved over the edge
        return examine(_events(layer, wanted))
    return _examine_layer(layer, mantissas, values, wanted)


def _events(layer: Layer, *arrays: np.ndarray) -> Layer:
    """The layer with the events in which all of some arrays are finite."""
    keep = np.logical_and.reduce([np.isfinite(a).all(axis=tuple(range(1, a.ndim))) for a in arrays])
    if keep.all():
        return layer
    return dataclasses.replace(layer, floats=[f[keep] for f in layer.floats], result=layer.result[keep])


def _examine_layer(layer: Layer, mantissas: Sequence[np.ndarray], values: Sequence[np.ndarray], wanted: np.ndarray) -> Finding:
    kind, unit = layer.node.result_type, _unit(wanted)
    needs = list(_constants(layer, values, wanted[:, layer.read_float], unit))
    wanted = narrowed(layer.node, wanted)[:, layer.read]
    fraction = layer.node.op.exact(layer.ranges).fraction
    exact = _run(layer.node.op, layer.ranges, mantissas)[:, layer.read]
    signal = _power(wanted, unit)
    result = _values(cast_to(exact, fraction, kind), kind.fraction)
    ideal = _values(exact, fraction)

    def rounding(more: int) -> float:
        finer = dataclasses.replace(kind, width=min(kind.width + more, MAX_WIDTH))
        return _power(_values(cast_to(exact, fraction, finer, fits=True), finer.fraction) - ideal, unit)

    missing = _missing(rounding, signal, layer.target)
    needs += _accumulator(layer, mantissas, signal, unit)
    if "table_size" in layer.node.op.uses:
        needs += _table(layer, mantissas, wanted, signal, unit)
    return Finding(decibels(signal, _power(result - wanted, unit)), missing, tuple(needs))


def _table(layer: Layer, mantissas: Sequence[np.ndarray], wanted: np.ndarray, signal: float, unit: int) -> Iterator[Need]:
    """What would mend a table whose own noise is too large; ``table`` without settings where nothing does."""
    allowed = max(_allowed(signal, layer.target), 2.0**-1000)

    def excess(op: Op) -> float:
        values = _values(_run(op, layer.ranges, mantissas), op.exact(layer.ranges).fraction)
        return _power(values[:, layer.read] - wanted, unit) / allowed

    now = excess(layer.node.op)
    if now <= 1:
        return
    floats = map(narrowed, layer.operands, layer.floats)
    trial = Trial(layer.node, layer.source, layer.operands, layer.settings, layer.signals, list(floats))
    mend = mend_table(trial, layer.types, excess, now)
    old = {r.word: r.type for r in layer.types}
    for word, kind in mend.types.items() if mend else ():
        shown = kind if word == "result" else kind.with_modes(Rounding.TRN, Overflow.WRAP)  # entries have modes of their own
        yield Need(word, kind.integer - old[word].integer, kind.fraction - old[word].fraction, str(shown))
    if mend is None or mend.entries:
        yield Need("table", entries=mend.entries if mend else None)


def type_of_cast(node: Node) -> FixedType:
    """The type of a node with the modes that its values are cast by: constants round half to even and saturate."""
    kind = node.result_type
    return kind.with_modes(Rounding.RND_CONV, Overflow.SAT) if isinstance(node.op, Constant) else kind


def _examine_source(layer: Layer) -> Finding:
    """An input, a constant, or a layer whose result does not depend on its operands any more since its weights are zero."""
    node, kind, unit = layer.node, type_of_cast(layer.node), _unit(layer.result)
    wanted = layer.result[:, layer.read_float]
    signal = _power(wanted, unit)
    needs: tuple[Need, ...] = ()
    if layer.floats:
        assert isinstance(node.op, Constant)
        mantissas, needs = node.op.value.array[None], tuple(_constants(layer, layer.floats, wanted, unit))
    else:
        mantissas = quantise(layer.result, dataclasses.replace(node, type=kind), OverflowLog())
    alone = node.whole(_values(mantissas, kind.fraction))[:, layer.read_float] - wanted

    def rounding(more: int) -> float:
        return _power(_rounded(wanted, kind.fraction + more, kind.rounding) - wanted, unit)

    return Finding(decibels(signal, _power(alone, unit)), _missing(rounding, signal, layer.target), needs)


def _rounded(values: np.ndarray, fraction: int, rounding: Rounding) -> np.ndarray:
    """Values rounded to so many fraction bits; those that have no finer bits stay, however large they are."""
    with np.errstate(over="ignore"):
        scaled = np.ldexp(values, fraction)
    whole = np.abs(scaled) >= FLOAT64_EXACT
    return np.where(whole, values, np.ldexp(round_exact(np.where(whole, 0.0, scaled), rounding), -fraction))


def _operand(node: Node, values: np.ndarray, bounds: Range, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Float values as the design would hand them on: mantissas within what is proved of the node, and what they stand for.

    What nobody reads, because rounding made the weights zero, the design does not compute; it keeps its value in float.
    """
    fraction = node.result_type.fraction
    rounded = quantise(values, dataclasses.replace(node, type=type_of_cast(node)), OverflowLog())
    computed = narrowed(node, rounded)
    low, high = (np.asarray(end.astype(rounded.dtype)) for end in (bounds.lo, bounds.hi))
    proved = np.minimum(np.maximum(computed, low), high)
    kept = np.where(used, proved, computed)
    whole = kept if node.spread is None else node.spread.expand(kept, rounded)
    return proved, _values(whole, fraction)


def _run(op: Op, ranges: Sequence[Range], mantissas: Sequence[np.ndarray]) -> np.ndarray:
    exact = op.kernel(ranges)([m.copy() for m in mantissas], _nobody)
    return exact if isinstance(exact, np.ndarray) else np.asarray(exact.astype(object))


def _nobody(what: str, values: Any, fraction: int, kind: FixedType) -> None:
    """Watches casts inside a layer and says nothing."""


def _values(mantissas: np.ndarray, fraction: int) -> np.ndarray:
    return np.asarray(np.ldexp(mantissas.astype(np.float64), -fraction))


def _unit(values: np.ndarray) -> int:
    """The power of two that powers are measured in, so that squares of large values stay finite."""
    return math.frexp(float(np.abs(values).max(initial=0.0)))[1]


def _power(noise: np.ndarray, unit: int) -> float:
    with np.errstate(over="ignore"):
        return float(np.sum(np.square(np.ldexp(noise, -unit))))


def _allowed(signal: float, target: float) -> float:
    return signal * 10 ** (-target / 10)


def _missing(noise: Callable[[int], float], signal: float, target: float) -> int:
    """The fewest additional bits with which ``noise`` is small enough."""
    if not signal:
        return 0
    allowed = _allowed(signal, target)
    return next((k for k in range(MOST_BITS) if noise(k) <= allowed), MOST_BITS)


def _constants(layer: Layer, values: Sequence[np.ndarray], wanted: np.ndarray, unit: int) -> Iterator[Need]:
    """What the types of weights, biases and other constants miss: each one alone is rounded, the others are float."""
    signal = _power(wanted, unit)
    for reason in layer.types:
        constant = getattr(layer.source, reason.word, None)
        if not isinstance(constant, Const):
            continue
        array, kind = constant.array, reason.type.with_modes(Rounding.RND_CONV, Overflow.SAT)
        fraction = _missing(_constant_noise(layer, reason, values, wanted, unit), signal, layer.target)
        finer = dataclasses.replace(kind, width=min(kind.width + fraction, MAX_WIDTH))
        integer = missing_integer(float(array.min(initial=0)), float(array.max(initial=0)), finer)
        if integer or fraction:
            yield widened(reason.word, reason.type, integer, fraction, negative=bool((array < 0).any()))


def _constant_noise(
    layer: Layer, reason: Provenance, values: Sequence[np.ndarray], wanted: np.ndarray, unit: int
) -> Callable[[int], float]:
    """The noise of rounding a constant alone, without saturating it, by the bits that are added to its type."""
    array = getattr(layer.source, reason.word).array

    def noise(more: int) -> float:
        changes: Mapping[str, Any] = {reason.word: Const(_rounded(array, reason.type.fraction + more, Rounding.RND_CONV))}
        return _power(layer.source.replace(**changes).evaluate_float(*values)[:, layer.read_float] - wanted, unit)

    return noise


def _accumulator(layer: Layer, mantissas: Sequence[np.ndarray], signal: float, unit: int) -> Iterator[Need]:
    """Fraction bits that a narrowed accumulator misses; where it overflows is counted when the design runs."""
    op = layer.node.op
    if not op.narrowed(layer.ranges):
        return
    wide = op.widened(layer.ranges)
    accum, full = (o.types()["accum"] for o in (op, wide))
    exact = _values(_run(wide, layer.ranges, mantissas), wide.exact(layer.ranges).fraction)[:, layer.read]
    integer = max(accum.integer, full.integer + (accum.signed and not full.signed))

    def noise(more: int) -> float:
        kind = dataclasses.replace(accum, width=min(integer + accum.fraction + more, MAX_WIDTH), integer=integer)
        finer = op.replace(accum_t=kind)
        values = _values(_run(finer, layer.ranges, mantissas), finer.exact(layer.ranges).fraction)
        return _power(values[:, layer.read] - exact, unit)

    fraction = _missing(noise, signal, layer.target)
    if fraction:
        yield widened("accum", accum, 0, fraction)
