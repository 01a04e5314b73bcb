"""What the files of Vivado HLS, Vitis HLS and Vivado in a written project say, wherever they were run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.tools.amd.cosim import read_cosimulation
from nn2hls.tools.amd.csynth import read_synthesis
from nn2hls.tools.amd.text import read_report
from nn2hls.tools.amd.vivado import read_export, read_hierarchy, read_slack, read_utilization
from nn2hls.tools.folder import MARK, Manifest, is_interrupted, written_sources
from nn2hls.tools.report import BuildReport, Check, Figures, Resources, Step

TOOLS = {"Vitis": "vitis", "Vivado": "vivado"}  # Backend of the project -> the tool that reads it
STEPS = ("csim", "synth", "cosim", "export", "vsynth")
SOLUTIONS = ("solution1", "hls")  # in the vendor's folder: of the Tcl, and of the config file
LOGS = {"vsynth": "reports/vivado_synth.log"}  # the other steps: reports/<tool>.log
_BY_HAND = "The sources were changed by hand after nn2hls wrote them."
_EXPORTS = (("export_impl.xml", "implementation"), ("export_syn.xml", "synthesis"), ("{top}_export.xml", "synthesis"))


def read_project(folder: Path) -> BuildReport | None:
    """What AMD's tools have left in the folder of a written project; None when they have left nothing.

    Reports of other sources than those that stand in the folder now give no figures: their step says that it is stale. A report
    that cannot be read makes its step fail, with the reason as its note.

    Raises:
        Nn2hlsError: The folder's own description, nn2hls.json, is damaged.
    """
    manifest = Manifest.read(folder)
    if manifest is None or manifest.backend not in TOOLS or not vendor_folder(folder, manifest.name).is_dir():
        return None
    return _Reader(folder, manifest).report()


def vendor_folder(folder: Path, name: str) -> Path:
    """The project of the HLS tool inside the one of nn2hls."""
    return folder / f"{name}_prj"


def mark_of(folder: Path, name: str, step: str) -> Path:
    """The file in which the project's Tcl, or nn2hls itself, says what a step was run on."""
    return vendor_folder(folder, name) / f"nn2hls_{step}.txt"


def is_done(folder: Path, name: str, step: str, digest: str) -> bool:
    """Whether a step has succeeded on these sources."""
    mark = _read_mark(mark_of(folder, name, step))
    return mark is not None and (mark.digest, mark.state) == (digest, "ok")


@dataclass(frozen=True)
class _Mark:
    digest: str
    state: str  # started, ok, failed
    seconds: float


def _read_mark(path: Path) -> _Mark | None:
    try:
        found = re.fullmatch(r"([0-9a-f]{64}|unknown) (started|ok|failed) (-?\d{1,9})\s*", read_report(path))
    except ToolError:
        return None
    return _Mark(found[1], found[2], max(0.0, float(found[3]))) if found else None


@dataclass
class _Reader:
    folder: Path
    manifest: Manifest
    version: str = ""
    total: list[Figures] = field(default_factory=list)
    layers: dict[str, list[Figures]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.top, self.tool = self.manifest.name, TOOLS[self.manifest.backend]
        self.digest, self.untouched = written_sources(self.folder) or ("", True)
        self.evidence = {
            "csim": self._newest(f"csim/report/{self.top}_csim.log"),
            "synth": self._newest("syn/report/csynth.xml"),
            "cosim": self._newest(f"sim/report/{self.top}_cosim.rpt"),
            "export": self._newest("impl/ip/component.xml"),
            "vsynth": self.folder / "vivado_synth.rpt",
        }

    def _newest(self, path: str) -> Path:
        """A file of the newest solution that has it."""
        places = [vendor_folder(self.folder, self.top) / solution / path for solution in SOLUTIONS]
        return max((p for p in places if p.is_file()), key=lambda p: p.stat().st_mtime, default=places[0])

    def _log(self, name: str) -> str:
        """What a step has printed, in the newest of the files in which it may stand; empty: there is none."""
        names = [LOGS.get(name, f"reports/{self.tool}.log"), f"reports/{self.tool}_{name}.log"]
        there = [log for log in names if (self.folder / log).is_file()]
        return max(there, key=lambda log: (self.folder / log).stat().st_mtime, default="")

    def report(self) -> BuildReport | None:
        readers: Mapping[str, Callable[[], str]] = {
            "csim": self._csim,
            "synth": self._synth,
            "cosim": self._cosim,
            "export": self._export,
            "vsynth": self._vsynth,
        }
        steps = [step for name in STEPS if (step := self._step(name, readers[name]))]
        if not steps:
            return None
        manifest = self.manifest
        how = "Writing them was interrupted: they are of two versions." if is_interrupted(self.folder) else _BY_HAND
        notes = () if self.untouched else (how,)
        return BuildReport(
            self.tool,
            str(self.folder),
            self.digest,
            self.version,
            manifest.part,
            manifest.clock_ns,
            tuple(steps),
            tuple(self.total),
            {name: tuple(figures) for name, figures in self.layers.items()},
            tuple(self.checks),
            notes,
        )

    def _step(self, name: str, reader: Callable[[], str]) -> Step | None:
        mark, evidence = _read_mark(mark_of(self.folder, self.top, name)), self.evidence[name]
        if mark is None and not evidence.exists():
            return None
        step = Step(name, True, mark.seconds if mark else 0.0, log=self._log(name))
        stale = self._stale(mark, evidence)
        if stale:
            return replace(step, ok=None, note=f"stale: {stale}; run it again")
        if mark and mark.state == "started":
            return replace(step, ok=False, note="it began and did not end")
        try:
            problem = reader()
        except ToolError as error:
            problem = str(error)
        if mark and mark.state == "failed":
            return replace(step, ok=False, note=problem or "the tool says that it failed")
        note = problem or ("" if mark else "run by hand without the project's Tcl; taken as run on these sources, by its date")
        return replace(step, ok=not problem, note=note)

    def _stale(self, mark: _Mark | None, evidence: Path) -> str:
        """Why a step's results are not those of the sources that stand here; empty when they are."""
        if mark and mark.digest != "unknown":
            return "" if mark.digest == self.digest else "it was run on other sources"
        written, found = self.folder / MARK, evidence if evidence.exists() else None
        if found and written.is_file() and found.stat().st_mtime < written.stat().st_mtime:
            return "its report is older than the sources"
        return ""

    # ---- one step each: what is wrong with its results, or nothing ---------------------------------------------------------

    def _csim(self) -> str:
        path = self.evidence["csim"]
        if not path.is_file():
            return ""
        verdict = re.findall(r"^(\d{1,12}) events, (\d{1,12}) differ from the emulator", read_report(path), re.M)
        if not verdict:
            return f"{path}: it has no verdict of the test bench"
        events, differ = map(int, verdict[-1])
        self.checks.append(Check("csim", events, differ))
        return f"{differ} of {events} events differ from the emulator" if differ else ""

    def _synth(self) -> str:
        found = read_synthesis(self.evidence["synth"].parent, self.top, self.tool)
        self.version = found.version
        self.total.append(found.total)
        for module, figures in found.modules.items():
            self._layer(module, figures)
        return ""

    def _cosim(self) -> str:
        found = read_cosimulation(self.evidence["cosim"])
        if not found.passed:
            return f"co-simulation ended with '{found.status[:40]}'"
        self.checks.append(Check("cosim", self._events(), 0, found.latency, found.interval))
        return ""

    def _events(self) -> int:
        """Events of which the test bench compares every bit: a co-simulation passes only when all are equal."""
        texts = [self.folder / "tb_data" / f"tb_{name}.dat" for name in ("input_features", "output_predictions")]
        return min(sum(not line.startswith("#") for line in read_report(path).splitlines()) for path in texts)

    def _export(self) -> str:
        """Figures only where somebody has asked the tool to synthesise what it exports, after the synthesis they belong to."""
        folder, synthesis = self.evidence["synth"].parents[2] / "impl" / "report" / "verilog", self.evidence["synth"]
        for file, what in _EXPORTS:
            path = folder / file.format(top=self.top)
            if path.is_file() and synthesis.is_file() and path.stat().st_mtime >= synthesis.stat().st_mtime:
                total, modules = read_export(path, what)
                self.total.append(total)
                self._modules(modules, total.tool)
        return ""

    def _vsynth(self) -> str:
        version, resources = read_utilization(self.evidence["vsynth"])
        tool = " ".join(filter(None, ("vivado", version, "synth_design")))
        slack = read_slack(self.folder / "vivado_timing.rpt")
        clock = None if slack is None else round(self.manifest.clock_ns - slack, 6)
        self.total.append(Figures("synthesis", tool, resources, clock_ns=clock))
        hierarchy = self.folder / "vivado_hierarchy.rpt"
        if hierarchy.is_file():
            self._modules(read_hierarchy(hierarchy), tool)
        return ""

    def _modules(self, modules: Mapping[str, Resources], tool: str) -> None:
        for module, resources in modules.items():
            if module not in (self.top, "(top)"):
                self._layer(module, Figures("synthesis", tool, resources))

    def _layer(self, module: str, figures: Figures) -> None:
        """File figures under the layer whose function became the module, else under the module's own name."""
        layers, plain = self.manifest.layers, module.removeprefix(f"{self.top}_")
        names = [n for n in (module, plain, plain.removesuffix("_s")) if n in layers]  # RTL names begin with that of the top
        self.layers.setdefault(layers[names[0]] if names else plain, []).append(figures)
