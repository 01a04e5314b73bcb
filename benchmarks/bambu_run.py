"""Build and verify designs with the real Bambu, and record each run in benchmarks/bambu/.

`python -m benchmarks.bambu_run NAME...`, then `python -m benchmarks.bambu_table` to write the table of docs/bambu.md.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.bambu_table import ROOT, Run

# Name -> model and config, relative to the repository (no config: empty), and the options in place of what they say.
DESIGNS = {
    "jet_tagger_pruned": ("examples/jet_tagging/jet_tagger_pruned.keras", "", "--part xc7vx690t --clock 5"),
}
TOOLS = ("bambu", "clang-16", "verilator", "yosys")


def record(name: str, folder: Path) -> Run:
    """Run one design in an empty folder.

    Raises:
        Nn2hlsError: A tool is missing, or the design cannot be built.
    """
    from nn2hls.cli import parser
    from nn2hls.commands.base import make_design
    from nn2hls.tools.find import find, version

    model, config, options = DESIGNS[name]
    command = f"nn2hls build {config or model} --tool bambu {options}".strip()
    args = parser()[0].parse_args(shlex.split(command)[1:])
    args.config, args.backend = ROOT / (config or model), "Bambu"
    design, start = make_design(args), time.perf_counter()
    report = design.build("bambu", folder)
    seconds = time.perf_counter() - start
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    design.verify(tool="bambu")
    checks = [c for c in report.checks if c.witness == "rtl"]
    if not checks:
        raise SystemExit(f"{name}: the build's report has no verification of the RTL")
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
        round(seconds, 1),
        round(largest),
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
    names = own.parse_args().names or list(DESIGNS)
    unknown = [n for n in names if n not in DESIGNS]
    if unknown:
        own.error(f"no design {', '.join(unknown)}; there are {', '.join(DESIGNS)}")
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            print(f"wrote {record(name, Path(scratch) / name).save()}")


if __name__ == "__main__":
    main()
