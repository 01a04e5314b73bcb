"""Quantised models in streams: a type for each channel, for each position, and for each element, with elements of no bits."""

import numpy as np
import pytest

import nn2hls
from nn2hls.arith.fixed import Overflow, Rounding
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Places
from nn2hls.ops import Input, QuantizeEach
from tests.kit.cnn import convolution
from tests.kit.streams import simulated, streamed

SIZE = (4, 5, 3)


def quantised(rng, along):
    """A convolution between two layers of casts to types of the shape ``along``."""
    b = Builder()

    def types(overflow):
        width = rng.integers(0, 9, along)
        width.flat[0] = 0  # a channel or element that is always zero
        integer = rng.integers(1, 5, along)
        words = (Places(a) for a in (width, integer, np.ones(along, dtype=np.int64)))
        return QuantizeEach(*words, Rounding.RND, overflow)

    x = b.add("first", types(Overflow.SAT), [b.add("x", Input(SIZE))])
    y = convolution(b, "conv", x, rng.normal(size=(3, 3, 3, 3)), rng.normal(size=3), pad=1)
    return b.build([b.add("second", types(Overflow.WRAP), [y])])


@pytest.mark.parametrize("along", [(3,), (4, 1, 1), SIZE], ids=["channels", "rows", "elements"])
def test_they_answer_as_the_emulator_does(along, tmp_path):
    graph = quantised(np.random.default_rng(len(along)), along)
    made = streamed(graph)
    assert simulated(made.project, tmp_path).check.differ == 0
    assert not made.design.trace(np.ones((1, *SIZE)))["first"][0, 0, 0, 0]
    if len(along) == 1:  # all positions are alike: a token at a time
        (process,) = [p for p in made.network.processes if p.name == "first"]
        assert process.front.firings == SIZE[0] * SIZE[1]


def test_in_c():
    design = nn2hls.convert(quantised(np.random.default_rng(3), (3,)), {"IOType": "io_stream"})
    assert design.verify(np.random.default_rng(4).normal(size=(5, *SIZE)) * 4).equal
