"""What each layer can be: its layouts, with the interval, latency and resources that each one gives.

Every figure comes from the op's own schedule and from the part's costs, as those of ``nn2hls estimate`` do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from nn2hls.arith.ranges import Range
from nn2hls.emit.through import rewired, wires
from nn2hls.errors import LimitError
from nn2hls.estimate.estimate import estimate
from nn2hls.estimate.result import Estimate, LayerEstimate, Pace
from nn2hls.estimate.timing import UNCERTAINTY, budget, place
from nn2hls.estimate.verilog import estimate_verilog, products_and_words
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.op import Op
from nn2hls.hardware.cost import schedule
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import most_digits
from nn2hls.hardware.pipeline import Pipeline, Placed, Turns, pipeline
from nn2hls.hardware.schedule import Kind, Schedule
from nn2hls.ops.roll import rolled
from nn2hls.size.layouts import DISTRIBUTED, LATENCY, Layout, by_strategy, layout_of
from nn2hls.size.turns import bits_of, turns
from nn2hls.targets import Part
from nn2hls.text import table

MEASURES = ("ii", "latency", "dsp", "lut", "ff", "bram")
MOST_SHARED = (
    3  # times that straight sums are larger than those that share their additions, at most: about 2 where there are many
)
PER_OCTAVE = 4  # reuse factors tried between one and its double


@dataclass(frozen=True, repr=False)
class Choice:
    """One layer in one layout.

    Args:
        layout: How its products are laid out.
        layer: Its figures, as if it stood alone behind a register.
        latency: Clock edges until its result stands in a register: in a chain it adds no more than these.
        multipliers: Products that exist at the same time, DSP or not.
        rom_bits: Bits of its weight memories.
    """

    layout: Layout
    layer: LayerEstimate
    latency: int
    multipliers: int
    rom_bits: int

    def __repr__(self) -> str:
        return f"Choice({self.layout}, {', '.join(f'{m}={v}' for m, v in self.measures().items())})"

    @property
    def reuse(self) -> int:
        """The reuse factor."""
        return self.layout.reuse

    @property
    def ii(self) -> int:
        """Clocks between two inputs."""
        return self.layer.ii

    def measures(self) -> dict[str, int]:
        """What limits are set on: MEASURES -> amount, resources after logic synthesis."""
        return {"ii": self.ii, "latency": self.latency, **{r: getattr(self.layer.synthesised, r) for r in MEASURES[2:]}}

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        own: dict[str, Any] = dict(zip(("reuse", "strategy", "adder_depth"), self.layout, strict=True))
        own |= {"multipliers": self.multipliers, "rom_bits": self.rom_bits}
        return {
            **own,
            "latency_cycles": self.layer.latency_cycles,
            **{k: v for k, v in self.measures().items() if k != "latency"},
        }


@dataclass(frozen=True, repr=False)
class LayerChoices:
    """One layer with its choices, fastest first.

    Args:
        name: The layer.
        now: How the config lays it out.
        products, weights: Non-zero products of one position, and of the full matrix.
        choices: Those that no other one beats in everything, those asked for by name, and each strategy without reuse.
        refused: Reuse factors asked for that cannot be built, and why.
    """

    name: str
    now: Layout
    products: int
    weights: int
    choices: tuple[Choice, ...]
    refused: Mapping[int, str]

    def __repr__(self) -> str:
        return f"LayerChoices({self.name!r}, reuse {', '.join(str(c.layout) for c in self.choices)})"

    def __str__(self) -> str:
        return self.text()

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        own = {"name": self.name, "reuse": self.now.reuse, "products": self.products, "weights": self.weights}
        refused = [{"reuse": r, "why": why} for r, why in self.refused.items()]
        return {**own, "choices": [c.to_dict() for c in self.choices], "refused": refused}

    def text(self) -> str:
        """For people."""
        plural = len({c.layout[1:] for c in self.choices}) > 1
        figures = ["II", "latency", "multipliers", "DSP", "LUT", "FF", "BRAM", "ROM bits", ""]
        head, rows = ["reuse", *(["strategy", "depth"] if plural else []), *figures], []
        for c in self.choices:
            m = c.measures()
            amounts = [c.ii, c.layer.latency_cycles, c.multipliers, *(m[r] for r in MEASURES[2:]), c.rom_bits]
            strategy = [c.layout.strategy, f"+{c.layout.depth}" if c.layout.strategy == DISTRIBUTED else ""]
            name = [f"{c.reuse:,}", *((strategy if c.reuse == 1 else ["", ""]) if plural else [])]
            rows.append([*name, *(f"{a:,}" for a in amounts), "config" if c.layout == self.now else ""])
        refused = "".join(f"  reuse {r}: {why}\n" for r, why in self.refused.items())
        kept = f"{self.products:,} non-zero products of {self.weights:,}"
        body = table(head, rows) if rows else ""
        return f"{self.name}: {kept}\n" + "".join(f"  {line}\n" for line in body.splitlines()) + refused


class Sizer:
    """Sizes a fixed graph on a part at a clock, in any layouts; schedules and hardware are made once.

    Methods take a reuse factor in place of a layout: the strategy stays.

    Args:
        graph: A fixed graph; steps that share their hardware are one node here.
        ranges: Bounds of every node, from :func:`nn2hls.graph.analysis.graph_ranges`.
        part, clock_ns, tool, uncertainty: As for :func:`nn2hls.estimate.estimate.estimate`.
    """

    def __init__(
        self, graph: Graph, ranges: Mapping[str, Range], part: Part, clock_ns: float, tool: str, uncertainty: float | None
    ) -> None:
        self.graph, self.ranges = rolled(graph.needed(), ranges)
        self.part, self.clock_ns, self.tool, self.uncertainty = part, clock_ns, tool, uncertainty
        self.nodes = {n.name: n for n in self.graph if not isinstance(n.op, Input | Constant)}
        self.reusable = {name: n.op.products() for name, n in self.nodes.items() if n.op.products() > 0}
        self.inputs = {n.name: n.result_type.width * int(np.prod(n.shape)) for n in self.graph if isinstance(n.op, Input)}
        self._schedules: dict[tuple[str, Layout], Schedule] = {}
        self._built: dict[tuple[str, Layout], Hardware] = {}
        self._stages: Placed = {}
        self._steps: dict[str, Sizer] = {}

    def now(self, name: str) -> Layout:
        """How the config lays out a layer."""
        return layout_of(self.graph[name].op)

    def layout(self, name: str, wanted: Layout | int | None) -> Layout:
        """A layout, a reuse factor, or what the config says, as a layout."""
        if isinstance(wanted, Layout):
            return wanted
        return self.now(name)._replace(reuse=wanted) if wanted else self.now(name)

    def schedule(self, name: str, wanted: Layout | int | None = None) -> Schedule:
        """The schedule of a layer.

        Raises:
            LimitError: It cannot be built so; the message names the layer and a setting that works.
        """
        node, layout = self.nodes[name], self.layout(name, wanted)
        if node.op.repeats:
            return self._in_turns(name)
        if (name, layout) not in self._schedules:
            xs, op = [self.ranges[i] for i in node.inputs], self._op(name, layout)
            with _named(node):
                counted = op.counted(xs, node.result_type)
            width, work = node.result_type.width, op.work(xs)
            self._schedules[name, layout] = counted or schedule(self.hardware(name, layout), width, work)
        return self._schedules[name, layout]

    def steps_of(self, name: str) -> Sizer:
        """What sizes one step of a layer that repeats a graph."""
        if name not in self._steps:
            op = self.graph[name].op.repeats
            self._steps[name] = Sizer(op.body, op.ranges, self.part, self.clock_ns, self.tool, self.uncertainty)
        return self._steps[name]

    def _in_turns(self, name: str) -> Schedule:
        """The schedule of a layer that repeats a graph: the operators of one step, as long as all steps take."""
        node, step = self.nodes[name], self.steps_of(name)
        op, found, inside = node.op.repeats, step.estimate(), [step.schedule(inner) for inner in step.nodes]
        states = sum(bits_of(n) for n in op.body.inputs[op.sequences :])
        return Schedule(
            ii=op.length * (found.latency_cycles + 1),
            operators=tuple(o for s in inside for o in s.operators),
            memories=tuple(m for s in inside for m in s.memories),
            results=bits_of(node),
            products=sum(s.products for s in inside),
            state=found.ff + states,
        )

    def turns(self, name: str) -> Turns:
        """What a layer that repeats a graph is made of in our own Verilog."""
        return turns(self.nodes[name].op, self.steps_of(name).placed())

    def estimate(self, layouts: Mapping[str, Layout | int] | None = None) -> Estimate:
        """The whole design; layers that ``layouts`` does not name stay as the config says.

        Raises:
            LimitError: As :meth:`schedule`.
        """
        if not layouts:
            return self._configured
        return self._estimate(layouts)

    @cached_property
    def _configured(self) -> Estimate:
        """The estimate as the config says."""
        return self._estimate({})

    @cached_property
    def positions(self) -> int:
        """At so many places one layer's products are computed, of the layer with most of them."""
        shared = (self.nodes[name] for name in self.reusable)
        return max((n.op.work([self.ranges[i] for i in n.inputs]) // n.op.products() for n in shared), default=1)

    def _estimate(self, layouts: Mapping[str, Layout | int]) -> Estimate:
        return replace(self._figures(layouts), positions=self.positions, paces=tuple(self._paces()))

    def _paces(self) -> Iterator[Pace]:
        for name, node in self.nodes.items():
            if node.op.repeats:
                yield Pace(node.origin.part, node.op.repeats.length, self.steps_of(name).estimate().latency_cycles + 1)

    def _figures(self, layouts: Mapping[str, Layout | int]) -> Estimate:
        if self.tool == "verilog":
            return self._verilog(self.placed(layouts))
        layers = [(name, self.schedule(name, layouts.get(name))) for name in self.nodes]
        operands = {name: n.inputs for name, n in self.nodes.items()}
        return estimate(layers, self.part, self.clock_ns, self.tool, operands, self.inputs, self.uncertainty)

    def _verilog(self, placed: Pipeline) -> Estimate:
        """Our own Verilog, in time."""
        ops = [self.graph[layer.name] for layer in placed.layers]
        work = {n.name: n.op.work([self.ranges[i] for i in n.inputs]) for n in ops}
        return estimate_verilog(placed, work, self.part, self.clock_ns)

    @property
    def period(self) -> float:
        """Nanoseconds of a clock that operators may fill."""
        return self.clock_ns * (1 - (self.uncertainty or 0.0))

    def placed(self, layouts: Mapping[str, Layout | int] | None = None, names: Sequence[str] = ()) -> Pipeline:
        """The pipeline of our own Verilog, which is both written and estimated, of the whole design or of some layers alone."""
        return self._placed(layouts or {}, names) if layouts or names else self._pipeline

    @cached_property
    def _pipeline(self) -> Pipeline:
        """The whole design as the config says."""
        return self._placed({}, ())

    def _placed(self, layouts: Mapping[str, Layout | int], names: Sequence[str]) -> Pipeline:
        graph = Graph(self.graph.nodes, tuple(names)).needed() if names else self.graph
        made = [
            n for n in graph if not isinstance(n.op, Input) and (not names or n.name in names or isinstance(n.op, Constant))
        ]
        through = {} if names else wires(self.graph, lambda n: self.layout(n.name, layouts.get(n.name)).reuse)
        made = [n for n in made if n.name not in through]
        layers: list[tuple[str, Hardware | Turns, Sequence[str]]] = []
        for n in made:
            if n.op.repeats:
                layers.append((n.name, self.turns(n.name), n.inputs))
                continue
            operands, hardware = rewired(self.graph, through, lambda name: self.hardware(name, layouts.get(name)), n.name)
            layers.append((n.name, hardware, operands))
        known = {n.name for n in made}
        read = [
            n
            for n in graph
            if n.name not in known | through.keys() and (not names or any(u.name in known for u in graph.users[n.name]))
        ]
        inputs = {n.name: (math.prod(n.shape), bits_of(n)) for n in read}
        bits = {n.name: bits_of(n) for n in made}
        return pipeline(layers, inputs, bits, graph.outputs, self.part.bit_delay, self.period, self._stages)

    def hardware(self, name: str, wanted: Layout | int | None = None) -> Hardware:
        """What a layer is made of; the C++ or the Verilog that is written is printed from the same object.

        Raises:
            LimitError: As :meth:`schedule`.
        """
        node, layout = self.graph[name], self.layout(name, wanted)
        if (name, layout) not in self._built:
            xs = [self.ranges[i] for i in node.inputs]
            with _named(node):
                self._built[name, layout] = self._op(name, layout).hardware(xs, node.result_type, most_digits(self.tool))
        return self._built[name, layout]

    def _op(self, name: str, layout: Layout) -> Op:
        op = self.graph[name].op
        return op if layout == self.now(name) else layout.of(op)

    def choice(self, name: str, wanted: Layout | int | None = None) -> Choice:
        """A layer in a layout, alone.

        Raises:
            LimitError: As :meth:`schedule`.
        """
        if self.tool == "verilog":
            return self._verilog_choice(name, self.layout(name, wanted))
        schedule = self.schedule(name, wanted)
        node = self.nodes[name]
        alone, reads = [(name, schedule)], {name: node.inputs}
        bits = {i: bits_of(self.graph[i]) for i in node.inputs}
        found = estimate(alone, self.part, self.clock_ns, self.tool, reads, bits, self.uncertainty)
        latency = found.latency_cycles
        if self.tool in UNCERTAINTY:  # a vendor's tool starts the next layer in the same clock; alone, a register ends it
            end = place(alone, reads, self.part, budget(self.clock_ns, self.tool, self.uncertainty))[name].end
            latency = end.cycle + (end.ns > 0)
        return Choice(
            self.layout(name, wanted),
            found.layers[0],
            latency,
            *multipliers_and_roms(schedule),
        )

    def _verilog_choice(self, name: str, layout: Layout) -> Choice:
        placed = self.placed({name: layout}, [name])
        found = self._verilog(placed)
        return Choice(layout, found.layers[0], found.latency_cycles, *products_and_words(placed.layers[-1]))

    def choices(
        self, name: str, named: Iterable[int] = (), per_octave: int = PER_OCTAVE, room: int | None = None
    ) -> LayerChoices:
        """What a layer can be: the reuse factors ``named``, each strategy without reuse that our own Verilog has, and of the
        others those that no other one beats.

        Args:
            name: The layer.
            named: Reuse factors that are listed whatever they cost.
            per_octave: So many reuse factors are tried between one and its double.
            room: LUTs that it can have; shared additions that surely need more are not searched for. None: the part's.
        """
        products, asked, now = self.reusable[name], {*named}, self.now(name)
        factors = sorted({*reuse_factors(products, per_octave), now.reuse, *asked})
        side_by_side = list(by_strategy(self.nodes[name].op)) if self.tool == "verilog" else [now._replace(reuse=1)]
        found: list[Choice] = []
        refused = {}
        for layout in [x for r in factors for x in (side_by_side if r == 1 else [now._replace(reuse=r)])]:
            if layout in side_by_side[1:] and layout.strategy == DISTRIBUTED and self._hopeless(found, room):
                continue
            try:
                found.append(self.choice(name, layout))
            except LimitError as error:
                if layout.reuse in {*asked, now.reuse}:
                    refused[layout.reuse] = str(error)
        found = [c for c in found if c.layout == now or c.layout.reuse > 1 or not _repeats(c, found)]
        shown = {now, *side_by_side[1:]}
        kept = tuple(c for c in found if c.reuse in asked or c.layout in shown or not _beaten(c, found))
        weights = self.nodes[name].op.products(zeros=True)
        return LayerChoices(name, now, products, weights, kept, refused)

    def _hopeless(self, found: Sequence[Choice], room: int | None) -> bool:
        """Whether additions side by side are so many that there is no room for them however much they share."""
        straight = [c for c in found if c.reuse == 1 and c.layout.strategy == LATENCY]
        most = MOST_SHARED * (self.part.lut if room is None else room)
        return any(c.measures()["lut"] > most for c in straight)


def multipliers_and_roms(schedule: Schedule) -> tuple[int, int]:
    """(products that exist at the same time, bits of ROMs)."""
    products = sum(o.count for o in schedule.operators if o.kind in (Kind.MUL, Kind.MUL_CONST))
    return products, sum(m.words * m.width * m.copies for m in schedule.memories)


def reuse_factors(products: int, per_octave: int = PER_OCTAVE) -> list[int]:
    """Useful reuse factors: each the smallest one with its number of multipliers, about so many between one and its double."""
    found, reuse = set(), 1
    while reuse < products:
        found.add(math.ceil(products / math.ceil(products / reuse)))
        reuse = max(reuse + 1, round(reuse * 2 ** (1 / per_octave)))
    return sorted(found | {products}) if products else []


@contextmanager
def _named(node: Node) -> Iterator[None]:
    """A limit that is met inside names the layer."""
    try:
        yield
    except LimitError as error:
        raise LimitError(error.what, where=node.origin.layer or node.name, fix=error.fix) from error


def _repeats(one: Choice, others: Sequence[Choice]) -> bool:
    """Whether a choice before it has the same strategy and measures the same."""
    same = (c for c in others if (c.reuse, c.layout.strategy, c.measures()) == (1, one.layout.strategy, one.measures()))
    return next(same) is not one


def _beaten(one: Choice, others: Sequence[Choice]) -> bool:
    """Whether another choice is at least as good in everything; of equal ones the fastest stays."""

    def merits(c: Choice) -> list[Any]:
        return [*c.measures().values(), c.reuse, c.layout.depth, c.layout.strategy]

    mine = merits(one)
    return any(other is not one and all(a <= b for a, b in zip(merits(other), mine, strict=True)) for other in others)
