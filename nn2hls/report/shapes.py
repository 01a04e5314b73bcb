"""Where the bars of the page begin and end, in per cent of their track; the numbers beside them are those of the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "BRAM18", "uram": "URAM"}
COLOURS = 8


@dataclass(frozen=True)
class Bar:
    """A piece of a track: which row it is of, where it begins, and how long it is."""

    row: int
    left: float
    width: float


@dataclass(frozen=True)
class Track:
    """A value's range on the scale of its type and itself: both bars, and where zero is; None where that is outside."""

    type: Bar
    value: Bar
    zero: float | None


def stack(estimate: Mapping[str, Any], resource: str) -> list[Bar]:
    """What each layer takes of a resource, after synthesis, beside each other, on the scale of the whole design."""
    total = estimate["synthesised"][resource]
    amounts = [layer["synthesised"][resource] for layer in estimate["layers"]]
    scale = 100 / max(total, sum(amounts), 1)
    return [Bar(k, scale * sum(amounts[:k]), scale * n) for k, n in enumerate(amounts) if n]


def gauge(share: float | None) -> Bar:
    """The share of a part that is taken; what is more than all of it fills the track."""
    return Bar(0, 0.0, 100.0 if share is None else min(100.0, 100 * share))


def timeline(estimate: Mapping[str, Any]) -> list[Bar]:
    """When each layer works on one event: from its operands to its result, or from its first token to its last."""
    streams = estimate.get("streams")
    if streams:
        rows = [(p["first_token"], p["last_token"] - p["first_token"] + 1) for p in streams["pace"]]
    else:
        rows = [(x["start_cycle"] or 0, x["latency_cycles"]) for x in estimate["layers"]]
    end = max([estimate["latency_cycles"], *(start + length for start, length in rows)], default=0) or 1
    return [Bar(k, 100 * start / end, 100 * length / end) for k, (start, length) in enumerate(rows)]


def track(layer: Mapping[str, Any]) -> Track | None:
    """A layer's values in float against what its type holds; None where no values are known."""
    ends = [layer[k] for k in ("low", "high", "type_low", "type_high")]
    if None in ends:
        return None
    low, high = min(ends), max(ends)
    scale = 100 / ((high - low) or 1.0)

    def bar(a: float, b: float) -> Bar:
        return Bar(0, scale * (a - low), scale * (b - a))

    return Track(bar(*ends[2:]), bar(*ends[:2]), scale * -low if low <= 0 <= high else None)


def length(value: float | None, values: Sequence[float | None]) -> float:
    """A bar's length beside those of others; what is exact is as long as the longest."""
    longest = max((v for v in values if v is not None), default=0.0)
    return 100.0 if value is None else max(0.0, 100 * value / longest) if longest > 0 else 0.0
