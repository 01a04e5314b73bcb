"""The picture of a scan as a file."""

from __future__ import annotations

from pathlib import Path

from nn2hls.figures.style import save
from nn2hls.scan.point import Scan


def plot(result: Scan, path: Path) -> None:
    """Write accuracy and size against bits, and size and latency against the reuse factor; ``path`` ends with the format.

    Raises:
        ToolError: matplotlib is not installed.
        DataError: There is no such format.
    """
    save(result.plot.all(), path)
