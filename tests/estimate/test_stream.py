"""What streams take beside the cores: shift registers, block RAM, masks, and the clocks of a process."""

import numpy as np
import pytest

from nn2hls.config.read import read_config
from nn2hls.design.design import convert
from nn2hls.estimate.result import Figures
from nn2hls.estimate.stream import front_figures, storage
from tests.kit.cnn import cnn


@pytest.mark.parametrize(
    ("tokens", "bits", "wanted"),
    [
        (0, 16, Figures()),
        (1, 16, Figures(ff=16)),
        (2, 16, Figures(lut=16, ff=16)),
        (32, 16, Figures(lut=16, ff=16)),
        (33, 16, Figures(lut=32, ff=16)),  # a second LUT of 32 tokens for each bit
        (64, 16, Figures(lut=32, ff=16)),  # 1,024 bits
        (65, 16, Figures(bram=1)),
        (512, 36, Figures(bram=1)),
        (513, 36, Figures(bram=2)),
        (1025, 36, Figures(bram=3)),  # three of 512 x 36, or twice two of 1,024 x 18
        (2049, 4, Figures(bram=1)),  # 4,096 x 4
        (100, 48, Figures(bram=2)),
    ],
)
def test_storage(tokens, bits, wanted):
    assert storage(tokens, bits) == wanted


def designed(**settings):
    hls = {"Model": {"Precision": "ap_fixed<10,4>"}, "LayerName": settings}
    return convert(cnn(np.random.default_rng(0), size=(8, 8, 2)), read_config({"IOType": "io_stream", "HLSConfig": hls}))


def processes(**settings):
    network = designed(**settings).streams.network
    return {p.name: p for p in network.processes}, network.streams


def own_interval(**settings):
    """Of conv0, in the estimate."""
    return next(x.ii for x in designed(**settings).estimate().layers if x.name == "conv0")


def test_the_clocks_of_a_process():
    """64 tokens and the nine that a padded window waits for; tokens of four positions: two of a row and one more.

    With a reuse factor so many clocks between firings, and ten steps from the last one to the first of the next event.
    """
    assert own_interval() == 64 + 9
    reused, _ = processes(conv0={"ReuseFactor": 6})
    assert own_interval(conv0={"ReuseFactor": 6}) == 63 * reused["conv0"].interval + 10 > 63 * 3
    assert own_interval(conv0={"ParallelizationFactor": 4}) == 16 + 3


def test_the_delays_and_masks_of_a_window():
    """3 x 3 on rows of 8 tokens of 20 bits: six single delays, two of 6 tokens; half a LUT for each bit that may be absent."""
    found, streams = processes()
    masked = 8 * 2 * 10  # all places but the one in the middle, of two channels
    assert front_figures(found["conv0"], streams) == Figures(lut=2 * 20 + masked // 2, ff=6 * 20 + 2 * 20)


@pytest.mark.parametrize("backend", ["Vitis", "Verilog"])
def test_where_line_buffers_and_queues_lie(backend):
    """A row of 80 tokens of 20 bits is more than 64 words and 1,024 bits, one of 8 is neither."""
    for width, block in ((80, True), (8, False)):
        graph = cnn(np.random.default_rng(0), size=(4, width, 2), channels=(2,))
        level = {"Model": {"Precision": "ap_fixed<10,4>"}}
        found = convert(graph, {"IOType": "io_stream", "Backend": backend, "HLSConfig": level}).estimate()
        kept = found.memories["conv0"]
        rows = 2 * width * 20 + 2 * 20  # what a window of three rows and columns keeps
        assert kept.lines_lut + kept.lines_bram <= rows
        assert (kept.lines_bram > 0) == block
        assert kept.lines_lut + kept.lines_bram > 0.9 * rows
        assert kept.queues_lut == found.fifos.depths["x", "conv0"] * 20
        assert found.to_dict()["streams"]["memories"]["conv0"]["lines_bram"] == kept.lines_bram
        assert "line buffers" in found.text()
