"""A design as a table for people: its layers with their types, and where these come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn2hls.compare.converted import Converted
from nn2hls.graph.graph import Node
from nn2hls.text import table

Row = dict[str, Any]


def layer_rows(design: Converted) -> list[Row]:
    """A row per layer: name, the user's layer, op, what it reads, shape, type, level and why."""
    rows = []
    for node in design.graph:
        reasons = design.types.get(node.name)
        rows.append(
            {
                "name": node.name,
                "layer": node.origin.layer,
                "op": type(node.op).__name__,
                "inputs": list(node.inputs),
                "shape": list(node.shape),
                "type": str(node.type),
                "level": reasons[0].level if reasons else "sound",
                "why": reasons[0].why if reasons else "constant",
            }
        )
    return rows


def type_rows(design: Converted, node: Node) -> list[Row]:
    """A row per type of a layer: the result's, and those inside it, as they are in the design."""
    rows = []
    for reason in design.types.get(node.name, ()):
        now = node.type if reason.word == "result" else node.op.types().get(reason.word, reason.type)
        why = reason.why if now == reason.type else "exact, after what is constant or unread was moved or cleared"
        rows.append({"layer": node.name, "word": reason.word, "type": str(now), "level": reason.level, "why": why})
    return rows


def layer_table(rows: Sequence[Row]) -> str:
    """The same for people."""
    head = ["layer", "op", "shape", "type", "level", "why"]
    return table(head, [[r["name"], r["op"], "x".join(map(str, r["shape"])), r["type"], r["level"], r["why"]] for r in rows])
