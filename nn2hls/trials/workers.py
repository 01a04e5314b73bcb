"""Where the points of a scan or a search run: here, on all local cores (joblib with loky), or on a Dask cluster.

A worker gets everything that was computed in floating point; it adds integers only, so results do not depend on where they ran.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from nn2hls._version import __version__
from nn2hls.errors import ConfigError, ToolError
from nn2hls.extras import missing

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Found = TypeVar("Found")

_ALONE = 1.5  # seconds that a run may take before starting workers is worth it
_BATCH = 1.0  # seconds of work that a worker gets at a time


@dataclass
class Workers:
    """Where to run.

    Args:
        jobs: Local processes; None: one per core, once the work is worth it and joblib is there.
        cluster: The address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises:
        ConfigError: ``jobs`` is not positive.
        ToolError: What is asked for needs a package that is not here.
    """

    jobs: int | None = None
    cluster: str | None = None
    _each: float = field(default=0.0, repr=False)  # seconds of an item, once workers are started

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"{self.jobs} processes cannot run anything.", where="--jobs", fix="Give 1 or more.")
        if self.cluster is not None:
            _distributed()
        if (self.jobs or 1) > 1 or self.cluster is not None:
            _joblib()

    def map(self, function: Callable[[Shared, Item], Found], shared: Shared, items: Sequence[Item]) -> Iterator[Found]:
        """``function(shared, item)`` of every item, in order."""
        done, seconds = 0, 0.0
        count = self._processes()
        if self.cluster is None and not (self._each and len(items) > count > 1):
            start = time.perf_counter()
            while done < len(items) and (count == 1 or self._alone(done, len(items), seconds)):
                yield function(shared, items[done])
                done, seconds = done + 1, time.perf_counter() - start
        if done < len(items):
            self._each = seconds / done if done else self._each or _BATCH / 8
            yield from self._parallel(function, shared, items[done:], count, self._each)

    def _alone(self, done: int, total: int, seconds: float) -> bool:
        """Whether to go on without workers: nothing is known yet, or what is left is over soon."""
        return not done or (seconds < _ALONE and seconds / done * (total - done) < 2 * _ALONE)

    def _processes(self) -> int:
        if self.jobs is not None:
            return self.jobs
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cores if find_spec("joblib") else 1

    def _parallel(
        self, function: Callable[[Shared, Item], Found], shared: Shared, items: Sequence[Item], count: int, each: float
    ) -> Iterator[Found]:
        joblib = _joblib()
        with ExitStack() as stack:
            if self.cluster is None:
                stack.enter_context(joblib.parallel_config(backend="loky", n_jobs=count))
            else:
                count = stack.enter_context(_Connected(self.cluster)).workers
                stack.enter_context(joblib.parallel_config(backend="dask", n_jobs=count, scatter=[shared]))
            step = max(1, min(-(-len(items) // count), round(_BATCH / max(each, 1e-3))))
            batches = [items[i : i + step] for i in range(0, len(items), step)]
            run = joblib.Parallel(return_as="generator", batch_size=1)
            for found in run(joblib.delayed(_batch)(function, shared, batch) for batch in batches):
                yield from found


def _batch(function: Callable[[Any, Any], Any], shared: Any, items: Sequence[Any]) -> list[Any]:
    return [function(shared, item) for item in items]


class _Connected:
    """A client of a Dask scheduler whose workers have this version of nn2hls."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __enter__(self) -> _Connected:
        try:
            self.client = _distributed().Client(self.address, timeout="10s", set_as_default=True)
        except (OSError, ValueError) as error:
            fix = "Start one with `dask scheduler` and `dask worker ADDRESS`, and give the address it prints."
            raise ToolError("No Dask scheduler answers.", where=self.address, fix=fix) from error
        versions = self.client.run(_version)
        self.workers = sum(self.client.nthreads().values())
        if not versions or set(versions.values()) != {__version__}:
            self.client.close()
            found = ", ".join(sorted(set(map(str, versions.values())))) or "no workers"
            fix = f"Start workers in an environment with nn2hls {__version__}."
            raise ToolError(f"The cluster has {found}, and this is {__version__}.", where=self.address, fix=fix)
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()


def _joblib() -> Any:
    return require("joblib", "runs on several cores", "scan")


def _distributed() -> Any:
    return require("distributed", "runs on a cluster", "cluster")


def _version() -> str:
    return __version__


def require(package: str, does: str, extra: str) -> Any:
    """Import a package that is no dependency of the core.

    Raises:
        ToolError: It is not installed; names the extra of nn2hls that brings it.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.split(".")[0]:
            raise
        raise ToolError(f"{package}, which {does}, is not here.", fix=missing(extra)) from error
