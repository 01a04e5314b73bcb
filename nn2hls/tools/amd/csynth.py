"""The synthesis report of Vivado HLS (from 2018) and Vitis HLS: ``csynth.xml``, and one file per module beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from nn2hls.tools.amd.text import decimal, name, read_xml, report_error, whole
from nn2hls.tools.report import Figures, Resources

# Up to 2020.1 a DSP is a DSP48E; URAM is missing in 2018.
_TAGS = {"dsp": ("DSP", "DSP48E"), "lut": ("LUT",), "ff": ("FF",), "bram": ("BRAM_18K",), "uram": ("URAM",)}
_INTERVALS = ("Interval-max", "PipelineInitiationInterval")  # of the top and of older modules; of modules inside csynth.xml


@dataclass(frozen=True)
class Synthesis:
    """What a synthesis report says.

    Args:
        version: Of the tool.
        part, clock_ns: What it was synthesised for.
        total: The top function.
        modules: The others that became modules, by the tool's name for them.
    """

    version: str
    part: str
    clock_ns: float | None
    total: Figures
    modules: Mapping[str, Figures]


def read_synthesis(folder: Path, top: str, tool: str) -> Synthesis:
    """Read ``syn/report`` of a solution.

    Args:
        folder: That folder.
        top: The top function.
        tool: ``vitis`` or ``vivado``, for :attr:`~nn2hls.tools.report.Figures.tool`.

    Raises:
        ToolError: A report is missing or damaged; the message names the file and what is missing in it.
    """
    own = folder / f"{top}_csynth.xml"
    path = own if own.is_file() and not (folder / "csynth.xml").is_file() else folder / "csynth.xml"
    root = read_xml(path)
    found = name(root.findtext("UserAssignments/TopModelName"), path, "UserAssignments/TopModelName")
    if found != top:
        raise report_error(path, f"it is about the top function '{found}', not '{top}'")
    version = name(root.findtext("ReportVersion/Version"), path, "ReportVersion/Version")
    source = f"{tool} {version}"
    modules = {n: _figures(e, path, source) for n, e in _inner(root, path)}
    if not modules:
        modules = {n: _figures(e, p, source) for n, e, p in _beside(folder)}
    modules.pop(top, None)
    clock = decimal(root.findtext("UserAssignments/TargetClockPeriod"), path, "TargetClockPeriod")
    part = name(root.findtext("UserAssignments/Part"), path, "UserAssignments/Part")
    return Synthesis(version, part, clock, _figures(root, path, source), modules)


def _inner(root: Element, path: Path) -> Iterator[tuple[str, Element]]:
    """The modules that Vitis HLS lists in csynth.xml."""
    for module in root.iterfind("ModuleInformation/Module"):
        yield name(module.findtext("Name"), path, "Name"), module


def _beside(folder: Path) -> Iterator[tuple[str, Element, Path]]:
    """The modules that Vivado HLS writes to files of their own, which are named after them."""
    for path in sorted(folder.glob("*_csynth.xml")):
        yield path.name.removesuffix("_csynth.xml"), read_xml(path), path


def _figures(element: Element, path: Path, tool: str) -> Figures:
    performance, area = element.find("PerformanceEstimates"), element.find("AreaEstimates/Resources")
    if performance is None:
        raise report_error(path, "PerformanceEstimates is missing")
    if area is None:
        raise report_error(path, "AreaEstimates/Resources is missing")
    overall = performance.find("SummaryOfOverallLatency")
    if overall is None:
        raise report_error(path, "PerformanceEstimates/SummaryOfOverallLatency is missing")
    interval = next((t for t in map(overall.findtext, _INTERVALS) if t is not None), None)
    clock = performance.findtext("SummaryOfTimingAnalysis/EstimatedClockPeriod")
    return Figures(
        "hls",
        tool,
        _resources(area, path),
        whole(overall.findtext("Worst-caseLatency"), path, "Worst-caseLatency"),
        whole(interval, path, "the interval"),
        decimal(clock, path, "EstimatedClockPeriod"),
    )


def _resources(area: Element, path: Path) -> Resources:
    found = {}
    for field, tags in _TAGS.items():
        text = next((t for t in map(area.findtext, tags) if t is not None), None)
        if text is None and field in ("lut", "ff"):
            raise report_error(path, f"AreaEstimates/Resources/{tags[0]} is missing")
        found[field] = whole(text, path, tags[0])
    return Resources(**found)
