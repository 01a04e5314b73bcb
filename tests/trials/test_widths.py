"""`plan --max-loss`: derived types give way as far as the network bears it, then the solver takes what is left."""

import json

import numpy as np
import pytest

from nn2hls.cli import main
from nn2hls.design.design import convert
from nn2hls.errors import ConfigError
from nn2hls.trials.network import Network
from nn2hls.trials.widths import LEAST, narrowest
from tests.kit.networks import mlp

SIZES = (6, 8, 3)


@pytest.fixture(scope="module")
def network():
    x = np.random.default_rng(1).normal(size=(300, SIZES[0]))
    graph = mlp(np.random.default_rng(0), SIZES)
    return Network.prepare(graph, {"HLSConfig": {"Model": {"Precision": "auto", "TargetSQNR": 50}}}, x, metric="agreement")


def lost(network, width):
    """Share of the events that a design with MaxWidth answers with another class than float."""
    levels = {"Model": {"Precision": "auto", "TargetSQNR": 50, "MaxWidth": width}}
    answers = convert(network.graph, {"HLSConfig": levels}).predict(network.inputs)
    return np.mean(answers.argmax(axis=1) != network.reference.argmax(axis=1))


def test_the_narrowest_types_that_keep_the_loss(network):
    found = narrowest(network, 0.03)
    assert LEAST < found.width < 24
    assert (found.loss, found.allowed) == (pytest.approx(lost(network, found.width)), 0.03)
    assert found.loss <= 0.03 < lost(network, found.width - 1)
    widest = max(n.result_type.width for n in convert(network.graph, found.config).graph if n.inputs)  # no data sets inputs
    assert widest <= found.width
    assert f"at most {found.width} bits" in str(found)
    assert narrowest(network, 0.2).width < found.width


def test_a_layer_that_the_user_caps_lower_stays_so(network):
    levels = {"Model": {"Precision": "auto"}, "LayerName": {"fc0": {"MaxWidth": 5}}}
    other = Network.prepare(network.graph, {"HLSConfig": levels}, network.inputs, metric="agreement")
    found = narrowest(other, 0.5)
    assert found.config.layer_names["fc0"].settings["max_width"].value == min(5, found.width)


def test_types_that_are_named_do_not_give_way(network):
    named = {"HLSConfig": {"Model": {"Precision": "ap_fixed<16,6>"}}}
    other = Network.prepare(network.graph, named, network.inputs, metric="agreement")
    with pytest.raises(ConfigError, match=r"names all types.*Precision: auto"):
        narrowest(other, 0.1)
    values = {"HLSConfig": {"Model": {"Precision": dict.fromkeys(("input", "result"), "ap_fixed<16,6>")}}}
    other = Network.prepare(network.graph, values, network.inputs, metric="agreement")
    assert narrowest(other, 0.1).width < 16  # weights give way
    capped = {"HLSConfig": {"Model": {"Precision": "auto", "MaxWidth": 4}}}
    other = Network.prepare(network.graph, capped, network.inputs, metric="agreement")
    with pytest.raises(ConfigError, match=r"more is lost than may be.*raise MaxWidth"):
        narrowest(other, 0.0)


def test_the_command(network, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", network.inputs[0])
    base = ["plan", "net.yml", "--part", "xc7a35tcpg236-1", "--backend", "Verilog", "--clock", "10"]
    monkeypatch.setattr("nn2hls.commands.plan.load_graph", lambda config: network.graph)
    with open("net.yml", "w", encoding="utf-8") as file:
        file.write("OnnxModel: net.onnx\nHLSConfig:\n  Model: {Precision: auto, TargetSQNR: 50}\n")
    judged = ["--max-loss", "3", "--input", "x.npy", "--metric", "agreement"]
    assert main([*base, "--fit", *judged, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["precision"]
    assert found["width"] == narrowest(network, 0.03).width
    for words, what in (
        ([*judged], "Types give way to a limit."),
        (["--fit", "--max-loss", "-1", "--input", "x.npy"], "between 0 and 100"),
        (["--fit", "--input", "x.npy"], "Add --max-loss"),
        (["--fit", "--max-loss", "3"], "There is no data to run."),
    ):
        assert main([*base, *words]) == 2
        assert what in capsys.readouterr().err
