"""What a design is written as: the C++ of a function or of processes, or our own Verilog; and what sizes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.arith.ranges import Range
from nn2hls.config.config import Config
from nn2hls.emit.options import Options
from nn2hls.emit.rtl_project import emit_rtl
from nn2hls.errors import ConfigError
from nn2hls.estimate.result import Estimate
from nn2hls.graph.graph import Graph
from nn2hls.hardware.reload import Bank, Held, banks, sizes, widths
from nn2hls.size.choices import Sizer
from nn2hls.size.streams import StreamSizer
from nn2hls.streams.clocked import EVENTS as CLOCKED
from nn2hls.targets import Part
from nn2hls.targets.amd_board import AmdBoard, any_board
from nn2hls.targets.board import UART, OnBoard, on_board
from nn2hls.tools.boards.frames import Layout, packed, size, tensors_of
from nn2hls.tools.folder import Project
from nn2hls.tools.order import BoardOrder, KernelOrder, RtlOrder

RTL_EVENTS = 1000  # of the bench of a project in Verilog
BOARD_EVENTS = 200  # of the simulation of a board, bit by bit
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
    return emit_stream(streams.network, streams.graph, options, streams.fifos.depths, vectors, predictions)


def memories(sizer: Sizer) -> list[Bank]:
    """Where each word of the weights stands that can be written into a design, whatever it is written in."""
    graph = sizer.graph
    return banks([Held(n.name, sizer.hardware(n.name)) for n in graph if n.op.written])


def verilog(
    graph: Graph,
    sizer: Sizer | StreamSizer,
    options: Options,
    vectors: Mapping[str, np.ndarray],
    place: OnBoard | None = None,
) -> tuple[Project, RtlOrder]:
    """The project in our own Verilog, and what its bench is to find.

    Args:
        graph: A fixed graph.
        sizer: Its own, which places it.
        options: The project's.
        vectors: Mantissas (events, *shape) of the inputs and the emulator's of the outputs, by name.
        place: The board that it stands on.

    Raises:
        LimitError: An operator does not fit the clock.
        ConfigError: The board cannot hold such a design.
    """
    events = len(next(iter(vectors.values())))
    if not isinstance(sizer, Sizer):
        if place is not None:
            fix = "Use IOType: io_parallel; a reuse factor makes it small."
            raise ConfigError("The harness of a board has no streams.", where="IOType", fix=fix)
        return _streamed(sizer, options, vectors, events)
    placed = sizer.placed()
    project = emit_rtl(sizer.graph, options, placed, sizer.part.bit_delay, sizer.period, vectors)
    order = RtlOrder(events, placed.latency, placed.interval, placed.registers)
    if place is None:
        return project, order
    from nn2hls.emit.harness import harness, layout

    memories = sizes(placed.layers)
    around = harness(graph, options.name, place, order.latency, options.clock_period, memories)
    found = layout(graph.needed(), options.name, place, order.latency, memories)
    return _on_board(replace(project, files={**project.files, **around}), order, vectors, place, found)


def _on_board(
    project: Project, order: RtlOrder, vectors: Mapping[str, np.ndarray], place: OnBoard, found: Layout
) -> tuple[Project, RtlOrder]:
    """The same with events for the harness around it."""
    requests, answers = (
        tuple(packed(tensors, [vectors[t.name][:BOARD_EVENTS] for t in tensors])) for tensors in (found.inputs, found.outputs)
    )
    board = BoardOrder(place.board, found, requests, answers)
    return project, replace(order, board=board)


def standing(config: Config, name: str, baud: int | None, port: str | None) -> dict[str, Any]:
    """What a board changes of a design: its fields ``config``, ``board`` and ``card``; see :meth:`Design.on_board`."""
    board = any_board(name)
    if isinstance(board, AmdBoard):
        board.check_clock(config.clock_period)
        _check_kernel(config, baud, port)
        return {"config": replace(config, backend="Vitis", part=board.part), "card": board, "board": None}
    place = on_board(name, baud, port or UART, config.clock_period)
    return {"config": replace(config, backend="Verilog", part=board.part), "card": None, "board": place}


def _check_kernel(config: Config, baud: int | None, port: str | None) -> None:
    """Refuse what the kernel of AMD's boards is not for.

    Raises:
        ConfigError: With the way out.
    """
    for option, given in (("--baud", baud), ("--port", port)):
        if given is not None:
            raise ConfigError("This board has no serial port to the kernel.", where=option, fix="Leave it out.")
    if config.io_type == "io_stream":
        fix = "Use IOType: io_parallel; a reuse factor makes it small."
        raise ConfigError("The kernel of AMD's boards has no streams inside.", where="IOType", fix=fix)
    if config.interface != "nn2hls":
        what = f"The kernel of AMD's boards stands around nn2hls' own ports, not {config.interface}'s."
        raise ConfigError(what, where="Interface", fix="Leave Interface out.")


def kernel_order(sizer: Sizer, options: Options, vectors: Mapping[str, np.ndarray]) -> KernelOrder:
    """What the kernel on a board of AMD's is to answer; it writes no weights.

    Args:
        sizer: Of a fixed graph.
        options: The project's, with the board.
        vectors: Mantissas (events, *shape) of the inputs and the emulator's of the outputs, by name.
    """
    from nn2hls.emit.kernel import SUFFIX
    from nn2hls.tools.boards.packing import memory_fields, pack

    board, graph, held = options.board, sizer.graph, memories(sizer)
    assert board is not None
    inputs = tensors_of({n.name: (n.shape, n.result_type) for n in graph.inputs})
    outputs = tensors_of({o: (graph[o].shape, graph[o].result_type) for o in graph.outputs})
    ports, events = memory_fields(widths(held) if held else None), len(next(iter(vectors.values())))
    idle = [np.zeros((events, 1), dtype=np.int64)] * len(ports)
    sent = pack([*(vectors[t.name] for t in inputs), *idle], [*(t.field for t in inputs), *ports], board.shell.word)
    meant = pack([vectors[t.name] for t in outputs], [t.field for t in outputs], board.shell.word)
    return KernelOrder(board, f"{options.name}{SUFFIX}", sent, meant)


def estimate_on(found: Estimate, graph: Graph, place: OnBoard) -> Estimate:
    """The estimate of a design with the harness of its board."""
    from nn2hls.estimate.placed import with_harness

    return with_harness(found, *harness_bits(graph, place), place.board.name)


def harness_bits(graph: Graph, place: OnBoard) -> tuple[int, int]:
    """Bits of an event that the harness of a board takes, and of one that it gives."""
    from nn2hls.emit.harness import layout

    about = layout(graph.needed(), "", place, 0)
    return 8 * size(about.inputs), 8 * size(about.outputs)


def rtl_events(streams: StreamSizer | None) -> int:
    """Of the bench of a project in Verilog; for a design in streams as many as take RTL_CLOCKS."""
    return RTL_EVENTS if streams is None else max(CLOCKED, RTL_CLOCKS // max(1, streams.clocked().interval))


def _streamed(sizer: StreamSizer, options: Options, vectors: Mapping[str, np.ndarray], events: int) -> tuple[Project, RtlOrder]:
    """The same of a design in streams."""
    from nn2hls.emit.stream_rtl_project import emit_stream_rtl

    depths, pace = sizer.fifos.depths, sizer.clocked(min(events, CLOCKED))
    target = sizer.part.bit_delay, sizer.period, depths, sizer.built
    project = emit_stream_rtl(sizer.network, sizer.graph, options, *target, vectors)
    return project, RtlOrder(events, pace.latency, pace.interval, sizer.estimate().report.ff)
