"""One network from Keras, PyTorch and ONNX is one graph; what is no model gets an error that helps."""

import io
import os
import pickle
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest

from nn2hls import convert
from nn2hls.errors import ModelError
from nn2hls.frontends import load
from nn2hls.graph.graph import Graph

RNG = np.random.default_rng(8)


def draw(*shape):
    return RNG.normal(0, 0.5, shape).astype(np.float32)


# --- one network, three frameworks ---

WEIGHTS = {"w1": draw(12, 8), "b1": draw(8), "w2": draw(8, 6), "b2": draw(6), "w3": draw(6, 5), "b3": draw(5), "w4": draw(8, 6)}
NORM = {"gamma": draw(8), "beta": draw(8), "mean": draw(8), "variance": np.abs(draw(8)) + 0.1}


def keras_model(keras):
    """Flatten, a BatchNorm, two branches that meet in three ways, a no-op Flatten and Dropout."""
    layers = keras.layers
    x = keras.Input((3, 4))
    h = layers.Dense(8)(layers.Flatten()(x))
    h = layers.ReLU()(layers.BatchNormalization(epsilon=1e-3)(h))
    left = layers.LeakyReLU(negative_slope=0.2)(layers.Dense(6)(layers.Flatten()(h)))
    right = layers.Activation("silu")(layers.Dense(6, use_bias=False)(layers.Dropout(0.3)(h)))
    h = layers.Add()([left, right])
    h = layers.Maximum()([h, right])
    y = layers.Softmax()(layers.Dense(5)(h))
    made = keras.Model(x, y)
    dense = [layer for layer in made.layers if isinstance(layer, layers.Dense)]
    for layer, (w, b) in zip(dense, (("w1", "b1"), ("w2", "b2"), ("w4", ""), ("w3", "b3")), strict=True):
        layer.set_weights([WEIGHTS[w], *([WEIGHTS[b]] if b else [])])
    norm = next(layer for layer in made.layers if isinstance(layer, layers.BatchNormalization))
    norm.set_weights(list(NORM.values()))
    return made


def torch_module(torch):
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.norm = nn.Linear(12, 8), nn.BatchNorm1d(8, eps=1e-3)
            self.fc2, self.fc4, self.fc3 = nn.Linear(8, 6), nn.Linear(8, 6, bias=False), nn.Linear(6, 5)
            self.leaky, self.silu, self.drop = nn.LeakyReLU(0.2), nn.SiLU(), nn.Dropout(0.3)

        def forward(self, x):
            h = torch.relu(self.norm(self.fc1(torch.flatten(x, 1))))
            left = self.leaky(self.fc2(h.flatten(1)))
            right = self.silu(self.fc4(self.drop(h)))
            return torch.softmax(self.fc3(torch.maximum(left + right, right)), dim=-1)

    net = Net()
    names = {"fc1": ("w1", "b1"), "fc2": ("w2", "b2"), "fc3": ("w3", "b3"), "fc4": ("w4", "")}
    for name, (w, b) in names.items():
        layer = getattr(net, name)
        layer.weight.data = torch.from_numpy(WEIGHTS[w].T.copy())
        if b:
            layer.bias.data = torch.from_numpy(WEIGHTS[b])
    norm = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "variance"}
    for theirs, ours in norm.items():
        getattr(net.norm, theirs).data = torch.from_numpy(NORM[ours])
    return net.eval()


def onnx_model():
    """As a converter of Keras models writes it: MatMul and Add, silu in pieces, shapes as operands."""
    from tests.kit.onnx_tools import helper, model

    n = helper.make_node
    nodes = [
        n("Reshape", ["x", "shape"], ["flat"]), n("MatMul", ["flat", "w1"], ["m1"]), n("Add", ["m1", "b1"], ["d1"]),
        n("BatchNormalization", ["d1", "gamma", "beta", "mean", "variance"], ["n1"], epsilon=1e-3), n("Relu", ["n1"], ["r1"]),
        n("Flatten", ["r1"], ["f1"]), n("MatMul", ["f1", "w2"], ["m2"]), n("Add", ["m2", "b2"], ["d2"]),
        n("LeakyRelu", ["d2"], ["left"], alpha=0.2), n("Identity", ["r1"], ["i1"]), n("MatMul", ["i1", "w4"], ["m4"]),
        n("Sigmoid", ["m4"], ["s4"]), n("Mul", ["m4", "s4"], ["right"]), n("Add", ["left", "right"], ["sum"]),
        n("Max", ["sum", "right"], ["max"]), n("MatMul", ["max", "w3"], ["m3"]), n("Add", ["b3", "m3"], ["d3"]),
        n("Softmax", ["d3"], ["y"]),
    ]  # fmt: skip
    return model(nodes, {"x": ["N", 3, 4]}, {**WEIGHTS, **NORM, "shape": np.array([-1, 12])})


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """The graph as text from every way in, by name, whatever is installed."""
    folder = tmp_path_factory.mktemp("models")
    keras, torch, onnx = (pytest.importorskip(name) for name in ("keras", "torch", "onnx"))
    made = {}
    model = keras_model(keras)
    for name in ("m.keras", "m.h5"):
        model.save(folder / name)
        made[name] = load(folder / name)
    made["keras, live"] = load(model)
    net, example = torch_module(torch), torch.zeros(2, 3, 4)
    made["torch, live"] = load(net, example=example)
    torch.export.save(torch.export.export(net, (example,)), folder / "m.pt2")
    made["m.pt2"] = load(folder / "m.pt2")
    onnx.save(onnx_model(), folder / "m.onnx")
    made["m.onnx"] = load(str(folder / "m.onnx"))
    made["onnx, live"] = load(onnx_model())
    made["torch, exported to onnx"] = load(exported(torch, onnx, net, example))
    return {k: g.text(names=False) for k, g in made.items()}


def exported(torch, onnx, net, example):
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (example,), stream, dynamo=False)
    return onnx.load_from_string(stream.getvalue())


@pytest.mark.parametrize(
    "way", ["m.keras", "m.h5", "keras, live", "torch, live", "m.pt2", "onnx, live", "torch, exported to onnx"]
)
def test_the_same_network_is_the_same_graph(texts, way):
    assert texts[way] == texts["m.onnx"]


def test_the_graph_is_the_network(texts):
    ops = [line.split(" = ")[1].split("(")[0] for line in texts["m.onnx"].splitlines()[:-1]]
    wanted = "Input Reshape Dense Scale Relu Dense LeakyRelu Dense Table Elementwise Elementwise Dense Softmax"
    assert ops == wanted.split()


ACTIVATIONS = {  # Keras name, torch module, ONNX operator and attributes
    "relu": ("ReLU", (), "Relu", {}),
    "relu6": ("ReLU6", (), "Clip", {}),
    "sigmoid": ("Sigmoid", (), "Sigmoid", {}),
    "tanh": ("Tanh", (), "Tanh", {}),
    "elu": ("ELU", (), "Elu", {}),
    "selu": ("SELU", (), "Selu", {}),
    "celu": ("CELU", (), "Celu", {}),
    "gelu": ("GELU", (), "Gelu", {}),
    "silu": ("SiLU", (), "Swish", {}),
    "mish": ("Mish", (), "Mish", {}),
    "softplus": ("Softplus", (), "Softplus", {}),
    "softsign": ("Softsign", (), "Softsign", {}),
    "hard_sigmoid": ("Hardsigmoid", (), "HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("Hardswish", (), "HardSwish", {}),
    "leaky_relu": ("LeakyReLU", (0.2,), "LeakyRelu", {"alpha": 0.2}),
    "softmax": ("Softmax", (-1,), "Softmax", {}),
    "log_softmax": ("LogSoftmax", (-1,), "LogSoftmax", {}),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_the_same_everywhere(name):
    keras, torch = pytest.importorskip("keras"), pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from tests.kit.onnx_tools import helper, model

    module, args, operator, attrs = ACTIVATIONS[name]
    ends = {"low": np.float32(0), "high": np.float32(6)} if operator == "Clip" else {}
    made = model([helper.make_node(operator, ["x", *ends], ["y"], **attrs)], {"x": ["N", 4]}, ends, opset=24, ir_version=11)
    live = keras.Sequential([keras.Input((4,)), keras.layers.Activation(name)])
    wanted = load(made).text(names=False)
    assert load(live).text(names=False) == wanted
    assert load(getattr(torch.nn, module)(*args), example=torch.zeros(2, 4)).text(names=False) == wanted


# --- what is no model ---


def message(*args, **kwargs):
    with pytest.raises(ModelError) as caught:
        load(*args, **kwargs)
    return str(caught.value)


def test_a_graph_is_returned_as_it_is():
    graph = Graph((), ())
    assert load(graph) is graph


def test_missing_files(tmp_path):
    (tmp_path / "tagger.onnx").write_bytes(b"\x08\x08")
    assert f"Did you mean '{tmp_path / 'tagger.onnx'}'" in message(tmp_path / "tager.onnx")
    assert "Models in" in message(tmp_path / "zzz.h5")
    assert "tagger.onnx" in message(tmp_path / "zzz.h5")
    assert "nor does its folder" in message(tmp_path / "none" / "m.onnx")


def test_folders(tmp_path):
    assert "a folder" in message(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    text = message(tmp_path)
    assert "SavedModel" in text
    assert "model.save('model.keras')" in text


@pytest.mark.parametrize(("name", "data", "reason"), [
    ("m.xyz", b"text", "suffix '.xyz'"), ("m", b"text", "no suffix"), ("m.onnx", b"", "empty"), ("m.pb", b"text",
    "TensorFlow graph"),
    ("m.tflite", b"text", "Lite"), ("m.safetensors", b"text", "weights without"),
    ("m.onnx", b"version https://git-lfs.github", "git lfs pull"),
    ("m.json", b"{}", "weights='m_weights.h5'"),
])  # fmt: skip
def test_files_that_are_not_read(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    assert reason in message(tmp_path / name)


class Evil:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


ZIPS = ["m.pt", "m.pth", "m.pt2", "m.onnx", "m.keras"]


@pytest.mark.parametrize(("name", "zipped"), [("m.pkl", False), *((n, z) for n in ZIPS for z in (False, True))])
def test_pickles_are_never_loaded(tmp_path, name, zipped):
    data = pickle.dumps(Evil(tmp_path / "written"))
    if zipped:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("m/data.pkl", data)
    else:
        (tmp_path / name).write_bytes(data)
    text = message(tmp_path / name)
    assert zipped or "pickle" in text
    assert not (tmp_path / "written").exists()


def test_a_saved_torch_module_is_refused_with_the_way_out(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pt")
    assert "torch.export.save" in message(tmp_path / "m.pt")


def test_content_decides_over_the_suffix(tmp_path):
    keras = pytest.importorskip("keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    (tmp_path / "m.keras").rename(tmp_path / "m.bin")
    assert "Dense" in load(tmp_path / "m.bin").text()


def test_arguments_that_do_not_fit(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08")
    (tmp_path / "w.h5").write_bytes(b"x")
    assert "Leave them out" in message(tmp_path / "m.onnx", weights=tmp_path / "w.h5")
    assert "Leave it out" in message(tmp_path / "m.onnx", example=np.zeros((1, 3)))
    (tmp_path / "m.json").write_text("{}")
    assert "Did you mean" in message(tmp_path / "m.json", weights=tmp_path / "v.h5")
    assert "not list" in message([1, 2])
    assert "with a Keras .json file" in message([1, 2], weights="w.h5")


def test_a_module_needs_an_example():
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(2, 3)
    assert "example=torch.zeros" in message(module)
    for way in ({"example": torch.zeros(1, 2)}, {"example": np.zeros((1, 2), np.float32)}, {"input_shape": (2,)}):
        assert load(module, **way).text() == load(module, example=(torch.zeros(4, 2),)).text()
    x = np.array([[0.5, -0.25]])
    wanted = module(torch.tensor(x, dtype=torch.float32)).detach().numpy()
    program = torch.export.export(module, (torch.zeros(1, 2),))
    for design in (
        convert(module, example=torch.zeros(1, 2)),
        convert(program),
        convert(module, {"InputShape": [2], "Model": {}}),
    ):
        assert np.abs(design.predict_float(x) - wanted).max() < 1e-6
    with pytest.raises(ModelError, match=r"example=torch\.zeros"):
        convert(module)
    assert "Leave it out" in message(program, example=torch.zeros(1, 2))


def test_bytes_are_an_onnx_model():
    pytest.importorskip("onnx")
    assert load(onnx_model().SerializeToString()).text() == load(onnx_model()).text()
    assert "no ONNX model" in message(b"PK nothing")


@pytest.mark.long
def test_keras_models_on_the_torch_back_end(tmp_path):
    """There a Keras model is a PyTorch module too."""
    pytest.importorskip("keras"), pytest.importorskip("torch")
    code = """
import keras, numpy as np, nn2hls, torch
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu", name="fc1")])
assert isinstance(model, torch.nn.Module)
graph = nn2hls.load(model)
x = np.array([[0.5, -0.25, 1]], dtype=np.float32)
y = nn2hls.convert(model).predict_float(x)
assert np.abs(y - model(x).detach().cpu().numpy()).max() < 1e-6
print(*(n.name for n in graph), graph["fc1"].origin.kind)
"""
    env = {**os.environ, "KERAS_BACKEND": "torch"}
    run = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-3:] == ["fc1", "fc1_relu", "Dense"]
