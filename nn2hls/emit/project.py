"""Graph -> Project: the C++ of every layer, the top function, the test bench and the Tcl."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn2hls.arith.ranges import Range
from nn2hls.emit.closed import closed_code, closed_signature
from nn2hls.emit.core import bambu_arguments, core_tensors
from nn2hls.emit.cpp import Style, straight_code
from nn2hls.emit.cpp_memories import port_types
from nn2hls.emit.cpp_steps import steps_code
from nn2hls.emit.cpp_turns import turns_code
from nn2hls.emit.data import bench_files, heads
from nn2hls.emit.kernel import kernel_files
from nn2hls.emit.layer import Layer, Value, layer
from nn2hls.emit.limits import NATIVE_WIDTH, check_size, check_width, widest
from nn2hls.emit.names import RESULT, TYPE, identifiers
from nn2hls.emit.options import Options, is_dataflow, output_ports
from nn2hls.emit.reload import FILE as MEMORIES
from nn2hls.emit.reload import FIRMWARE, memories
from nn2hls.emit.through import rewired, wires
from nn2hls.emit.tool import TOOLS, Tool, lines
from nn2hls.errors import LimitError
from nn2hls.files import own_text
from nn2hls.graph.analysis import graph_ranges
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Input
from nn2hls.graph.op import Op
from nn2hls.hardware.code import MAX_ARRAY, STREAM, Code, Pragma
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import most_digits
from nn2hls.hardware.pipeline import Turns
from nn2hls.hardware.reload import WRITE, Held, banks, widths
from nn2hls.tools.folder import MANIFEST, Manifest, Project, data_folder, render

ROOM = 2  # bits that a cast takes besides those of its result (cast.h)
MAX_PORT_WIDTH = 63  # bits of a port's mantissa, which test data holds as C++ long long


_FILES = {
    "firmware/defines.h": "defines.h",
    "firmware/{name}.h": "project.h",
    "firmware/{name}.cpp": "project.cpp",
    "{name}_test.cpp": "test.cpp",
}


_VENDOR_FILES = {
    "{name}_bridge.cpp": "bridge.cpp",
    "build_prj.tcl": "build_prj.tcl",
    "vivado_synth.tcl": "vivado_synth.tcl",
    "vivado_clock.xdc": "vivado_clock.xdc",
}


_VITIS_FILES = {"hls_config.cfg": "hls_config.cfg"}


_BAMBU_FILES = {
    "{name}_bridge.cpp": "bridge_core.cpp",
    "firmware/{name}_core.cpp": "core.cpp",
    "build_bambu.sh": "build_bambu.sh",
}


_BAMBU_TYPES = ("ap_fixed.h", "ap_int.h", "ap_narrow.h")  # ours: its own cast wrongly into unsigned types


def emit(
    graph: Graph,
    options: Options,
    vectors: Mapping[str, np.ndarray] | None = None,
    predictions: Iterable[np.ndarray] = (),
    hardware: Callable[[str], Hardware] | None = None,
    turns: Callable[[str], Turns] | None = None,
) -> Project:
    """The project of a fixed graph.

    Args:
        graph: A fixed graph.
        options: Names, part and clock.
        vectors: Mantissas for the test bench, one array (events, *shape) per input and output name; none without.
        predictions: What the model itself answers to them, one float array (events, *shape) per output, or none.
        hardware: That of a layer by its name, where the estimate has it already; without, it is built.
        turns: The same of a layer that repeats a graph; a design without any needs none.

    Raises:
        LimitError: A layer exceeds what HLS tools take; the message names it and a setting that works.
    """
    emitter = _Emitter(graph, options, hardware, turns)
    project = emitter.project()
    return replace(project, files={**project.files, **bench_files(emitter.graph, vectors or {}, predictions)})


@dataclass(frozen=True, eq=False)
class StepCode:
    """One step of a layer that repeats a graph.

    Args:
        layers: Its functions, in order.
        values: All of its values.
        inputs, outputs: Of the body, in order.
        widest: Bits of its widest integer.
        pipelined: Whether its loops are all side by side, so that it is one pipeline.
    """

    layers: tuple[Layer, ...]
    values: tuple[Value, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    widest: int
    pipelined: bool


def step_code(op: Op, options: Options, ids: Mapping[str, str]) -> StepCode:
    """What a step of an op that repeats a graph is in C++; ``ids``: the identifiers of all nodes, the body's among them."""
    body = op.repeats.body
    step = _Emitter(body, replace(options, interface=None), ids=ids, ranges=op.repeats.ranges)
    values = tuple(v for name, v in step.values.items() if v.node.name == name)
    inputs, outputs = (tuple(step.values[name] for name in names) for names in ([n.name for n in body.inputs], body.outputs))
    return StepCode(tuple(step.layers), values, inputs, outputs, step.widest, not step.dataflow)


def identified(graph: Graph, taken: Iterable[str]) -> Mapping[str, str]:
    """Identifiers of all nodes, those of the steps of layers included."""
    bodies = [node.op.repeats.body for node in graph if node.op.repeats]
    nodes = (*graph.nodes, *(n for body in bodies for n in body))
    names = [f"after{k}" for body in bodies for k in range(len(body.outputs))]
    return identifiers(Graph(nodes, graph.outputs), [*taken, *names])


class _Emitter:
    def __init__(
        self,
        graph: Graph,
        options: Options,
        hardware: Callable[[str], Hardware] | None = None,
        turns: Callable[[str], Turns] | None = None,
        ids: Mapping[str, str] | None = None,
        ranges: Mapping[str, Range] | None = None,
    ) -> None:
        graph = graph.needed()
        self.graph, self.options, self.turns = graph, options, turns
        self.tool = TOOLS[options.backend]
        self.interface = options.interface
        self.ids = ids or self._identifiers()
        self.ranges = ranges if ranges is not None else {}
        self.steps: dict[str, StepCode] = {}  # of layers that repeat a graph
        self.build = hardware or self._build
        self.wires = wires(graph)
        self.dataflow = is_dataflow(graph)
        self.values = self._values()
        ports = self.interface.outputs if self.interface else output_ports(graph)
        self.ports = {port: self.values[o] for port, o in zip(ports, graph.outputs, strict=True)}
        if self.interface:
            self.interface.check(graph.inputs)
        self.banks = banks([Held(n.name, self.build(n.name)) for n in graph if n.op.written])
        self.memory_ports = port_types(widths(self.banks)) if self.banks else {}
        self.hardware: dict[str, Hardware] = {}
        self.layers = [self._layer(n) for n in graph if self._computes(n)]
        cast = [n.result_type.width + ROOM for n in graph]  # the test bench casts decimals to the types of ports
        inside = [step.widest for step in self.steps.values()]
        self.widest: int = max([*cast, *inside, *map(widest, self.hardware.values())], default=1)
        if self.tool.own_adders:
            check_size(self.hardware.values(), sum(n.op.products() for n in graph))

    def _identifiers(self) -> Mapping[str, str]:
        written = WRITE if any(n.op.written for n in self.graph) else ()
        return identified(self.graph, [self.options.name, *written, *(self.interface.names if self.interface else ())])

    def _values(self) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for node in self.graph:
            if node.name in self.wires:
                continue
            _check_limits(self.graph, node)
            ident = self.ids[node.name]
            if self._computes(node):
                values[node.name] = Value(node, f"{ident}{RESULT}", f"{ident}{TYPE}")
            elif isinstance(node.op, Input):
                values[node.name] = Value(node, ident, f"{ident}{TYPE}")
            else:  # a reshape is the same flat array
                values[node.name] = values[node.inputs[0]]
        return values

    def _computes(self, node: Node) -> bool:
        if isinstance(node.op, Input) or node.name in self.wires:
            return False
        return any(i in self.wires for i in node.inputs) or not (
            node.op.reshapes and node.type == self.graph.operands(node)[0].type
        )

    def _build(self, name: str) -> Hardware:
        node = self.graph[name]
        self.ranges = self.ranges or graph_ranges(self.graph)
        operands = [self.ranges[i] for i in node.inputs]
        return node.op.hardware(operands, node.result_type, most_digits(self.options.backend))

    def _in_turns(self, node: Node) -> Layer:
        """A layer that repeats a graph."""
        step = self.steps[node.name] = step_code(node.op, self.options, self.ids)
        assert self.turns is not None
        code = turns_code(self.turns(node.name), step.inputs, step.outputs, step.layers, pipelined=step.pipelined)
        read = tuple(self.values[i] for i in node.inputs)
        return layer(self.ids[node.name], node, read, self.values[node.name], code, self.tool, dataflow=False)

    def _layer(self, node: Node) -> Layer:
        if node.op.repeats:
            return self._in_turns(node)
        try:
            operands, hardware = rewired(self.graph, self.wires, self.build, node.name)
            self.hardware[node.name] = hardware
            if self.options.backend == "Bambu":
                check_width(hardware, node.result_type)
            shared = any(loop.ii for loop in hardware.loops)
            style = Style(adders=self.tool.own_adders)
            code = self._steps_code(node, hardware, style) if shared else straight_code(hardware, style)
        except LimitError as error:
            raise LimitError(error.what, where=node.origin.layer or node.name, fix=error.fix) from error
        read = tuple(self.values[i] for i in operands)
        return layer(self.ids[node.name], node, read, self.values[node.name], code, self.tool, dataflow=self.dataflow)

    def _steps_code(self, node: Node, hardware: Hardware, style: Style) -> Code:
        held = [b for b in self.banks if b.layer == node.name]
        return steps_code(hardware, style, held, widths(self.banks) if held else (0, 0))

    def project(self) -> Project:
        values = [v for n, v in self.values.items() if v.node.name == n]
        values += [v for step in self.steps.values() for v in step.values]
        layers = [*(x for step in self.steps.values() for x in step.layers), *self.layers]
        context: dict[str, Any] = {
            "name": self.options.name,
            "options": self.options,
            "tool": self.tool,
            "layers": layers,
            "values": values,
            "inputs": [self.values[n.name] for n in self.graph.inputs],
            "outputs": self.ports,
            "signature": self.signature(),
            "helpers": lines(list(self._helpers()), 0, self.tool),
            "top": lines(list(self._top()), 0, self.tool),
            "dataflow": self.dataflow,
            "native": self.widest <= NATIVE_WIDTH,
            "heads": heads(self.graph),
            "aliases": self._aliases(),
            "tokens": [],
            "memory_ports": self.memory_ports,
            "bambu": " ".join(bambu_arguments(self.options)),
            "core_inputs": core_tensors((self.values[n.name] for n in self.graph.inputs), "x"),
            "core_outputs": core_tensors(self.ports.values(), "y"),
        }
        if self.graph.states and not self.tool.own_adders and not self.banks:  # Bambu builds its core alone
            about = self.options.name, self.graph, context["inputs"], self.ports
            context["closed_signature"] = closed_signature(*about)
            context["closed"] = lines(list(closed_code(*about)), 0, self.tool)
        project = rendered(self.options, self.tool, layers, context)
        if self.banks:
            top = project.files[f"firmware/{self.options.name}.cpp"]
            texts = {x.node.name: x.text for x in layers} | {"": top}
            held = memories(self.graph, self.options.name, self.banks, texts)
            project = replace(project, files={**project.files, f"{FIRMWARE}/{MEMORIES}": held.text()})
        if self.options.board is None:
            return project
        around = kernel_files(self.options, context["inputs"], self.ports, widths(self.banks) if self.banks else None)
        return replace(project, files={**project.files, **around})

    def _readers(self) -> Counter[str]:
        """How often each array is read, by layers and by output ports."""
        read = [v.array for x in self.layers for v in x.operands] + [v.array for v in self.ports.values()]
        return Counter(read)

    def _copied(self) -> list[tuple[Value, int]]:
        """Arrays with several readers, which dataflow does not allow, and how many copies they need."""
        if not self.dataflow:
            return []
        readers = self._readers()
        values = {v.array: v for v in self.values.values()}
        return [(v, readers[a]) for a, v in values.items() if readers[a] > 1]

    def _helpers(self) -> Iterator[str | Pragma]:
        """Functions that copy an array for each of its readers, and that write a port."""
        for value, count in self._copied():
            targets = [f"y{k}" for k in range(count)]
            yield from _loop(f"copy_{value.array}", value, targets)
        for port, value in self.ports.items():
            yield from _loop(f"write_{port}", value, ["y"])

    def _aliases(self) -> dict[str, str]:
        """hls4ml's names of the ports' types, and ours."""
        if not self.interface:
            return {}
        inputs = [self.values[n.name].type for n in self.graph.inputs]
        outputs = [v.type for v in self.ports.values()]
        results = {"result_t": outputs[0]} if len(outputs) == 1 else {}
        return dict(zip(self.interface.input_types, inputs, strict=True)) | results

    def signature(self) -> str:
        """The top function's declaration."""
        parameters = [f"const {v.type} {v.array}[{v.size}]" for v in (self.values[n.name] for n in self.graph.inputs)]
        parameters += [f"const {kind} {port}" for port, kind in self.memory_ports.items()]
        parameters += [f"{v.type} {port}[{v.size}]" for port, v in self.ports.items()]
        return f"void {self.options.name}({', '.join(parameters)})"

    def _top(self) -> Iterator[str | Pragma]:
        """The top function: every layer in order; what has several readers is copied as soon as it is there."""
        copied = {value.array: (value, count) for value, count in self._copied()}
        taken: Counter[str] = Counter()

        def read(value: Value) -> str:
            taken[value.array] += 1
            return f"copy{taken[value.array]}_{value.array}" if value.array in copied else value.array

        inputs = [self.values[n.name] for n in self.graph.inputs]
        names = [*(v.array for v in inputs), *self.memory_ports, *self.ports]
        yield f"{self.signature()} {{"
        yield from (Pragma("reshape" if self.interface else "partition", v.array) for v in inputs)
        yield from (Pragma("partition", port) for port in self.ports)
        yield from (Pragma("port", n) for n in names)
        yield Pragma("dataflow") if self.dataflow else Pragma("pipeline", "1")
        readers = self._readers()
        for value in inputs:
            if not readers[value.array]:
                yield f"(void){value.array};  // no output depends on it"
            yield from _copy(copied.get(value.array))
        for x in self.layers:
            yield from _declare(x.result, x.result.array)
            yield f"{x.id}({', '.join([*map(read, x.operands), *x.ports, x.result.array])});"
            yield from _copy(copied.get(x.result.array))
        for port, value in self.ports.items():
            yield f"write_{port}({read(value)}, {port});"
        yield "}"


def rendered(
    options: Options, tool: Tool, layers: Sequence[Layer], context: Mapping[str, Any], headers: Sequence[str] = ()
) -> Project:
    """The files of a project from what its templates need, and from the headers of firmware_lib that they include."""
    context = {"beats": [], "widest_integer": 0, "closed": "", "closed_signature": "", "memory_ports": {}, **context}
    name, bambu = options.name, options.backend == "Bambu"
    files = {f"firmware/layers/{x.id}.h": render("layer.h", layer=x, **context) for x in layers}
    own = {"Bambu": _BAMBU_FILES, "Vitis": {**_VENDOR_FILES, **_VITIS_FILES}}.get(options.backend, _VENDOR_FILES)
    for path, template in {**_FILES, **own}.items():
        files[path.format(name=name)] = render(template, **context)
    for header in _library([*headers, *(["adders.h"] if tool.own_adders else []), *(h for x in layers for h in x.headers)]):
        files[f"firmware/nn2hls/{header}"] = own_text(data_folder("firmware_lib") / "nn2hls" / header)
    if bambu:
        types = data_folder("firmware_lib") / "ap_types"
        files |= {f"firmware/ap_types/{h}": own_text(types / h) for h in _BAMBU_TYPES}
    manifest = Manifest(name, options.backend, options.part, options.clock_period, {x.id: x.node.name for x in layers})
    return Project(name, files, {MANIFEST: manifest.text()})


def _library(included: Iterable[str]) -> list[str]:
    """Headers of firmware_lib that layers include, and those that they include."""
    folder = data_folder("firmware_lib") / "nn2hls"
    wanted, found = ["cast.h", "common.h", *included], set()
    while wanted:
        header = wanted.pop()
        if header not in found:
            found.add(header)
            text = own_text(folder / header)
            wanted += [h for h in re.findall(r'^#include "([\w.]+)"', text, re.M) if (folder / h).is_file()]
    return sorted(found)


def _declare(value: Value, array: str) -> Iterator[str | Pragma]:
    yield f"{value.type} {array}[{value.size}];"
    yield Pragma("partition", array)


def _copy(copied: tuple[Value, int] | None) -> Iterator[str | Pragma]:
    if copied is not None:
        value, count = copied
        names = [f"copy{k}_{value.array}" for k in range(1, count + 1)]
        for name in names:
            yield from _declare(value, name)
        yield f"copy_{value.array}({', '.join([value.array, *names])});"


def _loop(function: str, value: Value, targets: list[str]) -> Iterator[str | Pragma]:
    parameters = [f"const {value.type} x[{value.size}]", *(f"{value.type} {t}[{value.size}]" for t in targets)]
    yield f"static void {function}({', '.join(parameters)}) {{"
    yield "NN2HLS_UNROLL"
    yield f"for (int i = 0; i < {value.size}; i++) {{"
    yield Pragma("unroll")
    yield from (f"{t}[i] = x[i];" for t in targets)
    yield from ("}", "}", "")


def check_port(graph: Graph, node: Node) -> None:
    """Refuse a port that test data cannot hold.

    Raises:
        LimitError: It is wider than MAX_PORT_WIDTH bits.
    """
    if (isinstance(node.op, Input) or node.name in graph.outputs) and node.result_type.width > MAX_PORT_WIDTH:
        raise LimitError(
            f"Its type {node.result_type} is wider than {MAX_PORT_WIDTH} bits, the widest port.",
            where=node.name,
            fix="Give it a narrower result type.",
        )


def _check_limits(graph: Graph, node: Node) -> None:
    check_port(graph, node)
    size = int(np.prod(node.shape))
    if size > MAX_ARRAY:
        raise LimitError(
            f"Its {size:,} values are more than the {MAX_ARRAY:,} that HLS tools keep in registers with io_parallel.",
            where=node.name,
            fix=STREAM,
        )
