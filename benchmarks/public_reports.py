"""Public synthesis reports as small tables in ``tests/data``, and how they were made from the published files.

python benchmarks/public_reports.py GROUNDTRUTH    writes tests/data again from the published data sets
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

DATA = Path(__file__).parents[1] / "tests" / "data"

# Data set file -> kind of layer, columns of (inputs, outputs, reuse, length), columns of the figures.
RESOURCES = {
    "dense_resources_collapsed.csv": ("dense", "n_inputs_resources dense_size_resource correct_reuse_factor_dense_resource"),
    "collapsed_conv_resources.csv": ("conv", "n_inputs_resources cnn_filters_resources correct_reuse_factor_resource"),
}
LATENCY = {
    "dense_latency_collapsed.csv": (
        "dense",
        "n_inputs_latency dense_size_latency correct_reuse_factor_dense_latency sequence_length_latency",
    ),
    "conv_latency_collapsed.csv": (
        "conv",
        "n_inputs_latency cnn_filters_latency correct_reuse_factor_latency sequence_length_latency",
    ),
}
FIGURES = ("dsp48e", "bram_18k", "lut", "ff")
WINDOW = 3  # taps of every convolution in the set


def read(name: str) -> list[dict[str, str]]:
    """Rows of a table in ``tests/data``."""
    with (DATA / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(x for x in lines if not x.startswith("#")))


def _resources(folder: Path) -> Iterable[Sequence[object]]:
    for file, (kind, columns) in RESOURCES.items():
        found: dict[tuple[int, ...], list[list[float]]] = defaultdict(list)
        with (folder / file).open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                found[tuple(int(row[c]) for c in columns.split())].append([float(row[f]) for f in FIGURES])
        for key, rows in sorted(found.items()):
            yield kind, *key, len(rows), *(round(statistics.median(column), 2) for column in zip(*rows, strict=True))


def _latencies(folder: Path) -> Iterable[Sequence[object]]:
    for file, (kind, columns) in LATENCY.items():
        found: dict[tuple[int, ...], int] = defaultdict(int)
        with (folder / file).open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if float(row["latency_max"]).is_integer():  # others are means over different networks
                    found[(*(int(row[c]) for c in columns.split()), int(float(row["latency_max"])))] += 1
        for key, rows in sorted(found.items()):
            yield kind, *key, rows


def _jedi(folder: Path) -> Iterable[Sequence[object]]:
    with (folder / "summary.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield row["design"], row["cost"], row["LUT"], row["FF"], row["DSP"]


def _write(name: str, note: str, head: str, rows: Iterable[Sequence[object]]) -> None:
    with (DATA / name).open("w", encoding="utf-8", newline="") as out:
        out.write(f"# {note}\n")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(head.split())
        writer.writerows(rows)


def main(groundtruth: Path) -> None:
    """Write the tables; settings are made distinct, with the median of the rows that repeat them."""
    ntorc = "From N-TORC (HeRCLab/N-TORC bdd6413d), MIT, see README.md. Distinct settings; medians of the rows that repeat one."
    jedi = "From JEDI-linear (calad0i/JEDI-linear 48032802), Apache-2.0, see README.md. After place and route."
    _write("ntorc.csv", ntorc, "kind n_in n_out reuse rows dsp bram lut ff", _resources(groundtruth / "ntorc"))
    _write("ntorc_latency.csv", ntorc, "kind n_in n_out reuse length clocks rows", _latencies(groundtruth / "ntorc"))
    _write("jedi_linear.csv", jedi, "design cost lut ff dsp", _jedi(groundtruth / "jedi_linear_vivado"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
