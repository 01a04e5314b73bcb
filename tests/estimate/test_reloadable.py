"""LUTs of weights that can be written: beside what yosys counted, and what their memories take in each family."""

import numpy as np
import pytest

from benchmarks import reloadable
from nn2hls.design.design import convert
from nn2hls.targets.family import family
from tests.kit.paths import ROOT
from tests.kit.reloadable import placed_network, placed_settings

RECORD = reloadable.recorded()


def test_what_was_counted_is_todays_verilog():
    """Else `python -m benchmarks.reloadable record FOLDER` counts what changed."""
    assert list(RECORD) == list(reloadable.DESIGNS)
    assert [name for name, known in RECORD.items() if known["digest"] != reloadable.design(name).project.digest] == []


def test_the_estimate_is_near_to_what_yosys_counted_and_not_above_it():
    off = [reloadable.error(name, known) for name, known in RECORD.items()]
    assert np.median(np.abs(off)) <= 0.15
    assert max(off) <= 0.10
    for name, known in RECORD.items():
        found = reloadable.design(name).estimate().synthesised
        assert (found.dsp, found.bram) == (known["dsp"], known["bram"])


def test_the_page_has_the_table():
    assert "\n".join(reloadable.table()) in (ROOT / "docs" / "estimation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words", "width", "luts"),
    [
        ("kintex7", 32, 7, 8),  # two of 6 bits
        ("kintex7", 33, 7, 12),  # three of 3 bits
        ("ultrascale_plus", 64, 7, 8),
        ("ultrascale_plus", 65, 7, 23),  # two, and seven bits of what chooses
        ("ecp5", 32, 7, 23),  # two by two of 4 bits, and seven bits of what chooses
        ("ice40", 4, 7, 28),  # registers
    ],
)
def test_a_memory_takes_whole_primitives(name, words, width, luts):
    assert family(name).memory_luts(words, width) == luts


def test_lanes_that_read_alike_choose_once():
    """32 inputs in 64 steps: all eight multipliers of the first layer read the same one in each step."""
    found = reloadable.design("many lanes alike")
    steps = found.sizer.placed().layers[0].steps
    assert len(steps.lanes) == 8
    assert len({(lane.choices, lane.index) for lane in steps.lanes}) == 1
    shown = found.estimate().memories["fc0"]
    assert shown.roms_lut >= 32 * 16 * 7  # the weights are memory, too


def test_a_family_without_memories_in_luts_has_registers():
    part = {"Part": "ice40hx8k-ct256"}
    ffs = [convert(placed_network(1), placed_settings(**p)).estimate().layers[1].report.ff for p in ({}, part)]
    assert ffs[1] - ffs[0] == 9 * 7  # three multipliers with three words of seven bits
