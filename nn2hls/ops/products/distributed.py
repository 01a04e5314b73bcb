"""Distributed arithmetic: products with constants as one graph of additions that all sums share.

The library ``alkaid`` (LGPL, the extra ``da``) sometimes finds smaller graphs than our own sharing. Where it is installed the
graph with fewer adder bits is taken. Its answer is taken cell by cell, so that numbers, widths and costs are those of our own
net.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from nn2hls import extras
from nn2hls.arith.csd import digit_count
from nn2hls.hardware.net import Net
from nn2hls.hardware.operators import adder_bits
from nn2hls.ops.products.shared import share, shared_terms
from nn2hls.ops.products.straight import Terms, constant_terms

MOST_DIGITS = 6_000  # of one call of the solver, which takes a few seconds for so many
MOST_SOLVED = 40_000  # of a layer, some twenty seconds; beyond, there is our own sharing alone
EXACT = 1 << 24  # the solver holds weights and bounds in float32


def distributed_terms(
    net: Net, words: Sequence[int], weight: np.ndarray, constants: Sequence[int], *, deeper: int = 0
) -> Terms:
    """An :class:`Expand`; ``deeper``: additions that may stand on the longest way beyond the fewest."""
    ways = [partial(shared_terms, made=share(weight, constants, deeper))]
    if extras.has_solver() and int(np.abs(weight).max(initial=0)) < EXACT and int(digit_count(weight).sum()) <= MOST_SOLVED:
        ways.append(partial(_solved_terms, solved=_solve(net, words, weight, constants, deeper)))
    best = ways[0] if len(ways) == 1 else min(ways, key=lambda way: _adder_bits(net, words, constants, way))
    return best(net, words, constants)


def _adder_bits(net: Net, words: Sequence[int], constants: Sequence[int], way: Callable[..., Terms]) -> int:
    """Bits of the adders of all sums, in a net of their own."""
    trial = Net(net.most_digits)
    cells = [net.cells[w] for w in words]
    wires = [trial.input(k, c.lo, c.hi, c.zeros) for k, c in enumerate(cells)]
    trial.outputs = [trial.total(column) for column in way(trial, wires, constants)]
    return adder_bits(trial)


@dataclass(frozen=True)
class _Solved:
    """What the solver found for some columns: its stages, the inputs that these read, the last of which is 1, and the part of
    the constants in them."""

    stages: Sequence[Any]
    used: Sequence[int]
    inside: Sequence[int]


def _solve(net: Net, words: Sequence[int], weight: np.ndarray, constants: Sequence[int], deeper: int) -> list[_Solved]:
    """The solver's sums; constants that it takes are the products of one more input, which is 1."""
    from alkaid.cmvm import cmvm_solve

    found = []
    cells = [*(net.cells[w] for w in words), net.cells[net.const(1)]]
    for columns in _blocks(weight):
        inside = [k if abs(k) < EXACT else 0 for k in constants[columns]]
        rows = np.vstack([weight[:, columns], np.array(inside, dtype=np.int64)])
        used = np.flatnonzero(np.any(rows != 0, axis=1)).tolist()
        bounds = [(float(cells[i].lo), float(cells[i].hi), float(1 << cells[i].zeros)) for i in used]
        kernel, starts = rows[used].astype(np.float32), [0.0] * len(used)
        stages = cmvm_solve(kernel, hard_dc=deeper, qintervals=bounds, latencies=starts) if used else ()
        found.append(_Solved(stages, used, inside))
    return found


def _solved_terms(net: Net, words: Sequence[int], constants: Sequence[int], solved: Sequence[_Solved]) -> Terms:
    """The terms of the sums as the solver found them, column by column."""
    wires = [*words, net.const(1)]
    taken = [k for block in solved for k in block.inside]
    terms = constant_terms(net, [k - own for k, own in zip(constants, taken, strict=True)])
    first = 0
    for block in solved:
        values: list[tuple[int, int] | None] = [(int(wires[i]), 0) for i in block.used]  # (wire, exponent): wire * 2**exponent
        for stage in block.stages:
            values = _mapped(net, stage, values)
        for j, value in enumerate(values if block.stages else (), first):
            terms[j] += [] if value is None else [(net.shift(*value), False)]
        first += len(block.inside)
    return terms


def _blocks(weight: np.ndarray) -> list[slice]:
    """Columns in blocks of at most MOST_DIGITS digits."""
    ends = np.cumsum(digit_count(weight).sum(axis=0)) // MOST_DIGITS
    cuts = [0, *(np.flatnonzero(np.diff(ends)) + 1).tolist(), weight.shape[1]]
    return [slice(a, b) for a, b in pairwise(cuts) if a < b]


def _mapped(net: Net, stage: Any, inputs: Sequence[tuple[int, int] | None]) -> list[tuple[int, int] | None]:
    """The outputs of one stage of the solver, added to the net.

    Its operations are -1 (input), 0 and 1 (a plus or minus b * 2**shift) and -2 (minus a).
    """
    zero = (net.const(0), 0)
    values: list[tuple[int, int]] = []
    for op in stage.ops:
        if op.opcode == -1:
            wire, exponent = inputs[op.data[0]] or zero
            values.append((wire, exponent + int(stage.inp_shifts[op.data[0]])))
        elif op.opcode == -2:
            wire, exponent = values[op.addr[0]]
            values.append((net.negate(wire), exponent))
        elif op.opcode in (0, 1):
            a, (b, up) = values[op.addr[0]], values[op.addr[1]]
            values.append(_joined(net, a, (b, up + int(op.data[0])), minus=op.opcode == 1))
        else:
            raise ValueError(f"alkaid answers with operation {op.opcode}, which this version of nn2hls does not know.")
    found: list[tuple[int, int] | None] = []
    for at, shift, minus in zip(stage.out_idxs, stage.out_shifts, stage.out_negs, strict=True):
        if at < 0:
            found.append(None)
            continue
        wire, exponent = values[at]
        found.append((net.negate(wire) if minus else wire, exponent + int(shift)))
    return found


def _joined(net: Net, a: tuple[int, int], b: tuple[int, int], *, minus: bool) -> tuple[int, int]:
    low = min(a[1], b[1])
    x, y = net.shift(a[0], a[1] - low), net.shift(b[0], b[1] - low)
    return (net.sub(x, y) if minus else net.add(x, y)), low
