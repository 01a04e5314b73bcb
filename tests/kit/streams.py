"""Designs in streams, in Verilog: projects whose bench holds the emulator's answers, and what simulators say of them."""

import shutil
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.design.design import Design, convert
from nn2hls.emit.stream_rtl_project import emit_stream_rtl
from nn2hls.errors import LimitError
from nn2hls.size.actors import Timing
from nn2hls.size.fifos import Fifos, fifos
from nn2hls.streams.build import build
from nn2hls.streams.chunks import allowed
from nn2hls.streams.clocked import EVENTS, Pace, clocked
from nn2hls.streams.network import Network
from nn2hls.streams.plan import plan
from nn2hls.targets import find_part
from nn2hls.tools.folder import Project
from nn2hls.tools.rtl.run import simulate_rtl
from tests.kit.stream_networks import window_net
from tests.kit.tools import require_tool

PART = find_part("xc7vx690tffg1930-3")
PERIOD = 9.0  # nanoseconds of a clock of 12 that operators may fill


@dataclass
class Streamed:
    """A design in streams."""

    design: Design
    network: Network
    fifos: Fifos
    pace: Pace
    project: Project


def streamed(
    graph, events=3, positions=None, depths=None, precision="ap_fixed<10,4>", layers=None, seed=0, period=PERIOD, tight=False
):
    """A float graph as a design; depths None: those that were computed, ``tight`` or not."""
    levels = {"Model": {"Precision": precision}, "LayerName": layers or {}}
    design = convert(graph, {"Backend": "Verilog", "ClockPeriod": 12, "HLSConfig": levels})
    fixed, rng = design.graph, np.random.default_rng(seed)
    network = plan(fixed, design.emulator.ranges, positions)
    inputs = [drawn(n, events, rng) for n in fixed.inputs]
    answers, _ = design._emulate(inputs, fixed.outputs, raw=True, mantissas=True)
    vectors = {n.name: x for n, x in zip(fixed.inputs, inputs, strict=True)} | {o: answers[o] for o in fixed.outputs}
    built = build(network, PART.bit_delay, period)
    found = fifos(network, Timing({b.process.name: b.latency for b in built}, overlap=True), tight=tight)
    options = replace(design.options, name="streamed")
    own = found.depths if depths is None else depths
    project = emit_stream_rtl(network, fixed, options, PART.bit_delay, period, own, built, vectors)
    return Streamed(design, network, found, clocked(network, built, own, min(events, EVENTS)), project)


def drawn(node, events, rng):
    """Any mantissas of a node's type."""
    kind = node.result_type
    low = -(1 << kind.width - 1) if kind.signed else 0
    return rng.integers(low, low + (1 << kind.width) - 1, (events, *node.shape), endpoint=True)


def simulated(project, folder, events=3, simulator="iverilog"):
    """What a simulator says."""
    require_tool(simulator, shutil.which(simulator))
    project.write(folder / "p")
    return simulate_rtl(folder / "p", project.name, events, 600, simulator)


def random_design(seed, events=3, tight=False):
    """A random network with random types, positions and reuse; one with an output that no input reaches is drawn again."""
    for attempt in range(20):
        rng = np.random.default_rng([seed, attempt])
        graph = window_net(rng)
        products = {n.name: n.shape[:-1] for n in graph if n.name.startswith("dense") and len(n.shape) > 1}
        positions = {n: int(rng.choice(allowed(lead))) for n, lead in products.items() if rng.random() < 0.4}
        layers = {n: {"ReuseFactor": int(rng.integers(2, 5))} for n in products if rng.random() < 0.3}
        width = int(rng.integers(3, 12))
        kind = f"ap_{'u' if rng.random() < 0.2 else ''}fixed<{width},{int(rng.integers(0, width + 1))}>"
        try:
            return streamed(graph, events, positions, None, kind, layers, seed, tight=tight)
        except LimitError:
            continue
    raise AssertionError(seed)
