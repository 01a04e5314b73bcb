"""The ports of an exported design: names, shapes, types, the bits of each element."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nn2hls.arith.fixed import FixedType
from nn2hls.emit.options import output_ports
from nn2hls.emit.rtl import input_ports
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Graph


@dataclass(frozen=True)
class Port:
    """A port.

    Args:
        name: An identifier.
        node: The network's own name of what goes through it.
        kind: The type of an element.
        shape: Of one event.
        is_input: Whether it leads into the design.
    """

    name: str
    node: str
    kind: FixedType
    shape: Shape
    is_input: bool

    @property
    def elements(self) -> int:
        """Of one event."""
        return math.prod(self.shape)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "layer": self.node,
            "direction": "input" if self.is_input else "output",
            "shape": list(self.shape),
            "type": str(self.kind),
            "width": self.kind.width,
            "fraction": self.kind.fraction,
            "signed": self.kind.signed,
        }


def ports_of(graph: Graph, name: str) -> list[Port]:
    """Inputs, then outputs, of a design whose top is called ``name``."""
    graph = graph.needed()
    inputs = zip(input_ports(graph, name), graph.inputs, strict=True)
    outputs = zip(output_ports(graph), (graph[o] for o in graph.outputs), strict=True)
    found = [Port(port, n.name, n.result_type, n.shape, True) for port, n in inputs]
    return found + [Port(port, n.name, n.result_type, n.shape, False) for port, n in outputs]


def indices(shape: Shape) -> Iterator[tuple[int, ...]]:
    """Of the elements, row-major."""
    for number in range(math.prod(shape)):
        found: list[int] = []
        for size in reversed(shape):
            number, place = divmod(number, size)
            found.insert(0, place)
        yield tuple(found)


def json_text(document: Any) -> str:
    """As a file has it."""
    return json.dumps(document, indent=1) + "\n"
