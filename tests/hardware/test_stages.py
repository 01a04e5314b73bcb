"""Nets cut into clocks: chains fit their period, and registers are counted from what crosses each edge."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.hardware.net import Code, Net
from nn2hls.hardware.operators import operator
from nn2hls.hardware.schedule import Kind, Operator
from nn2hls.hardware.stages import START, Moment, place, slowest


def delay(op: Operator) -> tuple[float, float]:
    return {Kind.ADD: (1.0, 0.1 * op.widths[0]), Kind.MUL: (3.0, 0.0), Kind.SELECT: (0.5, 0.0)}.get(op.kind, (0.8, 0.0))


def drawn(seed: int) -> Net:
    rng = np.random.default_rng(seed)
    net = Net()
    wires = [net.input(k, -int(rng.integers(1, 99)), int(rng.integers(1, 99))) for k in range(4)]
    for _ in range(20):
        a, b, c = (wires[i] for i in rng.integers(len(wires), size=3))
        what = rng.integers(5)
        if what < 2:
            wires.append(net.add(a, b) if what else net.sub(a, b))
        elif what == 2:
            wires.append(net.shift(a, int(rng.integers(-3, 4))))
        elif what == 3:
            wires.append(net.select(net.less(a, b), b, c))
        else:
            wires.append(net.wrap(a, 5, signed=bool(rng.integers(2))))
    net.outputs = [wires[-1], wires[-2]]
    return net


@given(st.integers(0, 10_000), st.floats(1.0, 20.0))
def test_every_chain_fits_into_its_period(seed, period):
    net = drawn(seed)
    stages = place(net, delay, period)
    for wire in net.alive():
        cell, op = net.cells[wire], operator(net, wire)
        assert all(stages.of[a] <= stages.of[wire] for a in cell.args)
        if op is None or cell.code is Code.INPUT:
            continue
        alone = sum(delay(op))
        assert stages.ready[wire].high <= max(period, alone) + 1e-9
        same = [stages.ready[a] for a in cell.args if stages.of[a] == stages.of[wire]]
        start = Moment(max((m.low for m in same), default=0.0), max((m.high for m in same), default=0.0))
        assert stages.ready[wire] == start.after(op.kind, delay(op))
    assert stages.latency == max(stages.of[o] for o in net.outputs)


@given(st.integers(0, 10_000), st.floats(1.0, 6.0), st.integers(0, 3))
def test_registers_are_what_crosses_the_edges(seed, period, more):
    """Counted the other way: for each edge the values that are made before it and read after it."""
    net = drawn(seed)
    stages = place(net, delay, period)
    stages = stages.until(stages.latency + more)

    def source(wire):
        cell = net.cells[wire]
        return source(cell.args[0]) if cell.code is Code.SHIFT and cell.k > 0 else wire

    total = 0
    for edge in range(stages.latency):
        crossing = {source(a) for w in net.alive() for a in net.cells[w].args if stages.of[w] > edge}
        crossing |= {source(o) for o in net.outputs}
        alive = {w for w in crossing if stages.of[w] <= edge and net.cells[w].code is not Code.CONST}
        total += sum(net.cells[w].width for w in alive)
    assert stages.registers == total


def test_the_carry_of_one_sum_runs_beside_that_of_the_next():
    assert START.after(Kind.ADD, (1.0, 2.0)) == Moment(1.0, 3.0)
    assert START.after(Kind.ADD, (1.0, 2.0)).after(Kind.ADD, (1.0, 2.0)) == Moment(2.0, 4.0)
    assert START.after(Kind.ADD, (1.0, 2.0)).after(Kind.MUL, (3.0, 0.0)) == Moment(6.0, 6.0)


def test_the_slowest_cell_is_named():
    net = Net()
    a, b = net.input(0, -8, 7), net.input(1, -8, 7)
    net.outputs = [net.add(net.mul(a, b), a)]
    assert slowest(net, delay) == (3.0, Operator(Kind.MUL, (4, 4)))
