"""Quantised ONNX models: answers recorded from qonnx and onnxruntime, equal in every value where scales are powers of two."""

import warnings
from functools import cache

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import UnsupportedError
from nn2hls.graph.analysis import graph_ranges
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
        (lambda: node("MultiThreshold", [np.zeros((3, 2), np.float32)]), "its 3 rows of thresholds do not fit 4 channels"),
        (lambda: node("MultiThreshold", [np.zeros(3, np.float32)]), "must be a row of them for all channels, or for each"),
        (lambda: node("MultiThreshold", [np.zeros((4, 2), np.float32)], data_layout="CHWN"), "data_layout 'CHWN' is not"),
        (lambda: node("MultiThreshold", [np.zeros((4, 2), np.float32)], data_layout="NHWC"), "does not fit a tensor of 2 axes"),
        (lambda: node("MultiThreshold", [np.zeros((4, 2), np.float32)], out_scale=np.inf), "its out_scale inf and out_bias 0"),
        (lambda: node("MultiThreshold", [np.zeros((4, 2), np.float32)], out_bias=np.nan), "its out_scale 1 and out_bias nan"),
        (lambda: node("MultiThreshold", [np.full((4, 2), np.nan, np.float32)]), "holds NaN"),
        (lambda: quant(signed="no"), "its attribute 'signed' is 'no', and must be 0 or 1"),
        (lambda: quant(narrow=7), "its attribute 'narrow' is '7', and must be 0 or 1"),
        (lambda: node("Quant", [np.float32(v) for v in (1, 0, 4, 4)]), "it has 5 operands, of which the first 4"),
        (lambda: quant(scale=np.ones(3, np.float32)), r"its scale of shape \(3,\) does not fit a tensor of \(4,\)"),
        (lambda: quant(zero=np.zeros((0,), np.float32)), r"its zero point of shape \(0,\) does not fit"),
        (lambda: node("BipolarQuant", [np.ones(3, np.float32)]), r"its scale of shape \(3,\) does not fit"),
        (lambda: node("QLinearConcat", [np.float32(1)], domain="com.microsoft"), "it joins no operands"),
        (lambda: node("QLinearWhere", [np.float32(1)], domain="com.microsoft"), "quant_format=QuantFormat.QDQ"),
        (lambda: node("QuantizeLinear", [np.float32(np.nan), np.int8(0)], domain=""), "NaN"),
        (lambda: node("QuantizeLinear", [np.float32(np.inf), np.int8(0)], domain=""), "Inf"),
        (lambda: node("QuantizeLinear", [np.float32(-0.5), np.uint8(0)], domain=""), "its scale -0.5 must be"),
        (lambda: node("QuantizeLinear", [np.float32(0.5), np.float32(0)], domain=""), "first"),
        (lambda: node("QuantizeLinear", [np.ones(3, np.float32), np.zeros(3, np.int8)], domain=""), "3 scales do not fit"),
        (lambda: node("QGemm", [np.float32(1)] * 5, domain="com.microsoft"), "first"),
        (lambda: node("MatMulNBits", [np.float32(1)] * 2, domain="com.microsoft"), "operators of the domain 'com.microsoft'"),
        (lambda: node("DynamicQuantizeMatMul", [np.float32(1)], domain="com.microsoft"), "quantize_static"),
        (lambda: quant(scale=np.array([0.5, 0.0, 1, 1])), "its scale 0 must be a finite number above zero"),
        (lambda: quant(bits=np.inf), "Inf|its bit width is inf"),
        (lambda: node("Trunc", [np.float32(v) for v in (0.5, 0, 65, 4)]), "its bit width is 65"),
        (lambda: node("BipolarQuant", [np.float32(-2)]), "its scale -2 must be"),
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


def sized(made, shape):
    """A model whose input and output have that shape."""
    for value in (*made.graph.input, *made.graph.output):
        del value.type.tensor_type.shape.dim[1:]
        for n in shape:
            value.type.tensor_type.shape.dim.add().dim_value = n


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        ("NC", (6,)),
        ("", (6,)),
        ("NCHW", (6, 3, 2)),
        ("", (6, 3, 2)),
        ("NHWC", (3, 2, 6)),
        ("NCW", (6, 4)),
        ("NWC", (4, 6)),
        ("", (4, 6)),
    ],
)
def test_thresholds_for_each_channel(layout, shape):
    """Written from the definition of qonnx: how many thresholds of its channel a value reaches; no layout of 3 axes is NWC."""
    rng = np.random.default_rng(3)
    thresholds = np.sort(rng.normal(size=(6, 5)), axis=1).astype(np.float32)
    thresholds[4] = thresholds[1]  # two channels that are computed alike
    made = node("MultiThreshold", [thresholds], out_scale=0.5, out_bias=-1.0, out_dtype="INT4", data_layout=layout)
    sized(made, shape)
    x = np.round(rng.normal(size=(40, *shape)) * 1024) / 1024
    ends = shape[-1] == 6
    last = x if ends else np.moveaxis(x, 1, -1)
    count = (last[..., None] >= thresholds).sum(axis=-1)
    want = 0.5 * (count if ends else np.moveaxis(count, -1, 1)) - 1.0
    design = converted(made)
    assert np.array_equal(design.predict(x), want)
    assert np.array_equal(design.predict_float(x), want)
    (levels,) = [n for n in design.graph if "MultiThreshold" in n.op.called]
    hardware = levels.op.hardware([graph_ranges(design.graph)[i] for i in levels.inputs], levels.result_type)
    assert len(hardware.loops) == 5


def behind(first, op, values, domain=DOMAIN):
    """A model of one quantiser with a node behind it."""
    model, second = first, node(op, values, domain=domain)
    model.graph.node[0].output[0] = "between"
    last = model.graph.node.add()
    last.CopyFrom(second.graph.node[0])
    last.name = "last"
    last.input[:] = ["between", *(f"d{k}" for k in range(len(values)))]
    for k, constant in enumerate(second.graph.initializer):
        constant.name = f"d{k}"
        model.graph.initializer.add().CopyFrom(constant)
    return model


def weighted(op, values, domain=DOMAIN, **attributes):
    """A model that multiplies by what a quantiser makes of constants."""
    model = node(op, values[1:], domain=domain, **attributes)
    first = model.graph.node[0]
    first.input[0], first.output[0] = "w", "wq"
    model.graph.initializer.append(onnx.numpy_helper.from_array(values[0], "w"))
    model.graph.node.append(onnx.helper.make_node("MatMul", ["x", "wq"], ["y"], name="product"))
    return model


WEIGHTS = np.linspace(-2, 2, 16, dtype=np.float32).reshape(4, 4)
OF_QUANT = [WEIGHTS, *(np.float32(v) for v in (0.25, 0, 4))]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: weighted("Quant", OF_QUANT, clipped=1), "its attribute 'clipped' is not understood"),
        (lambda: weighted("Quant", OF_QUANT, signed="no"), "its attribute 'signed' is 'no', and must be 0 or 1"),
        (lambda: weighted("Quant", [*OF_QUANT, np.float32(1)]), "it has 5 operands, of which the first 4"),
        (lambda: weighted("BipolarQuant", OF_QUANT[:2], narrow=1), "its attribute 'narrow' is not understood"),
        (lambda: weighted("DequantizeLinear", [WEIGHTS, np.float32(1)], ""), "its values are float32, which is not offered"),
        (lambda: weighted("DequantizeLinear", [WEIGHTS.astype(np.int8), np.ones(4, np.float32)], "", axis=7), "its axis 7 is"),
    ],
)
def test_bad_quantisers_of_weights_are_refused_by_name(model, reason):
    assert len(converted(weighted("Quant", OF_QUANT)).graph.outputs) == 1
    with pytest.raises(UnsupportedError, match=reason) as caught:
        nn2hls.load(model())
    assert "\n  first (" in str(caught.value)


@pytest.mark.parametrize("scale", [0.3, [0.3, 0.17, 1.9, 0.0123]], ids=["tensor", "channels"])
def test_a_zero_point_is_zero_whatever_the_scale(scale):
    """(q - zero) * scale is exactly zero there, and its sign is that of zero; no rounding of the factor may change it."""
    zero = np.full(np.shape(scale), 5.0, np.float32)
    model = behind(quant(np.float32(scale), zero, 5.0, signed=0), "BipolarQuant", [np.float32(1)])
    x = np.arange(-40, 40)[:, None] * np.array([[1, 2, 4, 8]]) / 64
    want = np.where(np.rint(x / np.float32(scale)) >= 0, 1.0, -1.0)
    assert np.array_equal(converted(model).predict(x), want)


@pytest.mark.parametrize(
    ("first", "values"),
    [
        (lambda: node("MultiThreshold", [np.arange(-3, 4, dtype=np.float32)[None]], out_scale=0.3, out_bias=0.0), range(8)),
        (lambda: node("BipolarQuant", [np.float32(0.3)]), (-1, 1)),
    ],
    ids=["thresholds", "sign"],
)
def test_levels_that_are_no_powers_of_two_apart_are_whole_numbers_in_products(first, values):
    design = converted(behind(first(), "MatMul", [np.eye(4, dtype=np.float32)[::-1].copy()], domain=""))
    product = next(n for n in design.graph if n.op.linear is not None)
    x = np.random.default_rng(0).normal(size=(200, 4)) * 2
    found = np.unique(np.round(design.predict_float(x), 6))
    assert np.array_equal(found, np.round(np.array(values) * 0.3, 6))
    assert np.abs(design.predict(x) - design.predict_float(x)).max() < 1e-5
    assert design.graph[product.inputs[0]].type.fraction == 0
    assert design.graph[product.inputs[0]].type.width <= 4


@pytest.mark.parametrize(("signed", "narrow"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_ends_of_trunc(signed, narrow):
    """Its second version clips: 2 bits of steps of a half, of a value in steps of an eighth."""
    values = [np.float32(v) for v in (0.125, 0, 6, 0.5, 2)]
    model = node("Trunc", values, signed=signed, narrow=narrow, rounding_mode="FLOOR")
    low, high = (-2 + narrow, 1) if signed else (0, 3 - narrow)
    x = np.arange(-24, 24).reshape(-1, 4) / 8
    assert np.array_equal(converted(model).predict(x), np.clip(np.floor(x / 0.5), low, high) * 0.5)


@pytest.mark.parametrize(("bits", "signed"), [(54, 0), (60, 0), (64, 0), (64, 1)])
def test_more_bits_than_there_is_room_for_do_not_cost_those_that_values_have(bits, signed):
    x = np.array([[0.34, 0.82, 0.33, -1.3]])
    design = nn2hls.convert(nn2hls.load(quant(0.5, 0.0, float(bits), signed=signed, narrow=1)))
    assert np.array_equal(design.predict(x), [[0.5, 1.0, 0.5, -1.5 if signed else 0.0]])


def test_operators_of_several_domains_in_one_file():
    """A file may name a domain for each of its quantisers; all of them are read, and none is taken for another."""
    first, second = quant(), node("BipolarQuant", [np.float32(0.5)], domain="onnx.brevitas")
    graph = first.graph
    graph.node[0].output[0] = "between"
    graph.node.add().CopyFrom(second.graph.node[0])
    graph.node[1].name, graph.node[1].input[0], graph.node[1].input[1] = "second", "between", "s"
    constant = graph.initializer.add()
    constant.CopyFrom(second.graph.initializer[0])
    constant.name = "s"
    first.opset_import.add(domain="onnx.brevitas", version=1)
    x = np.array([[-1.0, 0.0, 0.24, 9.0]])
    assert np.array_equal(converted(first).predict(x), [[-0.5, 0.5, 0.5, 0.5]])
