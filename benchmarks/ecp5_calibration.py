"""Calibrate LUT4 and clock of our own Verilog on an ECP5: designs of our own after yosys and nextpnr, half of them held out.

python -m benchmarks.ecp5_calibration record FOLDER    place and route what is not recorded yet, into ecp5_calibration.csv
python -m benchmarks.ecp5_calibration fit              coefficients of the fitting half, into targets/placed_costs.yml
python -m benchmarks.ecp5_calibration                  the table of docs/estimation.md

Each design stands in its harness on a board, because no package has pins for its ports; the harness is estimated with it.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml

import nn2hls
from benchmarks.bambu_designs import Spec, table_network
from benchmarks.verilog_calibration import ASSUMED
from benchmarks.words import run
from nn2hls.arith.functions import Function
from nn2hls.design.design import Design
from nn2hls.design.projects import harness_bits
from nn2hls.estimate.placed import longest_way
from nn2hls.estimate.verilog import layer_terms
from nn2hls.graph.graph import Graph
from nn2hls.hardware.pipeline import Pipeline
from nn2hls.targets import Part, find_part
from nn2hls.tools.mark import digest_of

BOARD, NAME = "ulx3s-25", "calibration"
PLACED_FILES = tuple(f"rtl/{NAME}{end}" for end in (".v", "_board.v", "_board.lpf"))
RECORD = Path(__file__).with_suffix(".csv")
COSTS = Path(nn2hls.__file__).parent / "targets" / "placed_costs.yml"
_HEAD = """\
# What place and route makes of our own Verilog in its harness, by family: LUTs for each unit of a term of
# nn2hls/estimate/verilog.py, nanoseconds beside the longest way of the cut, and for each of its own. Fitted by least squares on
# the designs of benchmarks/ecp5_calibration.py that are not held out; `python -m benchmarks.ecp5_calibration fit` writes this.
"""
FIELDS = ("name", "digest", "yosys", "nextpnr", "lut", "ff", "dsp", "bram", "mhz")
_ROUND = ",AP_RND,AP_SAT"
# group -> (sizes, density, data bits, weight bits, modes, ReuseFactor, Strategy, ClockPeriod). In each group every other one,
# from the second on, is held out; the place of a design in all of them is the seed of its weights.
_DENSE: dict[str, tuple[tuple[tuple[int, ...], float, int, int, str, int, str, float], ...]] = {
    "digits": (
        ((4, 4), 1.0, 8, 6, "", 1, "Latency", 15),
        ((5, 6), 1.0, 7, 5, _ROUND, 1, "Latency", 12),
        ((6, 5), 1.0, 10, 8, "", 1, "Latency", 20),
        ((8, 4, 3), 0.7, 8, 6, _ROUND, 1, "Latency", 15),
        ((8, 6), 0.8, 12, 6, _ROUND, 1, "Latency", 12),
        ((12, 5), 0.5, 9, 7, "", 1, "Latency", 20),
        ((6, 6, 4), 0.7, 6, 5, "", 1, "Latency", 10),
        ((10, 4), 0.7, 14, 5, _ROUND, 1, "Latency", 15),
    ),
    "shared digits": (
        ((6, 6), 1.0, 8, 6, "", 1, "DistributedArithmetic", 15),
        ((8, 6), 0.8, 7, 5, _ROUND, 1, "DistributedArithmetic", 12),
        ((8, 8), 0.6, 10, 6, _ROUND, 1, "DistributedArithmetic", 20),
        ((10, 6, 4), 0.6, 8, 5, _ROUND, 1, "DistributedArithmetic", 15),
        ((12, 8), 0.5, 6, 6, "", 1, "DistributedArithmetic", 10),
        ((16, 6), 0.5, 9, 5, "", 1, "DistributedArithmetic", 12),
        ((6, 8, 5), 0.7, 9, 6, "", 1, "DistributedArithmetic", 15),
        ((14, 8, 4), 0.5, 7, 5, _ROUND, 1, "DistributedArithmetic", 20),
    ),
    "reuse": (
        ((8, 5), 1.0, 10, 8, "", 2, "Resource", 15),
        ((6, 8), 0.8, 9, 7, _ROUND, 2, "Resource", 20),
        ((12, 8), 0.7, 8, 8, "", 4, "Resource", 12),
        ((10, 8, 4), 0.6, 12, 6, _ROUND, 4, "Resource", 15),
        ((12, 10), 0.6, 10, 9, "", 8, "Resource", 20),
        ((16, 6), 0.9, 8, 6, _ROUND, 8, "Resource", 15),
    ),
}
# (function, elements, bits of the input, bits of the result)
_TABLES = (
    (Function.TANH, 4, 6, 6),
    (Function.SIGMOID, 4, 7, 8),
    (Function.TANH, 3, 8, 8),
    (Function.SIGMOID, 5, 8, 7),
)


@dataclass(frozen=True)
class Case:
    """A design.

    Args:
        name: For people and for the record.
        group: Its class.
        held_out: Whether it is only for judging.
        graph: The network.
        settings: Of the config.
    """

    name: str
    group: str
    held_out: bool
    graph: Graph
    settings: Mapping[str, object]

    @cached_property
    def design(self) -> Design:
        """The network with its types, on the board."""
        return nn2hls.convert(self.graph, {"ProjectName": NAME, **self.settings}).on_board(BOARD)

    @property
    def digest(self) -> str:
        """Of what is placed: the Verilog and its constraints."""
        files = self.design.project.files
        return digest_of({path: files[path].encode() for path in PLACED_FILES})


def cases() -> list[Case]:
    """All of them."""
    found: list[Case] = []
    for group, rows in _DENSE.items():
        for k, (sizes, density, data, weight, modes, reuse, strategy, clock) in enumerate(rows):
            spec = Spec(len(found), group, k % 2 == 1, sizes, density, data, weight, reuse, modes)
            model = {"Precision": spec.precision, "ReuseFactor": reuse, "Strategy": strategy}
            settings = {"ClockPeriod": clock, "HLSConfig": {"Model": model}}
            found.append(Case(spec.name, group, spec.held_out, spec.graph, settings))
    for k, (function, elements, bits, out) in enumerate(_TABLES):
        graph, types = table_network(function, elements, bits, out)
        settings = {"ClockPeriod": 15, "HLSConfig": {"Model": {"Precision": types}}}
        found.append(Case(f"{len(found):02d} tables", "tables", k % 2 == 1, graph, settings))
    return found


# ---- recording -------------------------------------------------------------------------------------------------------------


def recorded() -> dict[str, dict[str, str]]:
    """Design -> what was measured."""
    if not RECORD.is_file():
        return {}
    with RECORD.open(encoding="utf-8", newline="") as lines:
        return {row["name"]: row for row in csv.DictReader(lines)}


def record(folder: Path) -> None:
    """Place and route every design of which today's code makes other Verilog than what was measured.

    Raises:
        ValueError: A step failed or was not run.
    """
    for case in cases():
        if recorded().get(case.name, {}).get("digest") == case.digest:
            continue
        report = case.design.build("rtl", folder / case.name.replace(" ", "_"), steps=["yosys", "nextpnr"])
        placed = next((f for f in report.total if f.source == "placed"), None)
        if placed is None or placed.clock_ns is None:
            raise ValueError(f"{case.name}: {[(s.name, s.note) for s in report.steps]}")
        r, (yosys, nextpnr) = placed.resources, report.version.split(", ")
        row = (case.name, case.digest, yosys, nextpnr, r.lut, r.ff, r.dsp, r.bram, f"{1e3 / placed.clock_ns:.1f}")
        known = {**recorded(), case.name: dict(zip(FIELDS, row, strict=True))}
        with RECORD.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(known[c.name] for c in cases() if c.name in known)
        print(*row[4:], case.name, flush=True)


# ---- fitting and judging ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A design and what was measured."""

    case: Case
    measured: Mapping[str, str]

    @cached_property
    def terms(self) -> Counter[str]:
        """What of it costs LUTs."""
        total: Counter[str] = Counter()
        for layer in self.pipeline.layers:
            total.update(layer_terms(layer, self.part))
        total.update({"harness": 1, "harness_bit": sum(harness_bits(self.case.design.graph, self.case.design.board))})
        return total

    @cached_property
    def pipeline(self) -> Pipeline:
        """It in time."""
        return self.case.design.sizer.placed()

    @property
    def part(self) -> Part:
        """What it stands on."""
        return find_part(BOARD)

    @property
    def lut(self) -> float:
        """LUT4 after place and route, the harness among them."""
        return float(self.measured["lut"])

    @property
    def mhz(self) -> float:
        """After place and route."""
        return float(self.measured["mhz"])


def rows() -> list[Row]:
    """Every design of the record."""
    done = recorded()
    return [Row(c, done[c.name]) for c in cases() if c.name in done]


def fitted(some: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Coefficients, none below zero, with the least sum of squared relative errors of LUT and of nanoseconds."""
    used = sorted({t for row in some for t, amount in row.terms.items() if amount} - {"dsp", *ASSUMED})
    goal = np.array([row.lut - sum(n * row.terms[t] for t, n in ASSUMED.items()) for row in some])
    lut = _least(np.array([[row.terms[t] for t in used] for row in some], dtype=float), goal)
    return {"lut": dict(zip(used, lut, strict=True)) | ASSUMED, "ns": _clock(some)}


def _clock(some: Sequence[Row]) -> dict[str, float]:
    """Nanoseconds: those of the harness for designs with the shortest ways, a line for the others. Of all places at which they
    can be parted, the one with the least squares of relative errors.
    """
    line = sorted((longest_way(row.pipeline, row.part.bit_delay), 1e3 / row.mhz) for row in some)
    ways, ns = np.array(line).T
    best: tuple[float, dict[str, float]] = np.inf, {}
    for n in range(1, len(line) - 2):
        (least,) = _least(np.ones((n, 1)), ns[:n])
        base, way = _least(np.stack([np.ones(len(line) - n), ways[n:]], axis=1), ns[n:])
        off = float(np.sum((np.maximum(least, base + way * ways) / ns - 1) ** 2))
        best = min(best, (off, {"harness": least, "base": base, "way": way}), key=lambda pair: pair[0])
    return best[1]


def _least(matrix: np.ndarray, goal: np.ndarray) -> list[float]:
    """The least squares of relative errors; a coefficient below zero becomes none, and the others are fitted again."""
    kept = list(range(matrix.shape[1]))
    while True:
        found = np.linalg.lstsq(matrix[:, kept] / goal[:, None], np.ones(len(goal)), rcond=None)[0]
        if found.min() >= 0:
            by = dict(zip(kept, found, strict=True))
            return [float(f"{by.get(k, 0.0):.4g}") for k in range(matrix.shape[1])]
        kept.remove(kept[int(found.argmin())])


def errors(some: Sequence[Row], figure: str) -> np.ndarray:
    """Of the estimate as it is printed, ``lut`` or ``mhz``, relative to what was measured."""
    guessed = (row.case.design.estimate() for row in some)
    if figure == "lut":
        return np.array([e.synthesised.lut / row.lut - 1 for e, row in zip(guessed, some, strict=True)])
    return np.array([1e3 / (e.placed_ns or 1e9) / row.mhz - 1 for e, row in zip(guessed, some, strict=True)])


def table() -> list[str]:
    """Lines for each group and half."""
    lines, every = [], rows()
    for group in (*_DENSE, "tables", "all"):
        for half, held_out in (("fitted", False), ("held out", True)):
            some = [r for r in every if group in (r.case.group, "all") and r.case.held_out == held_out]
            cells = []
            for figure in ("lut", "mhz"):
                off = 100 * np.abs(errors(some, figure))
                cells.append(f"{figure.upper()} median {np.median(off):2.0f} % worst {off.max():2.0f} %")
            lines.append(f"{group:13s} {half:8s} n {len(some):2d}  {'  '.join(cells)}")
    return lines


def words() -> dict[str, dict[str, str]]:
    """Structure -> figure -> what ``nn2hls estimate`` prints beside it: the errors of the held-out half."""
    found: dict[str, dict[str, str]] = {}
    for structure, groups in {"parallel": ("digits", "shared digits", "tables"), "reused": ("reuse",)}.items():
        some = [r for r in rows() if r.case.held_out and r.case.group in groups]
        for figure, name in (("lut", "lut"), ("mhz", "clock")):
            off = 100 * np.abs(errors(some, figure))
            about = f"median {np.median(off):.0f} %, at most {off.max():.0f} % off on small dense networks"
            found.setdefault(structure, {})[name] = about
    return found


def fit() -> None:
    """Write the costs that are fitted to the fitting half."""
    found = fitted([r for r in rows() if not r.case.held_out])
    COSTS.write_text(_HEAD + yaml.safe_dump({find_part(BOARD).family.name: found}, sort_keys=False), encoding="utf-8")


def main() -> None:
    """See the module's docstring."""
    run(__doc__, {"": lambda: print("\n".join(table())), "record": lambda folder: record(Path(folder)), "fit": fit})


if __name__ == "__main__":
    main()
