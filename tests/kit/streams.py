"""Designs in streams, in Verilog: projects whose bench holds the emulator's answers, and what simulators say of them."""

import shutil
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.design.design import Design, convert
from nn2hls.emit.stream_rtl_project import emit_stream_rtl
from nn2hls.errors import LimitError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Concatenate, Dense, Elementwise, Input, Merge, Move, Reduce, Reduction, Relu
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
from tests.kit.cnn import convolution, pooling
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


def streamed(graph, events=3, positions=None, depths=None, precision="ap_fixed<10,4>", layers=None, seed=0, period=PERIOD):
    """A float graph as a design; depths None: those that were computed."""
    levels = {"Model": {"Precision": precision}, "LayerName": layers or {}}
    design = convert(graph, {"Backend": "Verilog", "ClockPeriod": 12, "HLSConfig": levels})
    fixed, rng = design.graph, np.random.default_rng(seed)
    network = plan(fixed, design.emulator.ranges, positions)
    inputs = [drawn(n, events, rng) for n in fixed.inputs]
    answers, _ = design._emulate(inputs, fixed.outputs, raw=True, mantissas=True)
    vectors = {n.name: x for n, x in zip(fixed.inputs, inputs, strict=True)} | {o: answers[o] for o in fixed.outputs}
    built = build(network, PART.bit_delay, period)
    found = fifos(network, Timing({b.process.name: b.latency for b in built}, overlap=True))
    options = replace(design.options, name="streamed")
    own = found.depths if depths is None else depths
    project = emit_stream_rtl(network, fixed, options, PART.bit_delay, period, own, vectors)
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


def random_network(rng):
    """(graph, layers with positions): windows, merges, skips, concatenations, moves and reductions at random."""
    b = Builder()
    shape = (*rng.integers(3, 8, 2).tolist(), int(rng.integers(1, 4)))
    values = [b.add("x", Input(shape))]
    if rng.random() < 0.3:
        values.append(b.add("z", Input(shape)))
    products = []
    for k in range(int(rng.integers(2, 6))):
        kind = str(rng.choice(["window", "window", "pool", "relu", "add", "concatenate", "turn", "each"]))
        x = values[int(rng.integers(max(0, len(values) - 2), len(values)))]
        made = _LAYERS[kind](b, rng, f"{kind}{k}", x, values)
        if made is not None:
            values.append(made)
            products += [made] if kind in ("window", "each") else []
    outputs = [values[-1]]
    shape = b.shape(values[-1])
    if rng.random() < 0.3:
        outputs = [b.add("mean", Reduce(Reduction.MEAN, (0, 1)), [values[-1]])]
    elif rng.random() < 0.3:
        flat = b.add("flat", Move.of(np.ravel, shape), [values[-1]])
        outputs = [b.add("fc", Dense(Const(rng.normal(size=(int(np.prod(shape)), 2))), Const(rng.normal(size=2))), [flat])]
    if rng.random() < 0.3:
        outputs.append(values[int(rng.integers(1, len(values)))] if len(values) > 1 else values[0])
    return b.build(list(dict.fromkeys(outputs))), {n: b.shape(n) for n in products}


def _window(b, rng, name, x, values):
    shape, pad = b.shape(x), int(rng.integers(0, 2))
    kernel = [int(rng.integers(1, min(3, n + 2 * pad) + 1)) for n in shape[:2]]
    weight = rng.normal(size=(*kernel, shape[2], int(rng.integers(1, 4)))) * 0.5
    return convolution(b, name, x, weight, rng.normal(size=weight.shape[-1]), pad=pad, stride=int(rng.integers(1, 3)))


def _pool(b, rng, name, x, values):
    if min(b.shape(x)[:2]) < 2:
        return None
    kind = rng.choice([Reduction.MAX, Reduction.MEAN])
    return pooling(b, name, x, kind, size=2, pad=int(rng.integers(0, 2)))


def _relu(b, rng, name, x, values):
    return b.add(name, Relu(), [x])


def _each(b, rng, name, x, values):
    return b.add(name, Dense(Const(rng.normal(size=(b.shape(x)[-1], 2)) * 0.5), Const(rng.normal(size=2))), [x])


def _turn(b, rng, name, x, values):
    turned = [lambda a: a[::-1], lambda a: a.transpose(1, 0, 2), lambda a: a[1:], lambda a: np.roll(a, 1, axis=1)]
    return b.add(name, Move.of(turned[int(rng.integers(0, 4))], b.shape(x)), [x])


def _add(b, rng, name, x, values):
    alike = [v for v in values if b.shape(v) == b.shape(x) and v != x]
    merge = Elementwise(Merge.ADD if rng.random() < 0.7 else Merge.MUL)
    return b.add(name, merge, [x, alike[0]]) if alike else None


def _concatenate(b, rng, name, x, values):
    alike = [v for v in values if b.shape(v)[:2] == b.shape(x)[:2] and v != x]
    return b.add(name, Concatenate(2), [x, alike[0]]) if alike else None


_LAYERS = {
    "window": _window,
    "pool": _pool,
    "relu": _relu,
    "each": _each,
    "turn": _turn,
    "add": _add,
    "concatenate": _concatenate,
}


def random_design(seed, events=3):
    """A random network with random types, positions and reuse."""
    rng = np.random.default_rng(seed)
    graph, products = random_network(rng)
    positions = {n: int(rng.choice(allowed(shape[:-1]))) for n, shape in products.items() if rng.random() < 0.4}
    layers = {n: {"ReuseFactor": int(rng.integers(2, 5))} for n in products if rng.random() < 0.3}
    width = int(rng.integers(3, 12))
    kind = f"ap_{'u' if rng.random() < 0.2 else ''}fixed<{width},{int(rng.integers(0, width + 1))}>"
    try:
        return streamed(graph, events, positions, None, kind, layers, seed)
    except LimitError:  # positions that do not make up a layer that was turned
        return streamed(graph, events, None, None, kind, layers, seed)
