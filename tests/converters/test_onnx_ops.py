"""Every ONNX operator against the onnx package's reference evaluator."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from nn2hls.converters import onnx as frontend
from nn2hls.errors import UnsupportedError
from nn2hls.ops import Clip, Dense, LeakyRelu, Relu, Reshape, Scale, Softmax, Threshold, Unary
from tests.kit.onnx_tools import TensorProto, check, draw, evaluate, helper, kinds, mean, model, reference

N = helper.make_node


UNARY = [
    ("Abs", {}, 17), ("Neg", {}, 17), ("Sign", {}, 17), ("Relu", {}, 6), ("Relu", {}, 17), ("LeakyRelu", {}, 17),
    ("LeakyRelu", {"alpha": 0.3}, 6), ("Elu", {}, 17), ("Elu", {"alpha": 0.5}, 6), ("Selu", {}, 17), ("Selu",
    {"alpha": 1.5, "gamma": 1.1}, 17),
    ("Celu", {}, 17), ("Celu", {"alpha": 0.7}, 17), ("Gelu", {}, 20), ("Gelu", {"approximate": "tanh"}, 20),
    ("Sigmoid", {}, 17),
    ("HardSigmoid", {}, 17), ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, 17), ("HardSwish", {}, 17), ("Tanh", {}, 17),
    ("Softplus", {}, 17), ("Softsign", {}, 17), ("Exp", {}, 17), ("Erf", {}, 17), ("Mish", {}, 18),
    ("ThresholdedRelu", {}, 17),
    ("ThresholdedRelu", {"alpha": 0.25}, 17), ("ThresholdedRelu", {"alpha": 0.0}, 17), ("Sin", {}, 17), ("Cos", {}, 17),
    ("Swish", {}, 24), ("Swish", {"alpha": 1.7}, 24), ("Identity", {}, 17), ("Softmax", {}, 7), ("Softmax", {}, 17),
    ("LogSoftmax", {}, 17),
]  # fmt: skip


@pytest.mark.parametrize(("op", "attrs", "opset"), UNARY, ids=lambda v: str(v))
def test_unary(op, attrs, opset):
    made = model(
        [N(op, ["x"], ["h"], name="node", **attrs), N("Add", ["h", "one"], ["y"])],
        {"x": ["N", 6]},
        {"one": draw(6)},
        opset=max(opset, 7),
    )
    graph = check(made, {"x": (6,)})
    if op != "Identity":
        assert graph["node"].origin == graph["node"].origin.__class__("node", op)


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
def test_unary_of_positive_numbers(op):
    check(model([N(op, ["x"], ["y"])], {"x": ["N", 6]}), {"x": (6,)}, low=0.2)


@pytest.mark.parametrize(
    ("exponent", "ops"), [(2.0, ["Unary"]), (3.0, ["Elementwise"]), (0.5, ["Table"]), (-0.5, ["Table"]), (-1.0, ["Table"])]
)
def test_power(exponent, ops):
    made = model([N("Pow", ["x", "e"], ["y"])], {"x": ["N", 6]}, {"e": np.float32(exponent)})
    assert kinds(check(made, {"x": (6,)}, low=0.2)) == ops


GEMM = [
    {}, {"alpha": 0.5}, {"beta": 2.0}, {"alpha": -1.5, "beta": 0.25, "transB": 1}, {"transB": 1}, {"beta": 0.0},
]  # fmt: skip


@pytest.mark.parametrize("attrs", GEMM, ids=str)
@pytest.mark.parametrize("bias", [None, (), (1,), (4,), (1, 4), (1, 1)], ids=str)
def test_gemm(attrs, bias):
    weight = draw(4, 3) if attrs.get("transB") else draw(3, 4)
    constants = {"w": weight} if bias is None else {"w": weight, "b": draw(*bias)}
    made = model([N("Gemm", ["x", *constants], ["y"], **attrs)], {"x": ["N", 3]}, constants)
    assert kinds(check(made, {"x": (3,)})) == ["Dense"]


def test_gemm_adds_a_computed_tensor():
    nodes = [N("Gemm", ["x", "w", "z"], ["y"], alpha=0.5, beta=2.0)]
    check(model(nodes, {"x": ["N", 3], "z": ["N", 4]}, {"w": draw(3, 4)}), {"x": (3,), "z": (4,)})


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("bias", [(4,), (1, 4)])
def test_matmul_and_bias_are_one_dense(first, bias):
    order = ["h", "b"] if first else ["b", "h"]
    made = model(
        [N("MatMul", ["x", "w"], ["h"], name="fc"), N("Add", order, ["y"])],
        {"x": ["N", 3]},
        {"w": draw(3, 4), "b": draw(*bias)},
    )
    graph = check(made, {"x": (3,)})
    assert kinds(graph) == ["Dense"]
    assert graph.outputs == ("fc",)


def test_matmul_read_twice_keeps_its_own_value():
    nodes = [N("MatMul", ["x", "w"], ["h"]), N("Add", ["h", "b"], ["s"]), N("Mul", ["s", "h"], ["y"])]
    assert kinds(check(model(nodes, {"x": ["N", 3]}, {"w": draw(3, 4), "b": draw(4)}), {"x": (3,)})) == [
        "Dense",
        "Scale",
        "Elementwise",
    ]


MATMUL = [((3,), (3, 4)), ((2, 3), (3, 4)), ((2, 3), (1, 3, 4)), ((3,), (3,)), ((2, 3), (3,))]


@pytest.mark.parametrize(("x", "w"), MATMUL, ids=str)
def test_matmul(x, w):
    check(model([N("MatMul", ["x", "w"], ["y"])], {"x": ["N", *x]}, {"w": draw(*w)}), {"x": x})


@pytest.mark.parametrize("x", [(3, 2), (5, 3, 2)], ids=str)
def test_matmul_with_the_constant_on_the_left(x):
    check(model([N("MatMul", ["w", "x"], ["y"])], {"x": ["N", *x]}, {"w": draw(4, 3)}), {"x": x})


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum"])
@pytest.mark.parametrize("constant", [(), (1,), (4,), (1, 4), (3, 1), (1, 3, 4)], ids=str)
@pytest.mark.parametrize("left", [False, True])
def test_arithmetic_with_a_constant(op, constant, left):
    array = np.abs(draw(*constant)) + 0.5
    made = model(
        [N(op, ["c", "x"] if left else ["x", "c"], ["y"])], {"x": ["N", 3, 4]}, {"c": array.astype(np.float32)}, opset=13
    )
    check(made, {"x": (3, 4)}, low=0.5, wanted=mean if op == "Mean" else reference)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max"])
def test_a_constant_may_make_a_tensor_larger(op):
    made = model([N(op, ["x", "c"], ["y"])], {"x": ["N", 1, 4]}, {"c": np.abs(draw(3, 1)) + 0.5}, opset=13)
    check(made, {"x": (1, 4)})


@pytest.mark.parametrize(
    ("op", "count"), [("Add", 2), ("Sub", 2), ("Mul", 2), *((o, n) for o in ("Max", "Min", "Mean", "Sum") for n in (1, 2, 4))]
)
def test_arithmetic_of_computed_tensors(op, count):
    names = [f"x{k}" for k in range(count)]
    made = model(
        [N(op, names, ["h"]), N("Neg", ["h"], ["y"])], {n: ["N", 1 + 2 * (k % 2), 4] for k, n in enumerate(names)}, opset=13
    )
    check(made, {n: (1 + 2 * (k % 2), 4) for k, n in enumerate(names)}, wanted=mean if op == "Mean" else reference)


def test_a_product_with_itself_is_a_square():
    assert kinds(check(model([N("Mul", ["x", "x"], ["y"])], {"x": ["N", 4]}), {"x": (4,)})) == ["Unary"]


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 3)], ids=str)
@pytest.mark.parametrize("opset", [7, 9, 14, 17])
def test_batch_normalization(shape, opset):
    constants = {"s": draw(4), "b": draw(4), "m": draw(4), "v": np.abs(draw(4))}
    s, b, m, v = (a.reshape(-1, *(1,) * (len(shape) - 1)) for a in constants.values())

    def wanted(made, feeds):  # onnx's own evaluator trains in the opsets before 14
        return [(feeds["x"] - m) / np.sqrt(v + np.float32(1e-3)) * s + b]

    node = N("BatchNormalization", ["x", *constants], ["y"], epsilon=1e-3)
    made = model([node], {"x": ["N", *shape]}, constants, opset=opset)
    assert kinds(check(made, {"x": shape}, wanted=reference if opset >= 14 else wanted)) == ["Scale"]


def test_batch_normalization_is_computed_in_float64():
    constants = {"s": draw(4), "b": draw(4), "m": draw(4), "v": np.abs(draw(4))}
    graph = frontend.load_live(
        model([N("BatchNormalization", ["x", *constants], ["y"], epsilon=1e-3)], {"x": ["N", 4]}, constants)
    )
    s, b, m, v = (a.astype(np.float64) for a in constants.values())
    op = graph[graph.outputs[0]].op
    assert (op.scale.array == s / np.sqrt(v + 1e-3)).all()  # 1e-3, not its float32
    assert (op.bias.array == b - m * (s / np.sqrt(v + 1e-3))).all()


CLIP = [({"min": -0.5, "max": 1.0}, Clip), ({"min": 0.0}, Relu), ({"max": 0.5}, Clip), ({"min": 0.0, "max": 6.0}, Clip)]


@pytest.mark.parametrize(("ends", "op"), CLIP, ids=str)
@pytest.mark.parametrize("opset", [7, 11, 13])
def test_clip(ends, op, opset):
    if opset < 11:
        made = model([N("Clip", ["x"], ["y"], **ends)], {"x": ["N", 6]}, opset=opset)
    else:
        names = [n if n in ends else "" for n in ("min", "max")]
        made = model(
            [N("Clip", ["x", *names], ["y"])], {"x": ["N", 6]}, {k: np.float32(v) for k, v in ends.items()}, opset=opset
        )
    graph = check(made, {"x": (6,)})
    assert isinstance(graph[graph.outputs[0]].op, op)


@pytest.mark.parametrize("slope", [(1,), (4,), (3, 1), (1, 3, 4)], ids=str)
def test_prelu(slope):
    check(model([N("PRelu", ["x", "s"], ["y"])], {"x": ["N", 3, 4]}, {"s": draw(*slope)}), {"x": (3, 4)})


@pytest.mark.parametrize("axis", [1, 2, 3, -1, None])
@pytest.mark.parametrize(("opset", "op"), [(7, "Softmax"), (11, "LogSoftmax"), (13, "Softmax"), (17, "LogSoftmax")])
def test_softmax_axes(axis, opset, op):
    attrs = {} if axis is None else {"axis": axis}
    made = model([N(op, ["x"], ["y"], **attrs)], {"x": ["N", 2, 3, 4]}, opset=opset)
    axis = (1 if opset < 13 else -1) if axis is None else axis
    feeds = {"x": draw(5, 2, 3, 4)}
    (got,) = evaluate(frontend.load_live(made), feeds)
    x = feeds["x"].astype(np.float64)
    axes = tuple(range(axis % 4, 4)) if opset < 13 else axis  # the old definition takes all axes from this one on as one
    wanted = np.exp(x) / np.exp(x).sum(axis=axes, keepdims=True)
    np.testing.assert_allclose(got, np.log(wanted) if op == "LogSoftmax" else wanted, rtol=1e-9)


SHAPES = [
    ("Flatten", {}, None), ("Flatten", {"axis": 1}, None), ("Flatten", {"axis": -2}, None), ("Reshape", {}, [0, -1]),
    ("Reshape", {}, [-1, 12]),
    ("Reshape", {}, [0, 0, 2, 2]), ("Reshape", {}, [-1, 2, 6]), ("Transpose", {"perm": [0, 2, 1]}, None),
]  # fmt: skip


@pytest.mark.parametrize(("op", "attrs", "operand"), SHAPES, ids=str)
def test_shapes(op, attrs, operand):
    constants = {} if operand is None else {"s": np.array(operand, np.int64)}
    check(model([N(op, ["x", *constants], ["y"], **attrs)], {"x": ["N", 3, 4]}, constants), {"x": (3, 4)})


@pytest.mark.parametrize("opset", [7, 13])
def test_squeeze_and_unsqueeze(opset):
    if opset < 13:
        nodes, constants = [N("Unsqueeze", ["x"], ["h"], axes=[1, 3]), N("Squeeze", ["h"], ["y"], axes=[3])], {}
    else:
        nodes = [N("Unsqueeze", ["x", "a"], ["h"]), N("Squeeze", ["h", "b"], ["y"])]
        constants = {"a": np.array([1, 3]), "b": np.array([-2])}
    check(model(nodes, {"x": ["N", 3, 4]}, constants, opset=opset), {"x": (3, 4)})


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concat(axis):
    made = model([N("Concat", ["x", "z", "x"], ["y"], axis=axis)], {"x": ["N", 3, 4], "z": ["N", 3, 4]})
    check(made, {"x": (3, 4), "z": (3, 4)})


def test_concat_with_a_constant_of_every_row():
    nodes = [
        N("Shape", ["x"], ["s"], end=1),
        N("Concat", ["s", "four"], ["t"], axis=0),
        N("Expand", ["c", "t"], ["e"]),
        N("Concat", ["x", "e"], ["y"], axis=1),
    ]
    made = model(nodes, {"x": ["N", 3]}, {"c": draw(1, 4), "four": np.array([4])})
    check(made, {"x": (3,)})


def test_shape_arithmetic_is_folded():
    """What exporters write for x.view(x.size(0), -1)."""
    nodes = [
        N("Shape", ["x"], ["s"]), N("Gather", ["s", "zero"], ["n"], axis=0), N("Unsqueeze", ["n", "axes"], ["u"]),
        N("Concat", ["u", "rest"], ["t"], axis=0), N("Reshape", ["x", "t"], ["h"]), N("MatMul", ["h", "w"], ["y"]),
    ]  # fmt: skip
    constants = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "w": draw(12, 2)}
    graph = check(model(nodes, {"x": ["N", 3, 4]}, constants), {"x": (3, 4)})
    assert kinds(graph) == ["Reshape", "Dense"]


@pytest.mark.parametrize("batch", ["N", 5])
def test_dense_on_more_axes_through_two(batch):
    """Keras' Tensordot: the batch and the first axis are merged around the product."""
    nodes = [
        N("Reshape", ["x", "flat"], ["f"]), N("MatMul", ["f", "w"], ["p"]), N("Add", ["p", "b"], ["q"]), N("Relu",
        ["q"], ["r"]),
        N("Reshape", ["r", "back"], ["y"]),
    ]  # fmt: skip
    constants = {"flat": np.array([-1, 4]), "back": np.array([-1, 3, 2]), "w": draw(4, 2), "b": draw(2)}
    graph = check(model(nodes, {"x": [batch, 3, 4]}, constants), {"x": (3, 4)})
    assert kinds(graph) == ["Dense", "Relu"]


def test_a_fixed_batch_may_stand_in_shapes():
    made = model([N("Reshape", ["x", "s"], ["h"]), N("Neg", ["h"], ["y"])], {"x": [5, 3, 4]}, {"s": np.array([5, 12])})
    check(made, {"x": (3, 4)})


def test_constant_subgraphs_are_folded_in_their_own_type():
    """0.1 + 0.2 in float32, not in float64; a transposed weight."""
    nodes = [
        N("Constant", [], ["a"], value_float=0.1), N("Constant", [], ["b"], value_float=0.2), N("Add", ["a", "b"], ["c"]),
        N("Transpose", ["w"], ["t"]), N("MatMul", ["x", "t"], ["h"]), N("Mul", ["h", "c"], ["y"]),
    ]  # fmt: skip
    graph = check(model(nodes, {"x": ["N", 3]}, {"w": draw(4, 3)}), {"x": (3,)})
    assert float(graph[graph.outputs[0]].op.scale.array) == float(np.float32(0.1) + np.float32(0.2))


def test_dropout_cast_and_identity_leave_no_trace():
    nodes = [
        N("Dropout", ["x"], ["a"]),
        N("Cast", ["a"], ["b"], to=11),
        N("Cast", ["b"], ["c"], to=1),
        N("Identity", ["c"], ["d"]),
        N("Relu", ["d"], ["y"]),
    ]
    assert kinds(check(model(nodes, {"x": ["N", 3]}), {"x": (3,)})) == ["Relu"]


def test_attributes_are_the_numbers_the_author_wrote():
    for written in (0.01, 1e-5, 0.2, 1 / 6, 0.3, 2.5, -7.0):
        graph = frontend.load_live(model([N("LeakyRelu", ["x"], ["y"], alpha=written)], {"x": ["N", 2]}))
        op = graph[graph.outputs[0]].op
        assert isinstance(op, LeakyRelu)
        assert float(op.slope.array) == written


def test_ops_of_the_graph_are_those_expected():
    """One look at each op class that the parametrised tests only judge by value."""
    made = model(
        [N("Abs", ["x"], ["a"]), N("ThresholdedRelu", ["a"], ["b"]), N("Softmax", ["b"], ["c"]), N("Mul", ["c", "k"], ["y"])],
        {"x": ["N", 3]},
        {"k": draw(3)},
    )
    graph = frontend.load_live(made)
    assert [type(n.op) for n in graph][1:] == [Unary, Threshold, Softmax, Scale]
    assert not any(isinstance(n.op, (Dense, Reshape)) for n in graph)


@pytest.mark.parametrize(("op", "attrs", "wanted"), [
    ("GlobalLpPool", {}, lambda x: np.sqrt((x**2).sum((2, 3), keepdims=True))),
    ("GlobalLpPool", {"p": 1}, lambda x: np.abs(x).sum((2, 3), keepdims=True)),
    ("LpNormalization", {"axis": 1, "p": 1}, lambda x: x / np.abs(x).sum(1, keepdims=True)),
    ("MeanVarianceNormalization", {"axes": [2, 3]},
     lambda x: (x - x.mean((2, 3), keepdims=True)) / (x.std((2, 3), keepdims=True) + 1e-9)),
])  # fmt: skip
@pytest.mark.parametrize("opset", [9, 18, 22])
def test_norms_by_their_definitions(op, attrs, wanted, opset):
    made = model([helper.make_node(op, ["x"], ["y"], **attrs)], {"x": ["N", 3, 4, 5]}, opset=opset)
    check(made, {"x": (3, 4, 5)}, wanted=lambda made, feeds: [wanted(feeds["x"].astype(np.float64))])


@pytest.mark.parametrize(("node", "match"), [
    (("LpPool", {"kernel_shape": [2, 2], "p": 3}), "p = 3 is not offered; 1 and 2 are"),
    (("MeanVarianceNormalization", {}), "it works along the batch axis"),
    (("LRN", {"size": 3}), "LRN is not offered: local response normalisation .* use BatchNormalization"),
])  # fmt: skip
def test_windows_and_norms_that_are_refused(node, match):
    op, attrs = node
    with pytest.raises(UnsupportedError, match=rf"layer \({op}\): {match}"):
        frontend.load_live(model([helper.make_node(op, ["x"], ["y"], name="layer", **attrs)], {"x": ["N", 3, 4, 5]}))


def test_constants_of_the_shape_of_a_tensor():
    shape = helper.make_node("Shape", ["x"], ["s"])
    filled = helper.make_node("ConstantOfShape", ["s"], ["f"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [2.0]))
    spread = helper.make_node("Expand", ["c", "s"], ["e"])
    nodes = [shape, filled, spread, helper.make_node("Mul", ["x", "f"], ["xf"]), helper.make_node("Add", ["xf", "e"], ["y"])]
    check(model(nodes, {"x": ["N", 3, 4]}, {"c": draw(1, 1, 4)}), {"x": (3, 4)})


@pytest.mark.parametrize("turned", [False, True])
def test_a_constant_of_more_axes_moves_the_batch(turned):
    """As exporters write the first step of a recurrent layer: the state's unit axis stands before the batch."""
    inside = [N("Transpose", ["x"], ["t"], perm=[1, 0, 2]), N("Squeeze", ["t", "zero"], ["a"]), N("Add", ["k", "a"], ["s"])]
    last = [N("Transpose", ["s"], ["y"], perm=[1, 0, 2])] if turned else [N("Squeeze", ["s", "zero"], ["y"])]
    check(model([*inside, *last], {"x": ["N", 1, 6]}, {"k": draw(1, 1, 6), "zero": np.array([0])}), {"x": (1, 6)})


def test_a_constant_beside_a_batch_that_is_not_first():
    nodes = [
        N("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        N("Mul", ["t", "k"], ["s"]),
        N("Transpose", ["s"], ["y"], perm=[1, 0, 2]),
    ]
    check(model(nodes, {"x": ["N", 3, 6]}, {"k": draw(3, 1, 6)}), {"x": (3, 6)})
    with pytest.raises(UnsupportedError, match="varies along the batch axis"):
        frontend.load_live(model(nodes, {"x": ["N", 3, 6]}, {"k": draw(3, 2, 6)}))


@pytest.mark.parametrize("upper", [0, 1])
def test_masks_that_are_computed_from_constants(upper):
    nodes = [N("Trilu", ["k", "one"], ["m"], upper=upper), N("Mul", ["x", "m"], ["y"])]
    check(model(nodes, {"x": ["N", 3, 4]}, {"k": draw(3, 4), "one": np.array(1)}), {"x": (3, 4)})


def test_a_product_of_constants_with_its_bias():
    nodes = [N("MatMul", ["h", "w"], ["p"]), N("Add", ["p", "b"], ["k"]), N("Add", ["x", "k"], ["y"])]
    check(model(nodes, {"x": ["N", 3]}, {"h": draw(1, 4), "w": draw(4, 3), "b": draw(3)}), {"x": (3,)})


@pytest.mark.parametrize(
    ("indices", "attrs", "shape"),
    [([[[1, 2], [0, 3]]], {"batch_dims": 1}, (3, 4)), ([[[1], [0], [-1]]], {"batch_dims": 1}, (3, 4))],
)
def test_gather_nd(indices, attrs, shape):
    """Its batch is that of the file, which the indices repeat."""
    rows = np.repeat(np.array(indices), 5, 0)
    made = model([N("GatherND", ["x", "i"], ["y"], **attrs)], {"x": [5, *shape]}, {"i": rows})
    check(made, {"x": shape})
    rows = rows.copy()
    rows[2] += 1
    with pytest.raises(UnsupportedError, match="indices differ along the axes of batch_dims"):
        frontend.load_live(model([N("GatherND", ["x", "i"], ["y"], **attrs)], {"x": [5, *shape]}, {"i": rows}))


def test_gather_nd_of_the_batch_is_refused():
    made = model([N("GatherND", ["x", "i"], ["y"])], {"x": ["N", 3]}, {"i": np.array([[0, 1]])})
    with pytest.raises(UnsupportedError, match="batch axis"):
        frontend.load_live(made)


@pytest.mark.parametrize("op", ["MatMul", "Add"])
def test_tensors_whose_batch_is_one_with_an_axis_meet(op):
    """As tf2onnx writes attention: heads are one with the batch, in one operand beside an axis of one element."""
    nodes = [
        N("Unsqueeze", ["x", "three"], ["a"]), N("Reshape", ["a", "joined"], ["q"]), N("Unsqueeze", ["x", "two"], ["b"]),
        N("Reshape", ["b", "joined"], ["k"]), N("Transpose", ["k"], ["t"], perm=[0, 2, 1]),
        N(op, ["q", "t" if op == "MatMul" else "k"], ["s"]), N("Reshape", ["s", "apart"], ["y"]),
    ]  # fmt: skip
    apart = [-1, 2, 5, 5 if op == "MatMul" else 4]
    constants = {"three": [3], "two": [2], "joined": [-1, 5, 4], "apart": apart}
    check(model(nodes, {"x": ["N", 2, 5, 4]}, {k: np.array(v) for k, v in constants.items()}), {"x": (2, 5, 4)})


@pytest.mark.parametrize("sizes", [(), (2, 1, 1)])
def test_parts_of_a_constant(sizes):
    """Of a shape that is computed, as exporters write the pads of a transposed convolution."""
    nodes = [N("Shape", ["x"], ["s"]), N("Split", ["s", "parts"] if sizes else ["s"], ["a", "b", *("c" * bool(sizes))]),
             N("Concat", ["zero", "b", "zero"] if sizes else ["zero", "zero", "b"], ["p"], axis=0)]  # fmt: skip
    nodes += [N("ReduceSum", ["p"], ["n"]), N("Cast", ["n"], ["f"], to=1), N("Mul", ["x", "f"], ["y"])]
    check(model(nodes, {"x": ["N", 3, 4, 2]}, {"zero": np.array([0]), "parts": np.array(sizes or [0])}), {"x": (3, 4, 2)})
    wrong = [N("Split", ["s", "parts"], ["a", "b"]), N("Reshape", ["x", "a"], ["y"])]
    with pytest.raises(UnsupportedError, match="its 2 parts do not make up a constant of"):
        frontend.load_live(model([nodes[0], *wrong], {"x": ["N", 3, 4, 2]}, {"parts": np.array([3, 2])}))


def test_control_flow_is_refused_as_such():
    inner = helper.make_graph([N("Identity", ["i"], ["o"])], "body", [], [])
    made = model([N("Loop", ["n", "", "x"], ["y"], name="steps", body=inner)], {"x": ["N", 3]}, {"n": np.array(3)})
    with pytest.raises(UnsupportedError, match=r"steps \(Loop\): Loop is not offered: export the model without control flow"):
        frontend.load_live(made)


def test_what_an_exporter_left_of_another_framework_is_refused_with_the_way_out():
    made = model([N("StatefulPartitionedCall", ["x"], ["y"], name="convolution")], {"x": ["N", 3]}, {})
    with pytest.raises(UnsupportedError, match=r"convolution \(StatefulPartitionedCall\): tf2onnx left this call"):
        frontend.load_live(made)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_constants_of_yes_and_no(op):
    """As exporters write masks and conditions of constants."""
    constants = {"a": np.array([True, True, False]), "b": np.array([False, True, False]), "n": np.array(9.0, np.float32)}
    check(model([N(op, ["a", "b"], ["c"]), N("Where", ["c", "x", "n"], ["y"])], {"x": ["N", 3]}, constants), {"x": (3,)})
