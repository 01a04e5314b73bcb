"""Designs in streams in our own Verilog: equal to the emulator, with and without pauses of those outside."""

import numpy as np
import pytest

from nn2hls.graph.builder import Builder
from nn2hls.ops import Elementwise, Input, Merge, Relu
from tests.kit.cnn import cnn, convolution
from tests.kit.streams import simulated, stream_project


@pytest.mark.parametrize("simulator", ["iverilog", "verilator"])
def test_a_cnn(simulator, tmp_path):
    _, project = stream_project(cnn(np.random.default_rng(0), (6, 6, 2)))
    found = simulated(project, tmp_path, simulator=simulator)
    assert (found.check.events, found.check.differ, found.first) == (3, 0, "")
    assert found.check.interval == 36  # one pixel a clock, although the windows reach beyond the image


def residual(rng, size=(5, 7, 2), pad=1):
    """A convolution beside a way around it, and a second input that is added; two outputs."""
    b = Builder()
    x, z = b.add("x", Input(size)), b.add("z", Input(size))
    y = convolution(b, "a", x, rng.normal(size=(3, 3, 2, 2)), rng.normal(size=2), pad=pad)
    y = b.add("sum", Elementwise(Merge.ADD), [y, x])
    r = b.add("relu", Relu(), [y])
    return b.build([b.add("more", Elementwise(Merge.ADD), [r, z]), r])


def test_ways_that_part_and_meet(tmp_path):
    _, project = stream_project(residual(np.random.default_rng(1)))
    found = simulated(project, tmp_path)
    assert (found.check.differ, found.first, found.check.interval) == (0, "", 35)
