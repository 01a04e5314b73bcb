"""Sizes that do not fit, or that a few bytes of a file ask for, are refused with the layer's name, before any memory is."""

import numpy as np
import pytest

from nn2hls.converters.keras import convert
from nn2hls.converters.keras.h5 import Weights
from nn2hls.converters.onnx import load_live
from nn2hls.errors import ModelError, Nn2hlsError, UnsupportedError

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
    "no units": (("Dense", [("kernel", np.ones((4, 0))), ("bias", np.ones(0))]), {"units": 0}, "has no elements"),
    "negative units": (("Dense", kernel(4, 3)), {"units": -1}, "must end with -1 units"),
    "other filters": (("Conv2D", kernel(2, 2, 4, 3)), {"kernel_size": 2, "filters": 5}, "make 3 filters and 'filters' is 5"),
    "other filters, transposed": (
        ("Conv2DTranspose", [("kernel", np.ones((2, 2, 3, 4))), ("bias", np.ones(3))]),
        {"kernel_size": 2, "filters": 4},
        "make 3 filters",
    ),
    "no multiplier": (
        ("DepthwiseConv2D", [("kernel", np.ones((2, 2, 4, 0))), ("bias", np.ones(0))]),
        {"kernel_size": 2, "depth_multiplier": 0},
        "holds no weights",
    ),
    "negative strides": (
        ("Conv2D", kernel(2, 2, 4, 3)),
        {"kernel_size": 2, "filters": 3, "strides": [-1, 1]},
        "strides .* must",
    ),
    "no groups": (("Conv2D", kernel(2, 2, 4, 3)), {"kernel_size": 2, "filters": 3, "groups": 0}, "0 groups do not divide"),
    "no pool": (("MaxPooling2D", ()), {"pool_size": 0}, "must be 2 positive numbers"),
    "negative cropping": (("Cropping2D", ()), {"cropping": -1}, "'cropping' must be"),
    "no size": (("Resizing", ()), {"height": 0, "width": 3}, "must be two positive numbers"),
    "repeated never": (("RepeatVector", ()), {"n": 0, "shape": (4,)}, "has no elements"),
    "no recurrent units": (
        ("LSTM", [("kernel", np.ones((4, 0))), ("recurrent_kernel", np.ones((0, 0))), ("bias", np.ones(0))]),
        {"units": 0, "shape": (5, 4)},
        "of 4 features and 0 units",
    ),
    "variance": (
        ("BatchNormalization", [(n, np.full(4, -1.0)) for n in ("gamma", "beta", "moving_mean", "moving_variance")]),
        {},
        "variance plus epsilon is not positive",
    ),
    "a dynamic shape": (("ReLU", ()), {"shape": (None, 4)}, "is not fixed"),
    "a negative shape": (("ReLU", ()), {"shape": (-3, 4)}, "is not fixed"),
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
    "Resize of three scales": ({"r": np.zeros(0, np.float32), "s": np.ones(3, np.float32)}, "x r s", {}, "3 scales do not fit"),
    "Resize to nothing": ({"r": np.zeros(0, np.float32), "s": np.array([1, 4, -2, 5])}, "x r r s", {}, "not all positive"),
    "Resize by nothing": ({"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 0, 1])}, "x r s", {}, "not positive"),
    "Conv of no filters": ({"w": np.ones((0, 4, 2, 2), np.float32)}, "x w", {}, "holds no weights"),
    "Conv of a kernel of another rank": ({"w": np.ones((3, 4, 2), np.float32)}, "x w", {}, "does not fit 2 axes of space"),
    "Conv of no stride": ({"w": np.ones((3, 4, 2, 2), np.float32)}, "x w", {"strides": [0, 1]}, "strides .* positive numbers"),
    "Conv of three pads": ({"w": np.ones((3, 4, 2, 2), np.float32)}, "x w", {"pads": [1, 1, 0]}, "must be 4 numbers"),
    "Conv of no groups": ({"w": np.ones((3, 4, 2, 2), np.float32)}, "x w", {"group": 0}, "0 groups do not divide"),
    "BatchNormalization": (
        {"g": np.ones(4, np.float32), "v": np.float32([1, np.nan, 1, 1])},
        "x g g g v",
        {},
        "its variance 'v' holds NaN",
    ),
    "BatchNormalization of other channels": (
        {"g": np.ones(4, np.float32), "v": np.ones(3, np.float32)},
        "x g g g v",
        {},
        "one number for each of 4 channels",
    ),
    "Pad by mirrors": ({"p": np.array([0, 0, 9, 0, 0, 0, 0, 0])}, "x p", {"mode": "reflect"}, "do not fit an axis of 6"),
    "Pad below nothing": ({"p": np.array([0, 0, -3, 0, 0, 0, -3, 0])}, "x p", {}, "leave nothing"),
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


def test_an_axis_of_no_fixed_size_and_a_cycle_of_onnx():
    pytest.importorskip("onnx")
    from tests.kit.onnx_tools import helper, model

    n = helper.make_node
    for size, word in (("T", "'T'"), (0, "'0'")):
        with pytest.raises(UnsupportedError, match=f"Input 'x': Axis 1 has the size {word}; only the first axis"):
            load_live(model([n("Relu", ["x"], ["y"])], {"x": ["N", size, 3]}))
    nodes = [
        n("Add", ["x", "b"], ["a"], name="one"),
        n("Relu", ["a"], ["b"], name="two"),
        n("Relu", ["b"], ["y"], name="three"),
    ]
    with pytest.raises(ModelError, match="form a cycle: one, two, three"):
        load_live(model(nodes, {"x": ["N", 3]}))


def _torch_modules():
    """(module, what is said of it)."""
    import torch
    from torch import nn

    def changed(**attributes):
        conv = nn.Conv2d(2, 3, 2)
        for name, value in attributes.items():
            setattr(conv, name, value)
        return nn.Sequential(nn.ReLU(), conv)

    def of(call):
        class Module(nn.Module):
            def forward(self, x):
                return call(x)

        return Module()

    unsure = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3))
    unsure[1].running_var[1] = float("nan")
    pad, seq = nn.functional.pad, nn.Sequential
    return {
        "kernel beyond": (seq(nn.ReLU(), nn.Conv2d(2, 3, 9)), "Sequential: 1: .*Kernel size can't be greater"),
        "kernel of another rank": (
            changed(weight=nn.Parameter(torch.ones(3, 2, 2))),
            "Sequential: 1: torch.export cannot trace",
        ),
        "groups": (changed(groups=4), "Sequential: 1: .*groups=4"),
        "stride": (changed(stride=(0, 1)), "Sequential: 1: .*stride is not supported"),
        "dilation": (changed(dilation=(0, 1)), r"1 \(aten.conv2d.default\): its dilation \(0, 1\) must be 2 positive numbers"),
        "pool beyond": (seq(nn.MaxPool2d(9)), "Sequential: 0: .*Output size is too small"),
        "adaptive": (seq(nn.AdaptiveAvgPool2d(0)), r"0 \(aten.adaptive_avg_pool2d.default\): its size \(0, 0\) must be"),
        "no size": (seq(nn.ReLU(), nn.Upsample(size=0)), "Sequential: 1: .*division by zero"),
        "mode": (seq(nn.Upsample(scale_factor=2, mode="bicubic")), r"0 \(aten.upsample_bicubic2d.vec\): .* is not offered"),
        "pads": (of(lambda x: pad(x, (HUGE, 0))), "at most"),
        "repeat": (of(lambda x: x.repeat(1, HUGE, 1, 1)), "at most"),
        "nothing left": (of(lambda x: x[:, :, 2:2]), r"slice_1 \(aten.slice.Tensor\): it leaves nothing"),
        "statistics": (unsure, "1.running_var: 1 of its 3 values are NaN"),
        "all at once": (of(lambda x: torch.erfinv(x) + torch.lgamma(x)), r"2 operators .*\n.*erfinv.*\n.*lgamma"),
    }


def test_pytorch():
    pytest.importorskip("torch")
    from nn2hls.converters.pytorch import load_live as load

    for module, message in _torch_modules().values():
        with pytest.raises(Nn2hlsError, match=message):
            load(module.eval(), input_shape=(2, 5, 4))


def test_an_axis_of_no_fixed_size_in_pytorch():
    torch = pytest.importorskip("torch")
    from nn2hls.converters.pytorch import load_program

    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("time")}
    program = torch.export.export(torch.nn.ReLU(), (torch.zeros(2, 5, 4),), dynamic_shapes=(free,))
    with pytest.raises(ModelError, match="input: The input has a symbolic size besides the batch"):
        load_program(program)
