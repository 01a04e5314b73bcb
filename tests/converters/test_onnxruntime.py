"""Networks quantised by onnxruntime in both of its forms, judged by its own answers; scales are no powers of two."""

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import UnsupportedError
from tests.fixtures.onnxruntime.record import drawn
from tests.kit.answers import converted, names, near_but_for_steps, recorded

onnx = pytest.importorskip("onnx")
NETWORKS = [name for name in names("onnxruntime") if not name.startswith("dynamic")]
DYNAMIC = sorted({*names("onnxruntime")} - {*NETWORKS})
SHARE = 0.08  # of the answers that may be another number near by, where some value in between lay in the middle of two
STEPS = 2
TIES = {"qdq_mixed": 0.25}  # means of four whole numbers lie in the middle, and rounding errors of float32 decide there


def step_of(model):
    """Of the last cast: the scale behind it."""
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load_from_string(model).graph.initializer}
    return float(constants["y_scale"])


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_those_of_onnxruntime(name):
    held_to(*recorded("onnxruntime", name), TIES.get(name, SHARE))


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_with_new_weights_answer_the_same(name):
    pytest.importorskip(
        "onnxruntime", reason="onnxruntime is not installed; its answers are recorded in tests/fixtures/onnxruntime"
    )
    rng = np.random.default_rng((31, NETWORKS.index(name)))
    held_to(*drawn(name, rng), 1.0 if name in TIES else SHARE)


def held_to(model, x, want, share):
    """Emulated and in float: nearly all answers are equal, and the others a few steps apart."""
    design, step = converted(model), step_of(model)
    assert len(np.unique(want)) > 10
    for found in (design.predict(x), design.predict_float(x)):
        apart = np.abs(found - want)
        assert apart.max() <= STEPS * step * 1.001
        assert np.mean(apart > step / 2) <= share
        assert np.quantile(apart, 1 - share) < 1e-5


@pytest.mark.parametrize("name", ["qdq_uint8", "qdq_int4", "qop_channels"])
def test_products_are_those_of_whole_numbers_and_every_factor_tells_its_error(name):
    design = converted(recorded("onnxruntime", name)[0])
    sums = [n for n in design.graph if n.op.linear is not None]
    assert len(sums) == 2
    assert all(kind.fraction == 0 for n in sums for kind in (n.op.types()["weight"], n.type))
    told = {note.partition(":")[0] for note in design.notes if "its factors are multipliers of" in note}
    for node in design.graph:
        if node.op.affine is not None and node.op.types()["scale"].width > 1:
            assert node.name in told or node.name in design.graph.outputs


def test_the_compiled_design_gives_the_same():
    model, x, _ = recorded("onnxruntime", "qdq_int4")
    design = converted(model)
    assert np.array_equal(design.csim(x), design.predict(x))


@pytest.mark.parametrize(("alpha", "turned", "cast"), [(0.5, 0, True), (2.0, 1, True), (3.0, 0, False)])
def test_the_alpha_of_a_gemm_is_a_factor_of_its_bias_too(alpha, turned, cast):
    """QGemm adds whole biases, whose scale is that of the products times alpha, before any factor."""
    rng, helper = np.random.default_rng(5), onnx.helper
    weight, bias = rng.integers(-100, 100, (4, 3)).astype(np.int8), rng.integers(-4000, 4000, 3).astype(np.int32)
    constants = {
        "xs": np.float32(0.25), "xz": np.uint8(7), "w": weight.T if turned else weight, "ws": np.float32(0.03125),
        "wz": np.int8(3), "c": bias, "ys": np.float32(0.5), "yz": np.uint8(100),
    }  # fmt: skip
    result = ["ys", "yz"] if cast else []
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"], name="q"),
        helper.make_node(
            "QGemm",
            ["q", "xs", "xz", "w", "ws", "wz", "c", *result],
            ["y"],
            name="y",
            domain="com.microsoft",
            alpha=alpha,
            transB=turned,
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.UINT8 if cast else onnx.TensorProto.FLOAT, ["N", 3])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(a) if a.ndim else np.asarray(a), n) for n, a in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    data = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    x = np.round(rng.normal(size=(50, 4)) * 64 * 4) / 256
    whole = np.clip(np.rint(x / 0.25) + 7, 0, 255) - 7
    sums = (whole @ (weight.astype(float) - 3) + bias) * alpha / 128
    want = np.clip(np.rint(sums / 0.5) + 100, 0, 255) if cast else sums
    assert len(np.unique(want)) > 20
    assert np.array_equal(converted(data).predict(x), want)


def by_hand(nodes, constants, shape, kind):
    """The bytes of a model of whole numbers; x is quantised first, by the scale 1 / 8 and the zero point 7."""
    helper = onnx.helper
    given = {"xs": np.float32(0.125), "xz": np.uint8(7), **constants}
    first = helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"], name="q")
    graph = helper.make_graph(
        [first, *(helper.make_node(op, i.split(), [o], name=o, domain=d, **a) for op, i, o, d, a in nodes)],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in given.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


@pytest.mark.parametrize("integer", [True, False])
def test_products_of_two_computed_tensors(integer):
    """MatMulInteger as it is, or QLinearMatMul with a scale and a zero point of the result."""
    turn = ("Transpose", "q", "t", "", {"perm": [0, 2, 1]})
    operands = "q t xz xz" if integer else "q xs xz t xs xz ys yz"
    op = "MatMulInteger" if integer else "QLinearMatMul"
    constants = {} if integer else {"ys": np.float32(0.5), "yz": np.uint8(100)}
    kind = onnx.TensorProto.INT32 if integer else onnx.TensorProto.UINT8
    data = by_hand([turn, (op, operands, "y", "", {})], constants, (3, 2), kind)
    x = np.round(np.random.default_rng(1).normal(size=(60, 3, 2)) * 64) / 64
    whole = np.clip(np.rint(x * 8) + 7, 0, 255) - 7
    sums = whole @ whole.transpose(0, 2, 1)
    want = sums if integer else np.clip(np.rint(sums / 32) + 100, 0, 255)
    design = converted(data)
    assert len(np.unique(want)) > 20
    assert np.array_equal(design.predict(x), want)


def test_a_zero_point_is_zero_behind_layers_that_move_whole_numbers():
    """The answer where x is zero is zero, and not what rounding leaves of a scale and of its product with the zero point."""
    nodes = [("Transpose", "q", "t", "", {"perm": [0, 2, 1]}), ("MaxPool", "t", "m", "", {"kernel_shape": [2]})]
    nodes.append(("DequantizeLinear", "m ys xz", "y", "", {}))
    data = by_hand(nodes, {"ys": np.float32(0.017745)}, (3, 2), onnx.TensorProto.FLOAT)
    assert not converted(data).predict(np.zeros((1, 3, 2))).any()


def test_scales_for_each_row_of_a_computed_operand_are_refused():
    constants = {"as": np.ones(2, np.float32), "w": np.eye(2, dtype=np.int8), "ws": np.float32(1), "wz": np.int8(0)}
    constants |= {"ys": np.float32(0.5), "yz": np.uint8(100)}
    data = by_hand([("QLinearMatMul", "q as xz w ws wz ys yz", "y", "", {})], constants, (2,), onnx.TensorProto.UINT8)
    with pytest.raises(UnsupportedError, match=r"y \(QLinearMatMul\): its scale 'as' is no single number"):
        nn2hls.load(data)


def test_softmax_of_whole_numbers():
    constants = {"ys": np.float32(1 / 256), "yz": np.uint8(0)}
    node = ("QLinearSoftmax", "q xs xz ys yz", "y", "com.microsoft", {"axis": -1, "opset": 17})
    data = by_hand([node], constants, (5,), onnx.TensorProto.UINT8)
    x = np.round(np.random.default_rng(1).normal(size=(60, 5)) * 64) / 64
    value = (np.clip(np.rint(x * 8) + 7, 0, 255) - 7) / 8
    want = np.rint(np.clip(np.exp(value) / np.exp(value).sum(axis=-1, keepdims=True) * 256, 0, 255))
    assert np.array_equal(converted(data).predict_float(x), want)
    assert np.abs(converted(data).predict(x) - want).max() <= 1


def held_to_one_event(model, x, want):
    """In float nearly all answers are onnxruntime's to each event alone; emulated they are as near as their types."""
    with pytest.warns(UserWarning, match="one scale for all events of a batch"):
        graph = nn2hls.load(model)
    assert sum(node.op.measures for node in graph) == 2 * sum(node.op.linear is not None for node in graph)
    near_but_for_steps(nn2hls.convert(graph), x, want)


@pytest.mark.parametrize("name", DYNAMIC)
def test_answers_by_scales_of_each_event_are_those_of_onnxruntime(name):
    held_to_one_event(*recorded("onnxruntime", name))


@pytest.mark.long
@pytest.mark.parametrize("name", DYNAMIC)
def test_networks_with_new_weights_and_scales_of_each_event_answer_the_same(name):
    pytest.importorskip(
        "onnxruntime", reason="onnxruntime is not installed; its answers are recorded in tests/fixtures/onnxruntime"
    )
    held_to_one_event(*drawn(name, np.random.default_rng((37, DYNAMIC.index(name)))))


def test_scales_of_each_event_elsewhere_are_refused_with_the_way_out():
    """As behind a model that ends with the whole numbers."""
    model = onnx.load_from_string(recorded("onnxruntime", "dynamic")[0])
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("x_quantized", onnx.TensorProto.UINT8, ["N", 6]))
    with pytest.raises(UnsupportedError, match="DynamicQuantizeLinear") as caught:
        nn2hls.load(model.SerializeToString())
    assert "onnxruntime.quantization.quantize_static" in str(caught.value)
    assert "x_QuantizeLinear (DynamicQuantizeLinear)" in str(caught.value)
