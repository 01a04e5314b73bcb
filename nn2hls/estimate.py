"""How large and how fast a design will be, without a vendor tool: the schedules of its layers, summed per device.

The figures are those of an HLS report; ``.synthesised`` holds those after logic synthesis, which are what a device must hold.
Bambu reports no resources of a whole design, so for it both are those after yosys.
docs/estimation.md gives the rules, their sources, and how well each was validated.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nn2hls.errors import ConfigError, suggest
from nn2hls.estimate_bambu import BambuLayer, bambu_design
from nn2hls.registers import flip_flops
from nn2hls.schedule import Kind, Schedule
from nn2hls.targets import Cost, Part
from nn2hls.timing import UNCERTAINTY, Placed, budget, place

RESOURCES = ("dsp", "lut", "ff", "bram", "uram")
TOOLS = (*UNCERTAINTY, "bambu")
_PRODUCTS = (Kind.MUL, Kind.MUL_CONST)


@dataclass(frozen=True)
class Figures:
    """Resources; BRAM in units of 18 Kbit."""

    dsp: int = 0
    lut: int = 0
    ff: int = 0
    bram: int = 0
    uram: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, r) + getattr(other, r) for r in RESOURCES))

    def to_dict(self) -> dict[str, int]:
        """Resource -> amount."""
        return {r: getattr(self, r) for r in RESOURCES}


@dataclass(frozen=True)
class LayerEstimate:
    """One layer.

    Args:
        name: The layer.
        report: As an HLS report would count it.
        synthesised: After logic synthesis.
        latency_cycles: Clock edges between its last operand and its result.
        ii: Clocks between two inputs.
        products: Non-zero products.
    """

    name: str
    report: Figures
    synthesised: Figures
    latency_cycles: int
    ii: int
    products: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        own = {"name": self.name, **self.report.to_dict(), "latency_cycles": self.latency_cycles, "ii": self.ii}
        return {**own, "products": self.products, "synthesised": self.synthesised.to_dict()}


@dataclass(frozen=True, repr=False)
class Estimate:
    """A design on a part at a clock.

    Args:
        part, clock_ns, tool: What it was estimated for.
        layers: Every layer, in order.
        report: Totals as an HLS report counts them.
        synthesised: Totals after logic synthesis.
        latency_cycles, ii: From input to output, and between two inputs, in clocks.
    """

    part: Part
    clock_ns: float
    tool: str
    layers: tuple[LayerEstimate, ...]
    report: Figures
    synthesised: Figures
    latency_cycles: int
    ii: int

    def __repr__(self) -> str:
        needs = ", ".join(f"{r.upper()} {n:,}" for r, n in self.report.to_dict().items() if n)
        speed = f"latency {self.latency_cycles}, II {self.ii}"
        return f"<Estimate {self.part.name}, {self.clock_ns:g} ns, {self.tool}: {needs or 'wires alone'}; {speed}>"

    def __str__(self) -> str:
        return self.text()

    @property
    def fits(self) -> bool:
        """Whether the part holds the design after logic synthesis."""
        return all(share <= 1 for share in self.utilisation.values())

    @property
    def dsp(self) -> int:
        """DSP slices."""
        return self.report.dsp

    @property
    def lut(self) -> int:
        """LUTs in the HLS report."""
        return self.report.lut

    @property
    def ff(self) -> int:
        """Flip-flops in the HLS report."""
        return self.report.ff

    @property
    def bram(self) -> int:
        """Block RAMs of 18 Kbit."""
        return self.report.bram

    @property
    def uram(self) -> int:
        """UltraRAMs: none, because they cannot hold constants."""
        return self.report.uram

    @property
    def latency_ns(self) -> float:
        """Latency in nanoseconds."""
        return self.latency_cycles * self.clock_ns

    @property
    def utilisation(self) -> dict[str, float]:
        """Share of the part that the design takes after logic synthesis; what it has none of: 0 or infinite."""
        have, need = self.part.available, self.synthesised.to_dict()
        return {r: need[r] / have[r] if have[r] else (float("inf") if need[r] else 0.0) for r in RESOURCES}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "part": self.part.name,
            "family": self.part.family.name,
            "speed_grade": self.part.grade,
            "clock_ns": self.clock_ns,
            "tool": self.tool,
            **self.report.to_dict(),
            "latency_cycles": self.latency_cycles,
            "latency_ns": self.latency_ns,
            "ii": self.ii,
            "utilisation": self.utilisation,
            "fits": self.fits,
            "synthesised": self.synthesised.to_dict(),
            "accuracy": accuracy(self),
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def text(self, plan: str = "") -> str:
        """What ``nn2hls estimate`` prints; ``plan``: the command that picks reuse factors, for a design that does not fit."""
        from nn2hls.estimate_fit import does_not_fit
        from nn2hls.estimate_text import table

        return table(self) + ("" if self.fits else f"\n\n{does_not_fit(self, plan)}")


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
    return Estimate(part, clock_ns, tool.lower(), done, report, synthesised, latency, max((d.ii for d in done), default=1))


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
    return Estimate(part, clock_ns, "bambu", done, total, total, found.latency, found.ii)


def _bambu_layer(name: str, schedule: Schedule, found: BambuLayer) -> LayerEstimate:
    figures = Figures(found.cost.dsp, round(found.cost.lut), round(found.ff), found.cost.bram)
    return LayerEstimate(
        name, figures, figures, found.clocks, max(1, found.clocks) if schedule.ii > 1 else 1, schedule.products
    )


def _check(tool: str, clock_ns: float) -> None:
    if tool.lower() not in TOOLS:
        fix = suggest(tool, TOOLS) or f"Known are {', '.join(TOOLS)}."
        raise ConfigError(f"The tool {tool!r} is not known.", fix=fix)
    if not clock_ns > 0:
        raise ConfigError(f"ClockPeriod must be positive nanoseconds, not {clock_ns}.", fix="Write 5 for 200 MHz.")


def _chain(names: Sequence[str], first: str) -> dict[str, tuple[str, ...]]:
    """Each layer reads the one before it."""
    return {name: (before,) for before, name in zip([first, *names], names, strict=False)}


def _layer(name: str, schedule: Schedule, placed: Placed, registers: int, part: Part) -> LayerEstimate:
    kind = part.family
    cost = sum((kind.cost(op) for op in schedule.operators), Cost()) + sum((kind.memory(m) for m in schedule.memories), Cost())
    report = Figures(cost.dsp, round(cost.lut), registers, cost.bram)
    start = placed.start.cycle
    return LayerEstimate(
        name, report, _after_synthesis(schedule, report, part), placed.end.cycle - start, schedule.ii, schedule.products
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
    if kind in (Kind.ADD, Kind.NEGATE, Kind.ROUND):
        return part.family.adder["base"]
    return part.family.compare["base"] if kind is Kind.COMPARE else 0.0


@functools.cache
def bands() -> dict[str, Any]:
    """``targets/accuracy.yml``: what validation found."""
    text = (Path(__file__).parent / "targets" / "accuracy.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def accuracy(result: Estimate) -> dict[str, dict[str, str]]:
    """Column -> resource -> how far such figures were from real reports; ``not validated`` where nothing is known."""
    style = "parallel" if result.dsp else "multiplier_free"
    if any(layer.ii > 1 for layer in result.layers):
        style = "reused"
    if result.tool == "bambu":
        style = "bambu_reused" if style == "reused" else "bambu_parallel"
    known = bands()["error"][style]
    rows = (*RESOURCES, "latency")
    return {column: {r: known[column].get(r, "not validated") for r in rows} for column in ("report", "synthesised")}
