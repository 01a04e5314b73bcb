"""One row for each network of the field: score in float and fixed, types, size and speed, and what the witnesses say.

``python -m benchmarks.networks`` prints the page; with names of networks, their rows alone. The rows are data:
examples/networks.yml.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.measure import ROOT

ROWS = ROOT / "examples" / "networks.yml"
MOST = 2  # networks at once: each is a compiler most of the time
HEAD = ("network", "config", "score, float", "fixed", "as float", "types", "LUT", "DSP", "FF", "clocks", "II", "C++", "Verilog")
_INTRO = """\
# Networks of the field

A row for each network that triggers, control loops and fast simulation use, with a model of the size that fits them. All models
and data are synthetic or seeded, made by the scripts in `examples/`: no figure is a physics result. The page is
written by `make networks`; a single row by

    python -m benchmarks.networks "GravNet"

| word | what it is |
|---|---|
| score | accuracy on the labels; of a generator SQNR of fixed against float |
| as float | events that float and fixed answer alike |
| types | widths of the results of layers, and of the weights |
| LUT, DSP, FF, clocks, II | the estimate, `nn2hls estimate`, for the part and clock of the config |
| C++ | the project compiled and run here, all events of the test set, every mantissa against the emulator's |
| Verilog | the same of Verilator and Icarus, on as many events as the row says |
| in streams | witnesses of the same network and types with `IOType: io_stream`, where the parallel design takes minutes |

"""


def rows() -> list[dict[str, Any]]:
    """What is asked of each network, in the order of the page."""
    found: list[dict[str, Any]] = yaml.safe_load(ROWS.read_text(encoding="utf-8"))
    return found


def design_of(row: Mapping[str, Any], *, streams: bool = False) -> Any:
    """The design of a row's config, or the same network and types in streams."""
    import dataclasses

    import nn2hls
    from nn2hls.config.read import read_config

    config = read_config(ROOT / "example-configs" / row["config"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn2hls.convert(None, dataclasses.replace(config, io_type="io_stream") if streams else config)


def _array(row: Mapping[str, Any], key: str) -> np.ndarray | None:
    return np.load(ROWS.parent / row[key], allow_pickle=False) if key in row else None


def figures(row: Mapping[str, Any], design: Any) -> dict[str, str]:
    """The columns that need no tool: they are the same on every machine."""
    x, labels = _array(row, "input"), _array(row, "labels")
    assert x is not None
    found = design.compare(x.astype(np.float64), labels).outputs[0]
    size = design.estimate()
    score = ("", f"{found.sqnr:.1f} dB", "") if found.accuracy_float is None else _shares(found)
    widths = sorted({n.result_type.width for n in design.graph if n.inputs})
    weights = sorted({kind.width for n in design.graph for word, kind in n.op.types().items() if word == "weight"})
    types = f"{widths[0]}..{widths[-1]}" + (f", weights {weights[0]}..{weights[-1]}" if weights else "")
    numbers = [f"{n:,}" for n in (*_synthesised(size), size.latency_cycles, size.ii)]
    return dict(zip(HEAD, (row["network"], f"`{row['config']}`", *score, types, *numbers), strict=False))


def _synthesised(size: Any) -> tuple[int, int, int]:
    return size.synthesised.lut, size.synthesised.dsp, size.synthesised.ff


def _shares(found: Any) -> tuple[str, str, str]:
    return f"{found.accuracy_float:.2%}", f"{found.accuracy_fixed:.2%}", f"{found.agreement:.2%}"


def witnesses(row: Mapping[str, Any], design: Any) -> dict[str, str]:
    """What the compiled C++ and both simulators of the Verilog say."""
    x = _array(row, "input")
    assert x is not None
    where = ", in streams" if row.get("streams") else ""
    design = design_of(row, streams=True) if where else design
    x = x[: row["streams"]] if where else x
    compiled = design.verify(x.astype(np.float64), "csim")
    said = {"C++": f"equal, {len(x)} events{where}" if compiled.equal else "DIFFERS"}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "events.npy"
        np.save(data, x[: row["simulate"]].astype(np.float64))
        some = _with_data(design, data)
        report = some.build("rtl", Path(folder) / "project", steps=["verilog", "simulate"])
    if not report.checks or any(c.differ for c in report.checks):
        return {**said, "Verilog": "DIFFERS"}
    return {**said, "Verilog": f"equal, {row['simulate']} events, {len(report.checks)} simulators{where}"}


def _with_data(design: Any, path: Path) -> Any:
    import dataclasses

    return dataclasses.replace(design, config=dataclasses.replace(design.config, input_data=path), _compiled=None)


def line(values: Mapping[str, str]) -> str:
    """A row of the table."""
    return "| " + " | ".join(values.get(name, "") for name in HEAD) + " |"


def table(chosen: Sequence[Mapping[str, Any]]) -> str:
    """The rows of some networks; as many are made at once as there are cores, up to MOST."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    workers = min(MOST, os.cpu_count() or 1, len(chosen))
    if workers < 2:
        lines += map(_made, chosen)
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            lines += pool.map(_made, chosen)
    return "\n".join(lines) + "\n"


def _made(row: Mapping[str, Any]) -> str:
    """The line of a network."""
    start = time.monotonic()
    design = design_of(row)
    made = line({**figures(row, design), **witnesses(row, design)})
    print(f"{row['network']}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return made


def main() -> int:
    """Of the command line."""
    known = {row["network"]: row for row in rows()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(known)}; the whole page by default")
    parser.add_argument("--page", metavar="FILE", type=Path, help="write the page there, once every row is done")
    given = parser.parse_args()
    chosen = given.networks
    unknown = [name for name in chosen if name not in known]
    if unknown:
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(known)}")
    text = table([known[name] for name in chosen or known])
    if given.page:
        given.page.write_text(_INTRO + text, encoding="utf-8")
    else:
        print(text if chosen else _INTRO + text, end="")
    return int("DIFFERS" in text)


if __name__ == "__main__":
    sys.exit(main())
