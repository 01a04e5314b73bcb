"""Small files that ask for much, and long ones: refused with a number, or read in time that grows with their length."""

import json
import random
import sys

import numpy as np
import pytest
from onnx import helper

from nn2hls import frontends
from nn2hls.converters import keras
from nn2hls.converters.keras import _order
from nn2hls.converters.keras.calls import Call, Ref
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.onnx import wire as onnx_wire
from nn2hls.errors import LimitError, ModelError, UnsupportedError
from tests.kit.onnx_tools import model as onnx_model

h5py = pytest.importorskip("h5py")


def layer(kind, name, *calls, **config):
    spec = {"class_name": kind, "name": name, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}
    return {**spec, "inbound_nodes": [[[source, call, 0, {}] for source, call in sources] for sources in calls]}


INPUT = layer("InputLayer", "x", batch_input_shape=[None, 1])


def functional(layers, output, name="m"):
    config = {"name": name, "layers": [INPUT, *layers], "input_layers": [["x", 0, 0]], "output_layers": [[*output, 0]]}
    return {"class_name": "Functional", "name": name, "config": config}


def write(folder, config, names=(), **attributes):
    with h5py.File(folder / "w.h5", "w") as file:
        file.attrs["layer_names"] = np.array([n.encode() for n in names], dtype="S9")
        file.attrs["keras_version"] = "2.9.0"
        for key, value in attributes.items():
            file.attrs[key] = value
    (folder / "m.json").write_text(json.dumps({**config, "keras_version": "2.9.0"}))
    return folder / "m.json", folder / "w.h5"


def chain(count, kind="ReLU"):
    return [layer(kind, f"r{k}", [(f"r{k - 1}" if k else "x", 0)]) for k in range(count)]


def test_models_that_call_the_model_inside_them_twice(tmp_path, monkeypatch):
    """24 levels are 2**24 calls of one layer, here one that leaves no node behind."""
    model, name = functional([layer("Dropout", "d", [("x", 0)], rate=0.5)], ("d", 0), "m0"), "m0"
    for k in range(24):
        inner = {**model, "inbound_nodes": [[["x", 0, 0, {}]], [[name, 0, 0, {}]]]}
        model, name = functional([inner], (name, 1), f"m{k + 1}"), f"m{k + 1}"
    for limit in (keras.MAX_LAYERS, 100):
        monkeypatch.setattr(keras, "MAX_LAYERS", limit)
        with pytest.raises(LimitError, match=f"m0(/d)?: Layers are called more than {limit} times"):
            frontends.load(*write(tmp_path, model))


def test_layers_in_any_order_give_one_graph(tmp_path):
    layers = chain(300)
    text = frontends.load(*write(tmp_path, functional(layers, ("r299", 0)))).text()
    for shuffle in (list.reverse, random.Random(1).shuffle):
        shuffle(layers)
        assert frontends.load(*write(tmp_path, functional(layers, ("r299", 0)))).text() == text


def test_the_order_of_calls():
    """Rounds through the list; what waits is looked at again once per source, not once per round."""

    class Counted(Layer):
        """Counts how often its name is asked for."""

        asked = 0

        def __getattribute__(self, name):
            Counted.asked += name == "name"
            return super().__getattribute__(name)

    count = 200
    layers = [Counted(f"r{k}", (f"r{k}",), "ReLU", {}) for k in range(count)]
    calls = [(x, 0, Call((Ref(f"r{k - 1}" if k else "x"),))) for k, x in enumerate(layers)][::-1]
    assert list(_order(calls, {("x", 0)})) == list(range(count))[::-1]
    assert Counted.asked < 10 * count
    mixed = [calls[k] for k in (198, 197, 199, 0)]  # r1, r2, r0, r199: r0 in the first round, then r1, r2
    with pytest.raises(ModelError, match="r199: What it is called with is never computed"):
        assert list(_order(mixed, {("x", 0)})) == [2, 0, 1]


def test_weights_that_are_listed_without_end(tmp_path, monkeypatch):
    config = functional(chain(1), ("r0", 0))
    with pytest.raises(ModelError, match="names a layer twice"):
        frontends.load(*write(tmp_path, config, ["r0"] * 1000))
    monkeypatch.setattr("nn2hls.converters.keras.h5.MAX_LAYERS", 10)
    with pytest.raises(ModelError, match="or more than 10 layers"):
        frontends.load(*write(tmp_path, config, [f"a{k}" for k in range(11)]))
    monkeypatch.setattr("nn2hls.converters.keras.h5.MAX_GROUPS", 10)
    _, weights = write(tmp_path, config, ["r0"])
    with h5py.File(weights, "a") as file:
        file["r0/w"] = np.ones(3)
        file["r0"].attrs["weight_names"] = [b"w"] * 11
    with pytest.raises(ModelError, match="beyond 33554432 values or 10 arrays"):
        frontends.load(tmp_path / "m.json", weights)


def test_a_model_config_that_is_a_list(tmp_path):
    write(tmp_path, {}, model_config=[b"{}", b"{}"])
    with pytest.raises(ModelError, match=r"w\.h5: Its model_config is a list"):
        frontends.load(tmp_path / "w.h5")


def load_onnx(folder, made):
    (folder / "m.onnx").write_bytes(made.SerializeToString())
    return frontends.load(folder / "m.onnx")


@pytest.mark.parametrize("shape", [[[-1, 4]], 4, [[[4]]]])
@pytest.mark.parametrize("constant", [False, True])
def test_a_reshape_to_a_shape_of_another_rank(tmp_path, shape, constant):
    nodes = [helper.make_node("Reshape", ["k" if constant else "x", "s"], ["q"]), helper.make_node("Add", ["x", "q"], ["y"])]
    made = onnx_model(nodes, {"x": ["N", 4]}, {"s": np.array(shape), "k": np.ones(4, "f4")})
    with pytest.raises(UnsupportedError, match=f"must be a list of sizes, not a tensor of rank {np.ndim(shape)}"):
        load_onnx(tmp_path, made)


def test_constants_that_are_computed_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["nn2hls.converters.onnx.fold"], "FOLD_LIMIT", 1000)
    nodes = [helper.make_node("Neg", [f"k{k}"], [f"k{k + 1}"]) for k in range(20)]
    made = onnx_model([*nodes, helper.make_node("Add", ["x", "k20"], ["y"])], {"x": ["N", 90]}, {"k0": np.ones(90, "f4")})
    with pytest.raises(UnsupportedError, match="computed up to here hold more than 1000 values"):
        load_onnx(tmp_path, made)
    monkeypatch.setattr(sys.modules["nn2hls.converters.onnx.fold"], "FOLD_LIMIT", 1800)
    assert load_onnx(tmp_path, made)


def test_messages_that_grow_when_they_are_parsed(tmp_path, monkeypatch):
    good = onnx_model([helper.make_node("Add", ["x", "k"], ["y"])], {"x": ["N", 90]}, {"k": np.ones(90, "f4")})
    monkeypatch.setattr(onnx_wire, "MAX_STRUCTURE", good.ByteSize() - 300)
    assert load_onnx(tmp_path, good)  # its 360 bytes of weights do not count
    monkeypatch.setattr(onnx_wire, "MAX_STRUCTURE", good.ByteSize() - 400)
    with pytest.raises(ModelError, match="bytes besides its weights"):
        load_onnx(tmp_path, good)
    (tmp_path / "m.onnx").write_bytes(b"\x3a\xc0\x84\x3d" + b"\x0a\x00" * 500_000)  # empty nodes
    with pytest.raises(ModelError, match="more than 400000 nodes"):
        frontends.load(tmp_path / "m.onnx")


def test_more_nodes_than_a_network_has(tmp_path, monkeypatch):
    monkeypatch.setattr("nn2hls.converters.onnx.graph.MAX_LAYERS", 3)
    nodes = [helper.make_node("Relu", [f"k{k}" if k else "x"], [f"k{k + 1}" if k < 3 else "y"]) for k in range(4)]
    with pytest.raises(ModelError, match="It has 4 nodes; at most 3 are read"):
        load_onnx(tmp_path, onnx_model(nodes, {"x": ["N", 2]}))
    assert load_onnx(tmp_path, onnx_model([*nodes[:2], helper.make_node("Relu", ["k2"], ["y"])], {"x": ["N", 2]}))


def test_initialisers_beyond_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("nn2hls.converters.onnx.file.MAX_VALUES", 100)
    add = helper.make_node("Add", ["x", "k"], ["y"])
    with pytest.raises(ModelError, match="hold more than 100 values"):
        load_onnx(tmp_path, onnx_model([add], {"x": ["N", 90]}, {"k": np.ones(90, "f4"), "other": np.ones(11, "f4")}))
