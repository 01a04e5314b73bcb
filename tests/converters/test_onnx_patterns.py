"""Functions that exporters write in several nodes become one op; what only resembles them keeps its parts."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from nn2hls.ops import HardSigmoid, HardSwish, Table, Threshold
from tests.kit.onnx_tools import check, helper, kinds, model

N = helper.make_node
S2 = np.float32(np.sqrt(2))
DECOMPOSED = {
    "gelu": ([("Div", "x s2 a"), ("Erf", "a b"), ("Add", "b one c"), ("Mul", "x c d"), ("Mul", "d half y")], Table),
    "gelu, half first": ([("Mul", "x half d"), ("Mul", "x r2 a"), ("Erf", "a b"), ("Add", "one b c"), ("Mul",
    "d c y")], Table),
    "gelu tanh": (
        [("Pow", "x three p"), ("Mul", "p k q"), ("Add", "x q r"), ("Mul", "r rp s"), ("Tanh", "s t"), ("Add", "t one u"),
         ("Mul", "x u v"), ("Mul", "v half y")], Table),
    "gelu tanh by products": (
        [("Mul", "x x x2"), ("Mul", "x2 x p"), ("Mul", "p k q"), ("Add", "x q r"), ("Mul", "r rp s"), ("Tanh", "s t"),
         ("Add", "t one u"), ("Mul", "x half v"), ("Mul", "v u y")], Table),
    "silu": ([("Sigmoid", "x a"), ("Mul", "x a y")], Table),
    "silu, other way": ([("Sigmoid", "x a"), ("Mul", "a x y")], Table),
    "hard swish": ([("Add", "x three a"), ("Clip", "a zero six b"), ("Mul", "x b c"), ("Div", "c six y")], HardSwish),
    "hard swish by hard sigmoid": ([("Add", "x three a"), ("Clip", "a zero six b"), ("Div", "b six c"), ("Mul",
    "x c y")], HardSwish),
    "hard sigmoid": ([("Add", "x three a"), ("Clip", "a zero six b"), ("Mul", "b sixth y")], HardSigmoid),
    "softplus": ([("Exp", "x a"), ("Add", "a one b"), ("Log", "b y")], Table),
    "mish": ([("Softplus", "x a"), ("Tanh", "a b"), ("Mul", "x b y")], Table),
    "softsign": ([("Abs", "x a"), ("Add", "a one b"), ("Div", "x b y")], Table),
    "softplus, guarded": (
        [("Softplus", "x a"), ("Greater", "x twenty b"), ("Where", "b x a y")], Table),
    "threshold": ([("LessOrEqual", "x tenth a"), ("Where", "a half x y")], Threshold),
    "threshold, other way": ([("Greater", "x tenth a"), ("Where", "a x half y")], Threshold),
    "log sigmoid": ([("Sigmoid", "x a"), ("Log", "a y")], Table),
    "tanh shrink": ([("Tanh", "x a"), ("Sub", "x a y")], Table),
}  # fmt: skip
NUMBERS = {
    "s2": S2,
    "r2": 1 / S2,
    "one": 1,
    "half": 0.5,
    "three": 3,
    "zero": 0,
    "six": 6,
    "tenth": 0.1,
    "twenty": 20,
    "sixth": 1 / 6,
    "k": 0.044715,
    "rp": np.sqrt(2 / np.pi),
}


@pytest.mark.parametrize("name", DECOMPOSED)
def test_functions_written_in_pieces(name):
    pieces, op = DECOMPOSED[name]
    nodes = [N(kind, args.split()[:-1], args.split()[-1:]) for kind, args in pieces]
    nodes = [
        N("Relu", ["in"], ["pos"]),
        N("Sub", ["pos", "one"], ["x"]),
        *nodes,
    ]  # elementwise nodes above must not be swallowed
    used = {a for n in nodes for a in n.input}
    made = model(nodes, {"in": ["N", 6]}, {k: np.float32(v) for k, v in NUMBERS.items() if k in used})
    graph = check(made, {"in": (6,)})
    assert kinds(graph) == ["Relu", "Scale", op.__name__]


def test_a_function_that_only_resembles_one_keeps_its_parts():
    """x * sigmoid(1.702 x), the approximation of gelu, is neither gelu nor silu."""
    nodes = [N("Mul", ["x", "k"], ["a"]), N("Sigmoid", ["a"], ["b"]), N("Mul", ["x", "b"], ["y"])]
    graph = check(model(nodes, {"x": ["N", 6]}, {"k": np.float32(1.702)}), {"x": (6,)})
    assert kinds(graph) == ["Scale", "Table", "Elementwise"]


def test_a_piece_that_is_read_elsewhere_is_kept():
    nodes = [N("Sigmoid", ["x"], ["a"]), N("Mul", ["x", "a"], ["b"]), N("Add", ["a", "b"], ["y"])]
    assert kinds(check(model(nodes, {"x": ["N", 6]}), {"x": (6,)})) == ["Table", "Table", "Elementwise"]


def pieces(opset, axes, *, square="Pow", divide=True):
    """(x - mean) / sqrt(mean((x - mean)**2) + e) * g + b as exporters write it."""
    named, operand = ({"axes": axes}, []) if opset < 18 else ({}, ["a"])
    return [
        N("ReduceMean", ["x", *operand], ["m"], **named), N("Sub", ["x", "m"], ["d"]),
        N("Pow", ["d", "two"], ["p"]) if square == "Pow" else N("Mul", ["d", "d"], ["p"]),
        N("ReduceMean", ["p", *operand], ["v"], **named), N("Add", ["v", "e"], ["ve"]), N("Sqrt", ["ve"], ["s"]),
        *([N("Div", ["d", "s"], ["n"])] if divide else [N("Reciprocal", ["s"], ["r"]), N("Mul", ["r", "d"], ["n"])]),
        N("Mul", ["n", "g"], ["ng"]), N("Add", ["ng", "b"], ["y"]),
    ]  # fmt: skip


def constants(nodes, axes, shape):
    used = {i for n in nodes for i in n.input}
    every = {"two": np.float32(2), "e": np.float32(1e-5), "a": np.array(axes)}
    every |= {k: np.linspace(s, 1, shape[0], dtype=np.float32).reshape(shape) for k, s in (("g", 0.5), ("b", -1))}
    return {k: v for k, v in every.items() if k in used}


@pytest.mark.parametrize("opset", [7, 13, 18, 23])
@pytest.mark.parametrize("square", ["Pow", "Mul"])
@pytest.mark.parametrize("divide", [True, False])
def test_normalisation_in_pieces_is_one_op(opset, square, divide):
    nodes = pieces(opset, [-1], square=square, divide=divide)
    made = model(nodes, {"x": ["N", 6, 4]}, constants(nodes, [-1], (4,)), opset=opset)
    assert kinds(check(made, {"x": (6, 4)})) == ["Norm", "Scale", "Scale"]


def test_instance_normalisation_in_pieces():
    nodes = pieces(13, [2, 3])
    made = model(nodes, {"x": ["N", 3, 4, 5]}, constants(nodes, [2, 3], (3, 1, 1)), opset=13)
    graph = check(made, {"x": (3, 4, 5)})
    assert kinds(graph) == ["Norm", "Scale", "Scale"]
    assert [n.op.axes for n in graph if hasattr(n.op, "axes")] == [(1, 2)]


@pytest.mark.parametrize("change", ["axes", "exponent", "another tensor"])
def test_what_only_resembles_a_normalisation_keeps_its_parts(change):
    nodes = pieces(13, [-1])
    values = constants(nodes, [-1], (4,))
    if change == "axes":
        nodes[3] = N("ReduceMean", ["p"], ["v"], axes=[1])
    elif change == "exponent":
        values["two"] = np.float32(3)
        nodes.insert(3, N("Abs", ["p0"], ["p"]))
        nodes[2] = N("Pow", ["d", "two"], ["p0"])
    else:
        nodes[1] = N("Sub", ["x2", "m"], ["d"])
        nodes.insert(0, N("Relu", ["x"], ["x2"]))
    assert "Norm" not in kinds(check(model(nodes, {"x": ["N", 6, 4]}, values, opset=13), {"x": (6, 4)}))
