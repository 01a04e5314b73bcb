"""Every op of the list: fractions, and a schedule that counts what is built.

Hardware, C++, Bambu's C++ and Verilog of the same cases stand in tests/hardware/test_net.py and tests/emit.
"""

import numpy as np
import pytest

from nn2hls.graph.graph import Graph
from nn2hls.hardware.net import Code
from nn2hls.hardware.schedule import Kind
from tests.kit.core_cases import EVERY, every_mode
from tests.slow.graph import graph_slow

WIRES = {Code.INPUT, Code.CONST, Code.SHIFT, Code.WRAP}


@pytest.mark.parametrize("make", [*EVERY, lambda rng, width: every_mode()], ids=lambda make: make.__name__.strip("<>"))
def test_the_emulator_is_the_slow_evaluation(make):
    rng = np.random.default_rng(11)
    for case in make(rng, (1, 16)):
        inputs = case.draw(rng, 3)
        got, graph = case.emulate(inputs), Graph(tuple(case.nodes()), ("op",))
        for event in range(len(got)):
            want = graph_slow(graph, [x[event] for x in inputs])["op"]
            assert got[event].ravel().tolist() == want.ravel().tolist(), (case.op, case.kinds, case.result)


@pytest.mark.parametrize("make", EVERY, ids=lambda make: make.__name__)
@pytest.mark.parametrize("digits", [None, 2])
def test_the_schedule_counts_what_is_built(make, digits):
    rng = np.random.default_rng(12)
    for case in make(rng, (2, 16)):
        hardware, found = (f(case.xs, case.result, digits) for f in (case.op.hardware, case.op.schedule))
        bodies = [(loop.body, loop.lanes) for loop in hardware.loops]
        shared = any(loop.ii for loop in hardware.loops)
        if shared:
            assert found.ii == hardware.turns * max(loop.steps for loop in hardware.loops)
            assert sum(o.count for o in found.operators if o.kind is Kind.MUL) == max(lanes for _, lanes in bodies)
            continue
        built = sum(lanes for net, lanes in bodies for o in net.outputs if net.cells[o].code is not Code.CONST)
        assert (found.ii, found.results) == (1, built * case.result.width)
        made = [net.cells[w].code for net, lanes in bodies for w in net.alive() for _ in range(lanes)]
        for kind, codes in (
            (Kind.ADD, {Code.ADD, Code.SUB}),
            (Kind.MUL, {Code.MUL}),
            (Kind.MUL_CONST, {Code.MULC}),
            (Kind.SELECT, {Code.SELECT}),
            (Kind.ROM, {Code.LOOKUP}),
        ):
            assert sum(o.count for o in found.operators if o.kind is kind) == sum(c in codes for c in made), (case.op, kind)
        assert bool(found.path) == bool(found.operators)
        assert len(found.path) <= max(sum(net.cells[w].code not in WIRES for w in net.alive()) for net, _ in bodies)
        lookups = sum(c is Code.LOOKUP for c in made)
        assert sum(m.copies for m in found.memories) * 2 >= lookups
        assert bool(found.memories) == bool(lookups)
