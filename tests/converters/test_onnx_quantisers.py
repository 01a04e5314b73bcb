"""Quantised ONNX models: answers recorded from qonnx and onnxruntime, equal in every value where scales are powers of two."""

import warnings
from functools import cache

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import UnsupportedError
from nn2hls.ops import Quantize
from tests.kit.paths import ROOT

onnx = pytest.importorskip("onnx")
FIXTURE = ROOT / "tests" / "fixtures" / "quantised_onnx" / "answers.npz"
# Scales that are no powers of two: answers are a step of the last cast apart at most, and this share of them is.
BOUNDED = {
    "q_conv_bn": (0.25, 0.01),
    "q_scale": (0.0702, 0.02),
    "q_wscale": (0.25, 0.01),
    "qdq_scale": (0.2016, 0.02),
    "qdq_scale_u": (0.2016, 0.05),
    "ql_scale": (0.1147, 0.06),
}
NAMES = [str(n) for n in np.load(FIXTURE).files if n.endswith("|model")]
DOMAIN = "qonnx.custom_op.general"


@cache
def recorded(name):
    with np.load(FIXTURE) as file:
        return file[f"{name}|model"].tobytes(), file[f"{name}|x"], file[f"{name}|y"]


def converted(model, **config):
    given = {"Model": {}, "LayerName": {"x": {"Precision": {"result": "ap_fixed<24,12>"}}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn2hls.convert(nn2hls.load(model), {**given, **config})


@pytest.mark.parametrize("name", [n.partition("|")[0] for n in NAMES])
def test_answers_are_those_of_the_package(name):
    model, x, want = recorded(name)
    design = converted(onnx.load_from_string(model))
    step, share = BOUNDED.get(name, (0.0, 0.0))
    apart = np.abs(design.predict(x) - want)
    assert apart.max() <= step
    assert np.mean(apart > step / 2) <= share
    if not step:
        assert np.array_equal(design.predict_float(x), want)


@pytest.mark.parametrize("name", ["q_scale", "q_wscale", "qdq_scale", "ql_scale", "q_conv_bn"])
def test_no_scale_is_rounded_in_silence(name):
    notes = converted(onnx.load_from_string(recorded(name)[0])).notes
    assert any("its factors are multipliers of" in note for note in notes)


@pytest.mark.parametrize("name", ["q_conv", "qdq_zero", "ql_po2", "q_multi", "q_trunc"])
def test_the_compiled_design_gives_the_same(name):
    model, x, want = recorded(name)
    design = converted(onnx.load_from_string(model))
    assert np.array_equal(design.csim(x), want)


def test_an_input_that_is_quantised_at_once_has_that_type():
    design = nn2hls.convert(nn2hls.load(onnx.load_from_string(recorded("q_mlp")[0])))
    assert str(design.graph["x"].type) == "ap_fixed<6,3,AP_RND_CONV,AP_SAT>"
    assert sum(isinstance(n.op, Quantize) for n in design.graph) == 1, "the first cast is the input's own"


def test_products_of_signs_are_no_multipliers():
    design = converted(onnx.load_from_string(recorded("q_bipolar")[0]))
    assert design.estimate().dsp == 0


def node(op, values, domain=DOMAIN, **attributes):
    """A model of one quantiser of values, its further operands constants."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    names = [f"c{k}" for k in range(len(values))]
    constants = [numpy_helper.from_array(np.asarray(v), n) for v, n in zip(values, names, strict=True)]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *names], ["y"], name="first", domain=domain, **attributes)],
        "g",
        [value("x", onnx.TensorProto.FLOAT, ["N", 4])],
        [value("y", onnx.TensorProto.FLOAT, ["N", 4])],
        constants,
    )
    opsets = [helper.make_opsetid("", 21), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def quant(scale=0.5, zero=0.0, bits=4.0, **attributes):
    return node("Quant", [np.float32(scale), np.float32(zero), np.float32(bits)], **attributes)


def test_normalisation_with_channels_last():
    gamma, beta, mean, variance = (
        np.array(v, np.float32) for v in ([2, 1, 4, 8], [0.5, 0, -1, 1], [1, -1, 0, 2], [1, 4, 16, 4])
    )
    model = node("BatchNormalization", [gamma, beta, mean, variance], domain="qonnx.custom_op.channels_last", epsilon=0.0)
    x = np.random.default_rng(0).normal(size=(9, 4))
    want = (x - mean) / np.sqrt(variance) * gamma + beta
    assert np.allclose(converted(model).predict_float(x), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: quant(scale=0.0), "its scale 0 must be a finite number above zero"),
        (lambda: quant(scale=-1.0), "its scale -1 must be"),
        (lambda: quant(scale=np.inf), "holds Inf"),
        (lambda: quant(scale=np.nan), "NaN"),
        (lambda: quant(zero=9.0), "its zero point 9 is no whole number from -8 to 7"),
        (lambda: quant(zero=0.5), "its zero point 0.5 is no whole number"),
        (lambda: quant(bits=65.0), "its bit width is 65; whole numbers from 1 to 64"),
        (lambda: quant(bits=0.0), "its bit width is 0"),
        (lambda: quant(bits=2.5), "its bit width is 2.5"),
        (lambda: quant(rounding_mode="CEIL"), "rounding_mode 'CEIL' is not offered for values"),
        (lambda: quant(rounding_mode="STOCHASTIC"), "rounding_mode 'STOCHASTIC' is not offered"),
        (lambda: node("FloatQuant", [np.float32(1)] * 6), r"first \(qonnx.custom_op.general.FloatQuant\)"),
        (lambda: node("MultiThreshold", [np.zeros((4, 3), np.float32) + np.arange(4)[:, None]]), "thresholds for each channel"),
        (
            lambda: node("Quant", [np.float32(1), np.float32(0), np.float32(4)], domain="my.own"),
            "operators of the domain 'my.own'",
        ),
        (lambda: node("QuantizeLinear", [np.float32(0), np.int8(0)], domain=""), "its scale 0 must be"),
        (
            lambda: node("QuantizeLinear", [np.ones((4, 2), np.float32), np.zeros((4, 2), np.int8)], domain="", block_size=2),
            "scales for blocks are not offered",
        ),
    ],
)
def test_bad_quantisers_are_refused_by_name(model, reason):
    with pytest.raises(UnsupportedError, match=reason) as caught:
        nn2hls.load(model())
    assert "\n  first (" in str(caught.value)
