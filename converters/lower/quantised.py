"""What a quantised model means: casts of values, weights that are numbers of a type, levels between thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.ranges import holding_type
from nn2hls.converters.lower.value import Refusal, Site, Tensor, const, trimmed
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Marks, Places
from nn2hls.ops import Dense, Lookup, Op, Quantize, QuantizeEach, Scale, Steps

MAX_WIDTH = 64  # bits of a type that a model may ask for
WHOLE_BITS = 20  # of whole weights that float32 still tells from their neighbours when a scale is in them


def quantize(site: Site, x: Tensor, kind: FixedType) -> Tensor:
    """x rounded and brought into a type by its modes."""
    result = site.emit(Quantize(kind), x)
    site.builder.give(result.node, {"result": kind})
    return result


def quantize_each(
    site: Site,
    x: Tensor,
    width: np.ndarray,
    integer: np.ndarray,
    signed: np.ndarray,
    rounding: Rounding,
    overflow: Overflow,
) -> Tensor:
    """x with each element brought into a type of its own, by arrays that broadcast to it; one cast where all are alike.

    Raises:
        Refusal: A type has more than :data:`MAX_WIDTH` bits, or all of them together.
    """
    arrays = [np.asarray(a, np.int64) for a in (np.maximum(width, 0), integer, signed)]
    bits, _, _ = arrays
    if bits.max(initial=0) > MAX_WIDTH:
        raise Refusal(f"its type of {bits.max()} bits is not offered; up to {MAX_WIDTH} are")
    first = [int(a.reshape(-1)[0]) for a in arrays]
    if first[0] and all((a == one).all() for a, one in zip(arrays, first, strict=True)):
        return quantize(site, x, FixedType(first[0], first[1], bool(first[2]), rounding, overflow))
    widths, integers, signs = (Places(trimmed(a)) for a in arrays)
    op = QuantizeEach(widths, integers, signs, rounding, overflow)
    hull = op.grid.hull
    if hull.width > MAX_WIDTH:
        raise Refusal(f"its elements have types that need {hull.width} bits together; up to {MAX_WIDTH} are offered")
    result = site.emit(op, x)
    site.builder.give(result.node, {"result": hull.with_modes(Rounding.TRN, Overflow.WRAP)})
    return result


def table(site: Site, x: Tensor, kind: FixedType, values: np.ndarray, which: np.ndarray) -> Tensor:
    """What tables (tables, values of ``kind``) hold for x, which has that type; ``which``: the table of each element; exact."""
    result = site.emit(Lookup(const(values), kind, Places(which)), x)
    held = exact_type(values)
    site.builder.give(result.node, {"result": held, "table": held})
    return result


def levels(site: Site, x: Tensor, thresholds: Sequence[float], values: Sequence[float]) -> Tensor:
    """``values[k]``, k the number of thresholds that x reaches; exact."""
    return _steps(site, x, Steps.of(thresholds, values))


def levels_along(site: Site, x: Tensor, axis: int, thresholds: np.ndarray, values: Sequence[float]) -> Tensor:
    """:func:`levels` with a row of thresholds for each entry of the node's ``axis``."""
    rows, which = np.unique(thresholds, axis=0, return_inverse=True)
    if len(rows) == 1:
        return levels(site, x, rows[0].tolist(), values)
    places = which.reshape([-1 if k == axis else 1 for k in range(len(x.shape))])
    table = np.broadcast_to(np.asarray(values, np.float64), (len(rows), len(values)))
    return _steps(site, x, Steps(Marks(rows), const(table), Places(trimmed(places))))


def _steps(site: Site, x: Tensor, op: Steps) -> Tensor:
    result = site.emit(op, x)
    kind = exact_type(op.levels.array)
    site.builder.give(result.node, {"result": kind, "level": kind})
    return result


def integer_type(
    bits: int, scale: float, *, signed: bool, narrow: bool = False, rounding: Rounding = Rounding.RND_CONV
) -> FixedType:
    """The saturating type of integers of so many bits times a scale that is a power of two; ``narrow``: none below -max.

    Raises:
        Refusal: It has no bits, or more than are offered.
    """
    if not 1 <= bits <= MAX_WIDTH:
        raise Refusal(f"its type of {bits} bits is not offered; 1 to {MAX_WIDTH} are")
    overflow = Overflow.SAT_SYM if signed and narrow else Overflow.SAT
    return FixedType(bits, bits + exponent(scale), signed, rounding, overflow)


def exponent(scale: float) -> int:
    """The power of two that a scale is.

    Raises:
        Refusal: It is none, or too far from one.
    """
    positive(scale)
    mantissa, power = math.frexp(scale)
    if mantissa != 0.5:
        raise Refusal(f"its scale {scale:g} is no power of two")
    if abs(power) > 200:
        raise Refusal(f"its scale {scale:g} is out of reach")
    return power - 1


def is_power(scale: np.ndarray | float) -> bool:
    """Whether all scales are powers of two."""
    return bool(np.all(np.frexp(np.asarray(scale, np.float64))[0] == 0.5))


def positive(scale: np.ndarray | float) -> None:
    """Refuse scales of zero, below zero, NaN and infinity."""
    values = np.asarray(scale, np.float64)
    wrong = values[~(np.isfinite(values) & (values > 0))]
    if wrong.size:
        raise Refusal(f"its scale {wrong.reshape(-1)[0]:g} must be a finite number above zero; train or calibrate it again")


def exact_type(values: np.ndarray) -> FixedType:
    """The narrowest type that holds every number as it is.

    Raises:
        Refusal: It has more than :data:`MAX_WIDTH` bits.
    """
    kind = holding_type(values)
    if kind.width > MAX_WIDTH:
        raise Refusal(f"its quantised numbers need more than {MAX_WIDTH} bits under one type")
    return kind


def own(builder: Builder, node: str, op: Op, most: int = MAX_WIDTH) -> None:
    """Give the constants of a sum of products, or of a scale, the narrowest types that hold them as the model has them.

    Where the factors need ``most`` bits and more they stay to be derived.
    """
    arrays = op.affine if isinstance(op, Scale) else op.linear
    if arrays is not None and (most == MAX_WIDTH or holding_type(arrays[0]).width <= most):
        words = ("scale" if isinstance(op, Scale) else "weight", "bias")
        builder.give(node, {w: exact_type(a) for w, a in zip(words, arrays, strict=True)})


def apart(op: Op, scales: np.ndarray) -> tuple[Op, Op] | None:
    """A sum of products whose weights are whole numbers times a scale, of all or of each result: the sum of these, the rest.

    None where they are not the float32 next to such products, and where scales are powers of two, which are no multipliers.
    """
    if not isinstance(op, Dense):
        return None
    scale, weight = np.asarray(scales, np.float64).reshape(-1), op.weight.array
    if scale.size not in (1, weight.shape[1]) or is_power(scale):
        return None
    whole = np.rint(weight / scale)
    near = np.abs(whole * scale - weight) <= np.spacing(np.abs(weight).astype(np.float32))
    if not near.all() or np.abs(whole).max(initial=0) >= 1 << WHOLE_BITS:
        return None
    return Dense(const(whole), const(np.zeros(weight.shape[1]))), Scale(const(scale), op.bias)


class Exact(Site):
    """A site whose sums of products and scales have constants that are the quantised model's own, to the last bit."""

    def __init__(self, site: Site) -> None:
        self.site, self.builder = site, site.builder

    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:  # noqa: D102  (as in Site)
        node = self.site.add(op, nodes, word)
        own(self.builder, node, op)
        return node
