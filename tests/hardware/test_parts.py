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


def test_lanes_wait_for_the_latest_of_what_they_read():
    """The second layer reads an element that is ready at once and one that takes an addition; only a lane of the first fits."""

    def adder(reads, writes, operand):
        net = Net()
        a, b = net.input(0, 0, 7), net.input(1, 0, 7)
        net.outputs = [net.clip(net.add(a, b), 0, 7)]
        return Loop(net, np.array([reads]), np.array([writes]) + operand)

    first = Hardware((adder([[0, 1]], [[0]], 2), _wire(1, 1, 2)), (2,), 2)
    period, one = 3.5, 1.0
    for reads, latency in (([[0, 0]], 1), ([[1, 1]], 0)):
        second = Hardware((adder(reads, [[0]], 2),), (2,), 1)
        layers = [("a", first, ["x"]), ("b", second, ["a"])]
        placed = pipeline(layers, {"x": (2, 6)}, {"a": 6, "b": 3}, ["b"], lambda op: (one, 0.0), period)
        assert placed.latency == latency, reads


def _wire(read, write, operand):
    net = Net()
    net.outputs = [net.input(0, 0, 7)]
    return Loop(net, np.array([[[read]]]), np.array([[[write + operand]]]))
