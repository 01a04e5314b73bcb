"""An estimate: figures of every layer and in total, and how far such figures were from real reports."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import yaml

from nn2hls.estimate.memories import Memories, memory_table
from nn2hls.figures.sets import EstimatePlots
from nn2hls.files import own_text
from nn2hls.graph.analysis import bit_operations
from nn2hls.graph.graph import Graph
from nn2hls.hardware.code import STREAM
from nn2hls.markup import Table, notebook
from nn2hls.targets import Part
from nn2hls.targets.family import AMD
from nn2hls.text import one_line

OPEN_TOOLS = ("bambu", "verilog")  # yosys counts what they make: there is no HLS report
RESOURCES = ("dsp", "lut", "ff", "bram", "uram")


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
        start_cycle: The clock edge at which its operands are there, counted from the inputs; None in streams (see tokens).
    """

    name: str
    report: Figures
    synthesised: Figures
    latency_cycles: int
    ii: int
    products: int
    start_cycle: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        own = {"name": self.name, **self.report.to_dict(), "latency_cycles": self.latency_cycles, "ii": self.ii}
        own |= {"start_cycle": self.start_cycle, "products": self.products}
        return {**own, "synthesised": self.synthesised.to_dict()}


@dataclass(frozen=True)
class Pace:
    """A layer whose steps run one after the other on the same hardware.

    Args:
        layer: The user's name of it.
        steps: How many.
        clocks: Of each.
    """

    layer: str
    steps: int
    clocks: int

    def text(self) -> str:
        """For people."""
        return f"{self.layer}: {self.steps} steps of {self.clocks} clocks, one after the other"


@dataclass(frozen=True, repr=False)
class Estimate:
    """A design on a part at a clock.

    Args:
        part, clock_ns, tool: What it was estimated for.
        layers: Every layer, in order.
        report: Totals as an HLS report counts them.
        synthesised: Totals after logic synthesis.
        latency_cycles, ii: From input to output, and between two inputs, in clocks.
        ebops: Effective bit operations of each layer that has any, for a quantised model; empty for others.
        positions: At so many places one layer's products stand side by side, or take turns; 1 for dense networks.
        paces: Of the layers whose steps share their hardware.
        memories: Where what each layer keeps lies, by its name.
        placed_ns: The clock period that place and route is expected to reach; None where that was not calibrated.
    """

    part: Part
    clock_ns: float
    tool: str
    layers: tuple[LayerEstimate, ...]
    report: Figures
    synthesised: Figures
    latency_cycles: int
    ii: int
    positions: int = 1
    paces: tuple[Pace, ...] = ()
    ebops: Mapping[str, int] = field(default_factory=dict)
    memories: Mapping[str, Memories] = field(default_factory=dict)
    placed_ns: float | None = None
    streams: ClassVar[bool] = False  # whether its layers are processes

    def __repr__(self) -> str:
        needs = ", ".join(f"{r.upper()} {n:,}" for r, n in self.report.to_dict().items() if n)
        speed = f"latency {self.latency_cycles}, II {self.ii}"
        return f"<Estimate {self.part.name}, {self.clock_ns:g} ns, {self.tool}: {needs or 'wires alone'}; {speed}>"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return notebook(repr(self), [*_head(self), layer_figures(self), total_figures(self), *self._short_of()])

    def _short_of(self) -> list[str]:
        return [] if self.fits else [does_not_fit(self)]

    @property
    def plot(self) -> EstimatePlots:
        """Figures: ``resources()``, ``timeline()``."""
        return EstimatePlots(self.to_dict())

    @property
    def fits(self) -> bool:
        """Whether the part holds the design after logic synthesis."""
        return all(share <= 1 for share in self.utilisation.values())

    @property
    def tokens(self) -> Mapping[str, tuple[int, float]]:
        """(clock in which the first token of an event leaves, tokens a clock) of each layer in streams; empty without."""
        return {}

    @property
    def events_per_second(self) -> float:
        """As many as the interval allows."""
        return 1e9 / (self.ii * self.clock_ns)

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
            "events_per_second": self.events_per_second,
            "available": dict(self.part.available),
            "utilisation": self.utilisation,
            "fits": self.fits,
            "synthesised": self.synthesised.to_dict(),
            "accuracy": accuracy(self),
            **({"placed_ns": round(self.placed_ns, 3)} if self.placed_ns else {}),
            **({"paces": [asdict(pace) for pace in self.paces]} if self.paces else {}),
            **({"ebops": sum(self.ebops.values())} if self.ebops else {}),
            "memories": {name: asdict(m) for name, m in self.memories.items()},
            "layers": [{**layer.to_dict(), **self._ebops_of(layer)} for layer in self.layers],
        }

    def _ebops_of(self, layer: LayerEstimate) -> dict[str, int]:
        return {"ebops": self.ebops.get(layer.name, 0)} if self.ebops else {}

    def text(self, plan: str = "") -> str:
        """What ``nn2hls estimate`` prints; ``plan``: the command that picks reuse factors, for a design that does not fit."""
        kept = memory_table(self.memories)
        short = "" if self.fits else f"\n\n{does_not_fit(self, plan)}"
        return estimate_table(self) + (f"\n\n{kept.rstrip()}" if kept else "") + short


def with_bit_operations(found: Estimate, graph: Graph) -> Estimate:
    """The estimate with what HGQ's users know as EBOPs, where the model gives types; see ``Op.bit_operations``."""
    return replace(found, ebops=bit_operations(graph)) if any(node.given for node in graph) else found


@functools.cache
def bands() -> dict[str, Any]:
    """``targets/accuracy.yml``: what validation found."""
    text = own_text(Path(__file__).parents[1] / "targets" / "accuracy.yml")
    return dict(yaml.safe_load(text))


def accuracy(result: Estimate) -> dict[str, dict[str, str]]:
    """Column -> resource -> how far such figures were from real reports; ``not validated`` where nothing is known."""
    style = "parallel" if result.dsp else "multiplier_free"
    if any(layer.ii > 1 for layer in result.layers):
        style = "reused"
    if result.streams:
        style = "open_streams" if result.tool in OPEN_TOOLS else "streams"
    elif result.tool in OPEN_TOOLS:
        style = f"{result.tool}_{'reused' if style == 'reused' else 'parallel'}"
    known = bands()["error"][style]
    if (own := f"{style}_{result.part.family.name}") in bands()["error"]:
        known = bands()["error"][own]
    elif result.part.family.vendor != AMD:  # clocks do not depend on the part; nothing else was measured on others
        known = {column: {r: words for r, words in known[column].items() if r in ("latency", "uram")} for column in known}
    rows = (*RESOURCES, "latency", *(["clock"] if result.placed_ns else []))
    return {column: {r: known[column].get(r, "not validated") for r in rows} for column in ("report", "synthesised")}


NAMES = {"dsp": "DSP", "lut": "LUT", "ff": "FF", "bram": "BRAM18", "uram": "URAM"}


def estimate_table(result: Estimate) -> str:
    """Per layer that costs or takes something, then totals with their error bands: as the HLS tool and as synthesis counts."""
    return "\n".join([*_head(result), "", *_layers(result), "", *_totals(result)])


def _head(result: Estimate) -> list[str]:
    part = result.part
    latency = f"{result.latency_cycles} clocks = {result.latency_ns:g} ns"
    return [
        f"{part.name} (speed grade -{part.grade}, {part.family.title}), {result.clock_ns:g} ns, {result.tool}",
        f"latency {latency} ({accuracy(result)['report']['latency']})",
        f"initiation interval {result.ii}, {result.events_per_second:,.0f} events/s",
        *([_placed(result)] if result.placed_ns else []),
        *(pace.text() for pace in result.paces),
        *([f"effective bit operations (EBOPs): {sum(result.ebops.values()):,}"] if result.ebops else []),
    ]


def _placed(result: Estimate) -> str:
    """The clock after place and route."""
    assert result.placed_ns is not None
    known = accuracy(result)["synthesised"].get("clock", "not validated")
    return f"expected after place and route: {result.placed_ns:.1f} ns, {1e3 / result.placed_ns:.0f} MHz ({known})"


def _layers(result: Estimate) -> list[str]:
    found = layer_figures(result)
    return [f"{found.title}:", *_align([tuple(found.head), *(tuple(map(str, row)) for row in found.rows)])]


def layer_figures(result: Estimate) -> Table:
    """Per layer that costs or takes something."""
    head = ("layer", "products", *(("EBOPs",) if result.ebops else ()), *(NAMES[r] for r in RESOURCES), "clocks", "II")
    rows = [
        (
            one_line(x.name),
            f"{x.products:,}",
            *((f"{result.ebops.get(x.name, 0):,}",) if result.ebops else ()),
            *(f"{v:,}" for v in x.report.to_dict().values()),
            str(x.latency_cycles),
            str(x.ii),
        )
        for x in result.layers
        if x.latency_cycles or x.products or any(x.report.to_dict().values())
    ]
    counted = _after(result) if result.tool in OPEN_TOOLS else "as an HLS report counts"
    return Table(head, rows, f"per layer, {counted}")


def _after(result: Estimate) -> str:
    """Which open tool counts what is estimated."""
    return "after nextpnr" if result.placed_ns else "after yosys"


def _totals(result: Estimate) -> list[str]:
    found = total_figures(result)
    return _align([tuple(found.head), *(tuple(map(str, row)) for row in found.rows)])


def total_figures(result: Estimate) -> Table:
    """Totals with their error bands, and the shares of the part."""
    bands, used, have = accuracy(result), result.utilisation, result.part.available
    columns = [(_after(result), result.synthesised, bands["synthesised"])]
    if result.tool not in OPEN_TOOLS:
        columns = [
            ("HLS report", result.report, bands["report"]),
            ("after synthesis", result.synthesised, bands["synthesised"]),
        ]
    head = ("", *(cell for name, *_ in columns for cell in (name, "error")), "of the part")
    rows = []
    for r in RESOURCES:
        share = f"{used[r]:.1%} of {have[r]:,}" if have[r] else "the part has none"
        rows.append((NAMES[r], *(cell for _, f, band in columns for cell in (f"{getattr(f, r):,}", band[r])), share))
    return Table(head, rows)


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell: words to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    right = [all(row[i][:1].isdigit() for row in rows[1:]) and i > 0 for i in range(len(widths))]
    lines = ("  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]


BLOCK_RAM = 18 * 1024  # bits of one
MOST_OF_PART = 2.0  # times what the part has: beyond it no tool will make it fit
MOST_LINES = 50_000  # of C++: beyond them HLS tools take days, if they end
FIX = "`nn2hls plan CONFIG --fit` picks reuse factors that fit the part, if any do."
_CPP = (".cpp", ".h", ".hpp")


def shortages(result: Estimate) -> str:
    """What a part has too little of, and how much of it the design needs; empty when the part holds it."""
    need, have = result.synthesised.to_dict(), result.part.available
    short = [(NAMES[r], need[r], have[r], share) for r, share in result.utilisation.items() if share > 1]
    return ", ".join(f"{name} {share:.0%} ({n:,} of {m:,})" if m else f"{name} {n:,} of none" for name, n, m, share in short)


def does_not_fit(result: Estimate, plan: str = "") -> str:
    """Two or three sentences for people; empty when the part holds the design.

    Args:
        result: The estimate.
        plan: The command that picks reuse factors; without, its general form.
    """
    short = shortages(result)
    fix = f"{plan} picks reuse factors that fit, if any do." if plan else FIX
    kept = _kept(result)
    return f"DOES NOT FIT {result.part.name}: {short}. {_stream(result)}{kept or fix}" if short else ""


def _kept(result: Estimate) -> str:
    """The layers that keep more of their operands than all block RAM of the part, which no reuse factor changes."""
    have = result.part.available["bram"] * BLOCK_RAM
    found = {name: m.lines_lut + m.lines_bram for name, m in result.memories.items()}
    lines = [f"{one_line(name)} keeps {bits:,} bits of what it reads" for name, bits in found.items() if bits > have]
    if not lines:
        return ""
    words = "so that they read it in the order in which it comes, or make tensors smaller, or take a larger part."
    return f"{', '.join(lines)}; all block RAM is {have:,} bits. Arrange these layers {words}"


def _stream(result: Estimate) -> str:
    return f"{STREAM} " if result.positions > 1 else ""


def beyond_part(result: Estimate) -> str:
    """What a design needs of a part that has not even half of it; empty when there is nothing."""
    if max(result.utilisation.values()) <= MOST_OF_PART:
        return ""
    return (
        f"DOES NOT FIT {result.part.name}: {shortages(result)}. {_stream(result)}More than twice a part is not written unasked."
    )


def beyond_lines(files: Mapping[str, str]) -> str:
    """How long the C++ of a project is when it is too long; else empty."""
    lines = sum(text.count("\n") for path, text in files.items() if path.endswith(_CPP))
    return (
        f"The C++ has {lines:,} lines, more than {MOST_LINES:,}, which HLS tools take days for." if lines > MOST_LINES else ""
    )
