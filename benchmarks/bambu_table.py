"""The table of real Bambu runs in docs/bambu.md, from one JSON per run in benchmarks/bambu/.

`python -m benchmarks.bambu_table` writes it again, with today's code deciding which rows are stale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS, PAGE = ROOT / "benchmarks" / "bambu", ROOT / "docs" / "bambu.md"
BEGIN, END = "<!-- runs: begin -->", "<!-- runs: end -->"
HEAD = (
    "design",
    "command",
    "tools",
    "II",
    "latency",
    "Bambu DSP",
    "Bambu FF",
    "LUT",
    "FF",
    "DSP",
    "BRAM18",
    "s",
    "MB",
    "verified",
    "sources",
)


@dataclass(frozen=True)
class Run:
    """One real run.

    Args:
        name: Of the design, a key of DESIGNS in bambu_run.py, and of the file.
        model, config: Relative to the repository; a model that starts with ``../shared/`` is not part of it.
        command: As a user would type it in the repository.
        tools: Name of each tool -> version.
        digest: Of the generated sources.
        interval, latency: Measured, in clocks.
        hls, synthesis: Resources by Bambu and by yosys, dsp lut ff bram uram; what is not said is left out.
        seconds, megabytes: Of Bambu.
        events, differ: Compared with the emulator.
    """

    name: str
    model: str
    config: str
    command: str
    tools: Mapping[str, str]
    digest: str
    interval: int | None
    latency: int | None
    hls: Mapping[str, int]
    synthesis: Mapping[str, int]
    seconds: float
    megabytes: float | None
    events: int
    differ: int

    def save(self) -> Path:
        """Write it to RUNS."""
        RUNS.mkdir(exist_ok=True)
        path = RUNS / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path


def read_runs(folder: Path = RUNS) -> list[Run]:
    """Every run, by name."""
    runs = []
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        if set(data) != {f.name for f in fields(Run)} or data["name"] != path.stem:
            raise ValueError(f"{path}: its fields must be those of Run, and its name that of the file")
        runs.append(Run(**data))
    return runs


def available(run: Run) -> bool:
    """Whether the files that the design is made from are here."""
    return (ROOT / run.model).is_file() and (not run.config or (ROOT / run.config).is_file())


def todays_digest(run: Run) -> str:
    """The digest of the sources that today's code makes of the same files."""
    from nn2hls.cli import parser
    from nn2hls.commands.base import make_design

    words = run.command.split()[1:]  # without `nn2hls`
    args = parser()[0].parse_args(words)
    args.config = ROOT / (run.config or run.model)
    return make_design(args).for_tool("bambu").project.digest


def render(runs: list[Run], today: Mapping[str, str]) -> str:
    """The table; a run is marked stale when today's digest of its name is another one, and kept as it is when there is none."""
    rows = [HEAD, ["---"] * len(HEAD), *(_row(r, today.get(r.name, r.digest)) for r in runs)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) if runs else "No run is recorded yet.\n"


def _row(run: Run, today: str) -> list[str]:
    counts = [run.interval, run.latency, *(run.hls.get(k) for k in ("dsp", "ff"))]
    counts += [run.synthesis.get(k) for k in ("lut", "ff", "dsp", "bram")]
    cells = [run.name, f"`{run.command}`", ", ".join(f"{k} {v}" for k, v in sorted(run.tools.items()))]
    cells += ["-" if n is None else f"{n:,}" for n in counts]
    cells += [f"{run.seconds:.0f}", "-" if run.megabytes is None else f"{run.megabytes:.0f}"]
    cells += [f"{run.events:,} events, " + (f"{run.differ:,} DIFFER" if run.differ else "all equal")]
    cells += [run.digest[:12] + ("" if today == run.digest else " **stale**")]
    return [cell.replace("|", r"\|") for cell in cells]


def page_with(table: str, page: str) -> str:
    """The page with this table between its marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table}{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the table into the page."""
    runs = read_runs()
    today = {r.name: todays_digest(r) for r in runs if available(r)}
    PAGE.write_text(page_with(render(runs, today), PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
