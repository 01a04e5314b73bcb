"""Types that a quantised model brings along: what they stand above and below, and what follows from them exactly."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import MAX_AUTO_ACCUMULATOR, Range, holding_type, round_constant
from nn2hls.config.settings import LayerSettings
from nn2hls.graph.graph import BY_CONFIG, Graph, Node
from nn2hls.graph.op import Hints, Op
from nn2hls.passes.base import Context
from nn2hls.passes.unused import Words

SOURCE = "its quantiser in the model"
GUARD = 8  # bits that constants which no type holds are finer by than their target asks


def is_quantised(graph: Graph) -> bool:
    """Whether the model, not the config, gives any type: then what can be exact is."""
    return any(node.given and not node.origin.by_config for node in graph)


def with_given(node: Node, settings: LayerSettings, context: Context) -> LayerSettings:
    """The settings with the types that the model gives: below those that the config names for the layer, above all others."""
    if not node.given:
        return settings
    kept = {word: kind for word, kind in node.given.items() if word not in settings.own_words}
    for word, kind in node.given.items():
        named = settings.precision.get(word)
        if word in settings.own_words and named is not None and named != kind:
            context.warn(f"{settings.sources[word]}: {node.name} has {named} for '{word}' in place of the model's own {kind}.")
    source = node.origin.kind.removeprefix(BY_CONFIG) if node.origin.by_config else SOURCE
    sources = {**settings.sources, **dict.fromkeys(kept, source)}
    return dataclasses.replace(settings, precision={**settings.precision, **kept}, sources=sources)


def input_types(graph: Graph) -> dict[str, FixedType]:
    """Types of the inputs that the model quantises at once, all readers alike: they are cast to them as they enter."""
    found: dict[str, FixedType] = {}
    for node in graph.inputs:
        kinds = set(_first_types(graph, node))
        kind = kinds.pop() if len(kinds) == 1 else None
        if kind is not None and node.name not in graph.outputs:
            found[node.name] = kind
    return found


def cast_next(graph: Graph) -> frozenset[str]:
    """The values that the model casts next, by all readers, perhaps behind layers that only move them."""
    found: set[str] = set()
    for node in reversed(graph.nodes):
        users = graph.users[node.name]
        read = all(user.op.casts_to is not None or (user.op.moves and user.name in found) for user in users)
        if users and read and node.name not in graph.outputs:
            found.add(node.name)
    return frozenset(found)


def _first_types(graph: Graph, node: Node) -> list[FixedType | None]:
    """The types as which all readers of a value may have it, behind layers that only move it; None for one that rounds none."""
    found: list[FixedType | None] = []
    for user in graph.users[node.name]:
        if user.op.rearranges and user.name not in graph.outputs:
            found += _first_types(graph, user)
        else:
            found.append(user.op.enters_as)
    return found


def resolved_exactly(node: Node, xs: Sequence[Range], hints: Hints) -> tuple[Op, bool]:
    """The op with its types, and whether these hold its constants as the model has them.

    Constants that are numbers of up to ``max_width`` bits are kept whole. Factors that no type holds, as those of a scale that
    is no power of two, are :data:`GUARD` bits finer than their target asks; tables and other approximations are as elsewhere.
    """
    op = node.op.resolve(xs, hints)
    numbers = {word: node.op.numbers(word, xs) for word in op.types() if word != "accum"}
    if any(values is None for values in numbers.values()):
        return op, False
    whole = {word: holding_type(values) for word, values in numbers.items() if values is not None}
    fitting = {word: kind for word, kind in whole.items() if kind.width <= hints.max_width and word not in {*hints.given}}
    fine = node.op.resolve(xs, dataclasses.replace(hints, given=Words({**hints.given, **fitting})))
    if all(holds_numbers(fine.types()[word], values) for word, values in numbers.items()):
        return fine, True
    if node.op.affine is None and node.op.linear is None:
        return op, False
    return node.op.resolve(xs, dataclasses.replace(hints, noise=hints.noise * 2.0**-GUARD)), False


def holds_numbers(kind: FixedType, values: np.ndarray | None) -> bool:
    """Whether numbers of the type are exactly these; None: no numbers."""
    if values is None:
        return False
    return np.array_equal(np.ldexp(round_constant(values, kind).astype(np.float64), -kind.fraction), values)


def holds(kind: FixedType, exact: Range) -> bool:
    """Whether a cast to the type changes no value."""
    rounded = exact.rounded(kind)
    return kind.fraction >= exact.fraction and kind.min_mantissa <= rounded.low and rounded.high <= kind.max_mantissa


def exact_constant(values: np.ndarray, settings: LayerSettings) -> FixedType | None:
    """The narrowest type that holds every number as it is, None where it is wider than MaxWidth."""
    kind = holding_type(values)
    return kind if kind.width <= settings.max_width else None


def exact_room(settings: LayerSettings) -> int:
    """How wide a result may be that is kept exactly: MaxWidth where the user named it."""
    return settings.max_width if "max_width" in settings.sources else MAX_AUTO_ACCUMULATOR


def error_note(node: Node, op: Op, xs: Sequence[Range], lost: float) -> str:
    """The bound on the error of factors that no type holds, in a scale or a sum of products; their width and their shift.

    Args:
        node, op, xs: The node, its op with types and the bounds of its operands.
        lost: What rounding the result to the bits there is room for changes at most.
    """
    error, why = _factors(node, op, xs)
    told = [why] if error else []
    told += ["its results are rounded"] if lost else []
    return f"{node.name}: {', and '.join(told)}; they change no value by more than {rounded_up(error + lost)}." if told else ""


def _factors(node: Node, op: Op, xs: Sequence[Range]) -> tuple[float, str]:
    """What the factors change at most, and what they are; zero where types hold them."""
    arrays, kinds = node.op.affine or node.op.linear, op.types()
    factor_t, bias_t = kinds.get("scale" if node.op.affine else "weight"), kinds.get("bias")
    if arrays is None or factor_t is None or bias_t is None or len(xs) != 1:
        return 0.0, ""
    reach = np.ldexp(float(xs[0].bound), -xs[0].fraction)
    factor, bias = (np.abs(v - _rounded(v, kind)) for v, kind in zip(arrays, (factor_t, bias_t), strict=True))
    summed = factor if node.op.affine else factor.sum(axis=0)
    error = float(np.max(summed * reach + bias, initial=0.0))
    return error, f"its factors are multipliers of {factor_t.width} bits and a shift by {factor_t.fraction}"


def rounded_up(bound: float) -> str:
    """A bound in two digits, none of which makes it smaller."""
    text = f"{bound:.2g}"
    return text if float(text) >= bound else f"{bound + 10.0 ** (math.floor(math.log10(bound)) - 1) / 2:.2g}"


def _rounded(values: np.ndarray, kind: FixedType) -> np.ndarray:
    return np.asarray(np.ldexp(round_constant(values, kind).astype(np.float64), -kind.fraction))
