"""Up to which widths and sizes C++ is compiled on native integers, and built by Bambu in minutes."""

from __future__ import annotations

import math
from collections.abc import Iterable

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import width_of
from nn2hls.errors import LimitError
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import Code

NATIVE_WIDTH = 64  # bits of any integer as a signed number: up to them it is compiled as a long long
MAX_WIDTH = 64  # bits of any integer as a signed number: Bambu 2024.10 masks wider ones wrongly
MAX_ADDITIONS = 6_000  # in one pipeline: Bambu's time grows faster than they do (docs/bambu.md, How large)
MAX_MULTIPLIERS = 512  # that take turns, for the same reason
MULTIPLIERS = 128  # of them, in a design that Bambu builds in two minutes


def widest(hardware: Hardware) -> int:
    """Bits of the widest integer that the C++ of a layer computes with, as a signed number."""
    cells = [loop.body.cells[w] for loop in hardware.loops for w in loop.body.alive()]
    sums = [width_of(*ends) for loop in hardware.loops for ends in loop.sums.values()]
    return max([*(c.width + (not c.signed) for c in cells), *sums], default=0)


def check_width(hardware: Hardware, result: FixedType) -> None:
    """Refuse a layer whose integers, those of its ``result`` type among them, are wider than Bambu's.

    Raises:
        LimitError: Some integer is wider than MAX_WIDTH bits.
    """
    needed = max(widest(hardware), result.width + (not result.signed))
    if needed > MAX_WIDTH:
        raise LimitError(
            f"It computes with integers of {needed} bits, and Bambu takes at most {MAX_WIDTH}.",
            fix="Give it, its weights or the layers that it reads narrower types.",
        )


def check_size(layers: Iterable[Hardware], products: int) -> None:
    """Refuse a core that Bambu would work on for hours.

    Args:
        layers: Of the whole design.
        products: Non-zero products in it.

    Raises:
        LimitError: Names a reuse factor that works.
    """
    additions = multipliers = 0
    for loop in (loop for hardware in layers for loop in hardware.loops):
        if loop.ii:
            multipliers += loop.lanes
        else:
            additions += loop.lanes * sum(loop.body.cells[w].code in (Code.ADD, Code.SUB) for w in loop.body.alive())
    for count, most, what in (
        (additions, MAX_ADDITIONS, "additions side by side"),
        (multipliers, MAX_MULTIPLIERS, "multipliers that take turns"),
    ):
        if count > most:
            reuse = max(2, math.ceil(products / MULTIPLIERS))
            raise LimitError(
                f"It has {count:,} {what}, and Bambu builds at most {most:,} in minutes.",
                fix=f"Set ReuseFactor: {reuse} for all layers (--reuse {reuse}), prune it, or give its weights fewer bits.",
            )
