"""Network -> Project: the C++ of a design in streams, a process for each layer and a queue for each reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn2hls.emit.axis import MOST_BITS, USUAL_BITS, AxisPort
from nn2hls.emit.cpp import Style, straight_code
from nn2hls.emit.cpp_steps import steps_code
from nn2hls.emit.cpp_turns import one_by_one_code
from nn2hls.emit.data import bench_files, heads
from nn2hls.emit.layer import Layer, Value, layer
from nn2hls.emit.limits import NATIVE_WIDTH, widest
from nn2hls.emit.names import RESULT, TYPE
from nn2hls.emit.options import Options, output_ports
from nn2hls.emit.project import ROOM, check_port, identified, rendered, step_code
from nn2hls.emit.stream import Port, process_code
from nn2hls.emit.tool import TOOLS, lines
from nn2hls.errors import LimitError
from nn2hls.graph.graph import Graph, Node
from nn2hls.hardware.code import Pragma
from nn2hls.streams.network import Network, Process
from nn2hls.tools.folder import Project

DEPTH = 2  # tokens of a queue between processes that keep step

Depths = Mapping[tuple[str, str], int]


def emit_stream(
    network: Network,
    graph: Graph,
    options: Options,
    depths: Depths,
    vectors: Mapping[str, np.ndarray] | None = None,
    predictions: Iterable[np.ndarray] = (),
) -> Project:
    """The project of a design in streams.

    Args:
        network: Its processes.
        graph: The fixed graph that they are made of.
        options: Names, part and clock.
        depths: Tokens of each queue, by (value, reader).
        vectors, predictions: See ``nn2hls.emit.project.emit``.

    Raises:
        LimitError: The type of a port is too wide.
    """
    graph = graph.needed()
    project = _Emitter(network, graph, options, depths).project()
    return replace(project, files={**project.files, **bench_files(graph, vectors or {}, predictions)})


@dataclass(frozen=True)
class _Token:
    """The C++ type ``token`` of a token of ``size`` elements of ``type``."""

    token: str
    type: str
    size: int
    tokens: int


@dataclass(frozen=True)
class _TopPort:
    """A stream of the top function: in C++ ``array`` is the tensor on the other side, in its own order."""

    array: str
    token: str
    size: int
    enters: bool
    order: tuple[int, ...]  # empty: as it is
    beat: str  # the C++ type of what travels, where it is no token


class _Emitter:
    def __init__(self, network: Network, graph: Graph, options: Options, depths: Depths) -> None:
        self.network, self.graph, self.options, self.depths = network, graph, options, depths
        self.tool = TOOLS[options.backend]
        self.ids = dict(identified(graph, [options.name]))
        self.steps = {p.name: step_code(p.op, options, self.ids) for p in network.processes if p.op.repeats is not None}
        self.names = {**self.ids, **self._further_names()}
        self.ports = output_ports(graph)
        self.axis = self._axis_ports() if options.axis else {}
        for node in (*graph.inputs, *(graph[o] for o in graph.outputs)):
            check_port(graph, node)

    def _axis_ports(self) -> dict[str, AxisPort]:
        """Those of the top function by name, if they are AXI4-Stream."""
        named = [(self.ids[n], n) for n in self.network.inputs]
        named += zip(self.ports, self.network.outputs, strict=True)
        streams, sides = self.network.streams, self.tool.sides
        found = {port: AxisPort(port, self._token(n).token, streams[n], sides) for port, n in named}
        for axis in found.values():
            axis.check()
        return found

    def _further_names(self) -> dict[str, str]:
        """Identifiers of processes that are no nodes."""
        found: dict[str, str] = {}
        for process in self.network.processes:
            if process.name not in self.ids:
                used = {*self.ids.values(), *found.values()}
                base = f"moved_{len(found)}"
                found[process.name] = base if base not in used else f"{base}_{len(used)}"
        return found

    def project(self) -> Project:
        """All files."""
        layers = [*(x for step in self.steps.values() for x in step.layers), *map(self._process, self.network.processes)]
        inputs = [Value(n, self.ids[n.name], self._type(n.name)) for n in self.graph.inputs]
        nodes = [self.graph[o] for o in self.graph.outputs]
        outputs = {p: Value(n, p, self._type(v)) for p, n, v in zip(self.ports, nodes, self.network.outputs, strict=True)}
        wide = [n.result_type.width + ROOM for n in self.graph]
        wide += [widest(p.core) for p in self.network.processes if p.core]
        wide += [step.widest for step in self.steps.values()]
        wide += [port.bits + 1 for port in self.axis.values()]
        context: dict[str, Any] = {
            "name": self.options.name,
            "options": self.options,
            "tool": self.tool,
            "layers": layers,
            "values": [*(v for step in self.steps.values() for v in step.values), *self._values()],
            "tokens": [self._token(name) for name in self.network.streams],
            "inputs": inputs,
            "outputs": outputs,
            "ports": list(self._ports(inputs, outputs)),
            "signature": self._signature(),
            "helpers": lines(list(self._helpers()), 0, self.tool),
            "top": lines(list(self._top()), 0, self.tool),
            "dataflow": True,
            "beats": list(self.axis.values()),
            "widest_integer": MOST_BITS if any(port.bits > USUAL_BITS for port in self.axis.values()) else 0,
            "native": max(wide, default=1) <= NATIVE_WIDTH,
            "heads": heads(self.graph),
            "aliases": {},
        }
        headers = ("axis.h", "axis_bench.h") if self.axis else ("stream.h", "stream_bench.h")
        return rendered(self.options, self.tool, layers, context, headers)

    # ---- types -----------------------------------------------------------------------------------------------------------

    def _type(self, value: str) -> str:
        return f"{self.names[value]}{TYPE}"

    def _token(self, value: str) -> _Token:
        stream = self.network.streams[value]
        return _Token(f"{self.names[value]}_token", self._type(value), stream.size, stream.tokens)

    def _values(self) -> Iterator[Value]:
        for name, stream in self.network.streams.items():
            node = self.graph[name] if name in self.ids else self._nameless(name)
            yield Value(replace(node, type=stream.type), f"{self.names[name]}{RESULT}", self._type(name))

    def _nameless(self, name: str) -> Node:
        """A node in place of the process of a cast."""
        process = next(p for p in self.network.processes if p.name == name)
        stream = self.network.streams[name]
        return Node(name, process.op, (), (stream.tokens * stream.size,), stream.type)

    def _ports(self, inputs: Sequence[Value], outputs: Mapping[str, Value]) -> Iterator[_TopPort]:
        for value, order in zip(inputs, self.network.inputs.values(), strict=True):
            token = self._token(value.node.name)
            yield _TopPort(value.array, token.token, token.size, True, _order(order), self._beat(self.ids[value.node.name]))
        for (port, _), name, order in zip(outputs.items(), self.network.outputs, self.network.leaving, strict=True):
            token = self._token(name)
            yield _TopPort(port, token.token, token.size, False, _order(order), self._beat(port))

    def _beat(self, port: str) -> str:
        return self.axis[port].beat if self.axis else ""

    def _signature(self) -> str:
        named = [(self.ids[n], n) for n in self.network.inputs]
        named += zip(self.ports, self.network.outputs, strict=True)
        ports = [f"hls::stream<{self._beat(port) or self._token(n).token}>& {port}" for port, n in named]
        return f"void {self.options.name}({', '.join(ports)})"

    # ---- processes -------------------------------------------------------------------------------------------------------

    def _port(self, value: str, name: str) -> Port:
        token = self._token(value)
        return Port(name, token.token, token.type, token.size)

    def _process(self, process: Process) -> Layer:
        ident, result = self.names[process.name], self._type(process.name)
        text = ""
        headers: tuple[str, ...] = ("cast.h", "common.h")
        operands = [str(kind) for kind in process.types]
        if process.core is not None:
            core = self._core(process, ident, operands, result)
            text, headers = core.text + "\n", core.headers
        if process.op.repeats is not None:
            step = self.steps[process.name]
            ends = step.inputs, step.outputs, step.layers, result
            text = lines(list(one_by_one_code(ident, process, *ends, pipelined=step.pipelined)), 0, self.tool) + "\n"
        sources = [self._port(s.value, f"from_{self.names[s.value]}") for s in process.front.sources]
        count = len(self.network.readers(process.name))
        targets = [self._port(process.name, f"to{k}") for k in range(count)]
        code = process_code(ident, process, sources, operands, targets)
        node = self.graph[process.name] if process.name in self.ids else self._nameless(process.name)
        value = Value(node, "y", result)
        return Layer(ident, node, (), value, text + lines(code, 0, self.tool), headers)

    def _core(self, process: Process, ident: str, operands: Sequence[str], result: str) -> Layer:
        assert process.core is not None
        shared = any(loop.ii for loop in process.core.loops)
        try:
            code = (steps_code if shared else straight_code)(process.core, Style(adders=self.tool.own_adders))
        except LimitError as error:
            raise LimitError(error.what, where=process.layer, fix=error.fix) from error
        node = Node(process.name, process.op, (), (process.core.results,), self.network.streams[process.name].type)
        read = tuple(
            Value(replace(node, shape=(size,)), f"x{k}", kind)
            for k, (size, kind) in enumerate(zip(process.sizes, operands, strict=True))
        )
        return layer(f"{ident}_core", node, read, Value(node, "y", result), code, self.tool, dataflow=False)

    # ---- the top ---------------------------------------------------------------------------------------------------------

    def _shared_inputs(self) -> list[str]:
        """Inputs that a function passes on: those that several processes read, none, or an output port; of beats all."""
        if self.axis:
            return list(self.network.inputs)
        readers = {n: self.network.readers(n) for n in self.network.inputs}
        return [n for n, found in readers.items() if len(found) != 1 or "" in found]

    def _queues(self, value: str) -> list[str]:
        """The streams that carry a value to each of its readers, in order."""
        readers, name = self.network.readers(value), self.names[value]
        direct = value in self.network.inputs and value not in self._shared_inputs()
        sent = [p for p, v in zip(self.ports, self.network.outputs, strict=True) if v == value]
        ports = iter([self.axis[p].tokens if self.axis else p for p in sent])
        return [name if direct else f"{name}_to_{self.names[r]}" if r else next(ports) for r in readers]

    def _helpers(self) -> Iterator[str | Pragma]:
        """Functions that pass an input on to each of its readers."""
        for port in self.axis.values():
            if port.name in self.ports:
                yield from port.leaving()
        for value in self._shared_inputs():
            token, readers = self._token(value), self.network.readers(value)
            if self.axis:
                targets = [f"to{k}" for k in range(len(readers))]
                yield from self.axis[self.ids[value]].entering(f"fork_{self.names[value]}", targets)
                continue
            parameters = [
                f"hls::stream<{token.token}>& x",
                *(f"hls::stream<{token.token}>& to{k}" for k in range(len(readers))),
            ]
            yield f"static void fork_{self.names[value]}({', '.join(parameters)}) {{"
            yield f"for (int n = 0; n < {token.tokens}; n++) {{"
            yield Pragma("pipeline", "1")
            yield f"const {token.token} token = x.read();"
            yield from (f"to{k}.write(token);" for k in reversed(range(len(readers))))
            yield from (["(void)token;"] if not readers else [])
            yield from ("}", "}", "")

    def _top(self) -> Iterator[str | Pragma]:
        yield f"{self._signature()} {{"
        yield from (Pragma("axis", port) for port in self.axis)
        yield from [Pragma("free")] if self.axis else []
        yield Pragma("dataflow")
        values = [*self._shared_inputs(), *(p.name for p in self.network.processes)]
        for value in values:
            for queue, reader in zip(self._queues(value), self.network.readers(value), strict=True):
                if reader or self.axis:
                    depth = self.depths.get((value, reader), DEPTH)
                    yield f"NN2HLS_FIFO({self._token(value).token}, {queue}, {depth});"
                    yield Pragma("fifo", queue, str(depth))
        for value in self._shared_inputs():
            arguments = [self.names[value], *self._queues(value)]
            yield f"NN2HLS_PROCESS(fork_{self.names[value]}({', '.join(arguments)}));"
        for process in self.network.processes:
            read = [self._queue(s.value, process.name) for s in process.front.sources]
            yield f"NN2HLS_PROCESS({self.names[process.name]}({', '.join([*read, *self._queues(process.name)])}));"
        for port in self.axis.values():
            if port.name in self.ports:
                yield f"NN2HLS_PROCESS(nn2hls_leave_{port.name}({port.tokens}, {port.name}));"
        yield "NN2HLS_RUN();"
        yield "}"

    def _queue(self, value: str, reader: str) -> str:
        return self._queues(value)[self.network.readers(value).index(reader)]


def _order(order: np.ndarray) -> tuple[int, ...]:
    """Empty where elements travel as they are numbered."""
    return () if np.array_equal(order, np.arange(order.size)) else tuple(order.tolist())
