"""Casts as designs compute them: networks of nothing else, and what each must answer."""

import itertools
import random
from fractions import Fraction

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.graph.graph import Graph, Node, Origin
from nn2hls.ops import Elementwise, Input, Merge
from tests.kit.cpp_cases import draw_mantissa
from tests.kit.networks import side_by_side
from tests.slow.fixed import cast_slow

PORT = 60  # bits of the widest port


def cast_networks(seed, each, widest):
    """(graph, mantissas of each input, of each output): casts of every mode, ``each`` times, of up to ``widest`` bits."""
    rng, graphs, inputs, wanted = random.Random(seed), [], [], []
    for rounding, overflow in itertools.product(Rounding, Overflow):
        for _ in range(each):
            graph, kinds = _one(rng, rounding, overflow, widest)
            drawn = [draw_mantissa(rng, kinds[0].width, kinds[0].signed, at) for at in _near(rng, *kinds)]
            graphs.append(graph)
            inputs.append(np.array(drawn).reshape(-1, 1))
            exact = [Fraction(m) / Fraction(2) ** kinds[0].fraction for m in drawn]
            wanted.append(np.array([cast_slow(v, kinds[1]) for v in exact]).reshape(-1, 1))
    return side_by_side(graphs), inputs, wanted


def _one(rng, rounding, overflow, widest):
    """A port, the same values with more bits below, and the cast of those to another port: (graph, types of the ports)."""
    width = rng.choice((1, 2, 7, 8, 31, 32, 33, PORT))
    source = FixedType(width, rng.randint(-8, width + 8), rng.random() < 0.6)
    more = rng.choice((0, 0, rng.randint(1, widest)))
    wide = FixedType(min(width + more, widest), source.integer, source.signed)
    target_width = rng.choice((1, 2, 6, 16, 31, 32, 33, PORT))
    shift = rng.choice((0, rng.randint(-6, 12), width - target_width + rng.randint(-2, 2)))
    most = widest - 2 - target_width
    target = FixedType(target_width, target_width - source.fraction + max(shift, -most), rng.random() < 0.6, rounding, overflow)
    nodes = [
        ("x", Input((1,)), (), source),
        ("wide", Elementwise(Merge.ADD), ("x",), wide),
        ("y", Elementwise(Merge.ADD), ("wide",), target),
    ]
    return Graph(tuple(Node(n, op, i, (1,), kind, Origin(n)) for n, op, i, kind in nodes), ("y",)), (source, target)


def _near(rng, source, target):
    """Halves and the ends of the target, seen from the operand."""
    shift = source.fraction - target.fraction
    half = 1 << max(shift - 1, 0)
    for _ in range(24):
        end = rng.choice((target.max_mantissa, target.min_mantissa, 0, rng.getrandbits(target.width)))
        yield (end << max(shift, 0) >> max(-shift, 0)) + rng.choice((0, half, -half))
