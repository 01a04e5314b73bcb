"""Build and verify designs with the real Bambu, and record each run in benchmarks/bambu/.

`python -m benchmarks.bambu_run NAME...`, then `python -m benchmarks.bambu_table` to write the table of docs/bambu.md.
"""

from __future__ import annotations

import argparse
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bambu_table import ROOT, Run

_SMALL = "--part xc7vx690tffg1930-3 --precision ap_fixed<12,4,AP_RND,AP_SAT>"
_JETS = "examples/jet_tagging"
# Name -> model and config, relative to the repository (no config: empty), and the options in place of what they say.
DESIGNS = {
    "jet_tagger_pruned": (f"{_JETS}/jet_tagger_pruned.keras", "example-configs/jet_tagger_bambu.yml", ""),
    "jet_tagger_reuse32": (f"{_JETS}/jet_tagger.keras", "example-configs/jet_tagger_bambu_reuse32.yml", ""),
    "keras_3layer_pruned": (
        "../shared/models/keras/KERAS_3layer_70pruned_retrained_weights.h5",
        "benchmarks/bambu/keras_3layer_pruned.yml",
        "",
    ),
    "residual": ("benchmarks/bambu/models/residual.onnx", "", _SMALL),
    "tables": ("benchmarks/bambu/models/tables.onnx", "", _SMALL),
    "two_by_two": ("benchmarks/bambu/models/two_by_two.onnx", "", _SMALL),
}
STEPS = ("hls", "simulate", "yosys")
TOOLS = ("bambu", "clang-16", "verilator", "yosys")


def record(name: str, folder: Path, wanted: Sequence[str] = STEPS) -> Run:
    """Build one design in a folder, by these steps; a report of the same sources that is there already is taken as it is.

    Raises:
        Nn2hlsError: A tool is missing, or the design cannot be built.
    """
    from nn2hls.cli import parser
    from nn2hls.commands.base import make_design
    from nn2hls.tools.find import find, version
    from nn2hls.tools.report import BuildReport

    model, config, options = DESIGNS[name]
    own = "" if tuple(wanted) == STEPS else f"--steps {','.join(wanted)}"
    command = " ".join(filter(None, ["nn2hls build", config or model, "--tool bambu", options, own]))
    args = parser()[0].parse_args(shlex.split(command)[1:])
    args.config = ROOT / (config or model)
    design, path = make_design(args).for_tool("bambu"), folder / "reports" / "bambu.json"
    report = BuildReport.read(path) if path.is_file() else None
    steps = {s.name: s for s in report.steps if s.ok} if report and report.digest == design.project.digest else {}
    missing = [s for s in wanted if s not in steps]
    if missing:
        report = design.build("bambu", folder, steps=missing)
        steps = {s.name: s for s in report.steps if s.ok}
    assert report is not None
    checks = [c for c in report.checks if c.witness == "rtl"]
    if not report.ok or not checks:
        raise SystemExit(f"{name}: {[s.note for s in report.steps if not s.ok]}")
    counts = {source: _counts(report, source) for source in ("hls", "synthesis")}
    return Run(
        name,
        model,
        config,
        command,
        {tool: version(find(tool)) for tool in TOOLS},
        report.digest,
        checks[-1].interval,
        checks[-1].latency,
        counts["hls"],
        counts["synthesis"],
        round(steps["hls"].seconds, 1),
        round((steps["hls"].memory or 0) / 2**20),
        checks[-1].events,
        checks[-1].differ,
    )


def _counts(report: Any, source: str) -> dict[str, int]:
    """What the last figures of a source say."""
    from dataclasses import asdict

    found = [asdict(f.resources) for f in report.total if f.source == source]
    return {k: v for k, v in found[-1].items() if v is not None} if found else {}


def main() -> None:
    """Record the named designs, or all."""
    own = argparse.ArgumentParser(prog="python -m benchmarks.bambu_run", description=__doc__)
    own.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DESIGNS)}; all by default")
    own.add_argument("--folder", metavar="DIR", help="where the projects stay; what is built there is not built again")
    own.add_argument(
        "--steps", default=",".join(STEPS), help="without yosys, which is slow, a record says nothing of its cells"
    )
    settings = own.parse_args()
    names = settings.names or list(DESIGNS)
    unknown = [n for n in names if n not in DESIGNS]
    if unknown:
        own.error(f"no design {', '.join(unknown)}; there are {', '.join(DESIGNS)}")
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(settings.folder or scratch) / name
            print(f"wrote {record(name, folder, settings.steps.split(',')).save()}", flush=True)


if __name__ == "__main__":
    main()
