"""Graph -> Project in Verilog: the design, a bench that checks itself, and the events it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import width_of
from nn2hls.emit.closed import RESTART, SUFFIX, closed_module, closed_ports, closed_vectors
from nn2hls.emit.options import Options, output_ports
from nn2hls.emit.reload import FILE as WEIGHTS
from nn2hls.emit.reload import memories
from nn2hls.emit.rtl import input_ports, layer_names, layer_texts, rtl
from nn2hls.errors import LimitError
from nn2hls.graph.graph import Graph, Node
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import Net
from nn2hls.hardware.pipeline import Pipeline
from nn2hls.hardware.reload import banks
from nn2hls.hardware.schedule import Kind, Operator
from nn2hls.hardware.stages import Delay, slowest
from nn2hls.tools.folder import MANIFEST, Manifest, Project, render

FOLDER = "rtl"
SETTLE = 64  # clocks that the bench goes on after the last answer
PATIENCE = 100_000  # clocks without an event or an answer after which it gives up


def emit_rtl(
    graph: Graph, options: Options, placed: Pipeline, delay: Delay, period: float, vectors: Mapping[str, np.ndarray]
) -> Project:
    """The project of a fixed graph.

    Args:
        graph: A fixed graph.
        options: Names, part and clock.
        placed: Its layers in time, as the estimate has them.
        delay: Of an operator, in nanoseconds.
        period: Nanoseconds that operators may fill between two registers.
        vectors: Mantissas for the bench, one array (events, *shape) per input and output name.

    Raises:
        LimitError: No pipeline reaches the clock; the slowest operator is named, and the period that works.
    """
    graph = graph.needed()
    check_placed(placed, delay, period, options.clock_period)
    name = options.name
    inputs = ports_of(input_ports(graph, name), graph.inputs)
    outputs = ports_of(output_ports(graph), [graph[o] for o in graph.outputs])
    found = banks(placed.layers)
    held = memories(graph, name, found, layer_texts(graph, name, placed)) if found else None
    weights = (held.address_bits, held.word_bits) if held else None
    bench = _bench(name, len(next(iter(vectors.values()))), inputs, outputs, weights)
    manifest = Manifest(name, options.backend, options.part, options.clock_period, layer_names(graph, name))
    stimulus, answers = vector_files(graph, vectors)
    files = {
        f"{FOLDER}/{name}.v": rtl(graph, options.name, placed),
        f"{FOLDER}/{name}_bench.v": bench,
        f"{FOLDER}/stimulus.hex": stimulus,
        f"{FOLDER}/answers.hex": answers,
    }
    if held is not None:
        files[f"{FOLDER}/{WEIGHTS}"] = held.text()
    elif graph.states:
        files[f"{FOLDER}/{name}{SUFFIX}.v"] = _HEAD + closed_module(graph, name) + _FOOT
    return Project(name, files, {MANIFEST: manifest.text()})


def emit_closed(
    graph: Graph, options: Options, placed: Pipeline, vectors: Mapping[str, np.ndarray], restarts: np.ndarray
) -> Project:
    """The module around a design with states, with a bench of its own, in one file.

    Args:
        graph, options, placed: See :func:`emit_rtl`.
        vectors: The same, of consecutive events; those of states are not read.
        restarts: (events,) of booleans: which of them begin with zeros.
    """
    graph, name = graph.needed(), f"{options.name}{SUFFIX}"
    inputs, outputs = closed_ports(graph, options.name)
    vectors = closed_vectors(graph, vectors)
    arrays = [*(vectors[n.name] for _, n in inputs), restarts.astype(np.int64)[:, None]]
    kinds = [*(n.result_type for _, n in inputs), FixedType(1, 1, False)]
    entering = ports_of([p for p, _ in inputs], [n for _, n in inputs])
    sent = [*entering, (RESTART, sum(width for _, _, width in entering), 1)]
    given = ports_of([p for p, _ in outputs], [n for _, n in outputs])
    files = {
        f"{FOLDER}/{name}.v": rtl(graph, options.name, placed) + _HEAD + closed_module(graph, options.name) + _FOOT,
        f"{FOLDER}/{name}_bench.v": _bench(name, len(restarts), sent, given, None),
        f"{FOLDER}/stimulus.hex": _packed(arrays, kinds),
        f"{FOLDER}/answers.hex": _packed([vectors[n.name] for _, n in outputs], [n.result_type for _, n in outputs]),
    }
    return Project(name, files, {})


_HEAD = "`timescale 1ns / 1ps\n`default_nettype none\n"
_FOOT = "`default_nettype wire\n"
Port = tuple[str, int, int]  # name, lowest bit in the vector of all, bits


def _bench(name: str, events: int, inputs: Sequence[Port], outputs: Sequence[Port], weights: tuple[int, int] | None) -> str:
    return render(
        "rtl/bench.v",
        name=name,
        events=events,
        inputs=inputs,
        outputs=outputs,
        input_bits=sum(width for _, _, width in inputs),
        output_bits=sum(width for _, _, width in outputs),
        patience=PATIENCE,
        tail=SETTLE,
        weights=weights,
    )


def vector_files(graph: Graph, vectors: Mapping[str, np.ndarray]) -> tuple[str, str]:
    """What the bench reads: the bits of all inputs and of all outputs of each event, in hexadecimal."""
    outputs = [graph[o] for o in graph.outputs]
    return tuple(  # type: ignore[return-value]
        _packed([vectors[n.name] for n in nodes], [n.result_type for n in nodes]) for nodes in (graph.inputs, outputs)
    )


def _packed(arrays: Sequence[np.ndarray], kinds: Sequence[FixedType]) -> str:
    rows = []
    for event in range(len(arrays[0])):
        word = low = 0
        for array, kind in zip(arrays, kinds, strict=True):
            for mantissa in array[event, ...].reshape(-1).tolist():
                word |= (int(mantissa) & ((1 << kind.width) - 1)) << low
                low += kind.width
        rows.append(f"{word:x}")
    return "\n".join(rows) + "\n"


def ports_of(names: Sequence[str], nodes: Sequence[Node]) -> list[tuple[str, int, int]]:
    """(name, lowest bit, bits) of each port in the vector of all of them."""
    found, low = [], 0
    for name, node in zip(names, nodes, strict=True):
        width = math.prod(node.shape) * node.result_type.width
        found.append((name, low, width))
        low += width
    return found


def check_placed(placed: Pipeline, delay: Delay, period: float, clock: float) -> None:
    """:func:`check_clock` of every layer, and of every step of one that repeats a graph."""
    for layer in placed.layers:
        if layer.turns is not None:
            check_placed(layer.turns.step, delay, period, clock)
        check_clock(layer.name, layer.hardware, delay, period, clock)


def check_clock(name: str, hardware: Hardware, delay: Delay, period: float, clock: float) -> None:
    """Refuse a layer with an operator that fills more than ``period`` nanoseconds of a clock of ``clock`` nanoseconds.

    Raises:
        LimitError: It is named, and the clock period that works.
    """
    for loop in hardware.loops:
        check_net(name, loop.body, delay, period, clock)
        if loop.sums:  # a sum is written in the clock after it was read
            added = Operator(Kind.ADD, (max(width_of(*ends) for ends in loop.sums.values()),))
            _check(name, sum(delay(added)), added, period, clock)


def check_net(name: str, net: Net, delay: Delay, period: float, clock: float) -> None:
    """The same of a straight line of the layer ``name``."""
    needed, operator = slowest(net, delay)
    if operator is not None:
        _check(name, needed, operator, period, clock)


def _check(name: str, needed: float, operator: Operator, period: float, clock: float) -> None:
    if needed > period:
        what = f"{operator.kind.value.replace('_', ' ')} of {' x '.join(map(str, operator.widths))} bits"
        raise LimitError(
            f"A {what} takes {needed:.2f} ns, and the clock leaves {period:.2f} ns.",
            where=name,
            fix=f"Set ClockPeriod: {math.ceil(10 * clock * needed / period) / 10:g}, or give the layer narrower types.",
        )
