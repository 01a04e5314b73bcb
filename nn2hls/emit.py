"""Graph -> Project: the C++ of every layer, the top function, the test bench and the Tcl."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from nn2hls.analysis import graph_ranges
from nn2hls.errors import LimitError
from nn2hls.fixed import FixedType
from nn2hls.ir import Graph, Node
from nn2hls.ops import Input, Reshape
from nn2hls.ops.base import Call, Code, Pragma, Rom
from nn2hls.ops.dense_code import literal
from nn2hls.project import Project, data_folder

MAX_PORT_WIDTH = 64  # bits of a port's mantissa, which test data holds as C++ long long
RESERVED = frozenset(
    [
        "alignas",
        "alignof",
        "and",
        "and_eq",
        "asm",
        "auto",
        "bitand",
        "bitor",
        "bool",
        "break",
        "case",
        "catch",
        "char",
        "class",
        "compl",
        "const",
        "constexpr",
        "const_cast",
        "continue",
        "decltype",
        "default",
        "delete",
        "do",
        "double",
        "dynamic_cast",
        "else",
        "enum",
        "explicit",
        "export",
        "extern",
        "false",
        "float",
        "for",
        "friend",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "main",
        "mutable",
        "namespace",
        "new",
        "noexcept",
        "not",
        "not_eq",
        "nullptr",
        "nn2hls",
        "operator",
        "or",
        "or_eq",
        "private",
        "protected",
        "public",
        "register",
        "reinterpret_cast",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "static_assert",
        "static_cast",
        "std",
        "struct",
        "switch",
        "template",
        "this",
        "thread_local",
        "throw",
        "true",
        "try",
        "typedef",
        "typeid",
        "typename",
        "union",
        "unsigned",
        "using",
        "virtual",
        "void",
        "volatile",
        "wchar_t",
        "while",
        "xor",
        "xor_eq",
        "y",
    ]
)


@dataclass(frozen=True)
class Options:
    """What the project needs besides the graph.

    Args:
        name: Project and top function, a C identifier.
        part, clock_period, clock_uncertainty: For the Tcl; the uncertainty in percent of the period.
        backend: ``Vivado``, ``Vitis`` or ``Bambu``.
    """

    name: str = "myproject"
    part: str = "xcvu13p-flga2577-2-e"
    clock_period: float = 5.0
    clock_uncertainty: float = 12.5
    backend: str = "Vitis"


@dataclass(frozen=True)
class Value:
    """A node as the top function sees it: ``array`` holds its result, ``type`` names its C++ type."""

    node: Node
    array: str
    type: str

    @property
    def size(self) -> int:
        """Elements of the flat array."""
        return int(np.prod(self.node.shape))


@dataclass(frozen=True)
class Layer:
    """A node that computes: its function ``id`` with operands and result."""

    id: str
    node: Node
    operands: tuple[Value, ...]
    result: Value
    text: str
    headers: tuple[str, ...]


def identifiers(graph: Graph, taken: Iterable[str] = ()) -> Mapping[str, str]:
    """A C++ identifier for every node: its name with other characters replaced, unique without regard to case."""
    used = {t.lower() for t in taken} | RESERVED
    found = {}
    for node in graph:
        base = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", node.name)).strip("_")[:60] or "layer"
        base = f"layer_{base}" if base[0].isdigit() else base
        name, n = base, 1
        while any(word in used for word in (name.lower(), f"{name.lower()}_t", f"{name.lower()}_out")):
            n += 1
            name = f"{base}_{n}"
        used.update((name.lower(), f"{name.lower()}_t", f"{name.lower()}_out"))
        found[node.name] = name
    return found


def is_dataflow(graph: Graph) -> bool:
    """True when some layer is reused, so that layers run side by side instead of in one pipeline."""
    return any(getattr(n.op, "reuse", 1) > 1 for n in graph)


def emit(graph: Graph, options: Options, vectors: Mapping[str, np.ndarray] | None = None) -> Project:
    """The project of a fixed graph.

    Args:
        graph: A fixed graph.
        options: Names, part and clock.
        vectors: Mantissas for the test bench, one array (events, size) per input and output name; none without.

    Raises:
        LimitError: A layer exceeds what HLS tools take; the message names it and a setting that works.
    """
    return _Emitter(graph, options, vectors or {}).project()


class _Emitter:
    def __init__(self, graph: Graph, options: Options, vectors: Mapping[str, np.ndarray]) -> None:
        self.graph, self.options, self.vectors = graph, options, vectors
        self.ids = identifiers(graph, [options.name])
        self.ranges = graph_ranges(graph)
        self.dataflow = is_dataflow(graph)
        self.values = self._values()
        self.layers = [self._layer(n) for n in graph if self._computes(n)]

    def _values(self) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for node in self.graph:
            _check_port(self.graph, node)
            ident = self.ids[node.name]
            if self._computes(node) or isinstance(node.op, Input):
                suffix = "" if isinstance(node.op, Input) else "_out"
                values[node.name] = Value(node, ident + suffix, f"{ident}_t")
            else:  # a reshape is the same flat array
                values[node.name] = values[node.inputs[0]]
        return values

    def _computes(self, node: Node) -> bool:
        if isinstance(node.op, Input):
            return False
        return not (isinstance(node.op, Reshape) and node.type == self.graph.operands(node)[0].type)

    def _layer(self, node: Node) -> Layer:
        ident = self.ids[node.name]
        operands = tuple(self.values[i] for i in node.inputs)
        result = self.values[node.name]
        try:
            code = node.op.call([self.ranges[i] for i in node.inputs], node.result_type)
        except LimitError as error:
            raise LimitError(error.what, where=node.origin.layer or node.name, fix=error.fix) from error
        text, headers = (_call_text if isinstance(code, Call) else _code_text)(code, ident, operands, result)  # type: ignore[operator]
        return Layer(ident, node, operands, result, text, headers)

    def project(self) -> Project:
        name = self.options.name
        outputs = [self.values[o] for o in self.graph.outputs]
        context: dict[str, Any] = {
            "name": name,
            "options": self.options,
            "graph": self.graph,
            "layers": self.layers,
            "types": self._types(),
            "inputs": [self.values[n.name] for n in self.graph.inputs],
            "outputs": [(f"out{k}" if len(outputs) > 1 else "out", v) for k, v in enumerate(outputs)],
            "steps": self._steps(),
            "dataflow": self.dataflow,
            "pragmas": _pragmas,
        }
        files = {f"firmware/layers/{layer.id}.h": _render("layer.h", layer=layer, **context) for layer in self.layers}
        for path, template in _FILES.items():
            files[path.format(name=name)] = _render(template, **context)
        for header in self._library():
            files[f"firmware/nn2hls/{header}"] = (data_folder("firmware_lib") / "nn2hls" / header).read_text(encoding="utf-8")
        files |= self._test_data()
        return Project(name, files)

    def _types(self) -> list[tuple[str, FixedType, Node]]:
        own = [n for n in self.graph if self.values[n.name].node is n]
        return [(self.values[n.name].type, n.result_type, n) for n in own]

    def _steps(self) -> list[dict[str, Any]]:
        """The calls of the top function in order; with dataflow every array has one reader, so shared ones are copied."""
        readers: dict[str, int] = {}
        for layer in self.layers:
            for v in layer.operands:
                readers[v.array] = readers.get(v.array, 0) + 1
        for name in self.graph.outputs:
            array = self.values[name].array
            readers[array] = readers.get(array, 0) + 1
        nth: dict[str, int] = {}

        def read(value: Value) -> str:
            if not self.dataflow or readers[value.array] < 2:
                return value.array
            nth[value.array] = nth.get(value.array, 0) + 1
            return f"{value.array}_{nth[value.array]}"

        steps: list[dict[str, Any]] = []
        sources = [self.values[n.name] for n in self.graph.inputs]
        for layer in (None, *self.layers):
            if layer is not None:
                steps.append({"kind": "layer", "layer": layer, "operands": [read(v) for v in layer.operands]})
            for value in sources if layer is None else [layer.result]:
                if self.dataflow and readers.get(value.array, 0) > 1:
                    steps.append({"kind": "copy", "value": value, "count": readers[value.array]})
        for k, name in enumerate(self.graph.outputs):
            port = f"out{k}" if len(self.graph.outputs) > 1 else "out"
            steps.append({"kind": "write", "port": port, "value": self.values[name], "from": read(self.values[name])})
        return steps

    def _library(self) -> list[str]:
        """Headers of firmware_lib that the layers include, and those that they include."""
        folder = data_folder("firmware_lib") / "nn2hls"
        wanted, found = ["cast.h", *(h for layer in self.layers for h in layer.headers)], set()
        while wanted:
            header = wanted.pop()
            if header not in found:
                found.add(header)
                text = (folder / header).read_text(encoding="utf-8")
                wanted += [h for h in re.findall(r'^#include "([\w.]+)"', text, re.M) if (folder / h).is_file()]
        return sorted(found)

    def _test_data(self) -> dict[str, str]:
        names = {"tb_input_features": [n.name for n in self.graph.inputs], "tb_output_predictions": list(self.graph.outputs)}
        files = {}
        for file, nodes in names.items():
            if all(n in self.vectors for n in nodes):
                rows = np.concatenate([self.vectors[n].reshape(len(self.vectors[n]), -1) for n in nodes], axis=1)
                text = "".join(" ".join(map(str, row)) + "\n" for row in rows.astype(object).tolist())
            else:
                text = ""
            files[f"tb_data/{file}.dat"] = text
        return files


_FILES = {
    "firmware/defines.h": "defines.h",
    "firmware/{name}.h": "project.h",
    "firmware/{name}.cpp": "project.cpp",
    "{name}_test.cpp": "test.cpp",
    "{name}_bridge.cpp": "bridge.cpp",
    "build_prj.tcl": "build_prj.tcl",
}


def _check_port(graph: Graph, node: Node) -> None:
    if (isinstance(node.op, Input) or node.name in graph.outputs) and node.result_type.width > MAX_PORT_WIDTH - 1:
        raise LimitError(
            f"Its type {node.result_type} is wider than {MAX_PORT_WIDTH - 1} bits, the widest port.",
            where=node.name,
            fix="Give it a narrower result type.",
        )


def _call_text(call: Call, ident: str, operands: Sequence[Value], result: Value) -> tuple[str, tuple[str, ...]]:
    members = "".join(f"    static const {_c_type(v)} {k} = {literal(v)};\n" for k, v in call.config.items())
    arguments = ", ".join([*(f"x{k}" for k in range(len(operands))), "y", *(f"{ident}_{r}" for r in call.roms)])
    text = f"struct {ident}_config {{\n{members}}};\n\n" + _roms(call.roms, ident)
    body = [f"nn2hls::{call.function}<{ident}_config>({arguments});"]
    return text + _function(ident, operands, result, body), (call.header,)


def _c_type(value: int) -> str:
    return "int" if abs(value) < 1 << 31 else "long long"


def _code_text(code: Code, ident: str, operands: Sequence[Value], result: Value) -> tuple[str, tuple[str, ...]]:
    names = {f"T{k}": v.type for k, v in enumerate(operands)} | {"TY": result.type}

    def named(line: str | Pragma) -> str | Pragma:
        text = re.sub(r"@(T\d+|TY)?", lambda m: names[m[1]] if m[1] else ident, line.text if isinstance(line, Pragma) else line)
        return Pragma(text) if isinstance(line, Pragma) else text

    text = _roms(code.roms, ident)
    if code.helpers:
        text += _lines([named(h) for h in code.helpers], 0) + "\n"
    return text + _function(ident, operands, result, [named(b) for b in code.body]), tuple(code.headers)


def _function(ident: str, operands: Sequence[Value], result: Value, body: Sequence[str | Pragma]) -> str:
    parameters = [f"const {v.type} x{k}[{v.size}]" for k, v in enumerate(operands)]
    head = f"static void {ident}({', '.join([*parameters, f'{result.type} y[{result.size}]'])}) {{\n"
    return head + _lines(body, 4) + "}\n"


def _roms(roms: Mapping[str, Rom], ident: str) -> str:
    text = ""
    for name, rom in roms.items():
        kind = f"ap_{'int' if rom.signed else 'uint'}<{rom.width}>" if rom.width else "int"
        values = [literal(int(v)) for v in np.ravel(rom.values)]
        rows = [", ".join(values[k : k + 16]) for k in range(0, len(values), 16)]
        text += f"static const {kind} {ident}_{name}[{len(values)}] = {{\n    " + ",\n    ".join(rows) + "};\n\n"
    return text


def _lines(lines: Sequence[str | Pragma], indent: int) -> str:
    out, guarded = [], False
    for line in lines:
        is_pragma = isinstance(line, Pragma)
        if is_pragma != guarded:
            out.append("#ifndef __BAMBU__" if is_pragma else "#endif")
            guarded = is_pragma
        if isinstance(line, Pragma):
            out.append(f"#pragma HLS {line.text}")
        else:
            if line.startswith("}"):
                indent -= 4
            out.append(" " * indent + line)
            if line.endswith("{"):
                indent += 4
    return "\n".join([*out, *(["#endif"] if guarded else [])]) + "\n"


def _pragmas(*texts: str) -> str:
    return _lines([Pragma(t) for t in texts], 0).rstrip("\n")


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(data_folder("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the text is C++ and Tcl; every name in it is an identifier made by `identifiers`
    )


def _render(template: str, **context: Any) -> str:
    return str(_environment().get_template(f"{template}.jinja").render(**context))
