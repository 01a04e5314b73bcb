"""The estimate after place and route: coefficients and words are those of the recorded designs; the harness is in it."""

import numpy as np
import pytest

from benchmarks.ecp5_calibration import cases, errors, fitted, rows, table, words
from nn2hls.design.design import convert
from nn2hls.estimate.placed import longest_way, placed_costs
from nn2hls.estimate.result import accuracy, bands
from tests.kit.networks import mlp
from tests.kit.paths import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning")


@pytest.fixture(scope="module")
def every():
    return rows()


def test_half_of_at_least_twenty_designs_is_held_out(every):
    assert len(every) == len(cases()) >= 20
    assert np.mean([r.case.held_out for r in every]) == 0.5
    assert all(0 < float(r.measured["mhz"]) < 400 for r in every)


def test_what_was_placed_is_todays_verilog(every):
    """Else `python -m benchmarks.ecp5_calibration record FOLDER` places what changed, and `fit` what follows."""
    assert [r.case.name for r in every if r.measured["digest"] != r.case.digest] == []


def test_the_coefficients_are_those_of_the_fitting_half(every):
    found = fitted([r for r in every if not r.case.held_out])
    assert {"ecp5": found} == {name: {"lut": dict(c.lut), "ns": dict(c.ns)} for name, c in placed_costs().items()}


def test_what_was_held_out_is_met(every):
    held_out = [r for r in every if r.case.held_out]
    assert np.median(np.abs(errors(held_out, "lut"))) <= 0.15
    assert np.median(np.abs(errors(held_out, "mhz"))) <= 0.20


def test_the_printed_words_and_the_page_are_those_of_the_record():
    for structure, said in words().items():
        known = bands()["error"][f"verilog_{structure}_ecp5"]["synthesised"]
        assert {k: known[k] for k in said} == said
    page = (ROOT / "docs" / "estimation.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page


def design(**more):
    model = {"Model": {"Precision": "ap_fixed<8,4>"}}
    return convert(
        mlp(np.random.default_rng(0), (6, 5)), {"Backend": "Verilog", "Part": "ulx3s-25", **more, "HLSConfig": model}
    )


def test_the_harness_is_in_the_estimate():
    alone = design(ClockPeriod=40)
    whole, own = alone.on_board("ulx3s-25").estimate(), alone.estimate()
    costs = placed_costs()["ecp5"].lut
    assert whole.lut - own.lut == round(costs["harness"] + costs["harness_bit"] * 8 * (6 + 5))
    assert whole.ff - own.ff == 148 + 8 * (6 + 5)  # without a register in the core, clocks need not be counted
    fast = design(ClockPeriod=10)
    assert fast.estimate().latency_cycles
    assert fast.on_board("ulx3s-25").estimate().ff - fast.estimate().ff == 148 + 32 + 8 * (6 + 5)
    assert whole.layers[-1].name == "harness of ulx3s-25"
    assert (whole.latency_cycles, whole.ii) == (own.latency_cycles, own.ii)
    other = design(Part="tang-nano-9k", ClockPeriod=37).on_board("tang-nano-9k").estimate()
    assert other.placed_ns is None


def test_the_clock_follows_from_the_longest_way():
    slow, fast = design(ClockPeriod=40), design(ClockPeriod=10)
    way = longest_way(slow.sizer.placed(), slow.sizer.part.bit_delay)
    costs = placed_costs()["ecp5"].ns
    assert slow.estimate().placed_ns == pytest.approx(costs["base"] + costs["way"] * way)
    assert slow.estimate().placed_ns > costs["harness"]
    assert (
        convert(mlp(np.random.default_rng(0), (1, 1)), {"Backend": "Verilog", "Part": "ulx3s-25"}).estimate().placed_ns
        >= (costs["harness"])
    )
    assert fast.estimate().placed_ns < slow.estimate().placed_ns
    assert f"expected after place and route: {slow.estimate().placed_ns:.1f} ns" in str(slow.estimate())
    assert "median" in accuracy(slow.estimate())["synthesised"]["clock"]
    graded = design(Part="ecpix5-45", ClockPeriod=40).estimate()
    assert graded.placed_ns == pytest.approx(slow.estimate().placed_ns * graded.part.speed)
