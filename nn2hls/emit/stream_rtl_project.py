"""Network -> Project in Verilog: the design in streams, a bench that checks itself, and the tokens it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.emit.axis import tdata_bits
from nn2hls.emit.options import Options
from nn2hls.emit.rtl_project import FOLDER, PATIENCE, SETTLE, check_clock, check_net, check_placed
from nn2hls.emit.stream_axis import CORE
from nn2hls.emit.stream_rtl import Depths, StreamPort, stream_ports, stream_rtl, wires
from nn2hls.graph.graph import Graph
from nn2hls.hardware.join import joined
from nn2hls.hardware.split import paced
from nn2hls.hardware.stages import Delay
from nn2hls.streams.build import Built
from nn2hls.streams.clocked import EVENTS as MEASURED
from nn2hls.streams.network import Network, Stream
from nn2hls.tools.folder import MANIFEST, Manifest, Project, render


def emit_stream_rtl(
    network: Network,
    graph: Graph,
    options: Options,
    delay: Delay,
    period: float,
    depths: Depths,
    built: Sequence[Built],
    vectors: Mapping[str, np.ndarray],
) -> Project:
    """The project of a design in streams.

    Args:
        network: Its processes.
        graph: The fixed graph that they are made of.
        options: Names, part and clock.
        delay, period: See ``nn2hls.emit.rtl_project.emit_rtl``.
        depths: Tokens of each FIFO by (value, reader); see ``stream_rtl``.
        built: Its processes in hardware, with this delay and period.
        vectors: Mantissas for the bench, one array (events, *shape) per input and output name.

    Raises:
        LimitError: No pipeline reaches the clock; the slowest operator is named, and the period that works.
    """
    graph, name = graph.needed(), options.name
    for process, made in zip(network.processes, built, strict=True):
        if process.op.repeats is not None and made.placed is not None:
            check_placed(made.placed, delay, period, options.clock_period)
        elif process.core is not None:
            if process.join is not None:
                check_net(process.layer, joined(process.join, process.type), delay, period, options.clock_period)
            check_clock(process.layer, paced(process.core, delay, period), delay, period, options.clock_period)
    entering, leaving = stream_ports(network, graph, name)
    inside = f"dut.{CORE}" if options.axis else "dut"
    readers = {wire: network.readers(value) for value, wire in wires(network).items()}
    queues = [f"{inside}.{wire}_{n}_valid" for wire, own in readers.items() for n in range(len(own))]
    bench = render(
        "rtl/stream_bench.v",
        name=name,
        events=len(next(iter(vectors.values()))),
        inputs=_bench_ports(entering),
        outputs=_bench_ports(leaving),
        queues=queues,
        axis=options.axis,
        measured=MEASURED,
        patience=PATIENCE,
        tail=SETTLE,
    )
    orders = [network.inputs[p.value] for p in entering]
    files = {
        f"{FOLDER}/{name}.v": stream_rtl(network, graph, name, built, depths, axis=options.axis),
        f"{FOLDER}/{name}_bench.v": bench,
        **_tokens("stimulus", entering, [vectors[p.value] for p in entering], orders),
        **_tokens("answers", leaving, [vectors[o] for o in graph.outputs], network.leaving),
    }
    manifest = Manifest(name, options.backend, options.part, options.clock_period, {})
    return Project(name, files, {MANIFEST: manifest.text()})


@dataclass(frozen=True)
class _BenchPort:
    name: str
    bits: int
    tokens: int
    tdata: int


def _bench_ports(ports: Sequence[StreamPort]) -> list[_BenchPort]:
    return [_BenchPort(p.name, p.stream.bits, p.stream.tokens, tdata_bits(p.stream)) for p in ports]


def _tokens(
    kind: str, ports: Sequence[StreamPort], arrays: Sequence[np.ndarray], orders: Sequence[np.ndarray]
) -> dict[str, str]:
    """For each port a file with the bits of a token a line, in hexadecimal."""
    found = {}
    for k, (port, array, order) in enumerate(zip(ports, arrays, orders, strict=True)):
        flat = array.reshape(len(array), -1)[:, order].reshape(-1, port.stream.size)
        found[f"{FOLDER}/{kind}_{k}.hex"] = "".join(f"{_word(row, port.stream):x}\n" for row in flat.tolist())
    return found


def _word(row: Sequence[int], stream: Stream) -> int:
    mask, word = (1 << stream.type.width) - 1, 0
    for mantissa in reversed(row):
        word = word << stream.type.width | (int(mantissa) & mask)
    return word
