"""Give every value and every constant its fixed-point type: the float graph becomes the fixed graph."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nn2hls.errors import DataError, TypeResolutionError
from nn2hls.fixed import FixedType, Overflow, Rounding, TypeSyntaxError
from nn2hls.ir import Const, Graph, Node
from nn2hls.ops import Constant, Dense, Input, Reshape, Softmax, Strategy, Table, Transpose
from nn2hls.ops.base import Hints
from nn2hls.passes.base import Context, LayerSettings, Provenance
from nn2hls.passes.provenance import constant_result, fraction_bits, given_input, given_result, inner_types, same_type
from nn2hls.passes.rounded import rounded
from nn2hls.passes.unused import Words, unused
from nn2hls.ranges import Range, constant_type, ints, round_constant
from nn2hls.reference import run_float
from nn2hls.text import plural

DEFAULT_INPUT = FixedType(16, 6, True, Rounding.RND, Overflow.SAT)
SAMPLES = 512  # events that measure the signal of each layer
SAMPLE_VALUES = 1 << 24  # of all layers; of large networks fewer events are drawn


@dataclass(frozen=True)
class Signal:
    """Float statistics of one value: root mean square, spread around the mean of each element, smallest and largest."""

    rms: float
    spread: float
    low: float
    high: float

    @property
    def integer(self) -> int:
        """Integer bits, without sign, of the range seen and one more; of a value that was never zero alone."""
        return math.frexp(max(abs(self.low), abs(self.high)))[1] + 1

    def bits(self, integer: int) -> str:
        """Why a calibrated type has its integer bits."""
        return f"{plural(integer, 'integer bit')}: data {self.low:.3g}..{self.high:.3g}, 1 to spare"


def resolve_types(graph: Graph, context: Context) -> Graph:
    """Resolve types in topological order by the rules of docs/fixed-point.md."""
    signals = measure(graph, context) if context.signals is None else context.signals
    done: dict[str, Node] = {}
    ranges: dict[str, Range] = {}
    for node in graph:
        try:
            typed, values = _resolve(node, [done[i] for i in node.inputs], ranges, signals, context)
        except TypeSyntaxError as error:
            what = f"With the types it is given, a type derived from them is out of reach. {error.what}"
            raise TypeResolutionError(
                what, where=node.origin.layer or node.name, fix="Give it types of another size."
            ) from error
        context.notes += rounded(node, typed)
        done[node.name], ranges[node.name] = typed, values
    return Graph(tuple(done.values()), graph.outputs)


def measure(graph: Graph, context: Context) -> Mapping[str, Signal]:
    """Statistics of every value on the calibration data, or on seeded standard normal events without any."""
    if context.calibration is not None:
        inputs = [np.asarray(x, dtype=np.float64) for x in context.calibration]
    else:
        rng = np.random.default_rng(0)
        events = max(1, min(SAMPLES, SAMPLE_VALUES // max(1, sum(math.prod(n.shape) for n in graph))))
        inputs = [rng.standard_normal((events, *n.shape)) for n in graph.inputs]
    values = run_float(graph, inputs, [n.name for n in graph])
    return {name: _signal(v) for name, v in values.items()}


def _signal(v: np.ndarray) -> Signal:
    if not v.size:
        return Signal(0.0, 0.0, 0.0, 0.0)
    return Signal(
        float(np.sqrt(np.mean(np.square(v)))), float(np.sqrt(np.mean(np.var(v, axis=0)))), float(v.min()), float(v.max())
    )


def _resolve(
    node: Node, operands: list[Node], ranges: Mapping[str, Range], signals: Mapping[str, Signal], context: Context
) -> tuple[Node, Range]:
    settings = context.settings(node)
    signal = signals[node.name]
    given = settings.precision.get("result")
    if isinstance(node.op, Input):
        why = given_input(given, settings) if given else _input_type(node, signal, settings, context)
        context.types[node.name] = (why,)
        return dataclasses.replace(node, type=why.type), Range.of_type(why.type).broadcast(node.shape)
    noise = 10 ** (-settings.target_sqnr / 20) * (signal.spread or signal.rms or 1.0)
    if isinstance(node.op, Constant):
        kind = given or constant_type(node.op.value.array, noise, settings.max_width)
        context.types[node.name] = (constant_result(node.op.value.array, kind, settings),)
        return _constant(node, kind)
    xs = [ranges[o.name] for o in operands]
    if isinstance(node.op, Reshape | Transpose) and not settings.own_type:
        kind = operands[0].result_type
        context.types[node.name] = same_type(operands[0], context.types)
        return dataclasses.replace(node, type=kind), node.op.exact(xs)
    hints = _hints(node, operands, settings, signals, noise / math.sqrt(2), given)
    op = node.op.resolve(xs, hints)
    context.notes += unused(node, settings, hints.given)
    if isinstance(op, Dense):
        op = op.replace(reuse=settings.reuse, strategy=Strategy(settings.strategy))
    if isinstance(op, Table | Softmax):
        context.notes.append(f"{node.name}: within {op.bound(xs):.2g} of the function for every input, before rounding.")
    exact = op.exact(xs)
    if given:
        why = given_result(given, exact, settings)
    else:
        why = _result_type(node, exact, signal, noise * math.sqrt(6), settings, context)
    context.types[node.name] = (why, *inner_types(node.op, op, settings))
    return dataclasses.replace(node, op=op, type=why.type), exact.cast(why.type).broadcast(node.shape)


def _constant(node: Node, kind: FixedType) -> tuple[Node, Range]:
    assert isinstance(node.op, Constant)
    mantissas = round_constant(node.op.value.array, kind)
    op = node.op.replace(value=Const(mantissas))
    return dataclasses.replace(node, op=op, type=kind), Range.of_mantissas(mantissas, kind.fraction)


def _hints(
    node: Node,
    operands: list[Node],
    settings: LayerSettings,
    signals: Mapping[str, Signal],
    noise: float,
    given: FixedType | None,
) -> Hints:
    return Hints(
        given=Words(settings.precision),
        table_size=settings.table_size,
        max_width=settings.max_width,
        noise=noise,
        operand_rms=tuple(signals[o.name].rms for o in operands),
        result=given,
    )


def _input_type(node: Node, signal: Signal, settings: LayerSettings, context: Context) -> Provenance:
    """The range seen plus one integer bit, and the fraction bits that keep rounding below the target share."""
    if context.calibration is None:
        why = f"no calibration data: beyond {DEFAULT_INPUT.min:g}..{DEFAULT_INPUT.max:g} it saturates"
        return Provenance("result", DEFAULT_INPUT, "default", why)
    if not signal.rms:
        fix = "Give data of real events, or name the type of this input."
        raise DataError("Its calibration data is zero everywhere, which says nothing about its type.", where=node.name, fix=fix)
    signed = signal.low < 0
    integer = signal.integer + signed
    noise = 10 ** (-settings.target_sqnr / 20) * (signal.spread or signal.rms)
    fraction = math.ceil(-math.log2(noise * math.sqrt(12)))
    width = min(max(integer + fraction, 1 + signed), settings.max_width)
    if width < integer + fraction:
        context.notes.append(
            f"{node.name}: {integer} integer bits leave {width - integer} of the {fraction} fraction bits wanted "
            f"within {width} bits; a larger MaxWidth gives them back."
        )
    kind = FixedType(width, integer, signed, Rounding.RND, Overflow.SAT)
    why = f"{signal.bits(integer)}; {fraction_bits(kind.fraction, fraction, settings)}"
    return Provenance("result", kind, "calibrated", why)


def _result_type(
    node: Node, exact: Range, signal: Signal, step: float, settings: LayerSettings, context: Context
) -> Provenance:
    """The sound interval, or with calibration data the range seen plus one bit; the fewest fraction bits below ``step``."""
    fraction = min(math.ceil(-math.log2(step)), exact.fraction)
    sound = width = _sound_width(exact, fraction)
    signed = exact.signed
    overflow = Overflow.WRAP
    if context.calibration is not None and signal.rms:
        seen = signal.integer + signed
        if seen + fraction < width:
            width, overflow = max(seen + fraction, 1 + signed), Overflow.SAT
    wanted = fraction
    while width > settings.max_width:  # rounding can carry the sound ends into one more bit
        fraction -= width - settings.max_width
        width = settings.max_width if overflow is Overflow.SAT else _sound_width(exact, fraction)
    if fraction < wanted:
        context.notes.append(
            f"{node.name}: {width - fraction} integer bits leave {fraction} of the {wanted} fraction bits wanted "
            f"within {settings.max_width} bits; calibration data or a larger MaxWidth gives them back."
        )
    rounding = Rounding.RND if fraction < exact.fraction else Rounding.TRN
    kind = FixedType(width, width - fraction, signed, rounding, overflow)
    if overflow is Overflow.SAT:
        level, bits = "calibrated", f"{signal.bits(kind.integer)}, sound: {sound - wanted}"
    else:
        level = "sound"
        bits = f"{plural(kind.integer, 'integer bit')}: any input gives {exact.real_low:.3g}..{exact.real_high:.3g}"
    return Provenance("result", kind, level, f"{bits}; {fraction_bits(fraction, wanted, settings, whole=exact.fraction)}")


def _sound_width(exact: Range, fraction: int) -> int:
    """Bits that hold every value of ``exact`` once it is rounded to ``fraction`` fraction bits."""
    target = FixedType(1, 1 - fraction, True, Rounding.RND)
    ends = Range(ints(exact.low), ints(exact.high), exact.fraction).rounded(target)
    return ends.width + (exact.signed and ends.low >= 0)
