"""What co-simulation says: the text table ``<top>_cosim.rpt`` of Vivado HLS and Vitis HLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nn2hls.tools.amd.text import UNKNOWN, read_report, report_error, rows, whole

_LANGUAGES = ("Verilog", "VHDL")
_COLUMNS = 8  # language, status, latency min avg max, interval min avg max; from 2021 on also the total time


@dataclass(frozen=True)
class Cosimulation:
    """One simulated language.

    Args:
        passed: Whether the test bench ended with the RTL's answers as it should.
        status: In the tool's word.
        latency, interval: The largest that were seen, in clocks; None when there was only one event, or none.
    """

    passed: bool
    status: str
    latency: int | None
    interval: int | None


def read_cosimulation(path: Path) -> Cosimulation:
    """Read the table.

    Raises:
        ToolError: The file is missing or damaged, or no language was simulated.
    """
    text = read_report(path)
    found = [[c.strip() for c in cells] for cells in rows(text)]
    languages = [cells for cells in found if cells[0] in _LANGUAGES]
    if not languages:
        raise report_error(path, f"it has no line for {' or '.join(_LANGUAGES)}")
    short = next((cells for cells in languages if len(cells) < _COLUMNS), None)
    if short:
        raise report_error(path, f"the line for {short[0]} has {len(short)} columns instead of {_COLUMNS}")
    for cells in languages:
        if cells[1] not in UNKNOWN:
            latency, interval = (whole(cells[k], path, f"column {k + 1} of {cells[0]}") for k in (4, 7))
            return Cosimulation(cells[1].lower() == "pass", cells[1], latency, interval)
    raise report_error(path, "no language was simulated")
