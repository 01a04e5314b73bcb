"""The estimate of our own Verilog: its coefficients and its words are those of the recorded designs."""

import numpy as np
import pytest

from benchmarks import verilog_networks
from benchmarks.verilog_calibration import errors, fitted, rows, table, words
from nn2hls.design.design import convert
from nn2hls.estimate.result import accuracy, bands
from nn2hls.estimate.verilog import coefficients
from tests.kit.networks import mlp

pytestmark = pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning")


@pytest.fixture(scope="module")
def every():
    return rows()


def test_half_of_at_least_thirty_designs_is_held_out(every):
    assert len(every) >= 30
    assert 0.4 <= np.mean([r.case.held_out for r in every]) <= 0.5


def test_the_coefficients_are_those_of_the_fitting_half(every):
    assert coefficients() == fitted([r for r in every if not r.case.held_out])


def test_what_was_held_out_is_met(every):
    held_out = [r for r in every if r.case.held_out]
    dense = np.abs(errors(held_out, "lut"))
    others = [abs(verilog_networks.error(found)) for found in verilog_networks.recorded().values()]
    assert np.median(dense) <= 0.10
    assert np.median([*dense, *others]) <= 0.10
    assert not np.any(errors(held_out, "dsp"))


@pytest.mark.parametrize("structure", ["parallel", "reused"])
def test_the_printed_words_are_those_of_the_record(structure):
    known = bands()["error"][f"verilog_{structure}"]["synthesised"]
    assert {k: known[k] for k in ("dsp", "lut", "ff")} == words()[structure]
    assert len(table()) == 10


def test_what_was_measured_on_one_vendor_is_not_said_of_another():
    graph = mlp(np.random.default_rng(0), (3, 2))
    said = {}
    for part in ("xc7vx690tffg1930-3", "tang-nano-9k"):
        design = convert(graph, {"Backend": "Verilog", "Part": part, "ClockPeriod": 20})
        said[part] = accuracy(design.estimate())["synthesised"]["lut"], accuracy(design.estimate())["report"]["latency"]
    assert "median" in said["xc7vx690tffg1930-3"][0]
    assert said["tang-nano-9k"] == ("not validated", "exact")
