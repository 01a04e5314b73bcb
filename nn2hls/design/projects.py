"""What a design is written as: the C++ of a function or of processes, or our own Verilog; and what sizes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nn2hls.arith.ranges import Range
from nn2hls.config.config import Config
from nn2hls.emit.options import Options
from nn2hls.emit.rtl_project import emit_rtl
from nn2hls.graph.graph import Graph
from nn2hls.size.choices import Sizer
from nn2hls.size.streams import StreamSizer
from nn2hls.streams.clocked import EVENTS as CLOCKED
from nn2hls.targets import Part
from nn2hls.tools.folder import Project
from nn2hls.tools.order import RtlOrder

RTL_EVENTS = 1000  # of the bench of a project in Verilog
RTL_CLOCKS = 8000  # for a design in streams


def target(config: Config) -> tuple[Part, float, str, float | None]:
    """(part, clock period in ns, tool, clock uncertainty)."""
    from nn2hls.targets import find_part

    return find_part(config.part), config.clock_period, config.backend.lower(), config.clock_uncertainty


def stream_sizer(graph: Graph, ranges: Mapping[str, Range], config: Config) -> StreamSizer | None:
    """Of a design with IOType io_stream."""
    if config.io_type != "io_stream":
        return None
    settings = {n.name: config.settings_of(n).positions for n in graph}
    positions = {name: n for name, n in settings.items() if n}
    return StreamSizer(graph, ranges, *target(config), positions, config.fifo == "tight", config.interface == "axis")


def cpp_project(
    graph: Graph,
    options: Options,
    streams: StreamSizer | None,
    vectors: Mapping[str, np.ndarray],
    predictions: Sequence[np.ndarray],
    sizer: Callable[[], Sizer],
) -> Project:
    """The project for an HLS tool: a function of arrays, or processes.

    Args:
        graph: A fixed graph.
        options: The project's.
        streams: Where the design is one of processes.
        vectors, predictions: See ``nn2hls.emit.project.emit``.
        sizer: What sizes it all at once, where it is no design of processes.
    """
    from nn2hls.emit.project import emit
    from nn2hls.emit.stream_project import emit_stream

    if streams is None:
        return emit(sizer().graph, options, vectors, predictions, sizer().hardware, sizer().turns)
    return emit_stream(streams.network, graph, options, streams.fifos.depths, vectors, predictions)


def verilog(
    graph: Graph, sizer: Sizer | StreamSizer, options: Options, vectors: Mapping[str, np.ndarray]
) -> tuple[Project, RtlOrder]:
    """The project in our own Verilog, and what its bench is to find.

    Args:
        graph: A fixed graph.
        sizer: Its own, which places it.
        options: The project's.
        vectors: Mantissas (events, *shape) of the inputs and the emulator's of the outputs, by name.

    Raises:
        LimitError: An operator does not fit the clock.
    """
    events = len(next(iter(vectors.values())))
    if not isinstance(sizer, Sizer):
        return _streamed(graph, sizer, options, vectors, events)
    placed = sizer.placed()
    project = emit_rtl(sizer.graph, options, placed, sizer.part.bit_delay, sizer.period, vectors)
    return project, RtlOrder(events, placed.latency, placed.interval, placed.registers)


def rtl_events(streams: StreamSizer | None) -> int:
    """Of the bench of a project in Verilog; for a design in streams as many as take RTL_CLOCKS."""
    return RTL_EVENTS if streams is None else max(CLOCKED, RTL_CLOCKS // max(1, streams.clocked().interval))


def _streamed(
    graph: Graph, sizer: StreamSizer, options: Options, vectors: Mapping[str, np.ndarray], events: int
) -> tuple[Project, RtlOrder]:
    """The same of a design in streams."""
    from nn2hls.emit.stream_rtl_project import emit_stream_rtl

    depths, pace = sizer.fifos.depths, sizer.clocked(min(events, CLOCKED))
    project = emit_stream_rtl(sizer.network, graph, options, sizer.part.bit_delay, sizer.period, depths, vectors)
    return project, RtlOrder(events, pace.latency, pace.interval, sizer.estimate().report.ff)
