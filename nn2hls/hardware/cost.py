"""What a layer's hardware costs before any device: its operators, memories and longest chain, read from its bodies."""

from __future__ import annotations

import math
from collections import Counter

from nn2hls.arith.ranges import width_of
from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Code, Net
from nn2hls.hardware.operators import operator, operators
from nn2hls.hardware.schedule import Kind, Memory, Operator, Schedule

# What operators take beside each other, to tell which chain is the longest on any device: about those of UltraScale+.
_WEIGHT = {Kind.MUL: 2.0, Kind.MUL_CONST: 2.0, Kind.ADD: 0.8, Kind.COMPARE: 0.8, Kind.SELECT: 0.4, Kind.ROM: 1.0}


def schedule(hardware: Hardware, width: int, products: int = 0) -> Schedule:
    """The schedule of a layer without steps.

    Args:
        hardware: Of the layer; all its loops are side by side.
        width: Bits of an element of the result.
        products: For reports: what the layer counts as its products; 0 for those that are built.
    """
    found: Counter[Operator] = Counter()
    longest: list[tuple[float, tuple[Operator, ...]]] = [(0.0, ())]
    memories, results = [], 0
    for loop in hardware.loops:
        for op, count in operators(loop.body).items():
            found[op] += count * loop.lanes
        longest.append(chain(loop.body))
        memories += _memories(loop)
        results += sum(loop.body.cells[o].code is not Code.CONST for o in loop.body.outputs) * loop.lanes
    return Schedule(
        operators=tuple(Operator(o.kind, o.widths, n) for o, n in sorted(found.items(), key=str)),
        memories=tuple(memories),
        path=max(longest, key=lambda pair: pair[0])[1],
        results=results * width,
        products=products or sum(n for op, n in found.items() if op.kind in (Kind.MUL, Kind.MUL_CONST)),
    )


def chain(net: Net) -> tuple[float, tuple[Operator, ...]]:
    """(weight, operators in order) of the longest chain from an input to an output."""
    best: dict[int, tuple[float, int | None]] = {}
    for wire in net.alive():
        before = max(((best[a][0], a) for a in net.cells[wire].args), default=(0.0, None))
        op = operator(net, wire)
        best[wire] = before[0] + (_WEIGHT[op.kind] if op is not None else 0.0), before[1]
    end = max(net.outputs, key=lambda o: best[o][0], default=None)
    found, at = [], end
    while at is not None:
        op = operator(net, at)
        if op is not None:
            found.append(op)
        at = best[at][1]
    return best[end][0] if end is not None else 0.0, tuple(reversed(found))


def _memories(loop: Loop) -> list[Memory]:
    """Each table, in as many copies as its lookups need with two ports each."""
    net = loop.body
    reads = Counter(net.cells[w].k for w in net.alive() if net.cells[w].code is Code.LOOKUP)
    found = []
    for number, count in sorted(reads.items()):
        words = net.tables[number]
        found.append(Memory(len(words), width_of(min(words), max(words)), math.ceil(count * loop.lanes / 2)))
    return found
