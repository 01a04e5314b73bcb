"""What place and route with open tools makes of our own Verilog on a board: LUT4 with the harness, and the clock.

Both are linear in what the design is made of, with coefficients of ``targets/placed_costs.yml``, which
``benchmarks/ecp5_calibration.py`` fits to designs of our own after nextpnr:

* LUT: the terms of ``verilog``, and the bits that the harness takes and gives.
* Nanoseconds: those of the longest way from a register to the next, as the pipeline was cut, and what does not depend on it;
  not less than the harness needs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from nn2hls.estimate.result import Estimate, Figures, LayerEstimate
from nn2hls.files import own_text
from nn2hls.hardware.pipeline import Layer, Pipeline
from nn2hls.hardware.schedule import Kind, Operator
from nn2hls.hardware.stages import Delay
from nn2hls.hardware.steps import Steps
from nn2hls.targets import Part

HARNESS_FF, CLOCKS_FF = 148, 32  # flip-flops of the harness beside its bits; and of the clocks, where a design takes any


@dataclass(frozen=True)
class Costs:
    """Of one family.

    Args:
        lut: LUTs of each unit of a term.
        ns: Nanoseconds of a way between registers: ``way`` for each that the cut counted, ``base`` beside them; ``harness``:
            the least.
    """

    lut: Mapping[str, float]
    ns: Mapping[str, float]


@functools.cache
def placed_costs() -> Mapping[str, Costs]:
    """By the name of the family; families that nobody has placed designs of are missing."""
    text = own_text(Path(__file__).parents[1] / "targets" / "placed_costs.yml")
    data: dict[str, Any] = yaml.safe_load(text)
    return {name: Costs(**found) for name, found in data.items()}


def longest_way(pipeline: Pipeline, delay: Delay) -> float:
    """Nanoseconds of the longest way from a register to the next, as the pipeline was cut.

    Args:
        pipeline: The design in time.
        delay: Of an operator, as it was cut with.
    """
    return max((way for layer in pipeline.layers for way in _ways(layer, delay)), default=0.0)


def _ways(layer: Layer, delay: Delay) -> Iterator[float]:
    if layer.turns is not None:
        yield longest_way(layer.turns.step, delay)
    for stages in layer.stages:
        yield from (moment.high for moment in stages.ready.values())
    if layer.steps is not None:
        yield from (sum(map(sum, map(delay, chain))) for chain in _chains(layer.steps))


def _chains(steps: Steps) -> Iterator[tuple[Operator, ...]]:
    """The operators of each stage of a step: it chooses, it multiplies, it chooses a sum and adds to it."""
    yield (Operator(Kind.MUL, (steps.x.width, steps.weight.width)),)
    widest = max((max(-lo, hi).bit_length() + 1 for lo, hi in steps.sums.values()), default=1)
    for lane in steps.lanes:
        yield (Operator(Kind.SELECT, (steps.x.width, len(lane.choices))),)
        yield Operator(Kind.SELECT, (widest, len(lane.sums))), Operator(Kind.ADD, (widest,))


def placed_ns(pipeline: Pipeline, part: Part) -> float | None:
    """The clock period in nanoseconds that place and route is expected to reach; None where that was not calibrated."""
    costs = placed_costs().get(part.family.name)
    if costs is None:
        return None
    own = costs.ns["base"] * part.speed + costs.ns["way"] * longest_way(pipeline, part.bit_delay)
    return max(costs.ns["harness"] * part.speed, own)


def with_harness(found: Estimate, inputs: int, outputs: int, board: str) -> Estimate:
    """The estimate of a design in its harness on a board.

    Args:
        found: The design's own.
        inputs, outputs: Bits of an event.
        board: Its name.
    """
    costs = placed_costs().get(found.part.family.name) or next(iter(placed_costs().values()))
    lut = costs.lut["harness"] + costs.lut["harness_bit"] * (inputs + outputs)
    counted = CLOCKS_FF if found.latency_cycles else 0
    own = Figures(lut=round(lut), ff=HARNESS_FF + counted + inputs + outputs)
    layer = LayerEstimate(f"harness of {board}", own, own, 0, found.ii, 0)
    return replace(found, layers=(*found.layers, layer), report=found.report + own, synthesised=found.synthesised + own)
