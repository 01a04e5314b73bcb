"""Who is asked beside the emulator: the compiled C++, our own Verilog, and the RTL that Bambu made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np

from nn2hls.config.config import Config
from nn2hls.design.bench import Difference, differences, events_of
from nn2hls.design.verdict import Verdict
from nn2hls.graph.graph import Graph
from nn2hls.tools.folder import Project
from nn2hls.tools.order import CoreOrder, RtlOrder
from nn2hls.tools.report import BuildReport

Answers: TypeAlias = Callable[[Sequence[np.ndarray]], Mapping[str, np.ndarray]]  # mantissas of inputs -> of outputs, by name


def verify_csim(emulated: Mapping[str, np.ndarray], compiled: Mapping[str, np.ndarray]) -> Verdict:
    """The compiled C++: mantissas (events, *shape) of each output, by name."""
    wrong = {name: int(np.count_nonzero(emulated[name] != found)) for name, found in compiled.items()}
    return Verdict("csim", len(next(iter(compiled.values()))), sum(found.size for found in compiled.values()), wrong)


def distances(graph: Graph, mantissas: Mapping[str, np.ndarray], predictions: Sequence[np.ndarray]) -> Mapping[str, Difference]:
    """How far answers, mantissas (events, *shape) by output, are from what the model predicted; nothing without predictions."""
    floats = [mantissas[o].astype(np.float64) * graph[o].result_type.step for o in graph.outputs]
    return differences(graph.outputs, floats, predictions)


def notes_of_distances(config: Config, graph: Graph, report: BuildReport, answers: Answers) -> list[str]:
    """How far the RTL's answers are from OutputPredictions, where it was found to answer as the emulator does."""
    events = events_of(config, graph, 1)
    if not events.predictions or not report.checks or any(c.differ for c in report.checks):
        return []
    away = distances(graph, answers(events.inputs), events.predictions)
    return [f"{name}: largest difference from OutputPredictions {d.text()}" for name, d in away.items()]


def verify_rtl(graph: Graph, project: Project, order: RtlOrder) -> Verdict:
    """Our Verilog, written and simulated in a folder of its own.

    Raises:
        ToolError: Verilator is missing.
    """
    from nn2hls.tools.rtl.run import simulate_rtl
    from nn2hls.tools.steps import SECONDS

    with TemporaryDirectory() as folder:
        place = Path(folder) / "project"
        project.write(place)
        measured = simulate_rtl(place, project.name, order.events, SECONDS).check
    values = sum(int(np.prod(graph[o].shape)) for o in graph.outputs) * measured.events
    return Verdict("rtl", measured.events, values, {"events": measured.differ}, (), measured.latency, measured.interval)


def verify_core(folder: Path, project: Project, order: CoreOrder) -> Verdict:
    """The RTL that Bambu made of a project in its folder.

    Raises:
        ToolError: A tool is missing, or the folder holds no RTL of this design.
    """
    from nn2hls.tools.bambu import verify_core as run

    done = run(folder, project, order)
    check, values = done.check, sum(a.size for a in order.answers)
    return Verdict("bambu", check.events, values, done.mismatches, (), check.latency, check.interval)
