"""The invariants of a graph."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nn2hls.errors import GraphError

if TYPE_CHECKING:
    pass
from nn2hls.graph.const import Const, Marks, Places
from nn2hls.graph.graph import Graph, Node, Spread


def verify(graph: Graph, *, typed: bool = False) -> None:
    """Check the invariants of a graph; ``typed`` also asks that every type is resolved.

    Raises:
        GraphError: Names the node and what is broken.
    """
    seen: dict[str, Node] = {}
    for node in graph.nodes:
        if node.name in seen:
            raise GraphError("Two nodes have this name.", where=node.name)
        for name in node.inputs:
            if name not in seen:
                raise GraphError(f"It reads '{name}', which is not computed before it.", where=node.name)
        shape = node.op.infer([seen[i].shape for i in node.inputs], where=node.name)
        if shape != node.shape:
            raise GraphError(f"Its shape is {node.shape}, its op infers {shape}.", where=node.name)
        _verify_stage(node, typed)
        before = seen.get(node.op.carries)
        if node.op.carries and (before is None or before.inputs or before.shape != node.shape):
            what = f"There is no input '{node.op.carries}' of the shape {node.shape}, which it is in the next event."
            raise GraphError(what, where=node.name)
        if node.spread is not None:
            _verify_spread(node, node.spread)
        seen[node.name] = node
    for name in graph.outputs:
        if name not in seen:
            raise GraphError(f"The output '{name}' is not a node.")


def _verify_spread(node: Node, spread: Spread) -> None:
    whole = spread.constant.shape
    if spread.source.shape != whole[-1:] or len(whole) != len(node.shape) or whole[:-1] != node.shape[:-1]:
        raise GraphError(f"Its shape {node.shape} does not spread to {whole}.", where=node.name)
    if spread.source.max() >= node.shape[-1]:
        raise GraphError(f"Its layer reads channel {spread.source.max()} of {node.shape[-1]}.", where=node.name)


def _verify_stage(node: Node, typed: bool) -> None:
    if (node.type is not None) != typed:
        raise GraphError("Its type is " + ("missing." if typed else "set too early."), where=node.name)
    for f in dataclasses.fields(node.op):
        value = getattr(node.op, f.name)
        if str(f.type).startswith("FixedType") and (value is not None) != typed:
            raise GraphError(f"{f.name} is " + ("missing." if typed else "set too early."), where=node.name)
        if isinstance(value, Const) and not isinstance(value, Places | Marks) and (value.array.dtype.kind == "f") == typed:
            raise GraphError(f"{f.name} holds {value.array.dtype} at this stage.", where=node.name)
