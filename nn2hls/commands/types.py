"""The settings of a layer and where they come from, for ``config --explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn2hls.config.config import Config
    from nn2hls.graph.graph import Node

Row = dict[str, Any]


def setting_rows(config: Config, node: Node) -> list[Row]:
    """A row per setting of a layer that the config or an option makes: what holds, where it stands, and what it overrides."""
    rows = []
    for name, candidates in config.candidates_of(node).items():
        first, *rest = candidates
        over = ", ".join(f"{_said(s.value)} at {s.where}" for s in rest)
        where = f"{first.where}, over {over}" if over else first.where
        rows.append({"layer": node.name, "setting": name, "value": _said(first.value), "where": where})
    return rows


def _said(value: Any) -> str:
    return "auto" if value is None else str(value)
