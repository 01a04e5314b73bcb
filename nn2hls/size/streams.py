"""A design in streams on a part: its processes, the depths of its queues, its pace and its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

from nn2hls.arith.ranges import Range
from nn2hls.estimate import stream, stream_verilog
from nn2hls.estimate.memories import Memories
from nn2hls.estimate.result import Estimate, Figures, LayerEstimate
from nn2hls.estimate.result import Pace as StepPace
from nn2hls.estimate.stream import core_estimates, estimate_stream
from nn2hls.estimate.stream_verilog import estimate_stream_verilog, process_figures
from nn2hls.estimate.verilog import products_and_words
from nn2hls.graph.graph import Graph
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import most_digits
from nn2hls.hardware.pipeline import Turns
from nn2hls.ops.roll import rolled
from nn2hls.size.actors import Timing
from nn2hls.size.choices import Sizer, multipliers_and_roms
from nn2hls.size.fifos import Fifos, fifos
from nn2hls.size.layouts import Layout, layout_of
from nn2hls.size.turns import bits_of, turns
from nn2hls.streams.build import Built, build
from nn2hls.streams.clocked import EVENTS, Pace, clocked
from nn2hls.streams.network import Network, Process
from nn2hls.streams.plan import plan
from nn2hls.targets import Part

VERILOG = "verilog"  # the tool that is none


@dataclass(frozen=True, repr=False, kw_only=True)
class StreamEstimate(Estimate):
    """The same with the queues, and the pace of every layer."""

    fifos: Fifos
    collected: tuple[str, ...] = ()  # recurrent layers that begin when the last token is there
    streams: ClassVar[bool] = True

    @property
    def tokens(self) -> Mapping[str, tuple[int, float]]:
        """See Estimate."""
        return {p.name: (p.first, p.rate) for p in self.fifos.pace}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        own = super().to_dict()
        streams = {**self.fifos.to_dict(), "memories": own.pop("memories"), "collected": list(self.collected)}
        return {**own, "streams": streams}

    def text(self, plan: str = "") -> str:
        """What ``nn2hls estimate`` prints."""
        waits = "".join(f"{name} collects all tokens of its sequence before its first step.\n" for name in self.collected)
        return f"{super().text(plan)}\n\n{self.fifos}{waits}"


class StreamSizer:
    """Sizes one design in streams.

    Args:
        graph: With types; steps that share their hardware are one node here.
        ranges: Of every node.
        part, clock_ns, tool, uncertainty: What it is for.
        positions: For nodes that the user names how many positions they compute at each firing.
        axis: Whether its ports are AXI4-Stream.
        tight: Whether queues have the smallest depths without deadlock, in place of those that keep the pace.
    """

    def __init__(
        self,
        graph: Graph,
        ranges: Mapping[str, Range],
        part: Part,
        clock_ns: float,
        tool: str,
        uncertainty: float | None,
        positions: Mapping[str, int],
        tight: bool = False,
        axis: bool = False,
    ) -> None:
        self.graph, self.ranges = rolled(graph.needed(), ranges)
        self.part, self.clock_ns = part, clock_ns
        self.tool, self.uncertainty, self.positions, self.tight = tool, uncertainty, positions, tight
        self.axis = axis
        self._paces: dict[int, Pace] = {}  # by number of events
        self._steps: dict[str, Sizer] = {}

    def varied(self, reuse: Mapping[str, int], positions: Mapping[str, int]) -> StreamSizer:
        """The design with other reuse factors of some nodes, and with these positions alone."""
        nodes = [
            replace(n, op=layout_of(n.op)._replace(reuse=reuse[n.name]).of(n.op)) if n.name in reuse else n for n in self.graph
        ]
        graph = Graph(tuple(nodes), self.graph.outputs)
        target = self.part, self.clock_ns, self.tool, self.uncertainty
        return StreamSizer(graph, self.ranges, *target, positions, self.tight, self.axis)

    @cached_property
    def network(self) -> Network:
        """The processes.

        Raises:
            LimitError: A layer cannot be computed so.
        """
        return plan(self.graph, self.ranges, self.positions, most_digits(self.tool))

    @property
    def period(self) -> float:
        """Nanoseconds of a clock that operators may fill."""
        return self.clock_ns * (1 - (self.uncertainty or 0.0))

    @cached_property
    def built(self) -> tuple[Built, ...]:
        """The processes in our own Verilog."""
        return build(self.network, self.part.bit_delay, self.period, self.turns)

    def steps_of(self, process: Process) -> Sizer:
        """What sizes one step of a recurrent layer."""
        if process.name not in self._steps:
            op = process.op.repeats
            self._steps[process.name] = Sizer(op.body, op.ranges, self.part, self.clock_ns, self.tool, self.uncertainty)
        return self._steps[process.name]

    def turns(self, process: Process) -> Turns:
        """What a recurrent layer is made of in our own Verilog."""
        return turns(process.op, self.steps_of(process).placed(), process.initial)

    def _step_estimate(self, process: Process) -> LayerEstimate:
        """A recurrent layer for an HLS tool: one step, behind the registers of its states."""
        step, op = self.steps_of(process).estimate(), process.op.repeats
        states = Figures(ff=sum(bits_of(n) for n in op.body.inputs[op.sequences : op.sequences + op.states]))
        clocks = step.latency_cycles + 1
        own = step.report + states, step.synthesised + states, clocks, clocks
        return LayerEstimate(process.name, *own, process.schedule().products)

    def clocked(self, events: int = EVENTS) -> Pace:
        """What our own Verilog measures of so many events."""
        if events not in self._paces:
            self._paces[events] = clocked(self.network, self.built, self.fifos.depths, events)
        return self._paces[events]

    @cached_property
    def cores(self) -> Mapping[str, LayerEstimate]:
        """Of each process its core alone."""
        return {p.name: self.alone(p) for p in self.network.processes}

    def alone(self, process: Process, layout: Layout | None = None) -> LayerEstimate:
        """The core of a process, also with its products laid out in another way.

        Raises:
            LimitError: It cannot be built so.
        """
        digits = most_digits(self.tool)
        op = process.op if layout is None else layout.of(process.op)
        if self.tool != VERILOG:
            if process.op.repeats is not None:
                return self._step_estimate(process)
            one = replace(self.network, processes=(replace(process, op=op),))
            return core_estimates(one, self.part, self.clock_ns, self.tool, self.uncertainty, digits)[process.name]
        core = process.core if layout is None else op.hardware(process.xs, process.type, digits)
        process = replace(process, op=op, core=core)
        (built,) = build(replace(self.network, processes=(process,)), self.part.bit_delay, self.period, self.turns)
        figures = process_figures(built, self.part)
        return LayerEstimate(process.name, figures, figures, built.latency, process.interval, process.schedule().products)

    @cached_property
    def nodes(self) -> Mapping[str, Process]:
        """The processes of layers that compute."""
        return {p.name: p for p in self.network.processes if p.core is not None and p.name in self.graph.by_name}

    def now(self, name: str) -> Layout:
        """How the config lays out a layer."""
        return layout_of(self.nodes[name].op)

    def hardware(self, name: str, layout: Layout) -> Hardware:
        """The core of a layer laid out in some way.

        Raises:
            LimitError: It cannot be built so.
        """
        process = self.nodes[name]
        if layout == self.now(name) and process.core is not None:
            return process.core
        return layout.of(process.op).hardware(process.xs, process.type, most_digits(self.tool))

    def multipliers(self, process: Process) -> tuple[int, int]:
        """(products that exist at the same time, bits of the ROMs of weights) of a core."""
        if self.tool == VERILOG:
            placed = next(b.placed for b in self.built if b.process is process)
            products, bits = products_and_words(placed.layers[0]) if placed else (0, 0)
        else:
            products, bits = multipliers_and_roms(process.schedule(most_digits(self.tool)))
        return products, bits + sum(words * width for words, width in stream.constant_roms(process))

    @cached_property
    def fifos(self) -> Fifos:
        """The depths of all queues, and the pace that they allow."""
        if self.tool == VERILOG:
            paces = {b.process.name: b.spacing for b in self.built}
            timing = Timing({b.process.name: b.latency for b in self.built}, overlap=True, interval=paces)
        else:
            paces = {p.name: self.cores[p.name].ii for p in self._recurrent()}
            timing = Timing({name: max(1, core.latency_cycles) for name, core in self.cores.items()}, interval=paces)
        return fifos(self.network, timing, tight=self.tight)

    def estimate(self) -> StreamEstimate:
        """Resources, latency and interval."""
        return self.whole

    @cached_property
    def whole(self) -> StreamEstimate:
        """The estimate, made once."""
        found = self.fifos
        if self.tool == VERILOG:
            ran = self.clocked()
            own_paces = tuple(replace(p, interval=ran.interval) for p in found.pace)
            found = replace(found, latency=ran.latency, interval=ran.interval, pace=own_paces)
            target = self.part, self.clock_ns, ran.latency, ran.interval, self.axis
            own = estimate_stream_verilog(self.network, self.built, found.depths, *target)
        else:
            paces = {p.name: p.own for p in found.pace}
            tool, pace = self.tool, (found.latency, found.interval, paces)
            own = estimate_stream(self.network, self.cores, found.depths, self.part, self.clock_ns, tool, *pace)
        kept = self._memories(found.depths)
        own = replace(own, memories=kept, paces=tuple(self._step_paces()))
        waits = tuple(self._called(p) for p in self._recurrent() if p.front.address is not None)
        said = {f.name: getattr(own, f.name) for f in fields(own)}
        return StreamEstimate(**said, fifos=found, collected=waits)

    def _recurrent(self) -> Iterator[Process]:
        return (p for p in self.network.processes if p.op.repeats is not None)

    def _called(self, process: Process) -> str:
        """The user's layer, or the direction of it."""
        return self.graph[process.name].origin.part

    def _step_paces(self) -> Iterator[StepPace]:
        clocks = {b.process.name: b.spacing for b in self.built} if self.tool == VERILOG else {}
        for process in self._recurrent():
            own = clocks.get(process.name) or self.cores[process.name].ii
            yield StepPace(self._called(process), process.op.repeats.length, own)

    def _memories(self, depths: Mapping[tuple[str, str], int]) -> dict[str, Memories]:
        if self.tool == VERILOG:
            return {b.process.name: stream_verilog.memories(b, depths) for b in self.built}
        return {p.name: stream.memories(p, self.network, depths, most_digits(self.tool)) for p in self.network.processes}
