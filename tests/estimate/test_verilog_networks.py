"""The examples at their smallest useful size: every witness agreed, and yosys' count stands beside the estimate."""

import statistics

import pytest

from benchmarks import verilog_networks as v
from tests.kit.paths import ROOT

RECORD = v.recorded()


def test_every_network_went_through_every_witness():
    assert list(RECORD) == list(v.NETWORKS)
    for found in RECORD.values():
        assert found["simulated"] == {"Verilator": v.TO_SIMULATE, "Icarus": v.TO_SIMULATE}
        assert found["compiled"] == v.EVENTS
        assert found["sqnr"] > 35


def test_the_estimate_is_near_to_what_yosys_counted():
    errors = [abs(v.error(found)) for found in RECORD.values()]
    assert statistics.median(errors) <= 0.15
    assert max(errors) <= 0.25
    assert all(found["estimated"]["dsp"] == found["measured"]["dsp"] for found in RECORD.values())


def test_the_page_has_the_table():
    page = (ROOT / "docs" / "verilog.md").read_text(encoding="utf-8")
    assert all(line in page for line in v.table())


@pytest.mark.long
@pytest.mark.parametrize("name", v.NETWORKS)
def test_the_estimate_is_that_of_the_record(name):
    design, x = v.made(name)
    assert len(x) == v.EVENTS
    assert v.estimated(design) == RECORD[name]["estimated"]
