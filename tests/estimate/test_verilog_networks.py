"""The examples at their smallest useful size: every witness agreed, and yosys' count stands beside the estimate."""

import json
import os
import statistics
import subprocess
import sys

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


MADE_AGAIN = """
import json
from benchmarks import verilog_networks as v
designs = {name: v.made(name) for name in v.NETWORKS}
print(json.dumps({name: [len(x), v.estimated(design)] for name, (design, x) in designs.items()}))
"""


@pytest.mark.long
def test_the_estimates_are_those_of_the_record():
    """In a process of its own: Keras keeps the back end, which draws the weights, that a process began with."""
    about = {"cwd": ROOT, "env": {**os.environ, "KERAS_BACKEND": "torch"}}
    done = subprocess.run([sys.executable, "-c", MADE_AGAIN], **about, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {name: [v.EVENTS, known["estimated"]] for name, known in RECORD.items()}
