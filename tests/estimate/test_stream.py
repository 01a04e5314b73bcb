"""What streams take beside the cores: shift registers, block RAM, masks, and the clocks of a process."""

import numpy as np
import pytest

from nn2hls.config.read import read_config
from nn2hls.design.design import convert
from nn2hls.estimate.result import Figures
from nn2hls.estimate.stream import front_figures, pace, storage
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


def processes(**settings):
    config = read_config(
        {"IOType": "io_stream", "HLSConfig": {"Model": {"Precision": "ap_fixed<10,4>"}, "LayerName": settings}}
    )
    streams = convert(cnn(np.random.default_rng(0), size=(8, 8, 2)), config).streams
    return {p.name: p for p in streams.network.processes}, streams.network.streams


def test_the_clocks_of_a_process():
    """64 tokens and the nine that a padded window waits for; with a reuse factor, so many clocks for each of 64 positions."""
    alone, streams = processes()
    assert pace(alone["conv0"], streams) == 64 + 9
    reused, streams = processes(conv0={"ReuseFactor": 6})
    assert pace(reused["conv0"], streams) == 64 * reused["conv0"].interval > 64 * 3
    wide, streams = processes(conv0={"ParallelizationFactor": 4})
    assert pace(wide["conv0"], streams) == 16 + 3  # tokens of four positions; a window waits for two of them and a row


def test_the_delays_and_masks_of_a_window():
    """3 x 3 on rows of 8 tokens of 20 bits: six single delays, two of 6 tokens; half a LUT for each bit that may be absent."""
    found, streams = processes()
    masked = 8 * 2 * 10  # all places but the one in the middle, of two channels
    assert front_figures(found["conv0"], streams) == Figures(lut=2 * 20 + masked // 2, ff=6 * 20 + 2 * 20)
