"""An option that is not understood is an error that names the layer and the option, for every layer of each framework."""

import copy
import importlib

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from nn2hls.converters.keras import convert, live  # noqa: E402
from nn2hls.converters.onnx import load_live as load_onnx  # noqa: E402
from nn2hls.converters.pytorch.context import Args  # noqa: E402
from nn2hls.converters.pytorch.pt2_program import Call  # noqa: E402
from nn2hls.errors import UnsupportedError  # noqa: E402
from tests.kit.keras_layers import OPERATIONS, WITH_WEIGHTS  # noqa: E402
from tests.kit.onnx_tools import helper, model  # noqa: E402

CASES = {k: make for k, make in {**WITH_WEIGHTS, **OPERATIONS}.items() if k != "time in a model"}


def read(name):
    """What a live model tells: config, weights, version."""
    x = keras.Input((3, 4), name="x")
    return live.read(keras.Model(x, CASES[name](x)))


def last(config):
    """The spec of the last layer that is called and has a config."""
    return next(s for s in reversed(config["config"]["layers"]) if s["inbound_nodes"] and s["class_name"] != "Sequential")


@pytest.mark.parametrize("name", CASES)
def test_keras(name):
    found = read(name)
    convert(found.config, found.weights, found.version, found.where)  # the framework's own options are all understood
    config = copy.deepcopy(found.config)
    spec = last(config)
    spec["config"]["sparkle"] = 3
    place = rf"{spec['name']} \({spec['class_name']}\)"
    with pytest.raises(UnsupportedError, match=rf"{place}: its option 'sparkle' = 3 is not understood"):
        convert(config, found.weights, found.version, found.where)


def test_an_option_of_the_layer_inside_a_wrapper():
    found = read("spectral")
    config = copy.deepcopy(found.config)
    last(config)["config"]["layer"]["config"]["sparkle"] = "yes"
    with pytest.raises(UnsupportedError, match=r"SpectralNormalization\): its option 'sparkle' = 'yes' is not understood"):
        convert(config, found.weights, found.version, found.where)


def test_options_of_several_layers_at_once():
    x = keras.Input((4,))
    found = live.read(keras.Model(x, keras.layers.Dense(2, name="two")(keras.layers.Dense(3, name="one")(x))))
    for spec in found.config["config"]["layers"][1:]:
        spec["config"]["causal"] = True
    with pytest.raises(UnsupportedError, match=r"one \(Dense\): its option 'causal'(?s:.*)two \(Dense\): its option 'causal'"):
        convert(found.config, found.weights, found.version, found.where)


def test_nothing_is_refused_that_is_left_at_nothing():
    found = read("einsum")
    last(found.config)["config"].update(sparkle=None, glitter=False)
    convert(found.config, found.weights, found.version, found.where)


def test_a_newer_onnx_attribute(monkeypatch):
    """What the operator's own definition does not have is refused by it; what it has and nothing reads, by us."""
    node = helper.make_node("Relu", ["x"], ["y"], name="layer", sparkle=3)
    with pytest.raises(UnsupportedError, match=r"layer \(Relu\): it breaks the operator's definition.*sparkle"):
        load_onnx(model([node], {"x": ["N", 4]}))
    monkeypatch.setattr("onnx.checker.check_node", lambda *args: None)
    with pytest.raises(UnsupportedError, match=r"layer \(Relu\): its attribute 'sparkle' is not understood"):
        load_onnx(model([node], {"x": ["N", 4]}))


def test_every_attribute_of_onnx_that_is_not_idle_is_read():
    """BatchNormalization of opset 7 with a spread of statistics that today's definition does not have."""
    arrays = {k: np.ones(3, np.float32) for k in ("s", "b", "m", "v")}
    node = helper.make_node("BatchNormalization", ["x", *arrays], ["y"], name="layer", spatial=0)
    with pytest.raises(UnsupportedError, match=r"layer \(BatchNormalization\): its attribute 'spatial' is not understood"):
        load_onnx(model([node], {"x": ["N", 3, 4]}, arrays, opset=7))


def test_pytorch_arguments():
    args = Args(Call("relu.default", {"self": 1, "sparkle": 2}, ("y",), "y", "relu"), {})
    assert "'self'" in args.not_understood()
    args.get("self")
    assert args.not_understood() == "its argument 'sparkle' is not understood; leave it out"
    args.get("sparkle")
    assert not args.not_understood()


def test_pytorch_by_layer(monkeypatch):
    torch_lower = importlib.import_module("nn2hls.converters.pytorch.lower")
    original = torch_lower.Args

    def with_one_more(call, values):
        return original(Call(call.target, {**call.args, "sparkle": 3}, call.outputs, call.name, call.function), values)

    monkeypatch.setattr(torch_lower, "Args", with_one_more)
    from nn2hls.converters.pytorch import load_live as load_torch

    with pytest.raises(UnsupportedError, match=r"0 \(aten.relu.default\): its argument 'sparkle' is not understood"):
        load_torch(torch.nn.Sequential(torch.nn.ReLU()), torch.zeros(2, 4))
