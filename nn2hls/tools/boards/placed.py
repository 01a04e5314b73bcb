"""What nextpnr says of a placed and routed design, from the JSON of its ``--report``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn2hls.errors import ToolError
from nn2hls.guard import Guard
from nn2hls.targets.board import Flow
from nn2hls.tools.report import Resources

_GUARD = Guard(ToolError, "The report of nextpnr", "Run the step nextpnr again.")


@dataclass(frozen=True)
class Slowest:
    """The slowest way from a register to the next.

    Args:
        layers: It runs through, in order; empty: outside the core.
        logic, routing: Nanoseconds in cells and between them.
    """

    layers: tuple[str, ...]
    logic: float
    routing: float

    @property
    def text(self) -> str:
        """For people."""
        ns = f"{self.logic + self.routing:.2f} ns, {self.routing:.2f} of them on the way between cells"
        if not self.layers:
            return f"the slowest path is in the harness: {ns}"
        return f"the slowest path is in {' and '.join(self.layers)}: {ns}"


@dataclass(frozen=True)
class Routed:
    """A placed and routed design.

    Args:
        mhz: The fastest clock that it keeps.
        resources: What it takes, the harness among it.
        use: Share of each kind of cell that is taken, by nextpnr's names: (taken, there are).
        slowest: What limits the clock; None when nextpnr does not say.
    """

    mhz: float
    resources: Resources
    use: Mapping[str, tuple[int, int]]
    slowest: Slowest | None

    @property
    def ns(self) -> float:
        """The shortest clock period."""
        return 1e3 / self.mhz


def read_placed(path: Path, flow: Flow, project: str, layers: Mapping[str, str]) -> Routed:
    """The report of a placed design.

    Args:
        path: The file.
        flow: How it was placed.
        project: The name of the core.
        layers: The user's name of a layer by its name in the Verilog.

    Raises:
        ToolError: The file is not such a report.
    """
    data = _GUARD.load(path)
    try:
        mhz = min(float(c["achieved"]) for c in data["fmax"].values())
        use = {str(k): (int(v["used"]), int(v["available"])) for k, v in data["utilization"].items() if v["used"]}
        paths = [p for p in data.get("critical_paths", ()) if _is_clocked(p)]
        slowest = max((_path(p["path"], project, layers) for p in paths), key=lambda p: p.logic + p.routing, default=None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolError(f"This is no report of nextpnr ({error!r}).", where=str(path)) from error
    if not mhz > 0:
        raise ToolError("Nextpnr has found no clock.", where=str(path))
    amounts = {name: sum(use.get(c, (0, 0))[0] for c in cells) for name, cells in flow.use.items()}
    return Routed(mhz, Resources(**amounts), use, slowest)


_USED = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%$", re.M)


def packed_use(log: str) -> dict[str, tuple[int, int]]:
    """What a design takes of each kind of cell before it is placed, by nextpnr's names, from its log: (taken, there are)."""
    return {cell: (int(used), int(most)) for cell, used, most in _USED.findall(log)}


def _is_clocked(path: Mapping[str, Any]) -> bool:
    return all("edge" in str(path[end]) for end in ("from", "to"))


def _path(steps: Sequence[Mapping[str, Any]], project: str, layers: Mapping[str, str]) -> Slowest:
    routing = sum(float(s["delay"]) for s in steps if s["type"] == "routing")
    logic = sum(float(s["delay"]) for s in steps if s["type"] != "routing")
    pattern = re.compile(rf"{re.escape(project)}__(\w+?)__\d|core\.(\w+?)_out(?!\w*{re.escape(project)})")
    found: dict[str, None] = {}
    for step in steps:
        match = pattern.search(str(step["to"]["cell"]))
        name = next(filter(None, match.groups()), "") if match else ""
        if name in layers:
            found[layers[name]] = None
    return Slowest(tuple(found), logic, routing)
