"""The text of a placed net: what is written beside an addition is what the addition gives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.emit.verilog import bits_beside
from nn2hls.hardware.net import Net
from nn2hls.hardware.stages import place
from nn2hls.hardware.witness import run

STEP = st.tuples(st.booleans(), st.booleans(), st.integers(0, 9), st.integers(0, 9), st.integers(0, 4), st.integers(0, 2))


@given(st.lists(STEP, min_size=2, max_size=9), st.booleans())
def test_nothing_carries_into_the_bits_beside_a_sum(steps, signed):
    net = Net()
    wires = [net.input(k, -5 if signed else 0, 6) for k in range(4)]
    for minus, turned, i, j, up, more in steps:
        a = net.shift(wires[-1 - i % 2], up)
        b = net.shift(wires[j % len(wires)], more)
        a, b = (b, a) if turned else (a, b)
        wires.append(net.sub(a, b) if minus else net.add(a, b))
    net.outputs = [wires[-1]]
    found = bits_beside(place(net, lambda _: (0.0, 0.0), 1.0))
    x = np.random.default_rng(0).integers(-5 if signed else 0, 7, (4, 50))
    alive = net.alive()
    net.outputs = alive
    values = dict(zip(alive, run(net, list(x)), strict=True))
    for wire, bits in found.items():
        one, other = (values[a] for a in net.cells[wire].args)
        for bit in bits:
            assert ((values[wire] >> bit) & 1).tolist() == (((one >> bit) ^ (other >> bit)) & 1).tolist()


def test_a_sum_read_once_by_a_sum_has_a_bit_read_twice():
    """Plus and minus, shifted or not; but not a shifted sum from which another value is subtracted: there is a borrow."""
    seen = []
    for build in (
        lambda net, t, b: net.add(t, b),
        lambda net, t, b: net.add(net.shift(t, 2), b),
        lambda net, t, b: net.sub(b, net.shift(t, 2)),
        lambda net, t, b: net.sub(net.shift(t, 2), b),
    ):
        net = Net()
        a, b, c = (net.input(k, -4, 3) for k in range(3))
        net.outputs = [build(net, net.add(a, b), c)]
        seen.append(list(bits_beside(place(net, lambda _: (0.0, 0.0), 1.0)).values()))
    assert seen == [[[0]], [[2]], [[2]], []]
