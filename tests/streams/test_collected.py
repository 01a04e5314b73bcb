"""Layers that collect their operands: in block RAM where addresses change, each address once; too large is named."""

import math
import re

import pytest

import nn2hls
from nn2hls.graph.builder import Builder
from nn2hls.ops import Input, Relu, Transpose
from tests.kit.streams import simulated, streamed

V = {"Backend": "Verilog", "IOType": "io_stream", "Part": "xc7a35tcpg236-1", "ClockPeriod": 10}


def turned(size):
    """Rows and columns change places, which no chain of delays gives."""
    b = Builder()
    y = b.add("turned", Transpose((1, 0, 2)), [b.add("x", Input(size))])
    return b.build([b.add("y", Relu(), [y])])


def test_neighbours_in_a_token_share_its_address_and_its_port(tmp_path):
    made = streamed(turned((9, 11, 3)))
    text = made.project.files["rtl/streamed.v"]
    assert len(re.findall(r"= all0\[", text)) == 1
    assert len(re.findall(r"function .*token\d+_at", text)) == 1
    found = simulated(made.project, tmp_path).check
    assert (found.differ, found.interval) == (0, made.pace.interval)


def test_the_estimate_counts_block_ram_once():
    found = nn2hls.convert(turned((16, 16, 2)), V).estimate()
    (layer,) = found.layers
    assert layer.report.bram == 1  # 256 tokens of 32 bits
    assert found.memories["y"].lines_bram == 16 * 16 * 32
    small = nn2hls.convert(turned((6, 6, 2)), V).estimate()
    assert (small.bram, small.memories["y"].lines_lut) == (0, 6 * 6 * 32)


@pytest.mark.parametrize(
    ("backend", "part", "size"), [("Verilog", "ice40hx8k", (70, 70, 2)), ("Vitis", "xc7a15t", (160, 184, 2))]
)
def test_more_than_the_part_has_is_named_with_the_way_out(backend, part, size):
    found = nn2hls.convert(turned(size), {**V, "Part": part, "ClockPeriod": 40, "Backend": backend}).estimate()
    bits, have = 16 * math.prod(size), 18 * 1024 * found.part.bram18
    assert bits > have > 0
    words = f"DOES NOT FIT.*y keeps {bits:,} bits of what it reads; all block RAM is {have:,} bits. Arrange"
    assert re.search(words, found.text())
