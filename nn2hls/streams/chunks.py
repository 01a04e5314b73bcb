"""How many positions of a tensor travel as one token: they follow each other, row-major."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nn2hls.graph.const import Shape
from nn2hls.graph.op import Op


def chunk(lead: Shape, positions: int) -> Shape:
    """The part of the leading axes that holds so many positions in a row: (1, .., r, whole axes ..).

    Raises:
        ValueError: Tokens of so many positions do not make up the tensor.
    """
    found: list[int] = []
    for size in reversed(lead):
        part = math.gcd(positions, size) if positions < size or positions % size else size
        if part < size and positions != part:
            raise ValueError(f"{positions} positions")
        found.append(part)
        positions //= part
    if positions != 1:
        raise ValueError(f"{positions} positions")
    return tuple(reversed(found))


def allowed(lead: Shape) -> list[int]:
    """How many positions a token may hold, rising."""
    found, whole = {1}, 1
    for size in reversed(lead):
        found |= {whole * d for d in range(1, size + 1) if size % d == 0}
        whole *= size
    return sorted(found)


def at_least(lead: Shape, positions: int) -> int:
    """The smallest number of positions of a token that is allowed and no less than ``positions``; all, beyond."""
    return next((n for n in allowed(lead) if n >= positions), math.prod(lead))


def position_axes(op: Op, shapes: Sequence[Shape], result: Shape) -> int:
    """How many leading axes of the result are positions, which are computed one like the other.

    At each the op reads the same position of every operand, or all of one that broadcasts along all of them.
    """
    for axes in range(min(op.positions(shapes), len(result)), 0, -1):
        lead = result[:axes]
        alone = len(shapes) == 1
        if all(follows(s, lead, len(s) if alone else len(result)) or broadcasts(s, lead, len(result)) for s in shapes):
            return axes if math.prod(lead) > 1 else 0
    return 0


def follows(shape: Shape, lead: Shape, rank: int) -> bool:
    """Whether an operand has the result's leading axes, as the first of ``rank`` axes."""
    return len(shape) == rank and shape[: len(lead)] == lead


def broadcasts(shape: Shape, lead: Shape, rank: int) -> bool:
    """Whether an operand of an op that broadcasts is the same at all positions."""
    missing = max(0, rank - len(shape))
    return all(n == 1 for n in shape[: max(0, len(lead) - missing)])
