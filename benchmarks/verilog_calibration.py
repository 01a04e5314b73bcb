"""Calibrate the LUTs of our own Verilog on designs of our own after yosys, half of them held out.

python -m benchmarks.verilog_calibration record FOLDER    count what is not recorded yet with yosys
python -m benchmarks.verilog_calibration fit              coefficients of the fitting half, into targets/verilog_costs.yml
python -m benchmarks.verilog_calibration                  the table of docs/estimation.md

The designs are those of ``benchmarks/bambu_designs.py``, without reuse by either strategy, and single tables.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import nn2hls
from benchmarks.bambu_designs import CLOCK_NS, PART, specs, table_network
from benchmarks.words import run
from nn2hls.arith.functions import Function
from nn2hls.design.design import Design
from nn2hls.estimate.verilog import coefficients, layer_terms
from nn2hls.graph.graph import Graph
from nn2hls.targets import find_part

RECORD = Path(__file__).with_suffix(".json")
COSTS = Path(nn2hls.__file__).parent / "targets" / "verilog_costs.yml"
LEAST = 100.0  # LUTs: fewer are judged as if they were so many
GROUPS = ("Latency", "DistributedArithmetic", "reuse", "tables")
_HEAD = """\
# LUTs for each unit of a term of nn2hls/estimate/verilog.py after yosys, fitted by least squares on the designs of
# benchmarks/verilog_calibration.py that are not held out; `python -m benchmarks.verilog_calibration fit` writes this.
"""
# What the designs have too little of to fit it: a LUT holds two bits of the words of up to 32 steps, compares some bits.
ASSUMED = {"word_lut": 0.5, "compare_bit": 0.7, "product_bit": 1.0}
# (function, elements, bits of the input, bits of the result)
_TABLES = (
    (Function.TANH, 4, 6, 6),
    (Function.SIGMOID, 4, 7, 8),
    (Function.TANH, 3, 8, 10),
    (Function.SIGMOID, 6, 9, 8),
    (Function.ELU, 2, 10, 12),
    (Function.TANH, 2, 11, 10),
)


@dataclass(frozen=True)
class Case:
    """A design.

    Args:
        name: For people and for the record.
        group: Of GROUPS.
        held_out: Whether it is only for judging.
        graph: The network.
        model: Settings of all layers.
    """

    name: str
    group: str
    held_out: bool
    graph: Graph
    model: Mapping[str, Any]

    @cached_property
    def design(self) -> Design:
        """The network with its types."""
        top = {"Part": PART, "ClockPeriod": CLOCK_NS, "Backend": "Verilog", "ProjectName": "calibration"}
        return nn2hls.convert(self.graph, {**top, "HLSConfig": {"Model": dict(self.model)}})

    @cached_property
    def terms(self) -> Counter[str]:
        """What the estimate counts."""
        total: Counter[str] = Counter()
        for layer in self.design.sizer.placed().layers:
            total.update(layer_terms(layer, find_part(PART)))
        return total


def cases() -> list[Case]:
    """All of them."""
    found = []
    for spec in specs():
        strategies = GROUPS[:2] if spec.reuse == 1 else ("Resource",)
        for strategy in strategies:
            model = {"Precision": spec.precision, "ReuseFactor": spec.reuse, "Strategy": strategy}
            group = strategy if spec.reuse == 1 else "reuse"
            found.append(Case(f"{spec.name} {strategy}", group, spec.held_out, spec.graph, model))
    for k, (function, elements, bits, out) in enumerate(_TABLES):
        graph, types = table_network(function, elements, bits, out)
        found.append(Case(f"table {k}", "tables", k % 2 == 1, graph, {"Precision": types}))
    return found


# ---- recording -------------------------------------------------------------------------------------------------------------


def recorded() -> dict[str, dict[str, Any]]:
    """Design -> what was measured."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}


def record(folder: Path) -> None:
    """Count every design of which today's code makes other Verilog than what was counted.

    Raises:
        ValueError: yosys failed or was not run.
    """
    for case in cases():
        design = case.design
        if recorded().get(case.name, {}).get("digest") == design.project.digest:
            continue
        report = design.build("rtl", folder / case.name.replace(" ", "_").replace(",", ""), steps=["yosys"])
        if not report.ok or not report.total:
            raise ValueError(f"{case.name}: {[(s.name, s.note) for s in report.steps]}")
        final = report.total[-1]
        r = final.resources
        figures = {"lut": r.lut, "ff": r.ff, "dsp": r.dsp, "bram": r.bram}
        order = design._rtl[1]
        known = {
            **recorded(),
            case.name: {"digest": report.digest, "yosys": final.tool, **figures, "registers": order.registers},
        }
        lines = [f"{json.dumps(c.name)}: {json.dumps(known[c.name])}" for c in cases() if c.name in known]
        RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(case.name, figures, flush=True)


# ---- fitting and judging ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A design and what was measured."""

    case: Case
    measured: Mapping[str, Any]

    def predicted(self, figure: str, by: Mapping[str, float]) -> float:
        """The estimate."""
        if figure == "lut":
            return sum(amount * by.get(term, 0.0) for term, amount in self.case.terms.items())
        return float(self.case.design.sizer.placed().registers if figure == "ff" else self.case.terms["dsp"])


def rows() -> list[Row]:
    """Every design of the record."""
    done = recorded()
    return [Row(c, done[c.name]) for c in cases() if c.name in done]


def fitted(some: Sequence[Row]) -> dict[str, float]:
    """Coefficients with the least sum of squared relative errors, and those that are assumed.

    Raises:
        ValueError: One of them would be below zero.
    """
    used = sorted({t for row in some for t, amount in row.case.terms.items() if amount} - {"dsp", "bram", *ASSUMED})
    scale = np.array([1 / max(row.measured["lut"], LEAST) for row in some])
    goal = np.array([row.measured["lut"] - row.predicted("lut", ASSUMED) for row in some])
    matrix = np.array([[row.case.terms[t] for t in used] for row in some], dtype=float)
    values = np.linalg.lstsq(matrix * scale[:, None], goal * scale, rcond=None)[0]
    found = {t: float(f"{v:.4g}") for t, v in zip(used, values, strict=True)} | ASSUMED
    if min(found.values()) < 0:
        raise ValueError(f"A cell would cost less than nothing: {found}")
    return found


def errors(some: Sequence[Row], figure: str, by: Mapping[str, float] | None = None) -> np.ndarray:
    """Of LUT and FF, relative to what was measured or to LEAST; of DSP absolute."""
    by = coefficients() if by is None else by
    off = [(r.predicted(figure, by), float(r.measured[figure])) for r in some]
    return np.array([p - m if figure == "dsp" else (p - m) / max(m, LEAST) for p, m in off])


def table() -> list[str]:
    """Lines for each group, half and figure."""
    lines, every = [], rows()
    for group in (*GROUPS, "all"):
        for half, held_out in (("fitted", False), ("held out", True)):
            some = [r for r in every if group in (r.case.group, "all") and r.case.held_out == held_out]
            cells = []
            for figure, unit, scale in (("lut", " %", 100), ("ff", " %", 100), ("dsp", "", 1)):
                off = scale * np.abs(errors(some, figure))
                cells.append(f"{figure.upper()} median {np.median(off):3.0f}{unit} worst {off.max():3.0f}{unit}")
            lines.append(f"{group:22s} {half:8s} n {len(some):2d}  {'  '.join(cells)}")
    return lines


def words() -> dict[str, dict[str, str]]:
    """Structure -> figure -> what ``nn2hls estimate`` prints beside it: the errors of the held-out half."""
    structures = {"parallel": GROUPS[:2], "reused": GROUPS[2:3]}
    found: dict[str, dict[str, str]] = {}
    for structure, groups in structures.items():
        some = [r for r in rows() if r.case.held_out and r.case.group in groups]
        own = found.setdefault(structure, {})
        for figure, unit, scale in (("dsp", "", 1), ("lut", " %", 100), ("ff", " %", 100)):
            off = scale * np.abs(errors(some, figure))
            own[figure] = f"median {np.median(off):.0f}{unit}, at most {off.max():.0f}{unit} off on small dense networks"
    return found


def fit() -> None:
    """Write the costs that are fitted to the fitting half."""
    found = fitted([r for r in rows() if not r.case.held_out])
    COSTS.write_text(_HEAD + yaml.safe_dump({"coefficients": found}, sort_keys=False), encoding="utf-8")


def main() -> None:
    """See the module's docstring."""
    run(__doc__, {"": lambda: print("\n".join(table())), "record": lambda folder: record(Path(folder)), "fit": fit})


if __name__ == "__main__":
    main()
