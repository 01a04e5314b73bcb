"""A design in streams as Verilog: a module for each process, a FIFO for each reader, and the ports with valid and ready."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nn2hls.emit.names import identifiers
from nn2hls.emit.options import output_ports
from nn2hls.emit.rtl import modules
from nn2hls.emit.stream_axis import axis_module
from nn2hls.emit.stream_verilog import ALWAYS, fifo, process_module
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Input
from nn2hls.streams.build import Built
from nn2hls.streams.network import Network, Stream
from nn2hls.tools.folder import render
from nn2hls.tools.rtl.core import RESERVED

DEPTH = 2  # tokens of a FIFO between processes that keep step
OF_AXIS = ("aclk", "aresetn", "misplaced")  # further ports, with Interface axis
_SHOWN = 40  # characters of a layer's name in that of its module

Depths = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class StreamPort:
    """A stream of the top module: the ports ``name``, ``name_valid`` and ``name_ready``."""

    name: str
    value: str
    stream: Stream


def stream_ports(network: Network, graph: Graph, name: str) -> tuple[list[StreamPort], list[StreamPort]]:
    """Those of the inputs and of the outputs."""
    sent = output_ports(graph)
    parts = [part for port in sent for part in _around(port)]
    ids = identifiers(graph, [name, *RESERVED, *OF_AXIS, *parts])
    used, entering = {*parts, *RESERVED, *OF_AXIS, name}, []
    for value in network.inputs:
        port = ids[value]
        while used & _around(port):
            port += "_in"
        used |= _around(port)
        entering.append(StreamPort(port, value, network.streams[value]))
    leaving = [StreamPort(p, v, network.streams[v]) for p, v in zip(sent, network.outputs, strict=True)]
    return entering, leaving


def wires(network: Network) -> dict[str, str]:
    """What the top module calls the stream of each input and process: no port has two underscores in a row."""
    return {value: f"v__{k}" for k, value in enumerate([*network.inputs, *(p.name for p in network.processes)])}


def _around(port: str) -> set[str]:
    """The ports of a stream."""
    return {port, *(f"{port}_{part}" for part in ("valid", "ready", "tdata", "tvalid", "tready", "tlast"))}


def stream_rtl(
    network: Network,
    graph: Graph,
    name: str,
    built: Sequence[Built],
    depths: Depths,
    *,
    axis: bool = False,
) -> str:
    """The Verilog of a design in streams.

    Args:
        network: Its processes.
        graph: The fixed graph that they are made of.
        name: Of the top module.
        built: Each of them in hardware.
        depths: Tokens of each FIFO by (value, reader), the reader of an output port is ""; DEPTH where it is left out.
        axis: Whether its ports are AXI4-Stream.
    """
    return _Top(network, graph.needed(), name, built, depths, axis).text()


class _Top:
    def __init__(self, network: Network, graph: Graph, name: str, built: Sequence[Built], depths: Depths, axis: bool) -> None:
        self.network, self.graph, self.name, self.built, self.depths = network, graph, name, built, depths
        self.axis, self.inside = axis, f"{name}__streams" if axis else name
        self.entering, self.leaving = stream_ports(network, graph, name)
        self.wires = wires(network)

    def text(self) -> str:
        """All modules."""
        head = [f"// {self.name}: all in this file, plain Verilog-2001.", "`timescale 1ns / 1ps", "`default_nettype none", ""]
        parts = render("rtl/stream_parts.v")
        made = [text for b in self.built for text in self._modules(b)]
        around = axis_module(self.name, self.inside, self.entering, self.leaving) if self.axis else ()
        return "\n".join([*head, parts, *made, *self._lines(), *around, "`default_nettype wire", ""])

    def _module(self, built: Built) -> str:
        clean = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", built.process.name)).strip("_")[:_SHOWN]
        return f"{self.name}__{self.wires[built.process.name]}_{clean}"

    def _modules(self, built: Built) -> Iterator[str]:
        process, name = built.process, self._module(built)
        if built.placed is not None:
            operands = [f"x{k}" for k in range(len(process.types))]
            nodes = [Node(n, Input((s,)), (), (s,), t) for n, s, t in zip(operands, process.sizes, process.types, strict=True)]
            nodes.append(Node("y", process.op, tuple(operands), (process.results,), process.type))
            yield from modules(Graph(tuple(nodes), ("y",)), f"{name}__core", built.placed)
        yield process_module(name, built)

    def _lines(self) -> Iterator[str]:
        ports = ["input wire clock", "input wire reset"]
        for p in self.entering:
            ports += [f"input wire [{p.stream.bits - 1}:0] {p.name}", f"input wire {p.name}_valid"]
            ports += [f"output wire {p.name}_ready"]
        for p in self.leaving:
            ports += [f"output wire [{p.stream.bits - 1}:0] {p.name}", f"output wire {p.name}_valid"]
            ports += [f"input wire {p.name}_ready"]
        yield "// A token moves in each clock in which its valid and ready are high. Elements of a token stand side by side,"
        yield "// the first in the low bits. reset is synchronous, active high."
        yield f"module {self.inside} ("
        yield ",\n".join(f"    {p}" for p in ports)
        yield ");"
        for value, wire in self.wires.items():
            yield f"    wire [{self.network.streams[value].bits - 1}:0] {wire};"
            yield f"    wire {wire}_valid, {wire}_ready;"
        for p in self.entering:
            wire = self.wires[p.value]
            yield f"    assign {wire} = {p.name};"
            yield f"    assign {wire}_valid = {p.name}_valid;"
            yield f"    assign {p.name}_ready = {wire}_ready;"
        for value in self.wires:
            yield from self._fork(value)
        for built in self.built:
            yield from self._process(built)
        yield from self._sent()
        yield "endmodule"

    def _fork(self, value: str) -> Iterator[str]:
        """A FIFO for each reader; a token enters all of them at once."""
        wire, readers = self.wires[value], self.network.readers(value)
        bits = self.network.streams[value].bits
        free = [f"{wire}_{k}_free" for k in range(len(readers))]
        for k, reader in enumerate(readers):
            q = f"{wire}_{k}"
            yield f"    wire [{bits - 1}:0] {q};"
            yield f"    wire {q}_valid, {q}_ready, {free[k]};"
            depth = self.depths.get((value, reader), DEPTH)
            others = "".join(f" && {f}" for n, f in enumerate(free) if n != k)
            yield from fifo(f"fifo_{q}", bits, depth, (wire, f"{wire}_valid{others}", free[k]), (q, f"{q}_valid", f"{q}_ready"))
        yield f"    assign {wire}_ready = {' && '.join(free) or ALWAYS};"

    def _queue(self, value: str, reader: str, skip: int = 0) -> str:
        numbers = [k for k, r in enumerate(self.network.readers(value)) if r == reader]
        return f"{self.wires[value]}_{numbers[skip]}"

    def _process(self, built: Built) -> Iterator[str]:
        wire = self.wires[built.process.name]
        yield f"    {self._module(built)} process_{wire} (.clock(clock), .reset(reset),"
        for k, source in enumerate(built.front.sources):
            q = self._queue(source.value, built.process.name)
            yield f"        .s{k}({q}), .s{k}_valid({q}_valid), .s{k}_ready({q}_ready),"
        yield f"        .y({wire}), .y_valid({wire}_valid), .y_ready({wire}_ready));"

    def _sent(self) -> Iterator[str]:
        seen: dict[str, int] = {}
        for p in self.leaving:
            q = self._queue(p.value, "", seen.get(p.value, 0))
            seen[p.value] = seen.get(p.value, 0) + 1
            yield f"    assign {p.name} = {q};"
            yield f"    assign {p.name}_valid = {q}_valid;"
            yield f"    assign {q}_ready = {p.name}_ready;"
