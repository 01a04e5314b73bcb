"""Where clocks cut a design: operators are chained as HLS tools chain them, until the next one no longer fits in a period.

Time runs in (cycle, ns within it). A layer starts when its last operand is ready, at any point of a cycle; nothing forces a
register between layers. An operator that does not fit in what is left of the period starts with the next cycle; one that is
longer than a period is pipelined over several. A table in block RAM registers its address, so its word comes one cycle later.
A reused layer starts at a clock edge, runs its steps one per cycle, and ends at a clock edge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nn2hls.hardware.schedule import Kind, Operator, Schedule
from nn2hls.targets import Part, in_bram

# Share of the clock period that the tool keeps for what it cannot know before placement (defaults, AMD UG902 and UG1399).
UNCERTAINTY = {"vivado": 0.125, "vitis": 0.27}


@dataclass(frozen=True)
class Moment:
    """A point in time: whole clock cycles from the start, and nanoseconds into the cycle."""

    cycle: int = 0
    ns: float = 0.0

    def key(self) -> tuple[int, float]:
        """For ordering."""
        return self.cycle, self.ns


@dataclass(frozen=True)
class Placed:
    """One layer in time.

    Args:
        start, end: When its last operand and its result are ready.
        cuts: For each clock edge inside the layer the number of operators of its path before it; 0 is its operands. An edge
            inside a pipelined operator or a block RAM counts no operator: those registers are its own.
    """

    start: Moment
    end: Moment
    cuts: tuple[int, ...]


def budget(clock_ns: float, tool: str, uncertainty: float | None = None) -> float:
    """Nanoseconds of a period that operators may fill; ``uncertainty`` is a share of it, the tool's own when None."""
    return clock_ns * (1 - (UNCERTAINTY[tool] if uncertainty is None else uncertainty))


def place(
    layers: Sequence[tuple[str, Schedule]], operands: Mapping[str, Sequence[str]], part: Part, period: float
) -> dict[str, Placed]:
    """Put every layer in time.

    Args:
        layers: In topological order.
        operands: The layers each layer reads; a name that is no layer is an input, ready at time zero.
        part: Delays of its family, scaled by its speed grade.
        period: Nanoseconds that operators may fill, from :func:`budget`.
    """
    placed: dict[str, Placed] = {}
    for name, schedule in layers:
        ready = [placed[o].end for o in operands[name] if o in placed]
        start = max(ready, key=Moment.key, default=Moment())
        placed[name] = (
            _place_reused(schedule, start, part, period) if schedule.ii > 1 else _walk(schedule.path, start, part, period)
        )
    return placed


def _place_reused(schedule: Schedule, start: Moment, part: Part, period: float) -> Placed:
    first = Moment(start.cycle + (start.ns > 0))
    step = _walk(schedule.path, first, part, period)
    return Placed(first, Moment(step.end.cycle + schedule.ii), step.cuts)


def _walk(path: Sequence[Operator], start: Moment, part: Part, period: float) -> Placed:
    cycle, ns, cuts = start.cycle, start.ns, []
    for index, op in enumerate(path):
        delay = part.family.delay(op) * part.speed
        if ns > 0 and ns + delay > period:
            cycle, ns = cycle + 1, 0.0
            cuts.append(index)
        if op.kind is Kind.ROM and in_bram(1 << op.widths[0], op.widths[1]):
            cycle, ns = cycle + 1, delay
            continue
        inner = math.ceil(delay / period) - 1
        cycle, ns = cycle + inner, ns + delay if inner == 0 else delay - inner * period
    return Placed(start, Moment(cycle, ns), tuple(cuts))
