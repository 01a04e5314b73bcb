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
