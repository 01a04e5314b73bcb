"""Drop nodes that change nothing, and nodes that no output needs."""

from __future__ import annotations

import dataclasses

import numpy as np

from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant
from nn2hls.passes.base import Context


def drop_identities(graph: Graph, context: Context) -> Graph:
    """Remove nodes whose value equals their operand's; a node the user gave a type of its own stays, as a cast."""
    gone: dict[str, str] = {}
    for node in graph:
        shapes = [operand.shape for operand in graph.operands(node)]
        if node.op.identity(shapes) and not context.settings(node).own_type:
            gone[node.name] = gone.get(node.inputs[0], node.inputs[0])
    return show_in_operand(graph, gone).without(gone)


def show_in_operand(graph: Graph, gone: dict[str, str]) -> Graph:
    """Let operands of removed nodes stand for their layers in traces, where that place is free."""
    shows: dict[str, str] = {}
    for name, operand in gone.items():
        key = graph[name].origin.trace_key
        if key and not graph[operand].origin.trace_key:
            shows[operand] = key
    return graph.map(
        lambda n: dataclasses.replace(n, origin=dataclasses.replace(n.origin, shows=shows[n.name])) if n.name in shows else n
    )


def drop_unused(graph: Graph, context: Context) -> Graph:
    """Remove nodes that no output needs; inputs stay, they are ports."""
    return graph.needed()


def fold_constants(graph: Graph, context: Context) -> Graph:
    """Replace nodes all of whose operands are constants by a Constant."""
    done: dict[str, Node] = {}
    for node in graph:
        operands = [done[i] for i in node.inputs]
        if operands and all(isinstance(o.op, Constant) for o in operands):
            values = [o.op.value.array[None] for o in operands if isinstance(o.op, Constant)]
            with np.errstate(all="ignore"):  # a value that is no number is refused by its name
                value = node.op.evaluate_float(*values)[0]
            node = dataclasses.replace(node, op=Constant(Const(value)), inputs=())
        done[node.name] = node
    return Graph(tuple(done.values()), graph.outputs)
