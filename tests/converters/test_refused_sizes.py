"""Sizes that do not fit, or that a few bytes of a file ask for, are refused with the layer's name, before any memory is."""

import numpy as np
import pytest

from nn2hls.converters.keras import convert
from nn2hls.converters.keras.h5 import Weights
from nn2hls.converters.onnx import load_live
from nn2hls.errors import ModelError, UnsupportedError

HUGE = 10**12
SPACE = (6, 5, 4)  # channels last, as Keras has it


def keras(kind, shape=SPACE, arrays=(), **config):
    """A model of one layer, as a file would hold it."""
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, *shape]}, "name": "x", "inbound_nodes": []},
        {
            "class_name": kind,
            "config": {"name": "layer", "trainable": True, **config},
            "name": "layer",
            "inbound_nodes": [[["x", 0, 0, {}]]],
        },
    ]
    inner = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["layer", 0, 0]]}
    weights = Weights({"layer": [(f"layer/{n}:0", a) for n, a in arrays]}, "named", "3", "file")
    return convert({"class_name": "Functional", "config": inner}, weights, 3, "file")


def kernel(*shape):
    return [("kernel", np.ones(shape)), ("bias", np.ones(shape[-1]))]


KERAS = {
    "kernel beyond": (("Conv2D", kernel(7, 2, 4, 3)), {"kernel_size": [7, 2], "filters": 3}, "does not fit a space of"),
    "kernel of another rank": (("Conv2D", kernel(2, 4, 3)), {"kernel_size": [2, 2], "filters": 3}, "'kernel_size' is"),
    "groups": (("Conv2D", kernel(2, 2, 2, 3)), {"kernel_size": 2, "filters": 3, "groups": 3}, "groups do not divide"),
    "strides": (("Conv2D", kernel(2, 2, 4, 3)), {"kernel_size": 2, "filters": 3, "strides": 0}, "strides .* must be"),
    "dilation": (("Conv2D", kernel(2, 2, 4, 3)), {"kernel_size": 2, "filters": 3, "dilation_rate": HUGE}, "does not fit"),
    "rank": (("Conv1D", kernel(2, 4, 3)), {"kernel_size": 2, "filters": 3}, "needs channels and 1 axes"),
    "pool": (("MaxPooling2D", ()), {"pool_size": [7, 1]}, "does not fit"),
    "padding": (("ZeroPadding2D", ()), {"padding": HUGE}, "at most"),
    "cropping": (("Cropping2D", ()), {"cropping": 3}, "leave nothing"),
    "upsampling": (("UpSampling2D", ()), {"size": HUGE}, "at most"),
    "bilinear": (("UpSampling2D", ()), {"size": HUGE, "interpolation": "bilinear"}, "at most"),
    "bilinear, rank": (
        ("UpSampling2D", ()),
        {"size": 2, "interpolation": "bilinear", "shape": (6, 5, 2, 4)},
        "needs channels and 2 axes",
    ),
    "a size that is a word of logic": (("Flatten", ()), {"shape": (True, 4)}, "is not fixed"),
    "adaptive": (("AdaptiveMaxPooling2D", ()), {"output_size": [HUGE, 1]}, "at most"),
    "mode": (("UpSampling2D", ()), {"size": 2, "interpolation": "lanczos5"}, "'interpolation'"),
    "word": (("Conv2D", kernel(2, 2, 4, 3)), {"kernel_size": 2, "filters": 3, "padding": "full"}, "'padding'"),
    "groups of a norm": (("GroupNormalization", [("gamma", np.ones(4)), ("beta", np.ones(4))]), {"groups": 3}, "equal|make 3"),
    "depthwise of many": (
        ("DepthwiseConv2D", [("kernel", np.ones((1, 1, 20_000, 1))), ("bias", np.ones(20_000))]),
        {"kernel_size": 1, "shape": (2, 2, 20_000)},
        "weights, with the zeros",
    ),
}


@pytest.mark.parametrize("name", KERAS)
def test_keras(name):
    (kind, arrays), config, message = KERAS[name]
    shape = config.pop("shape", SPACE) if "shape" in config else SPACE
    with pytest.raises(ModelError, match=rf"(layer|x).*({message})"):
        keras(kind, shape, arrays, **config)


ONNX = {
    "Resize": ({"r": np.zeros(0, np.float32), "s": np.array([1, 4, HUGE, 5])}, "x r r s", {}, "at most"),
    "Resize of another mode": (
        {"r": np.zeros(0, np.float32), "s": np.array([1, 4, 6, 5])},
        "x r r s",
        {"mode": "cubic"},
        "'cubic'",
    ),
    "Pad": ({"p": np.array([0, 0, HUGE, 0, 0, 0, 0, 0])}, "x p", {}, "at most"),
    "Tile": ({"r": np.array([1, 1, HUGE, 1])}, "x r", {}, "at most"),
    "MaxPool": ({}, "x", {"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}, "must be smaller than its kernel"),
    "AveragePool": ({}, "x", {"kernel_shape": [9, 2]}, "does not fit"),
    "DepthToSpace": ({}, "x", {"blocksize": 3}, "do not make blocks"),
    "Slice": ({"b": np.array([3]), "e": np.array([2]), "a": np.array([2])}, "x b e a", {}, "leaves nothing"),
    "Gather": ({"i": np.array([7])}, "x i", {"axis": 2}, "indices are not"),
    "Conv": ({"w": np.ones((3, 3, 2, 2), np.float32)}, "x w", {}, "groups do not divide"),
}


@pytest.mark.parametrize("name", ONNX)
def test_onnx(name):
    pytest.importorskip("onnx")
    from tests.kit.onnx_tools import helper, model

    constants, operands, attributes, message = ONNX[name]
    node = helper.make_node(name.partition(" ")[0], operands.split(), ["y"], name="layer", **attributes)
    with pytest.raises(UnsupportedError, match=rf"layer \({name.partition(' ')[0]}\): .*({message})"):
        load_live(model([node], {"x": ["N", 4, 6, 5]}, constants, opset=18))


def test_statistics_that_are_not_numbers():
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    arrays = [(n, np.full(4, np.nan if n == "moving_variance" else 1.0)) for n in names]
    with pytest.raises(ModelError, match=r"layer: Its moving_variance holds 4 NaN or Inf"):
        keras("BatchNormalization", SPACE, arrays)
