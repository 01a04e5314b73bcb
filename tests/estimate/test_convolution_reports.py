"""The estimate beside public reports of convolutions: what docs/estimation.md and the words beside figures claim stays true."""

import numpy as np
import pytest

from benchmarks import convolution_reports as c
from nn2hls.estimate.result import bands
from nn2hls.hardware.witness import run
from tests.kit.paths import ROOT


def band(name):
    return {band.name: band for band in c.bands()}[name]


def test_every_setting_with_shared_multipliers_is_judged():
    assert len(c.settings()) == 22
    assert {len(b.values) for b in c.bands()} == {10, 12, 22}


@pytest.mark.parametrize("kind", ["several multipliers an output", "several outputs a multiplier"])
def test_their_kernels_have_the_dsp_slices_of_the_reports(kind):
    assert set(band(f"their kernel, {kind}, DSP").values) == {0.0}


def test_their_kernels_have_the_block_rams_of_the_reports():
    assert c.block_rams() == (22, 22)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("their kernel, several multipliers an output, LUT", -0.28, -0.14),
        ("their kernel, several outputs a multiplier, LUT", -0.61, 0.07),
        ("their kernel, several multipliers an output, FF", -0.59, 0.16),
        ("their kernel, several outputs a multiplier, FF", -0.34, 0.935),
        ("our design, DSP", -0.011, 0.0),
        ("our design, LUT", -0.85, 0.72),
        ("our design, FF", -0.58, 0.46),
    ],
)
def test_errors_stay_in_their_bands(name, low, high):
    values = band(name).values
    assert low <= min(values) <= max(values) <= high


def test_words_beside_the_figures_say_the_bands():
    words = bands()["error"]["streams"]["report"]
    kinds = [f"their kernel, {kind}, " for kind in ("several multipliers an output", "several outputs a multiplier")]
    for figure in ("lut", "ff"):
        values = [v for kind in kinds for v in band(kind + figure.upper()).values]
        assert words[figure] == f"others' kernels {-min(values):.0%} low to {max(values):.0%} high".replace("%", " %")
    assert words["dsp"].startswith("within 1 %")
    assert max(map(abs, band("our design, DSP").values)) < 0.015


def test_clocks_of_a_position():
    """The loop over the reuse factor is ours; what hls4ml's code does around it takes seven to nine clocks."""
    beyond = list(c.frame_clocks())
    assert len(beyond) == 89
    assert 7 <= min(beyond) <= max(beyond) <= 9


def test_a_step_of_their_kernel_rounds_once_and_saturates_twice():
    cases = np.array([(300, -257, 5), (32767, 32767, 3), (-32768, 32767, -9), (128, 1, 0), (127, 1, 0)])
    x, weight, total = cases.T
    product = np.clip((x * weight + 128) // 256, c.WORD.min_mantissa, c.WORD.max_mantissa)
    expected = np.clip(product + total, c.WORD.min_mantissa, c.WORD.max_mantissa)
    assert run(c.product_step(), [x, weight, total])[0].tolist() == expected.tolist()


def test_the_documentation_quotes_the_output(capsys):
    c.main()
    page = (ROOT / "docs" / "estimation.md").read_text(encoding="utf-8")
    for line in capsys.readouterr().out.splitlines():
        assert line in page, f"docs/estimation.md does not quote: {line}"
