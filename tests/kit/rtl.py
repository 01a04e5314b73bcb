"""Cases of ops as one design in Verilog."""

import re
import shutil

import numpy as np

from nn2hls.emit.options import Options
from nn2hls.emit.rtl_project import emit_rtl
from nn2hls.graph.analysis import graph_ranges
from nn2hls.graph.graph import Graph
from nn2hls.size.choices import Sizer
from nn2hls.targets import find_part
from nn2hls.tools.order import RtlOrder
from nn2hls.tools.rtl.run import simulate_rtl
from tests.kit.tools import require_tool

PART = find_part("xc7vx690tffg1930-3")
_DECLARED = re.compile(r"^    reg (?:\[(\d+):0\] )?([\w, ]+);", re.M)
_DELAY = re.compile(r"stream_delay #\(.WIDTH\((\d+)\), .WORDS\(\d+\), .BITS\((\d+)\)\)")


def rtl_project(cases, rng, events, period):
    """(project, what its bench is to find) of all cases side by side, with drawn events and the emulator's answers."""
    nodes = [n for k, case in enumerate(cases) for n in case.nodes(f"c{k}_", ports=True)]
    graph = Graph(tuple(nodes), tuple(f"c{k}_op" for k in range(len(cases))))
    vectors = {}
    for k, case in enumerate(cases):
        x = case.draw(rng, events, ports=True)
        vectors |= {f"c{k}_in{n}": values for n, values in enumerate(x)} | {f"c{k}_op": case.emulate(x, ports=True)}
    placed = Sizer(graph, graph_ranges(graph), PART, period, "verilog", None).placed()
    options = Options(backend="Verilog", clock_period=period)
    project = emit_rtl(graph, options, placed, PART.bit_delay, period, vectors)
    return project, RtlOrder(events, placed.latency, placed.interval, placed.registers)


def simulate(project, folder, events, simulator="iverilog"):
    require_tool(simulator, shutil.which(simulator))
    project.write(folder / "p")
    return simulate_rtl(folder / "p", project.name, events, 600, simulator)


def rtl_equals_emulated(cases, folder, seed=0, events=40, period=12.0):
    """Simulate all cases as one design in Verilog, which compares every mantissa with the emulator, and its latency."""
    project, order = rtl_project(cases, np.random.default_rng(seed), events, period)
    found = simulate(project, folder, events)
    assert (found.check.events, found.check.differ, found.first) == (events, 0, "")
    assert (found.check.latency, found.check.interval) == (order.latency, order.interval)


def registers_in(text):
    """Bits of all regs that a clock edge writes, times how often their module stands in the last one or in one inside it."""
    bodies = {found[1]: found[0] for found in re.finditer(r"^module (\w+) .*?^endmodule", text, re.M | re.S)}

    def inside(name):
        body, total = bodies[name], _own_registers(bodies[name])
        for module in bodies:
            lanes = re.findall(rf"k < (\d+); k = k \+ 1\) begin : lanes_{module}\b", body)
            count = sum(map(int, lanes)) + len(re.findall(rf"^    {module} \w+ \(", body, re.M))
            total += count * inside(module) if count else 0
        return total

    return inside(list(bodies)[-1])


def declared(text):
    """Bits of the registers of a module, those of its delays among them."""
    own = sum((int(top or 0) + 1) * len(names.split(",")) for top, names in _DECLARED.findall(text))
    return own + sum(int(width) + int(bits) for width, bits in _DELAY.findall(text))


def _own_registers(body):
    declared = {}
    for span, names in re.findall(r"\breg (?:signed )?(?:\[(\d+:\d+)\] )?([\w, ]+?)(?=;|,\n|\n)", body):
        high, low = map(int, span.split(":")) if span else (0, 0)
        declared |= dict.fromkeys((n.strip() for n in names.split(",")), high - low + 1)
    clocked = set()
    blocks = re.findall(r"always @\(posedge clock\)[^;]*?\bbegin\b(.*?)^    end\b", body, re.M | re.S)
    blocks += re.findall(r"always @\(posedge clock\) (?!begin|if)(.*?;)", body, re.S)
    for block in blocks:
        if "<= rom[" in block:  # a block RAM has its own
            continue
        clocked |= {n.strip() for group in re.findall(r"\{([\w, ]+)\} <=", block) for n in group.split(",")}
        clocked |= set(re.findall(r"(\w+) <=", block))
    return sum(declared[n] for n in clocked)
