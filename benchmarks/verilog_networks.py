"""The networks of examples/jet_particles at their smallest useful size through every witness and yosys, beside the estimate.

python -m benchmarks.verilog_networks record FOLDER [NETWORK ...]    minutes of yosys for each
python -m benchmarks.verilog_networks                                the table of docs/verilog.md

Same structure and code as the examples, seeded weights pruned by magnitude, fewer pixels and particles. No coefficient of the
estimate is fitted to them.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nn2hls
from benchmarks.measure import ROOT
from benchmarks.words import run
from nn2hls.design.design import Design

RECORD = Path(__file__).with_suffix(".json")
SEED, EVENTS, TO_SIMULATE = 7, 200, 20
TOP = {"Part": "xcvu13p-flga2577-2-e", "ClockPeriod": 5, "Backend": "Verilog", "ProjectName": "reduced"}
MODEL = {"Precision": "auto", "MaxWidth": 12, "TargetSQNR": 35}
FEW = 32  # weights of a layer that pruning leaves alone, as the examples do


def jet_image() -> tuple[Any, np.ndarray, float]:
    """6 x 6 pixels, two and three filters."""
    from jet_image import KEEP, network
    from particles import images

    return network(6, (2, 3)), images(EVENTS, SEED, 6)[0], KEEP


def unet() -> tuple[Any, np.ndarray, float]:
    """4 x 4 pixels, one and two filters."""
    from particles import noisy
    from unet import KEEP, network

    return network(4, 1), noisy(EVENTS, SEED, 4)[0], KEEP


def particle_transformer() -> tuple[Any, np.ndarray, float]:
    """Three particles, four features, two heads."""
    from particle_transformer import KEEP, ParticleTransformer
    from particles import particles

    return ParticleTransformer(4), particles(EVENTS, SEED, 3)[0], KEEP


def interaction_network() -> tuple[Any, np.ndarray, float]:
    """Three particles, six pairs, three effects."""
    from interaction_network import KEEP, InteractionNetwork
    from particles import particles

    return InteractionNetwork(3, 3), particles(EVENTS, SEED, 3)[0], KEEP


NETWORKS: dict[str, Callable[[], tuple[Any, np.ndarray, float]]] = {
    "jet images": jet_image,
    "particle transformer": particle_transformer,
    "JEDI-net": interaction_network,
    "U-Net of two levels": unet,
}


def made(name: str, bench: Path | None = None) -> tuple[Design, np.ndarray]:
    """(design, events) of a network; ``bench``: a file for the first of them, which the simulators get."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import torch

    folder = str(ROOT / "examples/jet_particles")
    sys.path.insert(0, folder)
    try:
        torch.manual_seed(SEED)
        model, x, keep = NETWORKS[name]()
    finally:
        sys.path.remove(folder)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad and weight.ndim >= 2 and weight.numel() >= FEW:
                weight *= weight.abs() > weight.abs().flatten().quantile(1 - keep)
    config: dict[str, Any] = {**TOP, "HLSConfig": {"Model": MODEL}}
    if bench is not None:
        np.save(bench, x[:TO_SIMULATE].astype(np.float64))
        config["InputData"] = str(bench)
    given = {} if _keras(model) else {"example": torch.from_numpy(x[:2])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn2hls.convert(model.eval(), config, calibration=x, **given), x


def _keras(model: Any) -> bool:
    return any(base.__module__.split(".")[0] == "keras" for base in type(model).__mro__)


def estimated(design: Design) -> dict[str, int]:
    """LUT, FF, DSP, clocks and interval."""
    found = design.estimate()
    after = found.synthesised
    return {"lut": after.lut, "ff": after.ff, "dsp": after.dsp, "clocks": found.latency_cycles, "ii": found.ii}


def recorded() -> dict[str, dict[str, Any]]:
    """Network -> what was found."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}


def record(folder: Path, name: str) -> None:
    """Run one network through all of it.

    Raises:
        ValueError: A witness differs, or yosys did not count.
    """
    place = folder / name.replace(" ", "_")
    place.mkdir(parents=True, exist_ok=True)
    design, x = made(name, place / "events.npy")
    compared = design.compare(x).outputs[0]
    compiled = design.verify(x, "csim")
    report = design.build("rtl", place / "project")
    if not (compiled.equal and report.ok and report.checks and report.total) or any(c.differ for c in report.checks):
        raise ValueError(f"{name}: {compiled}, {[(s.name, s.note) for s in report.steps]}, {report.checks}")
    final = report.total[-1]
    r = final.resources
    found = {
        "sqnr": round(compared.sqnr, 1),
        "compiled": len(x),
        "simulated": dict.fromkeys(("Verilator", "Icarus")[: len(report.checks)], report.checks[0].events),
        "yosys": final.tool,
        "measured": {"lut": r.lut, "ff": r.ff, "dsp": r.dsp},
        "estimated": estimated(design),
    }
    known = {**recorded(), name: found}
    RECORD.write_text(json.dumps({n: known[n] for n in NETWORKS if n in known}, indent=1) + "\n", encoding="utf-8")
    print(name, found, flush=True)


def error(found: dict[str, Any]) -> float:
    """Of the LUT, signed."""
    return float(found["estimated"]["lut"] / found["measured"]["lut"] - 1)


def table() -> list[str]:
    """Lines of docs/verilog.md."""
    head = ["network", "SQNR", "C++", "Verilog", "LUT", "estimate", "error", "FF", "estimate", "DSP", "estimate", "clocks"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    known = recorded()
    for name, found in known.items():
        m, e = found["measured"], found["estimated"]
        simulated = ", ".join(f"{n} events in {tool}" for tool, n in found["simulated"].items())
        cells = [name, f"{found['sqnr']} dB", f"{found['compiled']} events", simulated]
        cells += [f"{m['lut']:,}", f"{e['lut']:,}", f"{error(found):+.1%}"]
        cells += [f"{n:,}" for figure in ("ff", "dsp") for n in (m[figure], e[figure])] + [str(e["clocks"])]
        lines.append("| " + " | ".join(cells) + " |")
    errors = [abs(error(found)) for found in known.values()]
    return [*lines, "", f"LUT: median error {statistics.median(errors):.1%}, worst {max(errors):.1%}"]


def record_all(folder: str, *names: str) -> None:
    """The networks of these names, all where none is named."""
    for name in names or NETWORKS:
        record(Path(folder), name)


def main() -> None:
    """See the module's docstring."""
    run(__doc__, {"": lambda: print("\n".join(table())), "record": record_all})


if __name__ == "__main__":
    main()
