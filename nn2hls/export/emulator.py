"""The emulator of a design as a C++ library without dependencies: what experiments put into their software."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nn2hls._version import __version__
from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.design.bench import mantissas_of, with_corners
from nn2hls.design.design import Design
from nn2hls.emit.names import identifiers
from nn2hls.emit.plain import WORD, Plain, plain
from nn2hls.errors import LimitError
from nn2hls.export.ports import Port, json_text, ports_of
from nn2hls.graph.graph import Graph
from nn2hls.tools.folder import MANIFEST, Manifest, Project, render

EVENTS = 200  # in golden/ of our own, and as many of the user's
_SEED = 2026
_FILES = {
    "{name}_emulator.cpp": "source.cpp",
    "{name}_emulator.h": "header.h",
    "{name}_emulator.py": "binding.py",
    "test.cpp": "test.cpp",
    "CMakeLists.txt": "CMakeLists.txt",
    "README.md": "README.md",
}


def emulator_project(design: Design) -> Project:
    """The library: C++17, a C interface, CMake, a Python binding, golden events and the program that compares them.

    Raises:
        LimitError: A port has more than 64 bits, or a number inside more than 128.
    """
    config = design.config
    files = library(design.graph.with_built_in().needed(), design.emulator.ranges, config.project_name) | _golden(design)
    manifest = Manifest(config.project_name, config.backend, config.part, config.clock_period, {})
    return Project(config.project_name, files, {MANIFEST: manifest.text()})


def library(graph: Graph, ranges: Mapping[str, Range], name: str) -> dict[str, str]:
    """The same files without the events.

    Args:
        graph: A fixed graph, all of whose nodes are needed.
        ranges: Bounds of its values.
        name: An identifier.
    """
    ports = ports_of(graph, name)
    for port in ports:
        if port.kind.width + (not port.kind.signed) > WORD:
            what = f"Its type {port.kind} does not fit the 64 bits of a mantissa in C."
            raise LimitError(what, where=port.node, fix="Give it a narrower type.")
    text = plain(graph, ranges, identifiers(graph, [name]))
    context = {
        "name": name,
        "version": __version__,
        "text": text,
        "inputs": [_context(p, text) for p in ports if p.is_input],
        "outputs": [_context(p, text) for p in ports if not p.is_input],
    }
    files = {path.format(name=name): render(f"emulator/{template}", **context) for path, template in _FILES.items()}
    return {**files, "ports.json": json_text([p.document() for p in ports])}


def _context(port: Port, text: Plain) -> dict[str, Any]:
    """What the templates ask of a port."""
    kind, places = port.kind, text.places[port.node]
    inside = bool((np.diff(places) != 1).any())
    return {
        "name": port.name,
        "shape": f"({', '.join(map(str, port.shape))}{',' * (len(port.shape) == 1)})",
        "elements": port.elements,
        "type": str(kind),
        "width": kind.width,
        "integer": kind.integer,
        "fraction": kind.fraction,
        "signed": int(kind.signed),
        "rounding": kind.rounding.name,
        "overflow": kind.overflow.name,
        "first": int(places[0]),
        "order": ", ".join(map(str, places.tolist())) if inside else "",
    }


def _golden(design: Design) -> dict[str, str]:
    """Events with their answers: mantissas, and floats that lie between the types' steps and outside their range."""
    drawn = with_corners(design.config, design.graph, EVENTS)  # behind the user's own
    mantissas = [m if len(m) <= 2 * EVENTS else np.concatenate([m[:EVENTS], m[-EVENTS:]]) for m in drawn]
    rng = np.random.default_rng(_SEED)
    floats = [_floats(n.result_type, (EVENTS, *n.shape), rng) for n in design.graph.inputs]
    found = {"mantissas": (mantissas, mantissas), "floats": (floats, mantissas_of(design.graph, floats))}
    files = {}
    for kind, (written, run) in found.items():
        answers = design.answers(run)
        files[f"golden/{kind}.txt"] = _lines(written)
        files[f"golden/{kind}_answers.txt"] = _lines([answers[o] for o in design.graph.outputs])
    return files


def _floats(kind: FixedType, shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Quarters of a step, so that ties of either kind occur, in the range and a little beyond it."""
    most = max(kind.max_mantissa, -kind.min_mantissa)
    quarters = np.rint(rng.uniform(-5, 5, shape) * min(most, 1 << 48))
    near = rng.integers(-40, 41, shape)  # around zero
    return np.where(rng.random(shape) < 0.3, near, quarters) * (kind.step / 4)


def _lines(arrays: Sequence[np.ndarray]) -> str:
    """A line an event: all elements of the first array, then of the next ones."""
    rows = np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1).tolist()
    return "".join(" ".join(v.hex() if isinstance(v, float) else str(v) for v in row) + "\n" for row in rows)
