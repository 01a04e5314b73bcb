"""Additions, adder bits and products by strategy: what convert prints is what the Verilog and the C++ have."""

import json
import re

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input, Relu
from nn2hls.size import additions as module
from tests.kit.cnn import cnn
from tests.kit.networks import mlp
from tests.kit.paths import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning")
STRATEGIES = ("Latency", "DistributedArithmetic")


def design(strategy="Latency", layers=None, backend="Verilog", **model):
    graph = mlp(np.random.default_rng(3), (7, 9, 4), density=0.8)
    hls = {"Model": {"Precision": "ap_fixed<10,4>", "Strategy": strategy, **model}, "LayerName": layers or {}}
    return nn2hls.convert(graph, {"Backend": backend, "HLSConfig": hls})


def written(found, layer):
    """Additions and subtractions in the module of a layer, counted in its text."""
    text = re.search(rf"^module myproject__{layer}__0 .*?^endmodule", found.project.files["rtl/myproject.v"], re.M | re.S)[0]
    return len(re.findall(r"^    wire .* = .* [+-] .*;$", text, re.M))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_they_are_those_of_the_text(strategy):
    found = design(strategy)
    for layer in found.additions.layers:
        assert layer.by[strategy].additions == written(found, layer.layer)
        assert layer.strategy == strategy


def test_sharing_takes_fewer_bits_and_totals_add_up():
    found = design().additions
    totals = {s: found.total(s) for s in STRATEGIES}
    assert totals["DistributedArithmetic"].bits < totals["Latency"].bits
    assert totals["Latency"].bits == sum(x.by["Latency"].bits for x in found.layers)


def test_lanes_are_counted():
    b, weight = Builder(), Const(np.array([[3.0], [5.0]]))
    graph = b.build([b.add("r", Relu(), [b.add("d", Dense(weight, Const(np.zeros(1))), [b.add("x", Input((6, 2)))])])])
    found = nn2hls.convert(graph, {"Backend": "Verilog", "HLSConfig": {"Model": {"Precision": "ap_fixed<12,12>"}}})
    assert found.additions.layers[0].by["Latency"].additions == 6 * 3


def body(found, layer):
    """The C++ function of a layer."""
    name = layer.layer
    sources = [text for path, text in found.project.files.items() if path.startswith("firmware/")]
    return next(m[0] for text in sources if (m := re.search(rf"^[a-z ]*void {name}\w*\(.*?^}}", text, re.M | re.S)))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("backend", ["Vivado", "Vitis"])
def test_those_of_hls_tools_are_in_the_text(backend, strategy):
    found = design(strategy, backend=backend)
    for layer in found.additions.layers:
        lines = [x for x in body(found, layer).splitlines() if "=" in x and "//" not in x]
        by = layer.by[strategy]
        assert by.multipliers == sum(" * " in x for x in lines)
        assert by.additions == sum(bool(re.search(r" [+-] ", x)) for x in lines)


def test_an_hls_tool_keeps_products_and_shared_additions_need_none():
    found = design(backend="Vitis").additions
    assert found.total("Latency").multipliers > 0
    assert found.total("DistributedArithmetic").multipliers == 0
    assert "products" in str(found)
    assert "products" not in str(design().additions)
    assert found.total("DistributedArithmetic") == design().additions.total("DistributedArithmetic")


def test_streams_of_hls_tools_have_them_too():
    graph = cnn(np.random.default_rng(4))
    hls = {"Model": {"Precision": "ap_fixed<10,4>"}}
    found = nn2hls.convert(graph, {"Backend": "Vitis", "IOType": "io_stream", "HLSConfig": hls}).additions
    assert [x.layer for x in found.layers] == ["conv0", "conv1", "fc"]
    assert all(x.by["Latency"].multipliers for x in found.layers)


def test_an_accumulator_that_casts_keeps_its_order_whatever_the_strategy():
    first, second = design(layers={"fc0": {"Precision": {"accum": "ap_fixed<8,4,AP_RND>"}}}, backend="Vitis").additions.layers
    assert first.by["Latency"] == first.by["DistributedArithmetic"]
    assert second.by["Latency"] != second.by["DistributedArithmetic"]


def test_reused_layers_have_none():
    names = [x.layer for x in design(layers={"fc0": {"ReuseFactor": 3}}).additions.layers]
    assert names
    assert "fc0" not in names
    assert str(design(backend="Vitis", ReuseFactor=2).additions) == ""


def test_a_search_that_nobody_asked_for_is_short(monkeypatch):
    monkeypatch.setattr(module, "SEARCHED", 120)
    found = design()
    kept = [x.layer for x in found.additions.layers if "DistributedArithmetic" in x.by]
    assert len(kept) == 1
    assert found.additions.total("DistributedArithmetic") is None
    assert "more than 120 digits" in str(found.additions)
    assert all("DistributedArithmetic" in x.by for x in design("DistributedArithmetic").additions.layers)


@pytest.mark.long
def test_convert_prints_them(tmp_path, capsys):
    path = str(ROOT / "example-configs/jet_tagger_verilog.yml")
    assert main(["convert", path, "--output", str(tmp_path / "p"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["additions"]
    assert set(found["total"]) == set(STRATEGIES)
    assert [x["layer"] for x in found["layers"]] == ["fc1", "fc2", "fc3", "output"]
    assert main(["convert", path, "--output", str(tmp_path / "p")]) == 0
    assert f"{found['total']['Latency']['bits']:,}" in capsys.readouterr().out
