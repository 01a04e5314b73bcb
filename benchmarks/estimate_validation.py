"""How far the estimation rules are from public synthesis reports.

    python benchmarks/estimate_validation.py

Prints one line per rule and resource. Coefficients are fitted without the shape (inputs x outputs) they are judged on: once
leaving out one shape at a time, once fitting every other shape and judging the rest. Settings with reuse 1 are means over
unknown weights: counted, not judged.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.hls4ml_structure import Kernel, ff_terms, lut_terms
from benchmarks.public_reports import WINDOW, read

Terms = Callable[[Kernel], tuple[tuple[float, ...], float]]
Row = tuple[Kernel, dict[str, float]]
CHANNELS = (8, 16, 32)  # of the layer before a dense one in these networks: its words arrive one position at a time


@dataclass(frozen=True)
class Errors:
    """Errors of one rule on one resource: signed shares of the true figure."""

    name: str
    values: tuple[float, ...]

    def quantile(self, q: float) -> float:
        """Of the absolute errors."""
        return float(np.quantile(np.abs(self.values), q))

    def __str__(self) -> str:
        bias = statistics.fmean(self.values)
        return (
            f"{self.name:44s} n {len(self.values):4d}  median {self.quantile(0.5):6.1%}  "
            f"90th percentile {self.quantile(0.9):6.1%}  mean {statistics.fmean(map(abs, self.values)):6.1%}  bias {bias:+6.1%}"
        )


def kernels(kind: str) -> list[Row]:
    """The settings with reuse above 1 and their figures."""
    rows = [r for r in read("ntorc.csv") if r["kind"] == kind and int(r["reuse"]) > 1]
    return [(_kernel(r), {f: float(r[f]) for f in ("dsp", "bram", "lut", "ff")}) for r in rows]


def _kernel(row: dict[str, str]) -> Kernel:
    taps = WINDOW if row["kind"] == "conv" else 1
    return Kernel(row["kind"], taps * int(row["n_in"]), int(row["n_out"]), int(row["reuse"]))


def fit(rows: Sequence[Row], terms: Terms, resource: str) -> np.ndarray:
    """Coefficients with the least sum of absolute relative errors, by reweighted least squares."""
    figures = np.array([figure[resource] for _, figure in rows])
    split = [terms(kernel) for kernel, _ in rows]
    matrix = np.array([t for t, _ in split]) / figures[:, None]
    wanted = 1 - np.array([known for _, known in split]) / figures
    weight = np.ones(len(rows))
    for _ in range(30):
        found = np.linalg.lstsq(matrix * weight[:, None], wanted * weight, rcond=None)[0]
        weight = 1 / np.sqrt(np.maximum(np.abs(matrix @ found - wanted), 0.02))
    return np.asarray(found)


def predict(kernel: Kernel, terms: Terms, coefficients: np.ndarray) -> float:
    """The figure by the fitted equation."""
    variable, known = terms(kernel)
    return float(np.dot(variable, coefficients) + known)


def shape(kernel: Kernel) -> tuple[int, int]:
    """The group that is never split between fitting and judging."""
    return kernel.n_in, kernel.n_out


def held_out(rows: Sequence[Row], terms: Terms, resource: str, groups: Sequence[set[tuple[int, int]]]) -> tuple[float, ...]:
    """Errors on each group of shapes, with coefficients fitted on all others."""
    errors = []
    for group in groups:
        coefficients = fit([r for r in rows if shape(r[0]) not in group], terms, resource)
        judged = [r for r in rows if shape(r[0]) in group]
        errors += [predict(kernel, terms, coefficients) / figure[resource] - 1 for kernel, figure in judged]
    return tuple(errors)


def resource_errors() -> list[Errors]:
    """LUT and FF of resource kernels on shapes that were not fitted."""
    found = []
    for kind in ("dense", "conv"):
        rows = kernels(kind)
        shapes = sorted({shape(k) for k, _ in rows})
        for resource, terms in (("lut", lut_terms), ("ff", ff_terms)):
            alone = held_out(rows, terms, resource, [{s} for s in shapes])
            found.append(Errors(f"{kind} {resource.upper()}, one shape left out", alone))
            if kind == "dense":
                half = held_out(rows, terms, resource, [set(shapes[::2])])
                found.append(Errors(f"{kind} {resource.upper()}, every other shape left out", half))
    return found


def exact(kind: str, resource: str, within: float = 0.0) -> tuple[int, int]:
    """Settings whose DSP slices or weight BRAMs the rule gives to ``within``, and all settings."""
    rows = kernels(kind)
    rule = {"dsp": lambda k: k.multipliers, "bram": lambda k: k.weight_brams}[resource]
    return sum(abs(rule(kernel) - figure[resource]) <= within for kernel, figure in rows), len(rows)


@dataclass(frozen=True)
class Share:
    """How many distinct settings, and how many of the synthesised layers behind them, a rule gives right."""

    settings: int
    of_settings: int
    layers: int
    of_layers: int

    def __str__(self) -> str:
        return f"{self.settings} of {self.of_settings} settings, {self.layers / self.of_layers:.1%} of {self.of_layers} layers"


def latency(kind: str) -> Share:
    """Latencies right within one clock (of a position, for convolutions), reuse above 1."""
    rows = [r for r in read("ntorc_latency.csv") if r["kind"] == kind and int(r["reuse"]) > 1]
    right = [r for r in rows if (_dense_clocks_right if kind == "dense" else _conv_clocks_right)(r)]
    return Share(len(right), len(rows), sum(int(r["rows"]) for r in right), sum(int(r["rows"]) for r in rows))


def _dense_clocks_right(row: dict[str, str]) -> bool:
    """The reports do not say in how many words the input arrived: one, or one per position of the layer before."""
    kernel, clocks = _kernel(row), int(row["clocks"])
    words = {1} | {kernel.n_in // c for c in CHANNELS if kernel.n_in > c}
    return min(abs(kernel.latency(n) - clocks) for n in words) <= 1


def _conv_clocks_right(row: dict[str, str]) -> bool:
    """Two positions of padding; layers after the first see half the length that the table names (pooling)."""
    length = int(row["length"])
    positions = (length if row["n_in"] == "1" else length // 2) + WINDOW - 1
    return abs(int(row["clocks"]) / positions - _kernel(row).latency_per_position()) <= 1


def adder_errors() -> Errors:
    """Multiplier-free networks: one LUT per adder bit against LUTs after place and route; nothing is fitted."""
    rows = read("jedi_linear.csv")
    return Errors("multiplier-free LUT, placed and routed", tuple(float(r["cost"]) / int(r["lut"]) - 1 for r in rows))


def synthesis_shares() -> list[tuple[str, float, float, float]]:
    """(design, DSP, LUT, FF) after logic synthesis as shares of the HLS report."""
    rows = read("hls_and_synthesis.csv")
    return [(r["design"], *(float(r[f]) / float(r[f"{f}_hls"]) for f in ("dsp", "lut", "ff"))) for r in rows]


def main() -> None:
    """Print the table that docs/estimation.md quotes."""
    for kind in ("dense", "conv"):
        for resource, within in (("dsp", 0.0), ("bram", 0.0), ("bram", 1.0)):
            good, all_ = exact(kind, resource, within)
            print(f"{kind} {resource.upper()} by rule, within {within:g}: {good} of {all_}")
        print(f"{kind} latency within 1 clock{' of a position' if kind == 'conv' else ''}: {latency(kind)}")
        for resource, terms in (("lut", lut_terms), ("ff", ff_terms)):
            numbers = ", ".join(f"{c:.4g}" for c in fit(kernels(kind), terms, resource))
            print(f"{kind} {resource.upper()} coefficients, all shapes: {numbers}")
    for errors in [*resource_errors(), adder_errors()]:
        print(errors)
    for design, dsp, lut, ff in synthesis_shares():
        print(f"after synthesis / HLS report, {design}: DSP {dsp:.2f}, LUT {lut:.2f}, FF {ff:.2f}")
    unscored = sum(int(r["reuse"]) == 1 for r in read("ntorc.csv"))
    print(f"settings with reuse 1 (means over unknown weights), not judged: {unscored}")


if __name__ == "__main__":
    main()
