"""A design that keeps states between events with its loops closed: registers around it, in C++ and in Verilog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nn2hls.emit.layer import Value
from nn2hls.emit.options import output_ports
from nn2hls.emit.rtl import bits, input_ports
from nn2hls.graph.graph import Graph, Node
from nn2hls.hardware.code import Pragma
from nn2hls.hardware.literals import constant

SUFFIX = "_stateful"  # of the function and the module around the design
RESTART = "nn2hls_restart"  # their argument and port, which is no name of the user's: the event begins with zeros

Lines = Iterator[str | Pragma]


def closed_signature(name: str, graph: Graph, inputs: Sequence[Value], outputs: Mapping[str, Value]) -> str:
    """The C++ declaration of the function around the design.

    Args:
        name: Of the top function.
        graph: With states.
        inputs: Of the top function, in order.
        outputs: The same by its names of them.
    """
    states = {*graph.states, *graph.states.values()}
    taken = [v for v, n in zip(inputs, graph.inputs, strict=True) if n.name not in states]
    given = [(port, v) for (port, v), o in zip(outputs.items(), graph.outputs, strict=True) if o not in states]
    parameters = [*(f"const {v.type} {v.array}[{v.size}]" for v in taken), f"const bool {RESTART}"]
    return f"void {name}{SUFFIX}({', '.join([*parameters, *(f'{v.type} {port}[{v.size}]' for port, v in given)])})"


def closed_code(name: str, graph: Graph, inputs: Sequence[Value], outputs: Mapping[str, Value]) -> Lines:
    """The C++ of the function around the design; arguments as for :func:`closed_signature`."""
    ports = dict(zip(graph.outputs, outputs, strict=True))
    kept = {n.name: v for v, n in zip(inputs, graph.inputs, strict=True) if n.name in graph.states}
    yield f"// {name} event after event: each begins with the states that the one before left, or with zeros."
    yield f"{closed_signature(name, graph, inputs, outputs)} {{"
    for state, value in kept.items():
        yield f"static {value.type} {value.array}[{value.size}];"
        yield Pragma("partition", value.array)
        yield f"{value.type} {ports[graph.states[state]]}[{value.size}];"
        yield Pragma("partition", ports[graph.states[state]])
        yield from _each(value, f"if ({RESTART}) nn2hls::set_raw({value.array}[i], {constant(0)});")
    yield f"{name}({', '.join([*(v.array for v in inputs), *outputs])});"
    for state, value in kept.items():
        yield from _each(value, f"{value.array}[i] = {ports[graph.states[state]]}[i];")
    yield "}"


def _each(value: Value, line: str) -> Lines:
    yield "NN2HLS_UNROLL"
    yield f"for (int i = 0; i < {value.size}; i++) {{"
    yield Pragma("unroll")
    yield from (line, "}")


def closed_ports(graph: Graph, name: str) -> tuple[list[tuple[str, Node]], list[tuple[str, Node]]]:
    """(port, node) of the inputs and of the outputs of the module around the design."""
    inputs = zip(input_ports(graph, name), graph.inputs, strict=True)
    outputs = zip(output_ports(graph), graph.outputs, strict=True)
    return (
        [(port, n) for port, n in inputs if n.name not in graph.states],
        [(port, graph[o]) for port, o in outputs if o not in graph.states.values()],
    )


def closed_module(graph: Graph, name: str) -> str:
    """The Verilog module around the design: its states are registers, and an event waits for those of the one before it.

    Args:
        graph: With states.
        name: Of the design's own module.
    """
    return "\n".join(_module(graph.needed(), name)) + "\n"


def _module(graph: Graph, name: str) -> Iterator[str]:
    inputs, outputs = closed_ports(graph, name)
    ports = dict(zip(graph.outputs, output_ports(graph), strict=True))
    named = zip(input_ports(graph, name), graph.inputs, strict=True)
    kept = [(port, n, ports[graph.states[n.name]]) for port, n in named if n.name in graph.states]
    declared = ["input wire clock", "input wire reset", "input wire valid_in", "output wire ready_in"]
    declared += [f"input wire [{bits(n) - 1}:0] {port}" for port, n in inputs] + [f"input wire {RESTART}"]
    declared += [f"output wire [{bits(n) - 1}:0] {port}" for port, n in outputs] + ["output wire valid_out"]
    yield f"// {name} event after event: each begins with the states that the one before left, or with zeros after reset and"
    yield f"// where {RESTART} is high with it. ready_in is low until those states are there."
    yield f"module {name}{SUFFIX} ("
    yield ",\n".join(f"    {p}" for p in declared)
    yield ");"
    yield "    reg nn2hls_busy;  // an event is on its way"
    yield "    wire nn2hls_ready;"
    yield "    assign ready_in = nn2hls_ready && !nn2hls_busy;"
    yield "    wire nn2hls_take = valid_in && ready_in;"
    yield "    always @(posedge clock) nn2hls_busy <= !reset && (nn2hls_take || nn2hls_busy) && !valid_out;"
    connected = [".clock(clock)", ".reset(reset)", ".valid_in(nn2hls_take)", ".ready_in(nn2hls_ready)", ".valid_out(valid_out)"]
    connected += [f".{port}({port})" for port, _ in (*inputs, *outputs)]
    for port, node, after in kept:
        width = bits(node)
        yield f"    reg [{width - 1}:0] {port};"
        yield f"    wire [{width - 1}:0] {after};"
        yield f"    always @(posedge clock) {port} <= reset ? {width}'d0 : valid_out ? {after} : {port};"
        connected += [f".{port}({RESTART} ? {width}'d0 : {port})", f".{after}({after})"]
    yield f"    {name} nn2hls_design ("
    yield ",\n".join(f"        {c}" for c in connected)
    yield "    );"
    yield "endmodule"


def closed_vectors(graph: Graph, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of the module around the design: without states."""
    states = {*graph.states, *graph.states.values()}
    return {name: array for name, array in vectors.items() if name not in states}
