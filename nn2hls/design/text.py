"""A design as a table for people: its layers with their types, and where these come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn2hls.compare.converted import Converted
from nn2hls.text import table

Row = dict[str, Any]


def layer_rows(design: Converted) -> list[Row]:
    """A row per layer: name, op, shape, type, level and why."""
    rows = []
    for node in design.graph:
        reasons = design.types.get(node.name)
        rows.append(
            {
                "name": node.name,
                "op": type(node.op).__name__,
                "shape": list(node.shape),
                "type": str(node.type),
                "level": reasons[0].level if reasons else "sound",
                "why": reasons[0].why if reasons else "constant",
            }
        )
    return rows


def layer_table(rows: Sequence[Row]) -> str:
    """The same for people."""
    head = ["layer", "op", "shape", "type", "level", "why"]
    return table(head, [[r["name"], r["op"], "x".join(map(str, r["shape"])), r["type"], r["level"], r["why"]] for r in rows])
