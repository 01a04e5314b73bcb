"""Layers that only rearrange are no arrays and no modules: what reads them reads what they read.

So the patches of a convolution, many times its input, exist as indices alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant, Input
from nn2hls.hardware.loop import Hardware, Loop


@dataclass(frozen=True, eq=False)
class Wires:
    """A layer whose elements are those of another one, or zero.

    Args:
        source: The node that they are elements of; never one of wires itself.
        index: (elements,) the number of each in the source; -1 for zero.
    """

    source: str
    index: np.ndarray


def wires(graph: Graph, reuse: Callable[[Node], int] = lambda node: node.op.reuse) -> dict[str, Wires]:
    """The layers to read through: they move elements of one operand, without a cast, for layers without reuse alone.

    Layers that share multipliers count on operands of their own, which lie one position after the other; so do outputs, and
    recurrent layers in turns, also those of a single step.

    Args:
        graph: A fixed graph.
        reuse: Of a layer.
    """
    chosen: set[str] = set()
    for node in reversed(graph.nodes):
        users = graph.users[node.name]
        through = (u.name in chosen or (not u.op.repeats and reuse(u) == 1) for u in users)
        if users and _moves(graph, node) and all(through):
            chosen.add(node.name)
    found: dict[str, Wires] = {}
    for node in (n for n in graph if n.name in chosen):
        (operand,) = graph.operands(node)
        index = node.op.origins([operand.shape])
        assert index is not None
        before = found.get(operand.name)
        if before is None:
            found[node.name] = Wires(operand.name, index.reshape(-1))
        else:
            found[node.name] = Wires(before.source, np.append(before.index, -1)[index.reshape(-1)])
    return found


def _moves(graph: Graph, node: Node) -> bool:
    if isinstance(node.op, Input | Constant) or not node.op.moves or len(node.inputs) != 1 or node.name in graph.outputs:
        return False
    (operand,) = graph.operands(node)
    return node.type == operand.type and node.op.origins([operand.shape]) is not None


def rewired(
    graph: Graph, found: dict[str, Wires], hardware: Callable[[str], Hardware], name: str
) -> tuple[tuple[str, ...], Hardware]:
    """(operands, hardware) of a layer that reads through wires.

    Args:
        graph: Of the design.
        found: Its :func:`wires`.
        hardware: That of a layer that reads its own operands.
        name: Of the layer.
    """
    node, built = graph[name], hardware(name)
    if not any(i in found for i in node.inputs):
        return node.inputs, built
    sources = tuple(dict.fromkeys(found[i].source if i in found else i for i in node.inputs))
    sizes = [math.prod(graph[s].shape) for s in sources]
    starts = dict(zip(sources, np.cumsum([0, *sizes]).tolist(), strict=False))
    total = sum(sizes)
    parts = []
    for i in node.inputs:
        index = found[i].index if i in found else np.arange(math.prod(graph[i].shape))
        parts.append(np.where(index < 0, -1, index + starts[found[i].source if i in found else i]))
    rest = np.arange(total, total + built.elements - built.first_result)
    places = np.concatenate([*parts, rest, [-1]])  # the last one is that of -1
    loops = tuple(_rewired(loop, places) for loop in built.loops)
    return sources, replace(built, loops=loops, operands=tuple(sizes))


def _rewired(loop: Loop, places: np.ndarray) -> Loop:
    sums = {int(places[element]): ends for element, ends in loop.sums.items()}
    return replace(loop, reads=places[loop.reads], writes=places[loop.writes], sums=sums)
