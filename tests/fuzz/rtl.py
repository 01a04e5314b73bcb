"""A random network in our own Verilog, in Icarus: every mantissa, latency and interval."""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from nn2hls.design.design import convert
from nn2hls.errors import ToolError
from nn2hls.tools.rtl.run import simulate_rtl
from tests.fuzz.drawing import draw

SHARE = 0.05  # of the networks
EVENTS = 20
PERIODS = (4.0, 8.0, 20.0, 100.0, 1000.0)  # nanoseconds: from a register behind every addition to none at all
PARTS = ("xcvu13p-flga2577-2-e", "xc7vx690tffg1930-3", "LFE5U-85F")


def installed() -> bool:
    """Whether there is a simulator."""
    return shutil.which("iverilog") is not None


def chosen(seed: int, index: int) -> bool:
    """Whether the network is one of those that are simulated."""
    return installed() and np.random.default_rng([seed, index, 3]).random() < SHARE


def difference(seed: int, index: int) -> str:
    """What differs between the Verilog and what is known of it; empty: nothing.

    Raises:
        Nn2hlsError: The network is refused.
    """
    rng = np.random.default_rng([seed, index, 4])
    drawn = draw(np.random.default_rng([seed, index]))
    device = {"Backend": "Verilog", "Part": str(rng.choice(PARTS)), "ClockPeriod": float(rng.choice(PERIODS))}
    levels = {"Model": drawn.model, "LayerName": drawn.layers}
    design = convert(drawn.graph, {**device, "HLSConfig": levels}, drawn.calibration())
    assert design.project.files  # or it is refused
    project, order = design._rtl
    with tempfile.TemporaryDirectory() as folder:
        project.write(Path(folder) / "p")
        try:
            found = simulate_rtl(Path(folder) / "p", project.name, EVENTS, 600, "iverilog")
        except ToolError as error:
            return f"Verilog with {device}: {error}"
    seen = (found.check.differ, found.check.events, found.check.latency, found.check.interval)
    if seen == (0, EVENTS, order.latency, order.interval):
        return ""
    return (
        f"Verilog with {device}: {seen[0]} of {seen[1]} events differ, latency {seen[2]} of {order.latency}, "
        f"interval {seen[3]} of {order.interval}. {found.first}"
    )
