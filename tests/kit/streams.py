"""Designs in streams, in Verilog: projects whose bench holds the emulator's answers, and what simulators say of them."""

import shutil
from dataclasses import replace

import numpy as np

from nn2hls.design.design import convert
from nn2hls.emit.stream_rtl_project import emit_stream_rtl
from nn2hls.streams.plan import plan
from nn2hls.targets import find_part
from nn2hls.tools.rtl.run import simulate_rtl
from tests.kit.tools import require_tool

PART = find_part("xc7vx690tffg1930-3")
PERIOD = 4.0  # nanoseconds of a clock of 5 that operators may fill


def stream_project(graph, events=3, positions=None, depths=None, precision="ap_fixed<10,4>", layers=None, seed=0):
    """(network, project) of a float graph; depths None: as deep as an event is long, so that nobody waits for room."""
    levels = {"Model": {"Precision": precision}, "LayerName": layers or {}}
    design = convert(graph, {"Backend": "Verilog", "ClockPeriod": 5, "HLSConfig": levels})
    fixed, rng = design.graph, np.random.default_rng(seed)
    network = plan(fixed, design.emulator.ranges, positions)
    inputs = [drawn(n, events, rng) for n in fixed.inputs]
    answers, _ = design._emulate(inputs, fixed.outputs, raw=True, mantissas=True)
    vectors = {n.name: x for n, x in zip(fixed.inputs, inputs, strict=True)} | {o: answers[o] for o in fixed.outputs}
    if depths is None:
        depths = {edge: network.streams[edge[0]].tokens + 2 for edge in network.edges}
    options = replace(design.options, name="streamed")
    return network, emit_stream_rtl(network, fixed, options, PART.bit_delay, PERIOD, depths, vectors)


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
