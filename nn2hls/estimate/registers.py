"""Flip-flops of a design: the bits that are alive where a clock edge cuts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nn2hls.estimate.timing import Placed
from nn2hls.hardware.schedule import Kind, Schedule

_PRODUCTS = (Kind.MUL, Kind.MUL_CONST)


def alive_bits(schedule: Schedule, before: int, operand_bits: int) -> int:
    """Bits that a register must hold when a clock edge falls after the first ``before`` operators of the layer's path.

    Before any operator these are the layer's operands; after the products the distinct products and the operands, which
    shifts and two-digit products still read; after an adder of a tree its values (see :func:`_tree`); else one value for each
    copy of the last operator. A word read from a table is alive until a product takes it.
    """
    if before == 0:
        return operand_bits
    done, ahead = schedule.path[:before], schedule.path[before:]
    last = done[-1]
    words = 0
    if last.kind not in _PRODUCTS and any(op.kind in _PRODUCTS for op in ahead):
        words = sum(op.widths[1] * op.count for op in schedule.operators if op.kind is Kind.ROM)
    if last.kind in _PRODUCTS:
        return operand_bits + sum(sum(op.widths) * op.count for op in schedule.operators if op.kind in _PRODUCTS)
    if last.kind is Kind.ADD:
        return words + last.widths[-1] * _tree(schedule, before)
    width = last.widths[0] if last.kind is Kind.SELECT else last.widths[-1]
    copies = sum(op.count for op in schedule.operators if (op.kind, op.widths) == (last.kind, last.widths))
    return words + width * max(1, copies)


def _tree(schedule: Schedule, before: int) -> int:
    """Values left in the adder trees: a level halves the additions, and each one left is one value more than results."""
    last = schedule.path[-1]
    result = last.widths[0] if last.kind is Kind.SELECT else last.widths[-1]
    results = max(1, round(schedule.results / result))
    if all(op.kind is not Kind.ADD for op in schedule.path[before:]):
        return results
    additions = sum(op.count for op in schedule.operators if op.kind is Kind.ADD)
    return results + (additions >> sum(op.kind is Kind.ADD for op in schedule.path[:before]))


def flip_flops(
    layers: Sequence[tuple[str, Schedule]],
    operands: Mapping[str, Sequence[str]],
    placed: Mapping[str, Placed],
    inputs: Mapping[str, int],
) -> dict[str, int]:
    """Flip-flops per layer.

    Args:
        layers, operands: As in :func:`nn2hls.estimate.timing.place`.
        placed: Its answer.
        inputs: Bits of each network input.
    """
    bits = dict(inputs) | {name: schedule.results for name, schedule in layers}
    ready = {name: p.end.cycle for name, p in placed.items()}
    total: dict[str, int] = {}
    for name, schedule in layers:
        taken = sum(bits.get(o, 0) for o in operands[name])
        here = sum(alive_bits(schedule, cut, taken) for cut in placed[name].cuts)
        # An operand that is ready in an earlier cycle than the layer starts waits in registers.
        here += sum(bits.get(o, 0) * (placed[name].start.cycle - ready.get(o, 0)) for o in operands[name])
        if schedule.ii > 1:
            here += taken + schedule.state + schedule.results + schedule.ii.bit_length()
        total[name] = here
    return total
