"""Distributed arithmetic: products with constants as one graph of additions that all sums share.

The library ``alkaid`` finds smaller graphs than our own sharing, where it is installed (LGPL, the extra ``da``); its answer is
taken cell by cell, so that numbers, widths and costs are those of our own net.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from nn2hls import extras
from nn2hls.arith.csd import digit_count
from nn2hls.hardware.net import Net
from nn2hls.ops.products.shared import shared_terms
from nn2hls.ops.products.straight import Terms, constant_terms

MOST_DIGITS = 6_000  # of one call of the solver, which takes a few seconds for so many
MOST_SOLVED = 40_000  # of a layer, some twenty seconds; what is left gets our own sharing
DEPTH = 0  # additions that may stand on the longest way beyond the fewest: more share a little better, and take clocks
EXACT = 1 << 24  # the solver holds weights and bounds in float32


def distributed_terms(net: Net, words: Sequence[int], weight: np.ndarray, constants: Sequence[int]) -> Terms:
    """An :class:`Expand`."""
    if not extras.has_solver() or int(np.abs(weight).max(initial=0)) >= EXACT:
        return shared_terms(net, words, weight, constants)
    from alkaid.cmvm import cmvm_solve

    found: Terms = []
    solved = 0
    for columns in _blocks(weight):
        block, own = weight[:, columns], constants[columns]
        solved += int(digit_count(block).sum())
        if solved > MOST_SOLVED:
            found += shared_terms(net, words, block, own)
        else:
            found += _solved(net, words, block, own, cmvm_solve)
    return found


def _blocks(weight: np.ndarray) -> list[slice]:
    """Columns in blocks of at most MOST_DIGITS digits."""
    ends = np.cumsum(digit_count(weight).sum(axis=0)) // MOST_DIGITS
    cuts = [0, *(np.flatnonzero(np.diff(ends)) + 1).tolist(), weight.shape[1]]
    return [slice(a, b) for a, b in pairwise(cuts) if a < b]


def _solved(net: Net, words: Sequence[int], weight: np.ndarray, constants: Sequence[int], solve: Callable[..., Any]) -> Terms:
    """The solver's sums; constants that it takes are the products of one more input, which is 1."""
    inside = [k if abs(k) < EXACT else 0 for k in constants]
    rows = np.vstack([weight, np.array(inside, dtype=np.int64)])
    wires = [*words, net.const(1)]
    used = np.flatnonzero(np.any(rows != 0, axis=1)).tolist()
    terms = constant_terms(net, [k - taken for k, taken in zip(constants, inside, strict=True)])
    if not used:
        return terms
    bounds = [(float(c.lo), float(c.hi), float(1 << c.zeros)) for c in (net.cells[wires[i]] for i in used)]
    stages = solve(rows[used].astype(np.float32), hard_dc=DEPTH, qintervals=bounds, latencies=[0.0] * len(used))
    values: list[tuple[int, int] | None] = [(int(wires[i]), 0) for i in used]  # (wire, exponent): wire * 2**exponent
    for stage in stages:
        values = _mapped(net, stage, values)
    return [own + ([] if v is None else [(net.shift(*v), False)]) for own, v in zip(terms, values, strict=True)]


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
