"""Tells the user what rounding did to the constants of a layer: values that saturated, weights that became zero or coarse."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import MAX_AUTO_ACCUMULATOR
from nn2hls.config.settings import LayerSettings
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Node
from nn2hls.passes.base import Context

_LISTED = 4  # values in a note
_MATTERS = 0.01  # share of the sum of squares that is lost with small weights, or to rounding beyond the target
_MARGIN = 10  # dB: rounding errors of weights are compared with the target as if operands were white, which they are not


def rounded(before: Node, after: Node, context: Context) -> None:
    """Note each constant of a node that its type changed by more than rounding; ``after`` is the resolved node."""
    settings, accum = context.settings(before), after.op.types().get("accum")
    for f in dataclasses.fields(before.op):
        value = getattr(before.op, f.name)
        kind = getattr(after.op, f"{f.name}_t", after.type if f.name == "value" else None)
        if not isinstance(value, Const) or not isinstance(kind, FixedType):
            continue
        for text in _saturated(f.name, value.array, kind, "saturated"):
            context.warn(f"{after.name}: {text}")
        if f.name == "weight":
            _weights(after, value.array, kind, settings, context)
        if f.name == "bias" and accum is not None:
            inside = np.clip(value.array, kind.min, kind.max)
            for text in _saturated("bias", inside, accum, "brought into it"):
                context.warn(f"{after.name}: {text}")


def _weights(after: Node, values: np.ndarray, kind: FixedType, settings: LayerSettings, context: Context) -> None:
    """What became zero, and a derived type that misses its target because a sum or MaxWidth has no room for more bits."""
    mantissas = getattr(after.op, "weight").array  # noqa: B009  (an op of any class that has weights)
    lost = (values != 0) & (mantissas == 0)
    whole = float(np.sum(np.square(values)))
    if lost.any():
        tell = context.warn if float(np.sum(np.square(values[lost]))) > _MATTERS * whole else context.notes.append
        count, of = int(np.count_nonzero(lost)), int(np.count_nonzero(values))
        tell(f"{after.name}: {count:,} of {of:,} non-zero weights become zero in {kind}.")
    error = float(np.sum(np.square(values - mantissas.astype(np.float64) * kind.step)))
    if "weight" in settings.precision or error <= whole * 10 ** ((_MARGIN - settings.target_sqnr) / 10):
        return
    kept = 10 * np.log10(whole / error)
    why = "MaxWidth has no room for more bits; a larger one gives them"
    if kind.width < settings.max_width:
        why = (
            f"a sum of {MAX_AUTO_ACCUMULATOR} bits has no room for more; name a narrower type of its operand, or one of weights"
        )
    wanted = f"{settings.target_sqnr:g} dB are wanted"
    context.warn(f"{after.name}: {kind} keeps its weights to {kept:.0f} dB where {wanted}: {why}.")


def _saturated(name: str, values: np.ndarray, kind: FixedType, what: str) -> Iterator[str]:
    """Half a step beyond an end still rounds to it."""
    out = (values > kind.max + kind.step / 2) | (values < kind.min - kind.step / 2)
    places = np.argwhere(out)
    if not len(places):
        return
    shown = [f"{name}{[int(i) for i in at] if len(at) else ''} = {values[tuple(at)]:g}" for at in places[:_LISTED]]
    more = f" and {len(places) - _LISTED:,} more" if len(places) > _LISTED else ""
    yield f"constants beyond {kind} are {what}: {', '.join(shown)}{more}."
