"""Scan precision and reuse against accuracy and size: one type and one reuse factor for the whole network at a time."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.compare.judge import Own
from nn2hls.config.write import to_dict
from nn2hls.errors import ConfigError, Nn2hlsError
from nn2hls.scan.point import Point, Scan
from nn2hls.scan.record import Record
from nn2hls.trials.network import Network, size
from nn2hls.trials.ranges import MAX_POINTS, parse_precisions, parse_reuses
from nn2hls.trials.workers import Workers

__all__ = ["Point", "Scan", "parse_precisions", "parse_reuses", "scan"]

Networks = Mapping[str, Network]


@dataclass(frozen=True)
class Column:
    """All reuse factors of one network at one type; the answers do not depend on the reuse factor."""

    network: str
    kind: FixedType | None
    reuses: tuple[int | None, ...]
    keep: tuple[str, ...]

    def points(self) -> list[Point]:
        """The points, nothing known yet but what they are."""
        return [Point(self.network, str(self.kind or ""), reuse) for reuse in self.reuses]


def scan(
    model: Any,
    config: Any = None,
    *,
    x: np.ndarray | Sequence[np.ndarray],
    y: np.ndarray | None = None,
    precisions: str | Iterable[str | FixedType] = (),
    reuses: str | Iterable[int] = (),
    keep: Sequence[str] = (),
    jobs: int | None = None,
    cluster: str | None = None,
    record: str | os.PathLike[str] | None = None,
    metric: str | Own | None = None,
    threshold: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scan:
    """Convert, run and size networks at each type and reuse factor; what layers have of their own in the config gives way.

    Args:
        model: As for :func:`nn2hls.convert`, or several of them by name.
        config: As for :func:`nn2hls.convert`, for all networks; with several, a Config by name is possible, too.
        x: One array (events, *shape) per input, the same for all networks.
        y: Labels of the first output: class numbers, one-hot, or values.
        precisions: See :func:`parse_precisions`; none: as the config says.
        reuses: See :func:`parse_reuses`; none: as the config says.
        keep: Layers that stay as the config says.
        jobs: Local processes; None: one per core where that saves time.
        cluster: The address of a Dask scheduler, to run there instead.
        record: A file of JSON lines; points it holds with equal provenance are not run again, others are appended. With a
            metric of one's own all are run: what a function does cannot be told from its name.
        metric, threshold: As for :meth:`nn2hls.design.design.Design.compare`, of the first output.
        progress: Called with the number of designs done and of all.

    Raises:
        ConfigError: The ranges are malformed, a layer is not there, or nothing at all could be converted.
        ToolError: A package for several cores or a cluster is missing, or the cluster does not answer.
    """
    start = time.perf_counter()
    types: list[FixedType | None] = list(parse_precisions(precisions)) or [None]
    factors: list[int | None] = list(parse_reuses(reuses)) or [None]
    workers = Workers(jobs, cluster)
    models = model if isinstance(model, Mapping) else {"": model}
    total = len(models) * len(types) * len(factors)
    if total > MAX_POINTS:
        raise ConfigError(f"These are {total} designs; a scan takes at most {MAX_POINTS}.")
    configs = config if isinstance(config, Mapping) and config.keys() == models.keys() else dict.fromkeys(models, config)
    networks = {name: Network.prepare(m, configs[name], x, y, metric, threshold) for name, m in models.items()}
    columns = [Column(name, kind, tuple(factors), tuple(keep)) for name in networks for kind in types]
    points: list[Point] = []
    with Record(Path(record) if record is not None else None) as kept:
        runner = _Runner(networks, kept)
        for found in runner.run(columns, workers):
            points += found
            progress(len(points), total)
    if all(p.error for p in points):
        raise ConfigError(f"None of the {len(points)} designs can be made. The first: {points[0].error}")
    accuracies = {k: n.accuracy_float for k, n in networks.items() if n.accuracy_float is not None}
    events = next(iter(networks.values())).events
    judges = {name: (n.judge, n.score_float) for name, n in networks.items()}
    recalled = {name: n.recalls_float for name, n in networks.items() if n.recalls_float}
    return Scan(tuple(points), events, time.perf_counter() - start, accuracies, runner.resumed, judges, recalled)


class _Runner:
    """Runs columns, but for the points that the record has."""

    def __init__(self, networks: Networks, record: Record) -> None:
        self.networks, self.record, self.resumed = networks, record, 0

    def run(self, columns: Sequence[Column], workers: Workers) -> Iterator[list[Point]]:
        """The points of each column, in order."""
        known = [[self._known(column, p) for p in column.points()] for column in columns]
        self.resumed = sum(p is not None for points in known for p in points)
        todo = [
            dataclasses.replace(c, reuses=tuple(r for r, p in zip(c.reuses, points, strict=True) if p is None))
            for c, points in zip(columns, known, strict=True)
        ]
        found = workers.map(run_column, self.networks, [c for c in todo if c.reuses])
        for column, points in zip(todo, known, strict=True):
            fresh = iter(next(found) if column.reuses else ())
            whole = []
            for point in points:
                if point is None:
                    point = next(fresh)
                    self._keep(column, point)
                whole.append(point)
            yield whole

    def _config(self, column: Column, point: Point) -> Any:
        return self.networks[column.network].uniform(column.kind, point.reuse, column.keep)

    def _known(self, column: Column, point: Point) -> Point | None:
        if not self.record.known:
            self._config(column, point)  # a misspelt layer ends the scan before it starts
            return None
        return self.record.find(self.networks[column.network].provenance(self._config(column, point)), point)

    def _keep(self, column: Column, point: Point) -> None:
        if self.record.path is not None:
            config = self._config(column, point)
            document = to_dict(config, self.record.path.absolute().parent)
            self.record.add(self.networks[column.network].provenance(config), document, point)


def run_column(networks: Networks, column: Column) -> list[Point]:
    """Run the points of a column; what cannot be converted says why."""
    network = networks[column.network]
    answers: dict[str, Any] | None = None
    points = []
    for point in column.points():
        try:
            design = network.design(network.uniform(column.kind, point.reuse, column.keep))
            answers = answers or network.answers(design)
            points.append(dataclasses.replace(point, **answers, **size(design)))
        except Nn2hlsError as error:
            points.append(dataclasses.replace(point, error=str(error)))
    return points
