"""The estimate in the form of build reports, to stand beside what the tools say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

from nn2hls.estimate.memories import Memories
from nn2hls.estimate.result import RESOURCES, Estimate, LayerEstimate
from nn2hls.estimate.result import Figures as Amounts
from nn2hls.tools.report import BuildReport, Course, Figures, Resources

TOOL = "nn2hls"
ESTIMATE, SYNTHESIS = (
    "estimate",
    "estimate_synthesis",
)  # sources: what an HLS report will count, and what logic synthesis leaves


def estimate_figures(found: Estimate) -> tuple[tuple[Figures, ...], Mapping[str, tuple[Figures, ...]]]:
    """The whole design, and each layer that takes something by its name, each as an HLS report and as synthesis will say."""
    said = Resources() if found.tool == "bambu" else None  # of resources, Bambu itself says nothing that is estimated
    total = _pair(said or _resources(found.report), found.synthesised, found.latency_cycles, found.ii, found.placed_ns)
    layers = {
        x.name: _pair(said or _resources(x.report), x.synthesised, x.latency_cycles, x.ii) for x in found.layers if _counts(x)
    }
    return total, layers


def courses(found: Estimate) -> Mapping[str, Course]:
    """The pace and the memories of the layers that have any."""
    own = {}
    for layer in found.layers:
        kept = found.memories.get(layer.name, Memories())
        own[layer.name] = Course(*found.tokens.get(layer.name, (None, None)), **asdict(kept))
    return {name: course for name, course in own.items() if course != Course()}


def _counts(layer: LayerEstimate) -> bool:
    return bool(layer.latency_cycles or layer.products or any(layer.report.to_dict().values()))


def _pair(
    report: Resources, synthesised: Amounts, latency: int, interval: int, placed: float | None = None
) -> tuple[Figures, ...]:
    clock = None if placed is None else round(placed, 3)
    after = Figures(SYNTHESIS, TOOL, _resources(synthesised), clock_ns=clock)
    return Figures(ESTIMATE, TOOL, report, latency, interval), after


def _resources(amounts: Amounts) -> Resources:
    return Resources(**{name: getattr(amounts, name) for name in RESOURCES})


def with_estimate(report: BuildReport, found: Estimate) -> BuildReport:
    """A report with the estimate before what its tool says, in total and per layer, and the pace and memories of layers."""
    total, layers = estimate_figures(found)
    names = [*layers, *(name for name in report.layers if name not in layers)]
    both = {name: (*layers.get(name, ()), *report.layers.get(name, ())) for name in names}
    notes = (*report.notes, *(pace.text() for pace in found.paces))
    return replace(report, total=(*total, *report.total), layers=both, notes=notes, courses=courses(found))
