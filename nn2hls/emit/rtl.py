"""A fixed graph as Verilog: every layer a module, the top one pipeline with a valid bit, all outputs in the same clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nn2hls.arith.ranges import width_of
from nn2hls.emit.names import identifiers
from nn2hls.emit.options import output_ports
from nn2hls.emit.verilog import Wire, module
from nn2hls.emit.verilog_steps import steps_module, write_ports
from nn2hls.emit.verilog_turns import one_by_one_module, turns_module
from nn2hls.graph.graph import Graph, Node
from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.pipeline import Layer, Pipeline, Turns
from nn2hls.hardware.reload import WRITE, banks, source, widths
from nn2hls.tools.rtl.core import RESERVED

FEW = 3  # lanes that are written out instead of generated


def bits(node: Node) -> int:
    """Of a node's value."""
    return math.prod(node.shape) * node.result_type.width


def rtl(graph: Graph, name: str, placed: Pipeline) -> str:
    """The Verilog of a fixed graph.

    Args:
        graph: With types.
        name: Of the top module.
        placed: Its layers in time.
    """
    return _Top(graph.needed(), name, placed).text()


def modules(graph: Graph, name: str, placed: Pipeline) -> list[str]:
    """The modules of :func:`rtl` alone, to stand among others in a file; the last one is the top."""
    top = _Top(graph, name, placed)
    return [*top.modules(), "\n".join(top.lines()) + "\n"]


def layer_texts(graph: Graph, name: str, placed: Pipeline) -> dict[str, str]:
    """The Verilog of each layer by the layer's name, and that of the top module under no name."""
    top = _Top(graph, name, placed)
    return {layer.name: "\n".join(top.layer_modules(layer)) for layer in placed.layers} | {"": "\n".join(top.lines())}


def input_ports(graph: Graph, name: str) -> list[str]:
    """The top module's ports of the inputs, in order."""
    ids = _identifiers(graph, name)
    return [ids[n.name] for n in graph.inputs]


def layer_names(graph: Graph, name: str) -> dict[str, str]:
    """The layer's name by its name in the Verilog."""
    return {ident: layer for layer, ident in _identifiers(graph, name).items()}


def _identifiers(graph: Graph, name: str) -> Mapping[str, str]:
    return identifiers(graph, [name, *RESERVED, *output_ports(graph)])


class _Top:
    def __init__(self, graph: Graph, name: str, placed: Pipeline) -> None:
        self.graph, self.name, self.placed = graph, name, placed
        self.ids = _identifiers(graph, name)
        self.banks = banks(placed.layers)
        self.sizes = widths(self.banks) if self.banks else (0, 0)
        self.wires = {n.name: Wire(n.result_type.width, n.result_type.signed) for n in graph}

    def text(self) -> str:
        head = [f"// {self.name}: all in this file, plain Verilog-2001.", "`timescale 1ns / 1ps", "`default_nettype none", ""]
        return "\n".join([*head, *self.modules(), *self.lines(), "`default_nettype wire", ""])

    # ---- modules of the layers -------------------------------------------------------------------------------------------

    def _module_name(self, layer: Layer, part: str) -> str:
        return f"{self.name}__{self.ids[layer.name]}{part}"

    def modules(self) -> list[str]:
        """Those of the layers."""
        return [text for layer in self.placed.layers for text in self.layer_modules(layer)]

    def layer_modules(self, layer: Layer) -> Iterator[str]:
        """Those of a layer."""
        if layer.turns is not None:
            yield from self._turns_modules(layer, layer.turns)
            return
        yield f"// {self.ids[layer.name]}: {layer.hardware.equation}"
        sums: dict[int, Wire] = {}
        if layer.steps is not None:
            operand = self.wires[layer.operands[0]]
            own = [b for b in self.banks if b.layer == layer.name and not b.single]
            yield steps_module(self._module_name(layer, "__steps"), layer.steps, operand, own, self.sizes)
            sums = {e: Wire(width_of(*b), b[0] < 0) for e, b in layer.steps.sums.items()}
        result = self.wires[layer.name]
        for k, (loop, stages) in enumerate(zip(layer.straight, layer.stages, strict=True)):
            inputs = [self._input(layer, loop, i, sums) for i in range(loop.reads.shape[2])]
            yield module(self._module_name(layer, f"__{k}"), stages, inputs, [result] * loop.writes.shape[2])

    def _turns_modules(self, layer: Layer, turns: Turns) -> Iterator[str]:
        """The modules of one step, and the one that runs it for each."""
        body, step = self.graph[layer.name].op.repeats.body, self._module_name(layer, "__step")
        yield from modules(body, step, turns.step)
        name = self._module_name(layer, "__turns")
        write = turns_module if turns.initial is None else one_by_one_module
        yield write(name, step, turns, input_ports(body, step), output_ports(body))

    def _input(self, layer: Layer, loop: Loop, number: int, sums: dict[int, Wire]) -> Wire:
        """How an input of a loop's body is declared."""
        if number in loop.constants:
            cell = source(loop, number)
            return Wire(cell.width, cell.signed)
        return self._wire(layer, int(loop.reads[0, :, number].max()), sums)

    def _wire(self, layer: Layer, element: int, sums: dict[int, Wire]) -> Wire:
        if element in sums:
            return sums[element]
        return self.wires[layer.operands[_operand(layer.hardware, element)[0]]]

    # ---- the top ---------------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """The top module."""
        placed, interval = self.placed, self.placed.interval
        ports = ["input wire clock", "input wire reset", "input wire valid_in", "output wire ready_in"]
        ports += write_ports(self.sizes) if self.banks else []
        ports += [f"input wire {self._vector(n)}{self.ids[n.name]}" for n in self.graph.inputs]
        outputs = list(zip(output_ports(self.graph), self.graph.outputs, strict=True))
        ports += [f"output wire {self._vector(self.graph[o])}{port}" for port, o in outputs]
        ports += ["output wire valid_out"]
        every = "every clock" if interval == 1 else f"every {interval} clocks, when ready_in is high"
        yield f"// Takes an event {every}; its outputs stand together, with valid_out, {placed.latency} clocks later."
        yield "// Elements of a tensor stand side by side, element 0 in the low bits. reset is synchronous, active high."
        yield f"module {self.name} ("
        yield ",\n".join(f"    {p}" for p in ports)
        yield ");"
        yield "    genvar k;"
        yield from self._control()
        for node in self.graph.inputs:
            yield f"    wire {self._vector(node)}{self._at(node.name, placed.stage[node.name])} = {self.ids[node.name]};"
            yield from self._waiting(node)
        for layer in placed.layers:
            yield from self._layer(layer)
            yield from self._waiting(self.graph[layer.name])
        for port, output in outputs:
            yield f"    assign {port} = {self._at(output, placed.latency)};"
        yield "endmodule"

    def _vector(self, node: Node) -> str:
        return f"[{bits(node) - 1}:0] "

    def _at(self, name: str, stage: int) -> str:
        """A tensor in a stage."""
        waited = 0 if name in self.placed.constants else stage - self.placed.stage[name]
        return f"{self.ids[name]}_out" + (f"__{waited}" if waited else "")

    def _control(self) -> Iterator[str]:
        latency, interval = self.placed.latency, self.placed.interval
        yield f"    wire [{latency}:0] valid;  // by stage"
        yield "    assign valid[0] = valid_in && ready_in;"
        if latency:
            yield f"    reg [{latency}:1] passed;"
            yield f"    always @(posedge clock) passed <= reset ? {latency}'d0 : valid[{latency - 1}:0];"
            yield f"    assign valid[{latency}:1] = passed;"
        yield f"    assign valid_out = valid[{latency}];"
        if interval == 1:
            yield "    assign ready_in = 1'b1;"
            return
        count = (interval - 1).bit_length()
        yield f"    reg [{count - 1}:0] rest;  // clocks until the next event may come"
        yield f"    assign ready_in = rest == {count}'d0;"
        yield f"    always @(posedge clock) rest <= reset ? {count}'d0 : valid[0] ? {count}'d{interval - 1} :"
        yield f"        ready_in ? {count}'d0 : rest - {count}'d1;"

    def _waiting(self, node: Node) -> Iterator[str]:
        stage = self.placed.stage[node.name]
        for k in range(self.placed.waits.get(node.name, 0)):
            after = self._at(node.name, stage + k + 1)
            yield f"    reg {self._vector(node)}{after};"
            yield f"    always @(posedge clock) {after} <= {self._at(node.name, stage + k)};"

    def _layer(self, layer: Layer) -> Iterator[str]:
        node = self.graph[layer.name]
        yield f"    wire {self._vector(node)}{self._at(node.name, self.placed.stage[node.name])};"
        if layer.turns is not None:
            yield from self._turns(layer)
        if layer.steps is not None:
            yield from self._steps(layer)
        for k, (loop, stages) in enumerate(zip(layer.straight, layer.stages, strict=True)):
            clocked = bool(stages.kept)
            used = [stages.net.cells[w].k for w in stages.net.inputs()]
            name = self._module_name(layer, f"__{k}")
            yield from self._instances(layer, loop, name, used, clocked)

    def _steps(self, layer: Layer) -> Iterator[str]:
        assert layer.steps is not None
        ident = self.ids[layer.name]
        connected = [".clock(clock)", ".reset(reset)", f".start(valid[{layer.start}])"]
        if layer.steps.written:
            connected += [f".{port}({port})" for port in WRITE]
            yield from self._biases(layer)
        connected += [f".h{k}({self._element(layer, e)})" for k, e in enumerate(layer.steps.held)]
        for k, bounds in enumerate(layer.steps.sums.values()):
            signed = "signed " if bounds[0] < 0 else ""
            yield f"    wire {signed}[{width_of(*bounds) - 1}:0] {ident}__s{k};"
            connected.append(f".s{k}({ident}__s{k})")
        yield f"    {self._module_name(layer, '__steps')} {ident}__steps ("
        yield ",\n".join(f"        {c}" for c in connected)
        yield "    );"

    def _biases(self, layer: Layer) -> Iterator[str]:
        """A register for each bias that can be written."""
        for bank in self.banks:
            if bank.layer == layer.name and bank.single:
                name, top = self._bias(layer, bank.number), bank.width - 1
                yield f"    reg [{top}:0] {name};"
                yield f"    initial {name} = {bank.width}'d{bank.words[0] & ((1 << bank.width) - 1)};"
                yield f"    always @(posedge clock) if ({bank.written(self.sizes[0])}) {name} <= weights_data[{top}:0];"

    def _bias(self, layer: Layer, number: int) -> str:
        return f"{self.ids[layer.name]}__bias{number}"

    def _turns(self, layer: Layer) -> Iterator[str]:
        ident = self.ids[layer.name]
        connected = [".clock(clock)", ".reset(reset)", f".start(valid[{layer.start}])"]
        connected += [f".x{k}({self._at(operand, layer.start)})" for k, operand in enumerate(layer.operands)]
        connected.append(f".y({self._at(layer.name, self.placed.stage[layer.name])})")
        yield f"    {self._module_name(layer, '__turns')} {ident}__turns ("
        yield ",\n".join(f"        {c}" for c in connected)
        yield "    );"

    def _instances(self, layer: Layer, loop: Loop, name: str, used: Sequence[int], clocked: bool) -> Iterator[str]:
        """The lanes of a loop: generated where their elements lie evenly, else one by one."""
        ports = [f"x{k}" for k in used] + [f"y{j}" for j in range(loop.writes.shape[2])]
        columns = np.concatenate([loop.reads[0][:, used], loop.writes[0]], axis=1)
        clock = [".clock(clock)"] if clocked else []
        steps = np.diff(columns, axis=0)
        whole = columns.size and columns.min() >= 0
        if loop.lanes > FEW and layer.steps is None and whole and np.all(steps == steps[0]):
            both = zip(ports, columns[0].tolist(), steps[0].tolist(), strict=True)
            connected = [f".{port}({self._generated(layer, first, step)})" for port, first, step in both]
            yield "    generate"
            yield f"        for (k = 0; k < {loop.lanes}; k = k + 1) begin : lanes_{name}"
            yield f"            {name} lane ({', '.join(clock + connected)});"
            yield "        end"
            yield "    endgenerate"
            return
        numbers = {k: j for j, k in enumerate(sorted(loop.constants))}
        held = {port: self._bias(layer, numbers[k]) for port, k in zip(ports, used, strict=False) if k in numbers}
        sources = zip(ports, columns.T, strict=True)
        zeros = [held[p] if p in held else self._zero(layer, int(c.max())) for p, c in sources]
        for lane, row in enumerate(columns.tolist()):
            both = zip(ports, row, zeros, strict=True)
            connected = [f".{port}({self._element(layer, e) if e >= 0 else zero})" for port, e, zero in both]
            yield f"    {name} lane{lane}_{name} ({', '.join(clock + connected)});"

    def _place(self, layer: Layer, element: int) -> tuple[str, int, int]:
        """(vector, width of an element, number of the element in it)."""
        hardware = layer.hardware
        if element >= hardware.first_result:
            vector = self._at(layer.name, self.placed.stage[layer.name])
            return vector, self.wires[layer.name].width, element - hardware.first_result
        k, number = _operand(hardware, element)
        return self._at(layer.operands[k], layer.start), self.wires[layer.operands[k]].width, number

    def _element(self, layer: Layer, element: int) -> str:
        if layer.steps is not None and element in layer.steps.sums:
            return f"{self.ids[layer.name]}__s{list(layer.steps.sums).index(element)}"
        vector, width, number = self._place(layer, element)
        return f"{vector}[{(number + 1) * width - 1}:{number * width}]"

    def _zero(self, layer: Layer, element: int) -> str:
        """Zero, as wide as an element of the same tensor."""
        if layer.steps is not None and element in layer.steps.sums:
            return ""  # sums are never left out
        return f"{self._place(layer, element)[1]}'d0"

    def _generated(self, layer: Layer, first: int, step: int) -> str:
        """Element first + k * step of lane k."""
        vector, width, number = self._place(layer, first)
        return f"{vector}[{number * width} + k * {step * width} +: {width}]"


def _operand(hardware: Hardware, element: int) -> tuple[int, int]:
    """(number of the operand, number of the element in it)."""
    for k, size in enumerate(hardware.operands):
        if element < size:
            return k, element
        element -= size
    raise IndexError(element)
