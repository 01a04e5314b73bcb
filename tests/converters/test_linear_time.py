"""Conversion takes work in proportion to the layers: counted in calls of functions, not in seconds."""

import sys

import numpy as np
import pytest

pytest.importorskip("onnx")

import nn2hls
from nn2hls.converters.onnx import load_live
from tests.kit.onnx_tools import helper, model

N = helper.make_node


def calls(function, *args):
    """How many functions are called while one runs."""
    count = 0

    def count_one(frame, event, arg):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(count_one)
    try:
        function(*args)
    finally:
        sys.setprofile(before)
    return count


def chain(layers):
    """Layers of one each after the other, every second one with weights."""
    weight = np.eye(3, dtype=np.float32)
    nodes = [N("MatMul" if k % 2 else "Relu", [f"t{k}", *["w"] * (k % 2)], [f"t{k + 1}"]) for k in range(layers)]
    return model([*nodes, N("Neg", [f"t{layers}"], ["y"])], {"t0": ["N", 3]}, {"w": weight})


def residual(blocks):
    """Blocks of a convolution, a normalisation and a sum with what came before."""
    constants = {"w": np.ones((2, 2, 3, 3), np.float32) / 18, **{k: np.ones(2, np.float32) for k in ("g", "b", "m", "v")}}
    nodes = []
    for k in range(blocks):
        nodes += [
            N("Conv", [f"t{k}", "w"], [f"c{k}"], pads=[1, 1, 1, 1]),
            N("BatchNormalization", [f"c{k}", "g", "b", "m", "v"], [f"n{k}"]),
            N("Relu", [f"n{k}"], [f"r{k}"]),
            N("Add", [f"t{k}", f"r{k}"], [f"t{k + 1}"]),
        ]
    return model([*nodes, N("Neg", [f"t{blocks}"], ["y"])], {"t0": ["N", 2, 4, 4]}, constants)


@pytest.mark.parametrize(("make", "small"), [(chain, 500), (residual, 25)])
def test_reading(make, small):
    load_live(make(2))
    one, two = (calls(load_live, make(k)) for k in (small, 2 * small))
    assert two < 2.1 * one


@pytest.mark.parametrize(("make", "small"), [(chain, 60), (residual, 12)])
def test_conversion(make, small):
    nn2hls.convert(make(2), {"Model": {"Precision": "fixed<16,6>"}})
    one, two = (calls(nn2hls.convert, make(k), {"Model": {"Precision": "fixed<16,6>"}}) for k in (small, 2 * small))
    assert two < 2.2 * one
