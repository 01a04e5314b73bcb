"""Files that Keras 2 wrote, made here with h5py in its layout, give the numbers that NumPy gives."""

import copy
import json

import numpy as np
import pytest

from nn2hls.converters.keras import load_file
from nn2hls.errors import UnsupportedError
from nn2hls.ops import HardSigmoid, LeakyRelu
from tests.kit.keras_zoo import evaluate

h5py = pytest.importorskip("h5py")
RNG = np.random.default_rng(3)


def layer(kind, name, inbound=None, **config):
    spec = {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}
    return spec if inbound is None else {**spec, "name": name, "inbound_nodes": inbound}


def source(name, size):
    spec = layer("InputLayer", name, [], batch_input_shape=[None, size], sparse=False)
    del spec["config"]["trainable"]
    return spec


def dense(name, n_in, n_out, inbound=None, **config):
    """The layer and its arrays."""
    arrays = {
        f"{name}/kernel:0": RNG.normal(size=(n_in, n_out)).astype("f4"),
        f"{name}/bias:0": RNG.normal(size=n_out).astype("f4"),
    }
    return layer("Dense", name, inbound, units=n_out, use_bias=True, activation="linear", **config), arrays


def batch_norm(name, n, inbound=None):
    words = ("gamma", "beta", "moving_mean", "moving_variance")
    arrays = {f"{name}/{w}:0": (RNG.random(n) + 0.5).astype("f4") for w in words}
    return layer("BatchNormalization", name, inbound, axis=[1], epsilon=0.001, center=True, scale=True), arrays


def write(path, config, groups, version="2.11.0", whole=True):
    """A file of model.save (``whole``) or of model.save_weights."""
    with h5py.File(path, "w") as file:
        if whole:
            file.attrs["model_config"] = json.dumps(config).encode()
        root = file.create_group("model_weights") if whole else file
        for place in {file, root}:
            place.attrs["keras_version"] = version.encode()
            place.attrs["backend"] = b"tensorflow"
        root.attrs["layer_names"] = np.array([n.encode() for n in groups])
        for name, arrays in groups.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = np.array([n.encode() for n in arrays], dtype="S" if arrays else float)
            for key, array in arrays.items():
                group[key] = array
    return path


def affine(arrays, x):
    kernel, bias = (a.astype(np.float64) for a in arrays.values())
    return x @ kernel + bias


def test_sequential_without_input_layer(tmp_path):
    first, arrays = dense("dense_1", 6, 4, batch_input_shape=[None, 6])
    alpha = layer("LeakyReLU", "leaky", alpha=float(np.float32(0.3)))
    hard = layer("Activation", "hard", activation="hard_sigmoid")
    groups = {"dense_1": arrays, "leaky": {}, "hard": {}}
    graphs = []
    for config in ({"name": "s", "layers": [first, alpha, hard]}, [first, alpha, hard]):  # a bare list until Keras 2.2
        path = write(tmp_path / "m.h5", {"class_name": "Sequential", "config": config}, groups)
        with pytest.warns(UserWarning, match=r"hard: saved by Keras 2, so hard_sigmoid is clip\(0.2 \* x \+ 0.5"):
            graphs.append(load_file(path))
    graph = graphs[0]
    assert [n.name for n in graph] == ["dense_1_input", "dense_1", "leaky", "hard"]
    assert graph.text() == graphs[1].text()
    assert isinstance(graph["leaky"].op, LeakyRelu)
    assert graph["leaky"].op.slope.array == 0.3
    assert isinstance(graph["hard"].op, HardSigmoid)
    x = RNG.normal(size=(20, 6))
    y = affine(arrays, x)
    np.testing.assert_allclose(evaluate(graph, [x])[0], np.clip(0.2 * np.where(y > 0, y, 0.3 * y) + 0.5, 0, 1), rtol=1e-12)


def nested(frozen=False, one_based=True):
    """An inner functional model called twice, a shared layer, two outputs; config, groups and NumPy's answer."""
    inner_dense, w1 = dense("d", 3, 3, [[["i", 0, 0, {}]]])
    inner_norm, w2 = batch_norm("n", 3, [[["d", 0, 0, {}]]])
    last, w3 = dense("e", 3, 2, [[["n", 0, 0, {}]]])
    for spec in (inner_dense, inner_norm):
        spec["config"]["trainable"] = not frozen
    inner = {
        "name": "inner",
        "layers": [source("i", 3), inner_dense, inner_norm, last],
        "input_layers": [["i", 0, 0]],
        "output_layers": [["e", 0, 0], ["d", 0, 0]],
    }
    shared, ws = dense("d", 3, 3, [[["a", 0, 0, {}]], [["b", 0, 0, {}]]])
    base = int(one_based)
    add = layer("Add", "add", [[["inner", base, 0, {}], ["inner", base + 1, 0, {}]]])
    layers = [
        source("a", 3),
        source("b", 3),
        shared,
        {"class_name": "Model", "name": "inner", "config": inner, "inbound_nodes": [[["d", 0, 0, {}]], [["d", 1, 0, {}]]]},
        add,
    ]
    config = {
        "name": "m",
        "layers": layers,
        "input_layers": [["a", 0, 0], ["b", 0, 0]],
        "output_layers": [["add", 0, 0], ["inner", base + 1, 1]],
    }
    trained = {**w1, **w2, **w3}
    rest = {k: v for k, v in trained.items() if "moving" in k}
    order = {k: v for k, v in trained.items() if k not in rest} | rest
    if frozen:
        order = w3 | w1 | w2
    groups = {"a": {}, "b": {}, "d": ws, "inner": order, "add": {}}

    def one(x):
        y = affine(w1, affine(ws, x))
        gamma, beta, mean, variance = (v.astype(np.float64) for v in w2.values())
        return affine(w3, (y - mean) / np.sqrt(variance + 0.001) * gamma + beta), y

    return {"class_name": "Model", "config": config}, groups, lambda a, b: (one(a)[0] + one(b)[0], one(b)[1])


@pytest.mark.parametrize("one_based", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("telling", [True, False])
def test_nested(tmp_path, frozen, one_based, telling):
    """``telling``: whether the weights' names tell the layer; without, only Keras' order is left."""
    config, groups, expected = nested(frozen, one_based)
    if not telling:
        groups["inner"] = {f"w{k}/{n.split('/')[1]}": v for k, (n, v) in enumerate(groups["inner"].items())}
    graph = load_file(write(tmp_path / "m.h5", config, groups))
    x = RNG.normal(size=(2, 30, 3))
    for got, want in zip(evaluate(graph, list(x)), expected(*x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    names = [n.name for n in graph]
    assert sorted(names) == sorted(["a", "b", "d", "d_2", "inner/d", "inner/d_2", "n", "n_2", "e", "e_2", "add"])
    assert graph["d"].op.weight.digest == graph["d_2"].op.weight.digest


def test_json_and_weights(tmp_path):
    config, groups, _ = nested()
    whole = load_file(write(tmp_path / "m.h5", config, groups))
    (tmp_path / "m.json").write_text(json.dumps({**config, "keras_version": "2.1.3", "backend": "tensorflow"}))
    alone = write(tmp_path / "w.h5", None, groups, whole=False)
    assert load_file(tmp_path / "m.json", alone).text() == whole.text()


def test_one_input_in_the_short_spelling(tmp_path):
    d, arrays = dense("d", 3, 2, [["x", 0, 0, {}]])
    config = {"name": "m", "layers": [source("x", 3), d], "input_layers": ["x", 0, 0], "output_layers": ["d", 0, 0]}
    graph = load_file(write(tmp_path / "m.h5", {"class_name": "Functional", "config": config}, {"x": {}, "d": arrays}))
    assert [n.name for n in graph] == ["x", "d"]


def test_long_lists_of_names(tmp_path):
    """HDF5 limits the size of an attribute; Keras then writes parts."""
    layers, groups = [], {}
    for k in range(6):
        spec, groups[f"d{k}"] = dense(f"d{k}", 3, 3, batch_input_shape=[None, 3])
        layers.append(spec)
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    path = write(tmp_path / "m.h5", config, groups)
    graph = load_file(path)
    with h5py.File(path, "a") as file:
        names = file["model_weights"].attrs["layer_names"]
        del file["model_weights"].attrs["layer_names"]
        file["model_weights"].attrs["layer_names0"], file["model_weights"].attrs["layer_names1"] = names[:4], names[4:]
    assert load_file(path).text() == graph.text()


def test_operators(tmp_path):
    """TFOpLambda, which Keras 2.4 and later write for x * 2 and the like."""
    ops = [
        ("math.multiply", "m", [["x", 0, 0, {"y": 2.0, "name": None}]]),
        ("__operators__.add", "p", [["m", 0, 0, {"y": ["x", 0, 0], "name": None}]]),
        ("math.subtract", "s", [["_CONSTANT_VALUE", -1, 3.0, {"y": ["p", 0, 0], "name": None}]]),
        ("math.multiply", "k", [["s", 0, 0, {"y": [1.0, 2.0, 4.0], "name": None}]]),
        ("nn.relu", "r", [["k", 0, 0, {"name": None}]]),
    ]
    layers = [source("x", 3), *(layer("TFOpLambda", n, inbound, function=f) for f, n, inbound in ops)]
    config = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["r", 0, 0]]}
    groups = {s["name"]: {} for s in layers}
    graph = load_file(write(tmp_path / "m.h5", {"class_name": "Functional", "config": config}, groups))
    x = RNG.normal(size=(20, 3))
    np.testing.assert_allclose(evaluate(graph, [x])[0], np.maximum((3 - 3 * x) * [1, 2, 4], 0), rtol=1e-12)
    other = copy.deepcopy(config)
    other["layers"][-1]["config"]["function"] = "math.betainc"
    with pytest.raises(UnsupportedError, match=r"r \(TFOpLambda\): TFOpLambda of math.betainc is not offered"):
        load_file(write(tmp_path / "m.h5", {"class_name": "Functional", "config": other}, groups))
