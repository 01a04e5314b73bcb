"""A layer that repeats a graph in our own Verilog: what its pipeline of one step keeps, and what of it is read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.op import Op
from nn2hls.hardware.pipeline import Pipeline, Turns


def bits_of(node: Node) -> int:
    """Of a node's value."""
    return node.result_type.width * math.prod(node.shape)


def turns(op: Op, step: Pipeline, initial: Sequence[np.ndarray | None] | None = None) -> Turns:
    """What an op that repeats a graph is made of.

    Args:
        op: The op.
        step: The pipeline of its body.
        initial: Where its operands come step by step, the flat mantissas of each state that is the same at the beginning of
            every event, and None for others; without, all operands of an event come at once.
    """
    repeat = op.repeats
    body: Graph = repeat.body
    nodes = body.inputs
    first, second = repeat.sequences, repeat.sequences + repeat.states
    bits = tuple(map(bits_of, nodes))
    kept = bits[:first], bits[first:second], bits[second:]
    found = tuple(bits_of(body[name]) for name in repeat.results)
    reads = tuple((r.output, r.step) for r in repeat.reads)
    if initial is None:
        results = sum(repeat.sizes[output] for output, _ in reads)
        return Turns(step, repeat.length, *kept, found, reads, results, repeat.equation())
    words = tuple(None if v is None else _word(v, n) for v, n in zip(initial, nodes[first:second], strict=True))
    return Turns(step, repeat.length, *kept, found, reads, sum(repeat.sizes), repeat.equation(), words)


def _word(mantissas: np.ndarray, node: Node) -> int:
    """Mantissas as a register holds them, the first in the low bits."""
    width = node.result_type.width
    return sum((int(m) & ((1 << width) - 1)) << width * k for k, m in enumerate(mantissas.reshape(-1).tolist()))
