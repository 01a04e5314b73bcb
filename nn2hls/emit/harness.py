"""What stands around a core in Verilog on a board: a serial port, a bench that plays bytes on it, and the pins."""

from __future__ import annotations

from collections.abc import Mapping

from nn2hls.emit.options import output_ports
from nn2hls.emit.rtl import input_ports
from nn2hls.emit.rtl_project import FOLDER, PATIENCE, ports_of
from nn2hls.errors import LimitError
from nn2hls.graph.graph import Graph
from nn2hls.targets.board import LEAST_CLOCKS, SPI_CLOCKS, UART, OnBoard, constraints
from nn2hls.tools.boards.frames import AROUND, FILE, MOST, Layout, size, tensors_of
from nn2hls.tools.folder import render

PAUSE = 200  # bits without a byte after which a request is forgotten


def layout(graph: Graph, name: str, place: OnBoard, latency: int, memories: tuple[int, int] | None = None) -> Layout:
    """What the board takes and gives.

    Args:
        graph: A fixed graph.
        name: Of the core.
        place: Where it stands.
        latency: Of the core.
        memories: Bits of an address and of a word of its memories; None where it has none that can be written.
    """
    outputs = {o: (graph[o].shape, graph[o].result_type) for o in graph.outputs}
    inputs = {n.name: (n.shape, n.result_type) for n in graph.inputs}
    ends = tensors_of(inputs), tensors_of(outputs)
    return Layout(name, place.board.name, place.baud, latency, *ends, place.port, word_bytes(memories), *(memories or (0, 0)))


def word_bytes(memories: tuple[int, int] | None) -> int:
    """Of a word in a frame; 0 where there are none."""
    return -(-memories[1] // 8) if memories else 0


def harness(
    graph: Graph, name: str, place: OnBoard, latency: int, clock_ns: float, memories: tuple[int, int] | None = None
) -> Mapping[str, str]:
    """The files beside a core, by path in its project.

    Args:
        graph: A fixed graph.
        name: Of the core.
        place: Where it stands.
        latency, clock_ns: What the core was built for.
        memories: See :func:`layout`.

    Raises:
        ConfigError: The board is too fast for the core, or cannot make this rate.
        LimitError: An event does not fit a frame.
    """
    board, kind = place.board, place.port
    board.check_clock(clock_ns)
    graph = graph.needed()
    found = layout(graph, name, place, latency, memories)
    read, given = size(found.inputs), size(found.outputs)
    if max(read, given) > MOST - AROUND:
        raise LimitError(f"An event of {max(read, given):,} bytes does not fit a frame.", fix=f"At most {MOST - AROUND:,} do.")
    inputs = ports_of(input_ports(graph, name), graph.inputs)
    outputs = ports_of(output_ports(graph), [graph[o] for o in graph.outputs])
    bits, bit_clocks = sum(width for _, _, width in outputs), board.bit_clocks(place.baud) if kind == UART else SPI_CLOCKS
    around = {"name": name, "kind": kind, "button": board.reset.active if board.reset else None}
    verilog = render(
        "rtl/harness.v",
        **around,
        title=board.title,
        baud=f"{place.baud:,}",
        mhz=f"{board.mhz:g}",
        inputs=inputs,
        outputs=outputs,
        in_bytes=read,
        out_bytes=given,
        in_bits=8 * read,
        out_bits=8 * given,
        output_bits=bits,
        in_shift=f"{{heard, inputs[{8 * read - 1}:8]}}" if read > 1 else "heard",
        out_pad=f"{8 * given - bits}'d0, " if 8 * given > bits else "",
        bit_clocks=bit_clocks,
        bit_width=bit_clocks.bit_length(),
        pause=PAUSE,
        pause_width=(bit_clocks * PAUSE).bit_length(),
        latency=latency,
        words=found.words,
        address_bits=found.address_bits,
        word_bits=found.word_bits,
    )
    answer = found.answer_bytes
    bit = LEAST_CLOCKS if kind == UART else SPI_CLOCKS
    bench = render("rtl/harness_bench.v", **around, answer=answer, patience=PATIENCE + 20 * answer * bit, bit=bit)
    return {
        f"{FOLDER}/{name}_board.v": verilog,
        f"{FOLDER}/{name}_board_bench.v": bench,
        f"{FOLDER}/{name}_board.{board.flow.constraints['suffix']}": constraints(board, max(board.mhz, 1e3 / clock_ns), kind),
        f"{FOLDER}/{FILE}": found.text(),
    }
