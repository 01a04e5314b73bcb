"""How large and how fast a design will be, without a vendor tool: the schedules of its layers, summed per device.

The figures are those of an HLS report; ``.synthesised`` holds those after logic synthesis, which are what a device must hold.
Bambu reports no resources of a whole design, so for it both are those after yosys.
docs/estimation.md gives the rules, their sources, and how well each was validated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nn2hls.errors import ConfigError, suggest
from nn2hls.estimate.bambu import BambuLayer, bambu_design
from nn2hls.estimate.memories import Memories
from nn2hls.estimate.registers import flip_flops
from nn2hls.estimate.result import Estimate, Figures, LayerEstimate, bands
from nn2hls.estimate.timing import UNCERTAINTY, Placed, budget, place
from nn2hls.hardware.schedule import Kind, Schedule
from nn2hls.targets import Cost, Part, in_bram

TOOLS = (*UNCERTAINTY, "bambu")


_PRODUCTS = (Kind.MUL, Kind.MUL_CONST)


def estimate(
    layers: Sequence[tuple[str, Schedule]],
    part: Part,
    clock_ns: float,
    tool: str = "vitis",
    operands: Mapping[str, Sequence[str]] | None = None,
    inputs: Mapping[str, int] | None = None,
    uncertainty: float | None = None,
) -> Estimate:
    """Sum the schedules of a design's layers.

    Args:
        layers: (name, schedule) in topological order.
        part: From :func:`nn2hls.targets.find_part`.
        clock_ns: The clock period asked for.
        tool: ``vitis`` or ``vivado``: how much of the period it keeps as uncertainty. ``bambu``: costs and delays of its own.
        operands: The layers or inputs that each layer reads; without it the layers form a chain.
        inputs: Bits of each network input.
        uncertainty: Share of the period that operators may not fill; the tool's own when None.

    Raises:
        ConfigError: The tool is not known, or the clock period is not positive.
    """
    _check(tool, clock_ns)
    inputs = inputs or {}
    reads = operands if operands is not None else _chain([name for name, _ in layers], next(iter(inputs), ""))
    if tool.lower() == "bambu":
        return _of_bambu(layers, reads, inputs, part, clock_ns)
    placed = place(layers, reads, part, budget(clock_ns, tool.lower(), uncertainty))
    registers = flip_flops(layers, reads, placed, inputs)
    done = tuple(_layer(name, s, placed[name], registers[name], part) for name, s in layers)
    latency = max((p.end.cycle for p in placed.values()), default=0)
    report = sum((d.report for d in done), Figures())
    synthesised = sum((d.synthesised for d in done), Figures())
    interval = max((d.ii for d in done), default=1)
    kept = {name: Memories.of(roms=roms(s)) for name, s in layers}
    return Estimate(part, clock_ns, tool.lower(), done, report, synthesised, latency, interval, memories=kept)


def _of_bambu(
    layers: Sequence[tuple[str, Schedule]],
    operands: Mapping[str, Sequence[str]],
    inputs: Mapping[str, int],
    part: Part,
    clock_ns: float,
) -> Estimate:
    found = bambu_design(layers, operands, inputs, part, clock_ns)
    done = tuple(_bambu_layer(name, s, found.layers[name]) for name, s in layers)
    total = sum((d.synthesised for d in done), Figures())
    kept = {name: Memories.of(roms=roms(s)) for name, s in layers}
    return Estimate(part, clock_ns, "bambu", done, total, total, found.latency, found.ii, memories=kept)


def _bambu_layer(name: str, schedule: Schedule, found: BambuLayer) -> LayerEstimate:
    figures = Figures(found.cost.dsp, round(found.cost.lut), round(found.ff), found.cost.bram)
    interval = max(1, found.clocks) if schedule.ii > 1 else 1
    return LayerEstimate(name, figures, figures, found.clocks, interval, schedule.products, found.start)


def _check(tool: str, clock_ns: float) -> None:
    if tool.lower() not in TOOLS:
        fix = suggest(tool, TOOLS) or f"Known are {', '.join(TOOLS)}."
        raise ConfigError(f"The tool {tool!r} is not known.", fix=fix)
    if not clock_ns > 0:
        raise ConfigError(f"ClockPeriod must be positive nanoseconds, not {clock_ns}.", fix="Write 5 for 200 MHz.")


def roms(schedule: Schedule) -> list[tuple[int, bool]]:
    """(bits, whether in block RAM) of a layer's ROMs of weights and tables."""
    return [(m.words * m.width * m.copies, in_bram(m.words, m.width)) for m in schedule.memories]


def _chain(names: Sequence[str], first: str) -> dict[str, tuple[str, ...]]:
    """Each layer reads the one before it."""
    return {name: (before,) for before, name in zip([first, *names], names, strict=False)}


def _layer(name: str, schedule: Schedule, placed: Placed, registers: int, part: Part) -> LayerEstimate:
    kind = part.family
    cost = sum((kind.cost(op) for op in schedule.operators), Cost()) + sum((kind.memory(m) for m in schedule.memories), Cost())
    report = Figures(cost.dsp, round(cost.lut), registers, cost.bram)
    start = placed.start.cycle
    return LayerEstimate(
        name, report, _after_synthesis(schedule, report, part), placed.end.cycle - start, schedule.ii, schedule.products, start
    )


def _after_synthesis(schedule: Schedule, report: Figures, part: Part) -> Figures:
    """Logic synthesis keeps DSPs and block RAMs, and removes much of the logic that HLS counts."""
    ratio = bands()["synthesis"]
    if schedule.ii == 1 and not any(op.kind in _PRODUCTS for op in schedule.operators):
        # Multiplier-free logic: one LUT per bit of each adder, without the tool's allowance; found true after place and route.
        lut = sum((part.family.cost(op).lut - _allowance(part, op.kind) * op.count for op in schedule.operators), 0.0)
        lut += sum(part.family.memory(m).lut for m in schedule.memories)
    else:
        lut = report.lut * ratio["lut_resource" if schedule.ii > 1 else "lut_latency"]
    return Figures(report.dsp, round(lut), round(report.ff * ratio["ff"]), report.bram)


def _allowance(part: Part, kind: Kind) -> float:
    if kind is Kind.ADD:
        return part.family.adder["base"]
    return part.family.compare["base"] if kind is Kind.COMPARE else 0.0
