"""What Bambu and yosys make of a design: LUT, FF, DSP and clocks from the schedules of its layers.

Each figure is a sum of terms that a schedule gives, times coefficients that were fitted on designs of our own, half of which
were held out (``targets/bambu_costs.yml``; docs/estimation.md has the method and the errors). They belong to the device and the
clock period named there; other parts are scaled by the delay of their adders.

A design without reuse is one pipeline, cut where a clock is full. With reuse, Bambu's core does one thing after another: the
layers in order, each its steps, several clocks a step; it takes the next event when it is done.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nn2hls.files import own_text
from nn2hls.hardware.schedule import Kind, Operator, Schedule
from nn2hls.targets import Cost, Part, find_part

Coefficients = Mapping[str, Mapping[str, Mapping[str, float]]]  # structure -> figure -> term -> coefficient
Terms = dict[str, float]
_CASTS = (Kind.SELECT, Kind.COMPARE)
_OTHERS = (Kind.MUL, Kind.ROM)  # of parallel layers: the designs have none, so the family's delays and LUTs stand
_ADDER = Operator(Kind.ADD, (16,))  # whose delay says how fast a part is
_DSP_BITS = 9  # yosys: a product of fewer bits stays in LUTs


@dataclass(frozen=True)
class BambuLayer:
    """One layer.

    Args:
        cost: DSP, LUT and block RAMs after yosys.
        ff: Flip-flops after yosys.
        clocks: Clock edges inside it; with reuse, the clocks that it runs.
        start: The clock edge before it.
    """

    cost: Cost
    ff: float
    clocks: int
    start: int


@dataclass(frozen=True)
class BambuDesign:
    """A design.

    Args:
        layers: By name.
        latency, ii: In clocks.
    """

    layers: Mapping[str, BambuLayer]
    latency: int
    ii: int


@functools.cache
def _data() -> Mapping[str, Any]:
    text = own_text(Path(__file__).parents[1] / "targets" / "bambu_costs.yml")
    return dict(yaml.safe_load(text))


def coefficients() -> Coefficients:
    """Those of ``targets/bambu_costs.yml``."""
    return dict(_data()["coefficients"])


def structure(schedule: Schedule) -> str:
    """``parallel`` or ``reused``: which coefficients a layer has."""
    return "reused" if schedule.ii > 1 else "parallel"


# ---- terms -----------------------------------------------------------------------------------------------------------------


def delay_terms(schedule: Schedule) -> Terms:
    """Of the nanoseconds from operand to result of a parallel layer: operators on its longest path."""
    path = schedule.path
    return {"adder": sum(op.kind is Kind.ADD for op in path), "cast": sum(op.kind in _CASTS for op in path)}


WAYS = 2  # of a choice that belongs to a cast; more are a multiplexer before a multiplier


def lut_terms(schedule: Schedule) -> Terms:
    """Of the LUTs, without memories.

    Parallel: bits of adders, of which products with constants consist, and of casts and choices. Reused: bits of adders, of
    sums that are kept, and of multiplexers, of which a LUT takes three ways more; and of casts.
    """
    found = {"adder_bit": 0.0, "cast_bit": 0.0, "logic_bit": float(schedule.state)}
    for op in schedule.operators:
        width = op.widths[0]
        if op.kind is Kind.ADD:
            found["adder_bit"] += op.count * width
        elif op.kind is Kind.SELECT and op.widths[1] > WAYS:
            found["logic_bit"] += op.count * width * (op.widths[1] - 1) / 3
        elif op.kind in _CASTS:
            found["cast_bit"] += op.count * width
    if schedule.ii > 1:
        return {"logic_bit": found["logic_bit"] + found["adder_bit"], "cast_bit": found["cast_bit"]}
    return {"adder_bit": found["adder_bit"], "cast_bit": found["cast_bit"]}


def step_terms(schedule: Schedule) -> Terms:
    """Of the clocks of a reused layer: bits of the product that each step waits for, and the layer's beginning and end."""
    product = sum(sum(op.widths) for op in schedule.path if op.kind is Kind.MUL)
    return {"step_bit": schedule.ii * product, "layer": 1}


def register_terms(schedule: Schedule, operand_bits: int, luts: float, edges: float) -> Terms:
    """Of the flip-flops.

    A clock edge in a parallel layer of so many ``luts`` keeps some of what those of one operator of the longest path answer. A
    reused layer keeps its operands and the sums of its segments, each with what is on its way there.
    """
    if schedule.ii > 1:
        return {"kept_bit": operand_bits + schedule.state}
    return {"cut_lut": edges * luts / max(1, sum(delay_terms(schedule).values()))}


# ---- figures ---------------------------------------------------------------------------------------------------------------


def weighed(terms: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The sum of all terms, each by its coefficient."""
    return sum(amount * weights.get(term, 0.0) for term, amount in terms.items())


def clocks(schedule: Schedule, part: Part, clock_ns: float, by: Coefficients | None = None) -> float:
    """Clocks of one layer, not rounded.

    Args:
        schedule: The layer.
        part: The device.
        clock_ns: The clock period.
        by: Other coefficients than :func:`coefficients`.
    """
    of = (by or coefficients())[structure(schedule)]
    if schedule.ii > 1:
        return weighed(step_terms(schedule), of["clocks"])
    others = sum(part.family.delay(op) * part.speed for op in schedule.path if op.kind in _OTHERS)
    return (weighed(delay_terms(schedule), of["ns"]) * part_speed(part) + others) / clock_ns


def dsp_slices(op: Operator, ports: tuple[int, int]) -> int:
    """DSP slices of a product: Bambu builds those with constants of adders, yosys those of a few bits of LUTs."""
    if op.kind is not Kind.MUL or sum(op.widths) < _DSP_BITS:
        return 0
    return op.count * min(
        math.ceil(a / (wide - 1)) * math.ceil(b / (narrow - 1))
        for a, b in (op.widths, op.widths[::-1])
        for wide, narrow in [ports]
    )


def part_speed(part: Part) -> float:
    """Factor on the delays of the device on which the coefficients were found."""
    reference = find_part(_data()["part"])
    return part.family.delay(_ADDER) * part.speed / (reference.family.delay(_ADDER) * reference.speed)


def bambu_design(
    layers: Sequence[tuple[str, Schedule]],
    operands: Mapping[str, Sequence[str]],
    inputs: Mapping[str, int],
    part: Part,
    clock_ns: float,
    by: Coefficients | None = None,
) -> BambuDesign:
    """All layers and the clocks of the whole.

    Args:
        layers, operands, inputs: As for :func:`nn2hls.estimate.registers.flip_flops`.
        part: The device.
        clock_ns: The clock period.
        by: Other coefficients than :func:`coefficients`.
    """
    of = by or coefficients()
    one_by_one = any(s.ii > 1 for _, s in layers)
    times: dict[str, tuple[float, float]] = {}
    for name, schedule in layers:
        before = list(times) if one_by_one else [o for o in operands[name] if o in times]
        start = max((times[o][1] for o in before), default=0.0)
        times[name] = start, start + clocks(schedule, part, clock_ns, of)
    last = max((end for _, end in times.values()), default=0.0)
    until = round if one_by_one else _edges
    latency = max(1, round(last)) + 1 if one_by_one else _edges(last)  # one by one, an event is taken first
    bits = dict(inputs) | {name: s.results for name, s in layers}
    found = {}
    for name, schedule in layers:
        cost = _cost(schedule, part, of)
        taken = sum(bits.get(o, 0) for o in operands[name])
        start, end = times[name]
        edges = end - start if one_by_one or not last else (end - start) * latency / last
        registers = register_terms(schedule, taken, cost.lut, edges)
        ff = weighed(registers, of[structure(schedule)]["ff"])
        found[name] = BambuLayer(cost, ff, until(end) - until(start), until(start))
    return BambuDesign(found, latency, latency - 1 if one_by_one else 1)


def _edges(time: float) -> int:
    """Clock edges before a time in clocks: n states of a pipeline have n - 1 between them."""
    return max(0, math.ceil(time - 1e-9) - 1)


def _cost(schedule: Schedule, part: Part, of: Coefficients) -> Cost:
    logic = weighed(lut_terms(schedule), of[structure(schedule)]["lut"])
    dsp = sum(dsp_slices(op, part.family.ports) for op in schedule.operators)
    return sum((part.family.memory(m) for m in schedule.memories), Cost(dsp, logic))
