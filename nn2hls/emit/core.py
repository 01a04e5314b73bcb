"""The core that Bambu synthesises: the design behind ports of C integers, one port for each element."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.emit.layer import Value
from nn2hls.emit.names import identifiers
from nn2hls.hardware.literals import c_integer

if TYPE_CHECKING:
    from nn2hls.emit.options import Options
    from nn2hls.graph.graph import Graph, Node
    from nn2hls.tools.order import CoreOrder


@dataclass(frozen=True)
class Tensor:
    """An input or output of the design as ports of the core.

    Args:
        array: Its array in the core's C++: x0, x1 .. for inputs, y0, y1 .. for outputs. Its ports are array_0, array_1 ..
        type: The C++ type of an element.
        size: Elements.
        fixed: The element's fixed-point type.
    """

    array: str
    type: str
    size: int
    fixed: FixedType

    @property
    def ports(self) -> tuple[str, ...]:
        """One for each element, row-major."""
        return _ports(self.array, self.size)

    @property
    def c_type(self) -> str:
        """The narrowest C integer that holds a mantissa."""
        return c_integer(self.fixed.width, self.fixed.signed)

    @property
    def mantissa(self) -> str:
        """The C++ type of a mantissa."""
        return f"ap_{'int' if self.fixed.signed else 'uint'}<{self.fixed.width}>"


def core_tensors(values: Iterable[Value], letter: str) -> list[Tensor]:
    """Inputs (letter x) or outputs (letter y)."""
    return [Tensor(f"{letter}{k}", v.type, v.size, v.node.result_type) for k, v in enumerate(values)]


def _ports(array: str, size: int) -> tuple[str, ...]:
    return tuple(f"{array}_{i}" for i in range(size))


def bambu_arguments(options: Options) -> list[str]:
    """What Bambu is called with, in a folder beside ``firmware``.

    -O2 and the setup for performance unroll and pipeline; INFER takes the ports from the pragmas. Adders that are called often
    would get registers before their inputs. Sources are one translation unit; our ap_int.h and ap_fixed.h come before its own.
    """
    name = f"{options.name}_core"
    return [
        f"../firmware/{name}.cpp",
        f"--top-fname={name}",
        "-I../firmware/ap_types",
        "--compiler=I386_CLANG16",
        "--std=gnu++14",
        "-O2",
        "--generate-interface=INFER",
        "--experimental-setup=BAMBU-PERFORMANCE-MP",
        "--registered-inputs=no",
        f"--device-name={options.device}",
        f"--clock-period={options.clock_period:g}",
        "-v3",
    ]


def core_order(graph: Graph, options: Options, stimulus: Sequence[np.ndarray], answers: Mapping[str, np.ndarray]) -> CoreOrder:
    """The core of a graph as an order to Bambu, with mantissas (events, *shape) of each input and the answers by name.

    Its tensors have the names that the top function's ports have in the other projects.
    """
    from nn2hls.emit.options import is_dataflow, output_ports
    from nn2hls.targets.bambu import named_device
    from nn2hls.tools.order import CoreOrder
    from nn2hls.tools.rtl.core import Port

    graph = graph.needed()
    names = identifiers(graph, [options.name])
    inputs = [(names[n.name], n) for n in graph.inputs]
    outputs = [(port, graph[o]) for port, o in zip(output_ports(graph), graph.outputs, strict=True)]

    def tensors(nodes: Iterable[tuple[str, Node]], letter: str) -> tuple[tuple[str, tuple[Port, ...]], ...]:
        found = []
        for k, (label, node) in enumerate(nodes):
            t = node.result_type
            ports = _ports(f"{letter}{k}", math.prod(node.shape))
            found.append((label, tuple(Port(p, t.width, t.signed) for p in ports)))
        return tuple(found)

    def flat(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        return tuple(a.reshape(len(a), -1) for a in arrays)

    return CoreOrder(
        tensors(inputs, "x"),
        tensors(outputs, "y"),
        not is_dataflow(graph),
        named_device(options.device),
        tuple(bambu_arguments(options)),
        flat(stimulus),
        flat([answers[name] for name in graph.outputs]),
    )
