"""Keras files in every format and live models give the graph that computes what Keras computes."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import round_constant
from nn2hls.converters.keras import load_file, load_live
from nn2hls.errors import ModelError
from nn2hls.ops import Dense
from tests.kit.keras_zoo import agrees, draw, evaluate, functional, randomise, sequential
from tests.kit.paths import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")


@pytest.fixture(scope="session")
def keras():
    return pytest.importorskip("keras")


@pytest.fixture(scope="session", params=["sequential", "functional"])
def model(request, keras):
    keras.utils.set_random_seed(1)
    return randomise({"sequential": sequential, "functional": functional}[request.param](keras))


@pytest.fixture(scope="session")
def saved(model, tmp_path_factory):
    """The model in each format: arguments of load_file."""
    path = tmp_path_factory.mktemp("keras")
    model.save(path / "m.keras")
    model.save(path / "m.h5")
    model.save_weights(path / "m.weights.h5")
    (path / "m.json").write_text(model.to_json())
    return {
        "keras": (path / "m.keras", None),
        "h5": (path / "m.h5", None),
        "json and .weights.h5": (path / "m.json", path / "m.weights.h5"),
        "json and legacy h5": (path / "m.json", path / "m.h5"),
    }


@pytest.mark.long
def test_every_format_gives_the_live_models_graph(model, saved):
    graph = load_live(model)
    agrees(graph, model)
    for name, args in saved.items():
        assert load_file(*args).text() == graph.text(), name
    assert load_file(saved["keras"][0]).nodes[0].name == model.inputs[0].name


@pytest.mark.long
def test_a_file_read_back_by_keras_computes_the_same(keras, model, saved):
    agrees(load_file(saved["h5"][0]), keras.models.load_model(saved["keras"][0]))


def test_an_inner_model_held_by_two_models(keras, tmp_path):
    model = randomise(functional(keras, across=True))
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        assert load_file(tmp_path / name).text() == load_live(model).text()
    (tmp_path / "m.json").write_text(model.to_json())
    with pytest.raises(ModelError, match=r"two/sub/d: .*Save both in one \.keras file"):
        load_file(tmp_path / "m.json", tmp_path / "m.keras")


def test_files_are_read_without_a_framework(saved):
    code = (
        "import sys; from nn2hls.converters.keras import load_file; load_file(*(a or None for a in sys.argv[1:]));"
        "bad = {'keras', 'tensorflow', 'torch', 'tf_keras', 'jax'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    for path, weights in saved.values():
        subprocess.run([sys.executable, "-c", code, str(path), str(weights or "")], check=True)


def test_public_jet_tagger(shared):
    folder = shared / "models" / "keras"
    for name, nonzero in (("KERAS_3layer", 4256), ("KERAS_3layer_70pruned_retrained", 1205)):
        graph = load_file(folder / "KERAS_3layer.json", folder / f"{name}_weights.h5")
        kind = FixedType.parse("ap_fixed<16,6>")
        weights = [round_constant(n.op.weight.array, kind) for n in graph if isinstance(n.op, Dense)]
        assert sum(w.size for w in weights) == 4256
        count = sum(int(np.count_nonzero(w)) for w in weights)
        assert count == nonzero if nonzero == 1205 else count > 4000
        layers = [(n.name, n.origin.layer, n.origin.kind, n.origin.is_result) for n in graph]
        assert layers[0] == ("input_1", "input_1", "InputLayer", True)
        assert layers[1:3] == [("fc1_relu", "fc1_relu", "Dense", False), ("fc1_relu_relu", "fc1_relu", "Dense", True)]
        assert layers[-1] == ("output_softmax_softmax", "output_softmax", "Dense", True)
        assert evaluate(graph, draw(graph))[0].sum(axis=1) == pytest.approx(1)


@pytest.mark.long
def test_torch_back_end(tmp_path):
    """A live model on the torch back end, in a process of its own, and the files it writes."""
    pytest.importorskip("torch")
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import keras
from tests.kit import keras_zoo
from nn2hls.converters.keras import load_live, load_file
assert keras.backend.backend() == "torch"
for make in (keras_zoo.sequential, keras_zoo.functional):
    model = keras_zoo.randomise(make(keras))
    graph = load_live(model)
    keras_zoo.agrees(graph, model)
    model.save({str(tmp_path)!r} + "/m.keras"); model.save({str(tmp_path)!r} + "/m.h5")
    assert load_file({str(tmp_path)!r} + "/m.keras").text() == load_file({str(tmp_path)!r} + "/m.h5").text() == graph.text()
"""
    env = {**os.environ, "KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=env)


def test_config_of_the_json_is_not_needed_twice(saved):
    path, weights = saved["json and legacy h5"]
    assert "inbound_nodes" in path.read_text() or json.loads(path.read_text())["class_name"] == "Sequential"
    assert load_file(weights).text() == load_file(path, weights).text()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_the_same_network_from_three_frameworks_is_the_same_graph(keras, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from nn2hls.converters import onnx, pytorch

    layers, nn = keras.layers, torch.nn
    model = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(epsilon=1e-5),
            layers.LeakyReLU(negative_slope=0.1),
            layers.Dense(6, activation="gelu"),
            layers.Dense(5, activation="hard_sigmoid"),
            layers.Dense(5, activation="softmax"),
        ]
    )
    weighted = [nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 6), nn.Linear(6, 5), nn.Linear(5, 5)]
    one, norm, two, three, four = weighted
    others = [nn.ReLU(), nn.LeakyReLU(0.1), nn.GELU(), nn.Hardsigmoid(), nn.Softmax(-1)]
    twin = nn.Sequential(one, others[0], norm, others[1], two, others[2], three, others[3], four, others[4]).eval()
    arrays = [layer.get_weights() for layer in randomise(model).layers if layer.weights]
    with torch.no_grad():
        for module, values in zip(weighted, arrays, strict=True):
            names = ("weight", "bias", "running_mean", "running_var")
            for name, value in zip(names, values, strict=False):
                getattr(module, name).copy_(torch.tensor(value.T))
    example = torch.zeros(2, 16)
    batch = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(twin, (example,), tmp_path / "m.onnx", dynamo=True, dynamic_shapes=batch, verbose=False)
    texts = [load_live(model), pytorch.load_live(twin, (example,)), onnx.load_file(tmp_path / "m.onnx")]
    assert len({graph.text(names=False) for graph in texts}) == 1
