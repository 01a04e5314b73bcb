"""Says where types come from: the words behind a decision of ``resolve_types``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nn2hls import text
from nn2hls.arith.fixed import FixedType, Overflow, common_type
from nn2hls.arith.ranges import Range, round_constant
from nn2hls.config.settings import LayerSettings
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Node
from nn2hls.graph.op import Op
from nn2hls.passes.base import Provenance

# Words of the config that name a type field of an op, where they differ from the field's own name; the first that is set holds.
_WORDS = {
    "slope": ("slope", "param"),
    "bound": ("bound", "param"),
    "level": ("level", "param"),
    "offset": ("shift", "param"),
    "exp": ("exp_table",),
    "inverse": ("inv_table",),
}
SURE_FIRST = ("sound", "given", "default", "calibrated", "guessed")
_DERIVED = {"accum": "holds every partial sum exactly", "address": "the address of the table"}


def fraction_bits(kept: int, wanted: int, settings: LayerSettings, whole: int | None = None) -> str:
    """Why a type has its fraction bits.

    Args:
        kept: How many it has.
        wanted: How many the target asks for.
        settings: Of the layer.
        whole: How many the exact result has.
    """
    why = ": exact" if kept == whole else f" for {settings.target_sqnr:g} dB"
    cut = f", {wanted - kept} fewer by MaxWidth {settings.max_width}" if kept < wanted else ""
    return text.plural(kept, "fraction bit") + why + cut


def given_input(kind: FixedType, settings: LayerSettings) -> Provenance:
    """The user's type of an input or a constant."""
    return Provenance("result", kind, "given", f"set at {settings.sources.get('result', 'the config')}")


def moved(operands: Sequence[Node], types: Mapping[str, tuple[Provenance, ...]]) -> Provenance:
    """A layer that only moves values has the type that holds all values of its operands exactly: theirs where they have one."""
    names = " and ".join(dict.fromkeys(o.name for o in operands)) if len(operands) < 3 else f"{len(operands)} operands"
    levels = [types[o.name][0].level if o.name in types else "sound" for o in operands]
    level = max(levels, key=SURE_FIRST.index)
    return Provenance("result", common_type([o.result_type for o in operands]), level, f"that of {names}")


def given_result(kind: FixedType, exact: Range, settings: LayerSettings) -> Provenance:
    """The user's type of a result, and whether it holds every value."""
    rounded = exact.rounded(kind)
    why = f"set at {settings.sources.get('result', 'the config')}"
    if kind.min_mantissa <= rounded.low and rounded.high <= kind.max_mantissa:
        return Provenance("result", kind, "given", f"{why}, holds every value")
    integer = rounded.width + (kind.signed and not rounded.signed) - kind.fraction
    bits = text.plural(integer, "integer bit")
    beyond = "wraps" if kind.overflow is Overflow.WRAP else "saturates"
    return Provenance("result", kind, "given", f"{why}, {beyond} beyond {kind.min:.3g}..{kind.max:.3g}, sound: {bits}")


def constant_result(values: np.ndarray, kind: FixedType, settings: LayerSettings) -> Provenance:
    """The type of a constant that stands alone."""
    if "result" in settings.precision:
        return given_input(kind, settings)
    return Provenance("result", kind, "sound", _constant_bits(values, kind, settings))


def inner_types(source: Op, op: Op, settings: LayerSettings) -> tuple[Provenance, ...]:
    """Where the types inside a layer come from: those of its constants, accumulator and tables.

    Args:
        source: The op with float constants.
        op: The same with types.
        settings: Of the layer.
    """
    found = []
    for name, kind in op.types().items():
        words = _WORDS.get(name, (name,))
        named = next((w for w in words if w in settings.precision), None)
        if named:
            where = settings.sources.get(named, "the config")
            found.append(Provenance(words[0], kind, "given", f"set at {where}"))
            continue
        constant = getattr(source, name, None)
        why = _DERIVED.get(name, f"derived for {settings.target_sqnr:g} dB")
        if isinstance(constant, Const):
            why = _constant_bits(constant.array, kind, settings)
        found.append(Provenance(words[0], kind, "sound", why))
    return tuple(found)


def _constant_bits(values: np.ndarray, kind: FixedType, settings: LayerSettings) -> str:
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    bits = f"{text.plural(kind.integer, 'integer bit')}: {low:.3g}..{high:.3g}"
    fraction = text.plural(kind.fraction, "fraction bit")
    if np.array_equal(np.ldexp(round_constant(values, kind).astype(np.float64), -kind.fraction), values):
        return f"{bits}; {fraction}: exact"
    cut = f" within MaxWidth {settings.max_width}" if kind.width == settings.max_width else ""
    return f"{bits}; {fraction} for {settings.target_sqnr:g} dB{cut}"
