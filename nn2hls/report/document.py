"""Everything that is known of a design as one document of plain data, of which the page shows every part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn2hls._version import __version__
from nn2hls.report.project import ProjectReport
from nn2hls.text import finite

if TYPE_CHECKING:
    from nn2hls.compare.comparison import Comparison
    from nn2hls.design.design import Design


@dataclass
class Gathered:
    """What a page is made of; what is None or empty is not there, and ``missing`` says why.

    Args:
        design: The network as it is converted today.
        comparison: Of it with the float network.
        project: What tools made of it.
        scans, searches: As :mod:`nn2hls.report.given` reads them.
        class_names: What the numbers of classes stand for.
        commands: What to type, by what it does.
        missing: What could not be shown, with the way to have it.
        notes: What else there is to say.
    """

    design: Design | None = None
    comparison: Comparison | None = None
    project: ProjectReport | None = None
    scans: list[dict[str, Any]] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)
    class_names: Sequence[str] = ()
    commands: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """False when a tool's report is not ok."""
        return self.project is None or self.project.ok


def document(found: Gathered) -> dict[str, Any]:
    """Plain data for JSON: ``project``, ``layers``, ``types``, ``estimate``, ``comparison``, ``tools``, ``scans``,
    ``searches``, ``class_names``, ``commands``, ``missing``, ``notes``; None or empty where there is nothing.
    """
    design, tools = found.design, found.project
    data = {
        "version": __version__,
        "project": _project(design, tools),
        "layers": _layers(design) if design else [],
        "types": _types(design) if design else [],
        "estimate": design.estimate().to_dict() if design else None,
        "comparison": found.comparison.to_dict() if found.comparison else None,
        "tools": tools.to_dict() if tools else None,
        "scans": found.scans,
        "searches": found.searches,
        "class_names": list(found.class_names),
        "commands": [{"what": what, "command": command} for what, command in found.commands.items()],
        "missing": found.missing,
        "notes": list(dict.fromkeys([*(design.notes if design else ()), *found.notes])),
    }
    plain: dict[str, Any] = finite(data)
    return plain


def _project(design: Design | None, tools: ProjectReport | None) -> dict[str, Any]:
    """What it is and what it was made from, by the config, else by the folder."""
    if design is None:
        known = {"name": tools.name, "part": tools.part, "clock_ns": tools.clock_ns or None} if tools else {}
        empty = dict.fromkeys(("name", "part", "clock_ns", "backend", "io_type"))
        return {**empty, **known, "digest": tools.digest if tools else None, "origins": {}}
    from nn2hls.design.about import origins_of

    config = design.config
    return {
        "name": config.project_name,
        "part": config.part,
        "clock_ns": config.clock_period,
        "backend": config.backend,
        "io_type": config.io_type,
        "digest": design.project.digest,
        "origins": origins_of(config, Path.cwd()),
    }


def _layers(design: Design) -> list[Mapping[str, Any]]:
    from nn2hls.design.text import layer_rows

    outputs = set(design.graph.outputs)
    return [{**row, "output": row["name"] in outputs} for row in layer_rows(design)]


def _types(design: Design) -> list[Mapping[str, Any]]:
    from nn2hls.design.text import type_rows

    return [row for node in design.graph for row in type_rows(design, node)]
