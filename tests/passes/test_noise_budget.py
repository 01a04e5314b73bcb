"""How the noise that TargetSQNR leaves is shared out: derived types keep to their share, and with a bit less they do not.

Of the noise n that a layer may add, its result may add n / sqrt(2) by rounding, and so may its constants together; weights and
biases have half of that power each.
"""

import dataclasses

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input
from tests.kit.networks import hls_config

TARGETS = np.arange(30.0, 48.0, 1.5)  # several in each bit, which is 6 dB
EVENTS = 300
X = FixedType(24, 6)


def network(weight, bias):
    b = Builder()
    x = b.add("x", Input((weight.shape[0],)))
    return b.build([b.add("y", Dense(Const(weight), Const(bias)), [x])])


def less(kind):
    """With a fraction bit less."""
    return dataclasses.replace(kind, width=kind.width - 1)


def noise_of(graph, target, **types):
    """The rms error of the layer for inputs that are no wider than their type, its share, and the design."""
    layers = {"x": {"Precision": str(X)}, "y": {"Precision": types}}
    design = convert(graph, hls_config({"TargetSQNR": float(target)}, **{k: v for k, v in layers.items() if v["Precision"]}))
    x = np.round(np.random.default_rng(1).standard_normal((EVENTS, *graph.inputs[0].shape)) / X.step) * X.step
    want = design.predict_float(x)
    error = float(np.sqrt(np.mean((design.predict(x) - want) ** 2)))
    return error, 10 ** (-target / 20) * float(np.sqrt(np.mean(np.var(want, axis=0)))), design


@pytest.mark.parametrize("target", TARGETS)
def test_a_result_keeps_to_its_share_and_a_bit_less_does_not(target):
    weight = np.random.default_rng(0).choice([-1.0, 1.0], size=(16, 8))  # exact: all the noise is the result's
    graph = network(weight, np.zeros(8))
    error, noise, design = noise_of(graph, target)
    kind = design.graph["y"].result_type
    assert error <= 1.03 * noise / np.sqrt(2)
    worse, _, _ = noise_of(graph, target, result=str(less(kind)))
    assert worse > 0.97 * noise / np.sqrt(2)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("word", ["weight", "bias"])
def test_constants_keep_to_their_share_and_a_bit_less_does_not(target, word):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(64, 200)) if word == "weight" else rng.choice([-1.0, 1.0], size=(1, 2000))
    bias = np.zeros(200) if word == "weight" else rng.normal(size=2000)
    graph = network(weight, bias)
    error, noise, design = noise_of(graph, target, result="ap_fixed<48,12>")
    assert error <= 1.05 * noise / 2
    kind = getattr(design.graph["y"].op, f"{word}_t")
    worse, _, _ = noise_of(graph, target, result="ap_fixed<48,12>", **{word: str(less(kind))})
    assert worse > 0.95 * noise / 2
