"""Give every value and every constant its fixed-point type: the float graph becomes the fixed graph."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, TypeSyntaxError
from nn2hls.arith.ranges import Range, constant_type, ints, round_constant
from nn2hls.config.settings import LayerSettings
from nn2hls.errors import DataError, TypeResolutionError
from nn2hls.graph.analysis import node_range
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.op import Hints, Op
from nn2hls.ops.reloadable import reloadable
from nn2hls.passes.base import Context, Provenance
from nn2hls.passes.event_sizes import Sizes, event_sizes
from nn2hls.passes.model_types import (
    SOURCE,
    cast_next,
    error_note,
    exact_constant,
    exact_room,
    holds,
    input_types,
    is_quantised,
    resolved_exactly,
    with_given,
)
from nn2hls.passes.provenance import constant_result, fraction_bits, given_input, given_result, inner_types, moved
from nn2hls.passes.rounded import rounded
from nn2hls.passes.signals import Signal, measure
from nn2hls.passes.tied import Common, common, joint
from nn2hls.passes.unused import Words, unused
from nn2hls.text import plural

DEFAULT_INPUT = FixedType(16, 6, True, Rounding.RND, Overflow.SAT)
CONFIGURED = ("reuse", "strategy", "adder_depth")  # settings of an op's hardware, which its types do not depend on
LISTED = 4  # names in a warning
MOST_CARRIED = 53  # bits of a state, which goes from event to event as a float
BIASED = 2  # bits: fewer than three are not worth a rounding


def resolve_types(graph: Graph, context: Context) -> Graph:
    """Resolve types in topological order by the rules of docs/precision.md."""
    signals = measure(graph, context) if context.signals is None else context.signals

    def model() -> _Model:
        return _Model(is_quantised(graph), input_types(graph), event_sizes(graph), cast_next(graph))

    tied: dict[str, Common] = {}
    if any(node.tied for node in graph):  # a draft says what each step needs; all of them get what holds that
        signals = joint(graph, signals)
        quiet = dataclasses.replace(context, notes=[], types={}, warnings=[])
        draft = _Resolved(signals, quiet, {}, model())
        typed = draft.graph(graph)
        limits = {n.name: draft.limit(n) for n in typed if n.tied}
        tied = common(typed, draft.context.types, limits, draft.told)
    resolved = _Resolved(signals, context, tied, model()).graph(graph)
    _tell_guesses(graph, context)
    return resolved


class _Resolved:
    """Nodes with their types so far.

    Args:
        signals: Statistics of every node.
        context: Of the pass.
        tied: What holds for the copies of a node, by the word that ties them.
        model: What the model itself says of types.
    """

    def __init__(self, signals: Mapping[str, Signal], context: Context, tied: Mapping[str, Common], model: _Model) -> None:
        self.signals, self.context, self.tied, self.model = signals, context, tied, model
        self.done: dict[str, Node] = {}
        self.ranges: dict[str, Range] = {}
        self.firsts: dict[str, Node] = {}  # of the copies, by the word that ties them
        self.told: dict[str, list[str]] = {}

    def graph(self, graph: Graph) -> Graph:
        """All of a graph."""
        for node in graph:
            try:
                self._add(node)
            except TypeSyntaxError as error:
                what = f"With the types it is given, a type derived from them is out of reach. {error.what}"
                raise TypeResolutionError(
                    what, where=node.origin.layer or node.name, fix="Give it types of another size."
                ) from error
            except TypeResolutionError as error:
                place = error.where or node.origin.layer or node.name
                raise TypeResolutionError(error.what, where=place, fix=error.fix) from error
        return Graph(tuple(self.done.values()), graph.outputs)

    def _add(self, node: Node) -> None:
        operands = [self.done[i] for i in node.inputs]
        known, before = self.tied.get(node.tied), len(self.context.warnings)
        if node.op.carries:
            typed, values = self._carried(node)
        elif known is not None and node.tied in self.firsts:
            typed, values = self._copy(node, known)
        else:
            named = dataclasses.replace(node, name=node.origin.part) if node.origin.part else node
            typed, values, why = _resolve(
                named, operands, self.ranges, self.signals, self.context, node.name, known, self.model
            )
            rounded(node, typed, self.context)
            typed = dataclasses.replace(typed, name=node.name)
            self.context.types[node.name] = why
            self.firsts[node.tied] = typed
            if known is not None:
                for text in known.warnings:
                    self.context.warn(text)
        self.told[node.name] = self.context.warnings[before:]
        self.done[node.name] = typed
        self.ranges[node.name] = self.context.ranges.keep(typed, [self.ranges[i] for i in node.inputs], values)

    def _carried(self, node: Node) -> tuple[Node, Range]:
        """A state after an event: what the next event begins with has the same type."""
        before, settings = self.done[node.op.carries], self.context.settings(node)
        kind, named = before.result_type, settings.precision.get("result")
        if settings.own_type and named is not None and named != kind:
            fix = f"Name the type of '{before.name}' alone; this one follows."
            raise TypeResolutionError(f"It has the type {kind} of '{before.name}', not {named}.", where=node.name, fix=fix)
        if kind.width > MOST_CARRIED:
            fix = f"Give '{before.name}' a narrower type."
            raise TypeResolutionError(f"A state of {kind.width} bits is more than float64 carries.", where=node.name, fix=fix)
        why = Provenance("result", kind, self.context.types[before.name][0].level, f"that of {before.name}, the next event's")
        self.context.types[node.name] = (why,)
        typed = dataclasses.replace(node, type=kind)
        return typed, node_range(typed, [self.ranges[i] for i in node.inputs])

    def _copy(self, node: Node, known: Common) -> tuple[Node, Range]:
        """A node whose first copy is resolved."""
        first = self.firsts[node.tied]
        typed = dataclasses.replace(node, op=node.op if node.op.moves else first.op, type=known.why.type)
        self.context.types[node.name] = self.context.types[first.name]
        xs = [self.ranges[i] for i in node.inputs]
        alike = {first.name, *node.inputs} <= self.model.exact
        if alike and (typed.op.moves or holds(known.why.type, typed.op.exact(xs))):
            self.model.exact.add(node.name)
        return typed, node_range(typed, xs)

    def limit(self, node: Node) -> int:
        """The most bits of a derived type of a node: more where the result is kept as a quantised model has it."""
        settings = self.context.settings(node)
        return exact_room(settings) if node.name in self.model.exact else settings.max_width


@dataclass
class _Model:
    """What a quantised model says of types.

    Args:
        quantised: Whether it gives any: then results are exact where they can be.
        inputs: Of its inputs.
        sizes: Of its events.
        cast: The values that it casts next, whoever reads them.
        exact: The values so far that have no rounding but the model's own, and factors whose error is told.
    """

    quantised: bool
    inputs: Mapping[str, FixedType]
    sizes: Sizes
    cast: Collection[str]
    exact: set[str] = field(default_factory=set)

    def keeps(self, name: str, op: Op, operands: Sequence[Node]) -> bool:
        """Whether a value is one that the model itself computes: of exact operands, of the size of an event, or a factor
        before a cast, of whatever value.
        """
        factors = op.affine is not None and name in self.cast
        return self.quantised and (factors or name in self.sizes.spans or all(o.name in self.exact for o in operands))


def _resolve(
    node: Node,
    operands: list[Node],
    ranges: Mapping[str, Range],
    signals: Mapping[str, Signal],
    context: Context,
    name: str,
    known: Common | None,
    model: _Model,
) -> tuple[Node, Range, tuple[Provenance, ...]]:
    """A node with its types, bounds of its values, and where the types come from.

    Args:
        node: As the user calls it.
        operands, ranges, signals, context, model: See _Resolved.
        name: Its name in the graph.
        known: What holds for it and its copies.
    """
    settings = with_given(node, context.settings(node), context)
    signal = signals[name]
    given = settings.precision.get("result")
    if isinstance(node.op, Input):
        return _input(node, signal, settings, context, model)
    noise = max(10 ** (-settings.target_sqnr / 20) * (signal.spread or signal.rms or 1.0), 2.0**-1000)
    kept = model.keeps(name, node.op, operands)
    if isinstance(node.op, Constant):
        return _constant(node, noise, settings, model, name)
    xs = [ranges[o.name] for o in operands]
    if node.op.moves and not settings.own_type:
        why = known.why if known else moved(operands, context.types)
        model.exact |= {name} if kept else set()
        return dataclasses.replace(node, type=why.type), node.op.exact(xs).cast(why.type), (why,)
    node = _with_memories(node, settings)
    hints = _hints(node, operands, settings, signals, noise / math.sqrt(2), given)
    bounds = known.ranges(xs) if known else xs
    whatever = model.quantised and node.op.decides  # where the operand is not exact, the few numbers of the result are
    op, faithful = resolved_exactly(node, bounds, hints) if kept or whatever else (node.op.resolve(bounds, hints), False)
    op = op.configured(**{word: getattr(settings, word) for word in CONFIGURED if word in op.uses})
    if not (op.moves and any(o.origin.layer == node.origin.layer for o in operands)):  # the product before it has the use
        context.notes += unused(node, settings, hints.given)
    context.notes += [f"{node.name}: {text}" for text in op.notes(bounds, hints)]
    for text in op.warnings(bounds, hints):
        context.warn(f"{node.name}: {text}")
    exact = op.exact(xs)
    free = kept and name not in model.sizes.floats and (faithful or op.affine is not None)
    whole = _whole_result(exact, exact_room(settings)) if free and not given else None
    if whole and whole.type.fraction < exact.fraction and whole.type.step > noise * math.sqrt(6):
        free, whole = False, None  # it spends its bits on an interval that is far from what values are
    if known:
        why = known.why
    else:
        why = whole or _given_or_derived(node, exact, signal, noise * math.sqrt(6), settings, context)
    lost = why.type.step / 2 if whole and why.type.fraction < exact.fraction else 0.0
    if lost or (kept and not faithful):
        context.notes += filter(None, [error_note(node, op, xs, lost)])
    context.notes += [f"{node.name}: {text}" for text in filter(None, [model.sizes.notes.get(name)])]
    cast = node.op.casts_to is not None or name in model.sizes.measured
    if cast or ((free or (whatever and faithful)) and holds(why.type, exact)):
        model.exact.add(name)
    typed = dataclasses.replace(node, op=op, type=why.type)
    return typed, exact.cast(why.type).broadcast(node.shape), (why, *inner_types(node.op, op, settings))


def _with_memories(node: Node, settings: LayerSettings) -> Node:
    """The node with weights in memories, where the user wants them there."""
    if settings.weights == "fixed" or node.op.linear is None:
        return node
    return dataclasses.replace(node, op=reloadable(node, settings.reuse, settings.strategy))


def _given_or_derived(
    node: Node, exact: Range, signal: Signal, noise: float, settings: LayerSettings, context: Context
) -> Provenance:
    given = settings.precision.get("result")
    return given_result(given, exact, settings) if given else _result_type(node, exact, signal, noise, settings, context)


def _input(
    node: Node, signal: Signal, settings: LayerSettings, context: Context, model: _Model
) -> tuple[Node, Range, tuple[Provenance, ...]]:
    model.exact.add(node.name)
    own = None if settings.own_words else model.inputs.get(node.name)
    if own is not None:
        why = Provenance("result", own, "given", f"set at {SOURCE}, which every reader casts it to")
        node = dataclasses.replace(node, given={"result": own})
    elif "result" in settings.precision:
        why = given_input(settings.precision["result"], settings)
    else:
        why = _input_type(node, signal, settings, context)
    return dataclasses.replace(node, type=why.type), Range.of_type(why.type).broadcast(node.shape), (why,)


def _constant(
    node: Node, noise: float, settings: LayerSettings, model: _Model, name: str
) -> tuple[Node, Range, tuple[Provenance, ...]]:
    assert isinstance(node.op, Constant)
    values, given = node.op.value.array, settings.precision.get("result")
    precise = exact_constant(values, settings) if model.quantised else None
    model.exact |= {name} if precise and not given else set()
    kind = given or precise or constant_type(values, noise, settings.max_width)
    mantissas = round_constant(values, kind)
    typed = dataclasses.replace(node, op=node.op.replace(value=Const(mantissas)), type=kind)
    return typed, Range.of_mantissas(mantissas, kind.fraction), (constant_result(values, kind, settings),)


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
    integer = signal.integer(_CALIBRATED.spare) + signed
    noise = max(10 ** (-settings.target_sqnr / 20) * (signal.spread or signal.rms), 2.0**-1000)
    fraction = math.ceil(-math.log2(noise * math.sqrt(12)))
    width = min(max(integer + fraction, 1 + signed), settings.max_width)
    if width < integer + fraction:
        _starved(node, integer, width - integer, fraction, settings, context)
    kind = FixedType(width, integer, signed, Rounding.RND, Overflow.SAT)
    why = f"{signal.bits(integer, _CALIBRATED.spare, _CALIBRATED.source)}; {fraction_bits(kind.fraction, fraction, settings)}"
    return Provenance("result", kind, "calibrated", why)


def _whole_result(exact: Range, room: int) -> Provenance:
    """Every bit of the exact result, as a quantised model has it; the lowest are rounded off where ``room`` is too small."""
    fraction = exact.fraction - max(0, _sound_width(exact, exact.fraction) - room)
    fraction -= max(0, _sound_width(exact, fraction) - room)  # rounding carried an end into one more bit
    width, rounding = _sound_width(exact, fraction), Rounding.TRN if fraction == exact.fraction else Rounding.RND
    kind = FixedType(width, width - fraction, exact.signed, rounding)
    bits = f"{plural(kind.integer, 'integer bit')}: any input gives {exact.real_low:.3g}..{exact.real_high:.3g}"
    why = "exact, as in the model" if fraction == exact.fraction else f"as many as {room} bits have room for"
    return Provenance("result", kind, "sound", f"{bits}; {plural(fraction, 'fraction bit')}: {why}")


@dataclass(frozen=True)
class _Measured:
    """What integer bits that are not sound were measured on: the level, its word for people, the bits to spare."""

    level: str
    source: str
    spare: int


_CALIBRATED = _Measured("calibrated", "data", 1)
_GUESSED = _Measured("guessed", "seeded inputs", 2)  # they are not the user's data: one bit more


def _result_type(
    node: Node, exact: Range, signal: Signal, step: float, settings: LayerSettings, context: Context
) -> Provenance:
    """The fewest fraction bits below ``step``, and the integer bits of :func:`_measured`, else of the sound interval."""
    wanted = fraction = _wanted(exact, step, settings)
    sound = width = _sound_width(exact, fraction)
    measured = _measured(exact, signal, wanted, sound, settings, context)
    if measured is not None:
        width = max(signal.integer(measured.spare) + exact.signed + fraction, 1 + exact.signed)
    while width > settings.max_width:  # rounding can carry the sound ends into one more bit
        fraction -= width - settings.max_width
        width = settings.max_width if measured else _sound_width(exact, fraction)
    if fraction < wanted:
        _starved(node, width - fraction, fraction, wanted, settings, context)
    rounding = Rounding.RND if fraction < exact.fraction else Rounding.TRN
    overflow = Overflow.SAT if measured else Overflow.WRAP
    kind = FixedType(width, width - fraction, exact.signed, rounding, overflow)
    bits = f"{plural(kind.integer, 'integer bit')}: any input gives {exact.real_low:.3g}..{exact.real_high:.3g}"
    if measured is not None:
        bits = f"{signal.bits(kind.integer, measured.spare, measured.source)}, sound: {sound - wanted}"
    why = f"{bits}; {fraction_bits(fraction, wanted, settings, whole=exact.fraction)}"
    return Provenance("result", kind, measured.level if measured else "sound", why)


def _wanted(exact: Range, step: float, settings: LayerSettings) -> int:
    """The fewest fraction bits below ``step``; all where that would drop one or two that there is room for.

    Rounding so few bits off half up errs by up to a quarter of a step on average, and such errors of many layers add up.
    """
    fraction = math.ceil(-math.log2(step))
    kept = exact.fraction - fraction <= BIASED and _sound_width(exact, exact.fraction) <= settings.max_width
    return exact.fraction if kept else min(fraction, exact.fraction)


def _measured(
    exact: Range, signal: Signal, fraction: int, sound: int, settings: LayerSettings, context: Context
) -> _Measured | None:
    """What gives the integer bits in place of the sound interval: data, or a guess where that would cost fraction bits.

    Without data a sound type that fits is kept, however much wider it is than a guess.
    """
    measured = _GUESSED if context.calibration is None else _CALIBRATED
    if not signal.rms or (measured is _GUESSED and sound <= settings.max_width):
        return None
    return measured if signal.integer(measured.spare) + exact.signed + fraction < sound else None


def _starved(node: Node, integer: int, kept: int, wanted: int, settings: LayerSettings, context: Context) -> None:
    """Say that a type has fewer fraction bits than its target asks for, and what gives them back."""
    mend = "a larger MaxWidth gives" if context.calibration is not None else "calibration data or a larger MaxWidth gives"
    context.warn(
        f"{node.name}: {plural(integer, 'integer bit')} leave {kept} of the {wanted} fraction bits wanted "
        f"within {settings.max_width} bits; {mend} them back."
    )


def _tell_guesses(graph: Graph, context: Context) -> None:
    """One warning for all types that are guessed."""
    guessed = [node for node in graph if context.types[node.name][0].level == "guessed"]
    names = list(dict.fromkeys(node.origin.part or node.name for node in guessed))
    if not names:
        return
    shown = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED:,} more" if len(names) > LISTED else "")
    text = f"{shown}: guessed from seeded inputs, saturating beyond: types for any input would lose fraction bits to MaxWidth."
    context.warn(f"{text} Calibration data gives ranges that are known; a larger MaxWidth makes room for any input.")


def _sound_width(exact: Range, fraction: int) -> int:
    """Bits that hold every value of ``exact`` once it is rounded to ``fraction`` fraction bits."""
    target = FixedType(1, 1 - fraction, True, Rounding.RND)
    ends = Range(ints(exact.low), ints(exact.high), exact.fraction).rounded(target)
    return ends.width + (exact.signed and ends.low >= 0)
