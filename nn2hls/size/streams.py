"""A design in streams on a part: its processes, the depths of its queues, its pace and its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

from nn2hls.arith.ranges import Range
from nn2hls.estimate import stream, stream_verilog
from nn2hls.estimate.memories import Memories
from nn2hls.estimate.result import Estimate, LayerEstimate
from nn2hls.estimate.stream import core_estimates, estimate_stream
from nn2hls.estimate.stream_verilog import estimate_stream_verilog, process_figures
from nn2hls.estimate.verilog import products_and_words
from nn2hls.graph.graph import Graph
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import most_digits
from nn2hls.size.actors import Timing
from nn2hls.size.choices import multipliers_and_roms
from nn2hls.size.fifos import Fifos, fifos
from nn2hls.size.layouts import Layout, layout_of
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
    streams: ClassVar[bool] = True

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        own = super().to_dict()
        return {**own, "streams": {**self.fifos.to_dict(), "memories": own.pop("memories")}}

    def text(self, plan: str = "") -> str:
        """What ``nn2hls estimate`` prints."""
        return f"{super().text(plan)}\n\n{self.fifos}"


class StreamSizer:
    """Sizes one design in streams.

    Args:
        graph: With types.
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
        self.graph, self.ranges, self.part, self.clock_ns = graph.needed(), ranges, part, clock_ns
        self.tool, self.uncertainty, self.positions, self.tight = tool, uncertainty, positions, tight
        self.axis = axis
        self._paces: dict[int, Pace] = {}  # by number of events

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
        return build(self.network, self.part.bit_delay, self.period)

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
            one = replace(self.network, processes=(replace(process, op=op),))
            return core_estimates(one, self.part, self.clock_ns, self.tool, self.uncertainty, digits)[process.name]
        core = process.core if layout is None else op.hardware(process.xs, process.type, digits)
        process = replace(process, op=op, core=core)
        (built,) = build(replace(self.network, processes=(process,)), self.part.bit_delay, self.period)
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
            return products_and_words(placed.layers[0]) if placed else (0, 0)
        return multipliers_and_roms(process.schedule(most_digits(self.tool)))

    @cached_property
    def fifos(self) -> Fifos:
        """The depths of all queues, and the pace that they allow."""
        if self.tool == VERILOG:
            timing = Timing({b.process.name: b.latency for b in self.built}, overlap=True)
        else:
            timing = Timing({name: max(1, core.latency_cycles) for name, core in self.cores.items()})
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
        own = replace(own, memories=kept)
        return StreamEstimate(**{f.name: getattr(own, f.name) for f in fields(own)}, fifos=found)

    def _memories(self, depths: Mapping[tuple[str, str], int]) -> dict[str, Memories]:
        if self.tool == VERILOG:
            return {b.process.name: stream_verilog.memories(b, depths) for b in self.built}
        return {p.name: stream.memories(p, self.network, depths, most_digits(self.tool)) for p in self.network.processes}
