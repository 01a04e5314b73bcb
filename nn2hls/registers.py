"""Flip-flops of a design: the bits that are alive where a clock edge cuts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nn2hls.schedule import Kind, Schedule
from nn2hls.timing import Placed

_PRODUCTS = (Kind.MUL, Kind.MUL_CONST)


def result_width(schedule: Schedule) -> int:
    """Bits of one element of a layer's result: what its path ends in."""
    return schedule.path[-1].widths[-1 if schedule.path[-1].kind is not Kind.SELECT else 0] if schedule.path else 1


def alive_bits(schedule: Schedule, before: int, operand_bits: int) -> int:
    """Bits that a register must hold when a clock edge falls after the first ``before`` operators of the layer's path.

    Before any operator these are the layer's operands; after the products the distinct products and the operands, which
    shifts and two-digit products still read; each adder on the path halves the additions that are left, and every addition
    left means one more value than there are results.
    """
    if before == 0:
        return operand_bits
    last = schedule.path[before - 1]
    if last.kind in _PRODUCTS:
        return operand_bits + sum(sum(op.widths) * op.count for op in schedule.operators if op.kind in _PRODUCTS)
    width = last.widths[0] if last.kind is Kind.SELECT else last.widths[-1]
    results = max(1, round(schedule.results / result_width(schedule)))
    additions = sum(op.count for op in schedule.operators if op.kind is Kind.ADD)
    done = sum(op.kind is Kind.ADD for op in schedule.path[:before])
    return width * (results + additions // 2**done if any(op.kind is Kind.ADD for op in schedule.path[before:]) else results)


def flip_flops(
    layers: Sequence[tuple[str, Schedule]],
    operands: Mapping[str, Sequence[str]],
    placed: Mapping[str, Placed],
    inputs: Mapping[str, int],
) -> dict[str, int]:
    """Flip-flops per layer.

    Args:
        layers, operands: As in :func:`nn2hls.timing.place`.
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
            here += taken + schedule.results + _accumulators(schedule) + schedule.ii.bit_length()
        total[name] = here
    return total


def _accumulators(schedule: Schedule) -> int:
    """A reused layer keeps one running sum per result."""
    width = max((op.widths[-1] for op in schedule.operators if op.kind is Kind.ADD), default=0)
    return width * max(1, round(schedule.results / result_width(schedule)))
