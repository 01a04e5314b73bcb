"""Scans and searches that stand in files, as ``nn2hls scan --json`` and ``nn2hls search --json`` wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nn2hls.errors import ToolError
from nn2hls.text import one_line
from nn2hls.tools.record import read_json, record

MOST = 2000  # designs of one file that a page shows


@dataclass(frozen=True)
class Size:
    """What a design takes; None where it could not be made. The names are those of the estimate."""

    dsp: int | None = None
    lut: int | None = None
    ff: int | None = None
    bram: int | None = None
    latency_cycles: int | None = None
    ii: int | None = None
    latency_ns: float | None = None


@dataclass(frozen=True)
class Trial(Size):
    """A design of a scan, as :class:`nn2hls.scan.point.Point` has it."""

    network: str = ""
    precision: str = ""
    reuse: int | None = None
    sqnr: float | None = None
    agreement: float | None = None
    accuracy: float | None = None
    mse: float | None = None
    overflows: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Candidate(Size):
    """A design of a search, as :class:`nn2hls.search.result.Candidate` has it; ``params`` as words."""

    params: str = ""
    accuracy: float | None = None
    agreement: float | None = None
    score: float | None = None
    loss: float | None = None
    loss_bound: float | None = None
    cost: int | None = None


def read_scan(path: Path) -> dict[str, Any]:
    """The designs of a scan: ``file``, ``accuracy_float``, and ``points``.

    Raises:
        ToolError: The file is none; the message names what is wrong in it.
    """
    data = read_json(path)
    points = _listed(data, "points", path, "a scan", "nn2hls scan CONFIG ... -o scan.json")
    accuracy = data.get("accuracy_float")
    known = isinstance(accuracy, (int, float)) and not isinstance(accuracy, bool)
    made = [_design(Trial, point, path, f"points[{k}]") for k, point in enumerate(points)]
    return {"file": str(path), "accuracy_float": accuracy if known else None, "points": made}


def read_search(path: Path) -> dict[str, Any]:
    """The front of a search: ``file``, ``metric``, ``front``, and the number in it of the ``chosen`` design, if one was.

    Raises:
        ToolError: The file is none; the message names what is wrong in it.
    """
    data = read_json(path)
    front = _listed(data, "front", path, "a search", "nn2hls search CONFIG ... --json > search.json")
    made = [_candidate(one, path, f"front[{k}]") for k, one in enumerate(front)]
    chosen = None if data.get("chosen") is None else _candidate(data["chosen"], path, "chosen")
    if chosen is not None and chosen not in made:
        made.append(chosen)
    metric = data.get("metric")
    place = None if chosen is None else made.index(chosen)
    return {"file": str(path), "metric": metric if isinstance(metric, str) else "", "chosen": place, "front": made}


def _candidate(data: Any, path: Path, place: str) -> dict[str, Any]:
    params = data.get("params") if isinstance(data, dict) else None
    words = ", ".join(f"{one_line(k)} {one_line(v)}" for k, v in params.items()) if isinstance(params, Mapping) else ""
    return _design(Candidate, {**data, "params": words} if isinstance(data, dict) else data, path, place)


def _design(kind: type[Size], data: Any, path: Path, place: str) -> dict[str, Any]:
    """What the page shows of a design, every field checked."""
    known = {f.name for f in fields(kind)}
    shown = {k: v for k, v in data.items() if k in known} if isinstance(data, dict) else data
    return asdict(record(kind, shown, str(path), place))


def _listed(data: Any, key: str, path: Path, what: str, how: str) -> list[Any]:
    found = data.get(key) if isinstance(data, dict) else None
    if not isinstance(found, list) or not found:
        raise ToolError(f"This is not {what}: it has no list '{key}'.", where=str(path), fix=f"Write it with: {how}")
    if len(found) > MOST:
        raise ToolError(f"It has {len(found):,} designs; a page shows at most {MOST:,}.", where=str(path))
    return found
