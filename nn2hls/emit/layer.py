"""The C++ text of one layer: its config struct or helpers, its constant arrays, its function."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.emit.roms import roms
from nn2hls.emit.tool import Tool, lines
from nn2hls.graph.graph import Node
from nn2hls.hardware.code import Code, Pragma


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
    """A node that computes: its function ``id`` with operands, ports of the design and result, and the headers it needs."""

    id: str
    node: Node
    operands: tuple[Value, ...]
    result: Value
    text: str
    headers: tuple[str, ...]
    ports: tuple[str, ...] = ()


def layer(
    ident: str, node: Node, operands: tuple[Value, ...], result: Value, code: Code, tool: Tool, *, dataflow: bool
) -> Layer:
    """The layer of this code.

    In one pipeline the top function unrolls every loop; with dataflow each layer is a process, which must do so itself unless
    it has loops of its own.
    """
    types = {f"T{k}": v.type for k, v in enumerate(operands)} | {"TY": result.type}
    helpers = _named(code.helpers, ident, types)
    text, headers = roms(code.roms, ident, tool) + (lines(helpers, 0, tool) + "\n" if helpers else ""), tuple(code.headers)
    body = _named(code.body, ident, types)
    if dataflow and not _has_loops(code):
        body = [Pragma("pipeline", "1"), *body]
    parameters = [f"const {v.type} x{k}[{v.size}]" for k, v in enumerate(operands)]
    parameters += [f"const {kind} {name}" for name, kind in code.ports.items()]
    head = f"static void {ident}({', '.join([*parameters, f'{result.type} y[{result.size}]'])}) {{\n"
    return Layer(ident, node, operands, result, f"{text}{head}{lines(body, 4, tool)}}}\n", headers, tuple(code.ports))


def _has_loops(code: Code) -> bool:
    """Whether the code pipelines loops of its own."""
    parts = (*code.body, *code.helpers)
    return any(isinstance(p, Pragma) and p.word == "pipeline" for p in parts)


def _named(parts: Sequence[str | Pragma], ident: str, types: Mapping[str, str]) -> list[str | Pragma]:
    """With the placeholders ``@T0``, ``@TY`` and ``@`` replaced."""

    def name(text: str) -> str:
        return re.sub(r"@(T\d+|TY)?", lambda m: types[m[1]] if m[1] else ident, text)

    return [Pragma(p.word, *map(name, p.arguments)) if isinstance(p, Pragma) else name(p) for p in parts]
