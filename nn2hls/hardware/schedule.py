"""What a layer costs in hardware, before any device: operators, memories, steps and the longest chain.

A Schedule is read from a layer's hardware (``nn2hls.hardware.cost``) and the estimator reads it. Device data
(``nn2hls/targets``) turns operators into DSP, LUT, FF and nanoseconds.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """Kinds of operators and what their ``widths`` mean, in bits."""

    MUL = "mul"  # (a, b): product of two variables
    MUL_CONST = "mul_const"  # (a, c): product with a constant of three or more CSD digits, c bits with sign
    ADD = "add"  # (w,): sum or difference, w bits of the result
    COMPARE = "compare"  # (w,): comparison of two numbers
    SELECT = "select"  # (w, n): one of n words of w bits
    ROM = "rom"  # (address bits, word bits): a table lookup


@dataclass(frozen=True)
class Operator:
    """``count`` equal operators that exist at the same time."""

    kind: Kind
    widths: tuple[int, ...]
    count: int = 1


@dataclass(frozen=True)
class Memory:
    """A read-only memory of ``words`` words of ``width`` bits, ``copies`` times, each read by ``ports`` lookups a step."""

    words: int
    width: int
    copies: int = 1
    ports: int = 2


@dataclass(frozen=True)
class Schedule:
    """One layer.

    Args:
        ii: Initiation interval in clocks: 1 for a fully parallel layer, its number of steps for a reused one.
        operators: All operators, grouped.
        memories: ROMs with the weights of a reused layer, and tables.
        path: The longest chain of dependent operators, in order, of one result (of one step for a reused layer). The estimator
            cuts it into clocks.
        results: Bits of the layer's result, which are registered where a clock is cut.
        products: Non-zero products of the layer, for reports.
        state: Bits that a reused layer keeps between its steps: running sums.
    """

    ii: int = 1
    operators: tuple[Operator, ...] = ()
    memories: tuple[Memory, ...] = ()
    path: tuple[Operator, ...] = ()
    results: int = 0
    products: int = 0
    state: int = 0
