"""Elements of a pointwise layer that one body may compute together, and when what they read is there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.arith.ranges import Range, ints
from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import elements
from nn2hls.hardware.pipeline import pipeline


def signs(lo, hi):
    """What decides whether two elements may share a body, element by element."""
    return ("constant", lo) if lo == hi else (lo < 0, hi > 0)


@given(st.data(), st.integers(1, 12), st.sampled_from([1, 1 << 70]))
def test_elements_with_the_same_signs_and_constants_come_together_and_in_order(data, size, scale):
    ends = [sorted(data.draw(st.lists(st.integers(-2, 2), min_size=2, max_size=2))) for _ in range(size)]
    values = data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    x = Range(ints([lo * scale for lo, _ in ends]), ints([hi * scale for _, hi in ends]), 0)
    expected: dict = {}
    for n, ((lo, hi), value) in enumerate(zip(ends, values, strict=True)):
        expected.setdefault((signs(lo * scale, hi * scale), value), []).append(n)
    found = list(elements([x], (size,), [np.array(values)]))
    assert [group[3][:, 0].tolist() for group in found] == list(expected.values())
    for ((_, value), numbers), (constants, (bounds,), (reads,), _) in zip(expected.items(), found, strict=True):
        assert constants == (value,)
        assert reads[:, 0].tolist() == numbers
        assert bounds.low == min(ends[n][0] for n in numbers) * scale
        assert bounds.high == max(ends[n][1] for n in numbers) * scale


def chain(depth, reads, operands):
    """A layer of lanes that add so often, one addition after the other, what ``reads`` names: (lanes, 2)."""
    net = Net()
    a, b = net.input(0, 0, 7), net.input(1, 0, 7)
    total = a
    for _ in range(depth):
        total = net.add(total, b)
    net.outputs = [total]
    lanes = np.arange(len(reads))[:, None] + sum(operands)
    return Hardware((Loop(net, np.array([reads]), lanes[None]),), operands, len(reads))


def placed(*layers):
    """Of (name, hardware, operands) on the input ``x`` of two elements: additions of 1 ns, clocks of 3.5 ns."""
    bits = {name: 8 for name, _, _ in layers}
    return pipeline(layers, {"x": (2, 6)}, bits, [layers[-1][0]], lambda op: (1.0, 0.0), 3.5)


def test_lanes_wait_for_the_latest_of_what_they_read():
    """The first layer gives an element that takes three additions and, of another loop, one that is there at once."""
    late, wire = chain(3, [[0, 1]], (2,)), Net()
    wire.outputs = [wire.input(0, 0, 7)]
    first = Hardware((*late.loops, Loop(wire, np.array([[[1]]]), np.array([[[3]]]))), (2,), 2)
    for reads, latency in (([[1, 1], [0, 0]], 1), ([[0, 0], [1, 1]], 1), ([[1, 1], [1, 1]], 0)):
        assert placed(("a", first, ["x"]), ("b", chain(1, reads, (2,)), ["a"])).latency == latency, reads


def test_what_waited_in_a_register_is_there_at_once():
    """``a`` is ready late in stage 0; ``c`` reads it in stage 2 from a register, before what ``b`` gives there."""
    a, b = chain(3, [[0, 1]], (2,)), chain(4, [[0, 0]], (1,))
    net = Net()
    x, y = net.input(0, 0, 7), net.input(1, 0, 7)
    net.outputs = [net.add(net.add(x, net.shift(x, 1)), y)]
    c = Hardware((Loop(net, np.array([[[0, 1]]]), np.array([[[2]]])),), (1, 1), 1)
    found = placed(("a", a, ["x"]), ("b", b, ["a"]), ("c", c, ["a", "b"]))
    assert found.stage == {"x": 0, "a": 0, "b": 2, "c": 2}
