"""Plan with our own Verilog: each strategy without reuse is listed, picked where it is best, and written so that it holds."""

import json

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import ConfigError
from nn2hls.size.layouts import DISTRIBUTED, LATENCY, Layout, by_strategy, layout_of
from nn2hls.size.solver import Limits, Solver
from tests.kit.networks import mlp
from tests.kit.paths import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning")
EXAMPLE = str(ROOT / "example-configs/jet_tagger_verilog.yml")


@pytest.fixture(scope="module")
def design():
    graph = mlp(np.random.default_rng(1), (8, 12, 5), density=0.8)
    return nn2hls.convert(graph, {"Backend": "Verilog", "HLSConfig": {"Model": {"Precision": "ap_fixed<14,6>"}}})


def test_a_layout_in_the_config_is_the_layout_that_was_sized(design):
    for layout in (Layout(1, DISTRIBUTED, 2), Layout(1, LATENCY), Layout(3, LATENCY)):
        keys = {"ReuseFactor": layout.reuse, "Strategy": layout.strategy, "AdderDepth": layout.depth}
        graph = mlp(np.random.default_rng(1), (8, 12, 5), density=0.8)
        hls = {"Model": {"Precision": "ap_fixed<14,6>"}, "LayerName": {"fc0": keys}}
        again = nn2hls.convert(graph, {"Backend": "Verilog", "HLSConfig": hls})
        assert layout_of(again.graph["fc0"].op) == layout
        assert again.estimate().to_dict() == design.sizer.estimate({"fc0": layout}).to_dict()


def test_every_strategy_is_listed_and_its_figures_are_its_own(design):
    listed = {c.layout: c for c in design.sizer.choices("fc0").choices}
    assert {Layout(1, LATENCY), Layout(1, DISTRIBUTED)} <= set(listed)
    for layout, choice in listed.items():
        assert choice.measures() == design.sizer.choice("fc0", layout).measures()
    assert listed[Layout(1, DISTRIBUTED)].measures()["lut"] < listed[Layout(1, LATENCY)].measures()["lut"]


def test_an_op_lists_its_own_layout_first():
    for now in (Layout(4, LATENCY), Layout(1, DISTRIBUTED, 1), Layout(1, DISTRIBUTED, 7)):
        graph = mlp(np.random.default_rng(1), (4, 3))
        keys = {"ReuseFactor": now.reuse, "Strategy": now.strategy, "AdderDepth": now.depth}
        found = nn2hls.convert(graph, {"Backend": "Verilog", "HLSConfig": {"Model": keys}})
        layouts = list(by_strategy(found.graph["fc0"].op))
        assert layouts[0] == now._replace(reuse=1)
        assert len(layouts) == len({*layouts})


def test_the_smallest_design_shares_its_sums(design):
    found = Solver(design.sizer).solve(Limits(ii=1))
    assert {x.strategy for x in found.layouts.values()} == {DISTRIBUTED}
    assert found.estimate.to_dict() == design.sizer.estimate(found.layouts).to_dict()


@pytest.mark.long
def test_the_written_config_is_the_design_that_was_picked(tmp_path, capsys):
    target = tmp_path / "picked.yml"
    assert main(["plan", EXAMPLE, "--strategy", "Latency", "--fit", "-o", str(target), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {x["strategy"] for x in found["layout"].values()} == {DISTRIBUTED}
    assert main(["estimate", str(target), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert {k: again[k] for k in found["estimate"]} == found["estimate"]


@pytest.mark.long
def test_the_list_says_strategy_and_depth(capsys):
    assert main(["plan", EXAMPLE]) == 0
    text = capsys.readouterr().out
    assert "strategy" in text
    assert "DistributedArithmetic  +0" in text
    assert main(["plan", str(ROOT / "example-configs/jet_tagger_reuse4.yml")]) == 0
    assert "strategy" not in capsys.readouterr().out


def test_a_depth_is_a_number_and_is_not_dropped_in_silence():
    graph = mlp(np.random.default_rng(1), (4, 3))
    with pytest.raises(ConfigError, match="0 to 99"):
        nn2hls.convert(graph, {"Backend": "Verilog", "HLSConfig": {"Model": {"AdderDepth": -1}}})
    for level in ({"Model": {"AdderDepth": 2}}, {"LayerName": {"fc0": {"AdderDepth": 2}}}):
        design = nn2hls.convert(graph, {"Backend": "Verilog", "HLSConfig": level})
        assert any("AdderDepth" in note and "DistributedArithmetic" in note for note in design.notes)
