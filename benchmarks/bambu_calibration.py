"""Calibrate the estimate for Bambu and yosys on designs of our own, half of them held out.

python -m benchmarks.bambu_calibration record FOLDER    build what is not recorded yet with Bambu, Verilator and yosys
python -m benchmarks.bambu_calibration fit              coefficients of the fitting half, into nn2hls/targets/bambu_costs.yml
python -m benchmarks.bambu_calibration                  the tables of docs/estimation.md
python -m benchmarks.bambu_calibration page             write them there
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.bambu_designs import CLOCK_NS, PART, Spec, specs
from benchmarks.words import run
from nn2hls.estimate import bambu as estimate_bambu
from nn2hls.estimate.bambu import Coefficients, bambu_design
from nn2hls.hardware.schedule import Schedule
from nn2hls.size.choices import Sizer

RECORD = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).parents[1] / "docs" / "estimation.md"
BEGIN, END = "<!-- bambu: begin -->", "<!-- bambu: end -->"
LEAST = 100.0  # LUT or FF: fewer are judged as if they were so many
FIGURES = ("lut", "ff", "dsp", "bram", "latency", "ii")
STRUCTURES = {"parallel": lambda s: s.reuse == 1, "reused": lambda s: s.reuse > 1}
_HEAD = """\
# What Bambu and yosys make of one operator, fitted by least squares on the designs of benchmarks/bambu_designs.py that are not
# held out. Written by `python -m benchmarks.bambu_calibration fit`; the terms are those of nn2hls/estimate/bambu.py, and
# docs/estimation.md has their meaning and the errors.
"""

Measured = Mapping[str, Any]


# ---- recording -------------------------------------------------------------------------------------------------------------


def recorded() -> dict[str, dict[str, Any]]:
    """Design -> what was measured."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}


def measure(spec: Spec, folder: Path) -> dict[str, Any]:
    """Build a design.

    Raises:
        ValueError: A step failed or was not run, or a bit differs.
    """
    start = time.monotonic()
    project = folder / f"{spec.index:02d}"
    report = spec.design.build("bambu", project)
    if not report.ok or len(report.checks) != 1:
        raise ValueError(f"{spec.name}: {[(s.name, s.note) for s in report.steps]}")
    found = {f.source: f for f in report.total}
    final, (check,) = found["synthesis"], report.checks
    seconds = {s.name: round(s.seconds, 1) for s in report.steps}
    return {
        "design": spec.to_dict(),
        "digest": report.digest,
        "rtl": rtl_digest(project),
        "tools": {"bambu": report.version, "yosys": final.tool},
        **{name: getattr(final.resources, name) for name in FIGURES[:4]},
        "latency": check.latency,
        "ii": check.interval,
        "events": check.events,
        "seconds": {**seconds, "all": round(time.monotonic() - start, 1)},
    }


def rtl_digest(project: Path) -> str:
    """SHA-256 of the Verilog that Bambu wrote, without comments and with its own numbers in order of appearance."""
    (source,) = (project / "bambu").glob("*_core.v")
    text, seen = re.sub(r"//.*", "", source.read_text(encoding="utf-8")), dict[str, str]()
    text = re.sub(r"\d{5,}", lambda m: seen.setdefault(m[0], f"N{len(seen)}"), text)
    return hashlib.sha256(text.encode()).hexdigest()


def still(spec: Spec, folder: Path, before: Measured) -> dict[str, Any] | None:
    """The record with today's digest, when Bambu still makes the same Verilog of today's sources; else None."""
    project = folder / f"{spec.index:02d}"
    report = spec.design.build("bambu", project, steps=["hls"])
    same = report.ok and report.version == before["tools"]["bambu"] and rtl_digest(project) == before["rtl"]
    return {**before, "digest": report.digest} if same else None


def save(found: Mapping[str, Measured]) -> None:
    """Write the record, a line per design."""
    lines = [f"{json.dumps(s.name)}: {json.dumps(found[s.name])}" for s in specs() if s.name in found]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def stale() -> list[Spec]:
    """Designs of which today's code generates other sources than those that were built."""
    done = recorded()
    return [s for s in specs() if done.get(s.name, {}).get("digest") != s.design.project.digest]


def record(folder: Path) -> None:
    """Build every design that is stale, one at a time, the small ones first.

    One whose Verilog is still that of its record is neither simulated nor synthesised again.
    """
    for spec in sorted(stale(), key=lambda s: s.design.estimate().lut):
        before = recorded().get(spec.name)
        found = (still(spec, folder, before) if before else None) or measure(spec, folder)
        save({**recorded(), spec.name: found})
        print(spec.name, {k: found[k] for k in (*FIGURES, "seconds")}, flush=True)


# ---- fitting ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A design with its schedules and what was measured."""

    spec: Spec
    sizer: Sizer
    measured: Measured

    @property
    def schedules(self) -> list[Schedule]:
        """Of its layers."""
        return [self.sizer.schedule(name) for name in self.sizer.nodes]

    def predicted(self, by: Coefficients | None = None) -> dict[str, float]:
        """The estimate's figures."""
        layers = [(name, self.sizer.schedule(name)) for name in self.sizer.nodes]
        operands = {name: n.inputs for name, n in self.sizer.nodes.items()}
        found = bambu_design(layers, operands, self.sizer.inputs, self.sizer.part, CLOCK_NS, by)
        cost = [layer.cost for layer in found.layers.values()]
        return {
            "lut": sum(c.lut for c in cost),
            "ff": sum(layer.ff for layer in found.layers.values()),
            "dsp": sum(c.dsp for c in cost),
            "bram": sum(c.bram for c in cost),
            "latency": found.latency,
            "ii": found.ii,
        }


def rows() -> list[Row]:
    """Every design of the record."""
    done = recorded()
    return [Row(s, s.design.sizer, done[s.name]) for s in specs() if s.name in done]


def _least_squares(matrix: np.ndarray, wanted: np.ndarray, terms: Sequence[str]) -> dict[str, float]:
    found = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    return {term: float(f"{value:.4g}") for term, value in zip(terms, found, strict=True)}


def _fit(
    some: Sequence[Row],
    terms: Callable[[Row], Mapping[str, float]],
    wanted: Callable[[Row], float],
    *,
    relative: bool = True,
) -> dict[str, float]:
    """Coefficients of the terms that occur, with the least sum of squared (relative) errors."""
    split = [terms(row) for row in some]
    used = [t for t in split[0] if any(s[t] for s in split)]
    matrix = np.array([[s[t] for t in used] for s in split])
    goal = np.array([wanted(row) for row in some])
    scale = 1 / np.maximum(goal, LEAST) if relative else np.ones(len(goal))
    return _least_squares(matrix * scale[:, None], goal * scale, used)


def _summed(row: Row, structure: str, terms: Callable[[Schedule], Mapping[str, float]]) -> dict[str, float]:
    """Over the layers of a structure."""
    total: dict[str, float] = {}
    for schedule in row.schedules:
        if estimate_bambu.structure(schedule) == structure:
            for term, amount in terms(schedule).items():
                total[term] = total.get(term, 0.0) + amount
    return total


def fitted(some: Sequence[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """All coefficients, those of parallel layers first: designs with reuse have such layers, too."""
    parallel = [r for r in some if STRUCTURES["parallel"](r.spec)]
    reused = [r for r in some if STRUCTURES["reused"](r.spec)]
    b = estimate_bambu
    own: dict[str, dict[str, float]] = {
        # what takes n clock edges fills n periods and some of another one
        "ns": _fit(
            parallel,
            lambda r: _summed(r, "parallel", b.delay_terms),
            lambda r: (r.measured["latency"] + 0.5) * CLOCK_NS,
            relative=False,
        ),
        "lut": _fit(parallel, lambda r: _summed(r, "parallel", b.lut_terms), lambda r: r.measured["lut"]),
    }
    own["ff"] = _fit(parallel, lambda r: {"cut_lut": _cut_luts(r, own)}, lambda r: r.measured["ff"])
    known: dict[str, dict[str, dict[str, float]]] = {"parallel": own, "reused": {"clocks": {}, "lut": {}, "ff": {}}}

    def rest(row: Row, figure: str) -> float:
        """What the parallel layers leave."""
        if figure == "clocks":
            return row.measured["ii"] - sum(b.clocks(s, row.sizer.part, CLOCK_NS, known) for s in row.schedules if s.ii == 1)
        return row.measured[figure] - row.predicted(known)[figure]

    known["reused"] = {
        "clocks": _fit(reused, lambda r: _summed(r, "reused", b.step_terms), lambda r: rest(r, "clocks")),
        "lut": _fit(reused, lambda r: _summed(r, "reused", b.lut_terms), lambda r: rest(r, "lut")),
        "ff": _fit(reused, _registers, lambda r: rest(r, "ff")),
    }
    return known


def _cut_luts(row: Row, own: Mapping[str, Mapping[str, float]]) -> float:
    """The term of the flip-flops of a parallel design, by the coefficients that are there already."""
    return row.predicted({"parallel": {**own, "ff": {"cut_lut": 1.0}}})["ff"]


def _registers(row: Row) -> dict[str, float]:
    bits = dict(row.sizer.inputs) | {name: row.sizer.schedule(name).results for name in row.sizer.nodes}
    total: dict[str, float] = {}
    for name, node in row.sizer.nodes.items():
        schedule = row.sizer.schedule(name)
        if schedule.ii > 1:
            for term, amount in estimate_bambu.register_terms(schedule, sum(bits[i] for i in node.inputs), 0.0, 0.0).items():
                total[term] = total.get(term, 0.0) + amount
    return total


def fit() -> dict[str, Any]:
    """What ``targets/bambu_costs.yml`` holds."""
    fitting = [r for r in rows() if not r.spec.held_out]
    return {"part": PART, "clock_ns": CLOCK_NS, "coefficients": fitted(fitting)}


# ---- judging ---------------------------------------------------------------------------------------------------------------


def errors(some: Sequence[Row], figure: str) -> list[float]:
    """Relative to what was measured, or to LEAST; of DSP and block RAMs, latency and II absolute."""
    found = [(row.predicted()[figure], row.measured[figure]) for row in some]
    return [(p - m) / max(m, LEAST) if figure in ("lut", "ff") else round(p) - m for p, m in found]


def _line(structure: str, half: str, some: Sequence[Row], figure: str) -> str:
    off = np.abs(errors(some, figure))
    head = f"{structure:8s} {half:8s} n {len(some):2d}  {figure:7s}"
    if figure in ("lut", "ff"):
        return f"{head}  median {np.median(off):6.1%}  worst {off.max():6.1%}"
    said = [row.measured[figure] for row in some]
    return (
        f"{head}  median {np.median(off):4.1f}    worst {off.max():4.0f}    "
        f"exact {int(np.sum(off == 0)):2d}  of {min(said)} to {max(said)}"
    )


def table() -> list[str]:
    """Lines for each structure, half and figure."""
    lines = []
    every = rows()
    for structure, member in STRUCTURES.items():
        for half, held_out in (("fitted", False), ("held out", True)):
            some = [r for r in every if member(r.spec) and r.spec.held_out == held_out]
            lines += [_line(structure, half, some, figure) for figure in FIGURES]
    return lines


def words() -> dict[str, dict[str, str]]:
    """Structure -> figure -> what ``nn2hls estimate`` prints beside it: the errors of the held-out half."""
    found: dict[str, dict[str, str]] = {}
    for structure, member in STRUCTURES.items():
        some = [r for r in rows() if member(r.spec) and r.spec.held_out]
        own = found.setdefault(structure, {})
        for figure in ("dsp", "lut", "ff", "latency"):
            off = np.abs(errors(some, figure))
            unit, unit_scale = (" %", 100) if figure in ("lut", "ff") else ("", 1)
            median, most = unit_scale * np.median(off), unit_scale * off.max()
            own[figure] = f"median {median:.0f}{unit}, at most {most:.0f}{unit} off on small dense networks"
    return found


def _designs() -> list[str]:
    lines = []
    for row in rows():
        said, spec = row.predicted(), row.spec
        sizes = "x".join(map(str, spec.sizes))
        pairs = "  ".join(f"{f} {row.measured[f]:,}/{round(said[f]):,}" for f in FIGURES if f != "bram")
        half = "held out" if spec.held_out else "fitted"
        lines.append(f"{spec.name:21s} {half:8s} {sizes:9s} {spec.data:2d} x {spec.weight:2d} bits  {pairs}")
    return lines


def _staleness() -> list[str]:
    names = [s.name for s in stale()]
    return [f"STALE: today's code generates other sources for {len(names)} of {len(specs())} designs"] if names else []


def quoted() -> str:
    """What stands between the marks of docs/estimation.md."""
    return "\n".join([*table(), *_staleness(), "", "measured / estimated:", *_designs()])


def write_costs() -> None:
    """``targets/bambu_costs.yml``."""
    text = yaml.safe_dump(fit(), sort_keys=False, default_flow_style=None)
    (Path(estimate_bambu.__file__).parents[1] / "targets" / "bambu_costs.yml").write_text(_HEAD + text, encoding="utf-8")


def write_page() -> None:
    """The lines between the marks of docs/estimation.md."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n```\n{quoted()}\n```\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> None:
    """See the module's docstring."""
    steps = {"record": lambda folder: record(Path(folder)), "fit": write_costs, "page": write_page}
    run(__doc__, {"": lambda: print(quoted()), **steps})


if __name__ == "__main__":
    main()
