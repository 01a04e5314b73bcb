"""Small ONNX models for tests, and the reference evaluator of the onnx package to judge them."""

import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from nn2hls.converters import onnx as frontend
from nn2hls.ops import Constant, Function, Input, Table

RNG = np.random.default_rng(5)
ERF = np.vectorize(math.erf, otypes=[float])


def model(nodes, inputs, constants=(), outputs=("y",), opset=17, ir_version=8, functions=(), domains=()):
    """A ModelProto; inputs map names to shapes, constants map names to arrays."""
    values = [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in inputs.items()]
    results = [helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in outputs]
    initialisers = [numpy_helper.from_array(np.asarray(v), k) for k, v in dict(constants).items()]
    graph = helper.make_graph(list(nodes), "g", values, results, initialisers)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    made = helper.make_model(graph, opset_imports=opsets, functions=list(functions))
    made.ir_version = ir_version
    return made


def reference(made, feeds):
    """What the onnx package itself answers, in the file's float32."""
    return ReferenceEvaluator(made).run(None, {k: np.asarray(v, np.float32) for k, v in feeds.items()})


# Written from the definitions, apart from the code under test.
TABLES = {
    Function.SIGMOID: lambda x, a: 1 / (1 + np.exp(-x)),
    Function.TANH: lambda x, a: np.tanh(x),
    Function.SOFTPLUS: lambda x, a: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
    Function.SOFTSIGN: lambda x, a: x / (1 + np.abs(x)),
    Function.ELU: lambda x, a: np.where(x > 0, x, a * (np.exp(x) - 1)),
    Function.SELU: lambda x, a: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1)),
    Function.CELU: lambda x, a: np.maximum(x, 0) + np.minimum(0, a * (np.exp(x / a) - 1)),
    Function.GELU: lambda x, a: 0.5 * x * (1 + ERF(x / math.sqrt(2))),
    Function.GELU_TANH: lambda x, a: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    Function.SILU: lambda x, a: x / (1 + np.exp(-x)),
    Function.EXP: lambda x, a: np.exp(x),
    Function.MISH: lambda x, a: x * np.tanh(np.log1p(np.exp(x))),
    Function.LOG: lambda x, a: np.log(x),
    Function.SQRT: lambda x, a: np.sqrt(x),
    Function.RSQRT: lambda x, a: 1 / np.sqrt(x),
    Function.RECIPROCAL: lambda x, a: 1 / x,
    Function.ERF: lambda x, a: ERF(x),
    Function.SIN: lambda x, a: np.sin(x),
    Function.COS: lambda x, a: np.cos(x),
    Function.LOG_SIGMOID: lambda x, a: -np.log1p(np.exp(-x)),
    Function.TANH_SHRINK: lambda x, a: x - np.tanh(x),
}


def evaluate(graph, feeds):
    """The graph's outputs in float64; tables by their definitions."""
    values = {}
    for node in graph:
        operands = [values[i] for i in node.inputs]
        if isinstance(node.op, Input):
            values[node.name] = np.asarray(feeds[node.name], np.float32).astype(np.float64)
        elif isinstance(node.op, Constant):
            batch = len(next(iter(feeds.values())))
            values[node.name] = np.broadcast_to(node.op.value.array, (batch, *node.shape))
        elif isinstance(node.op, Table):
            values[node.name] = TABLES[node.op.function](operands[0], node.op.alpha)
        else:
            values[node.name] = node.op.evaluate_float(*operands)
        assert values[node.name].shape[1:] == node.shape
    return [values[o] for o in graph.outputs]


def draw(*shape):
    return RNG.normal(0, 1.5, shape).astype(np.float32)


def check(made, shapes, batch=5, low=None, wanted=reference):
    """Convert, compare with the reference on random inputs, and return the graph."""
    graph = frontend.load_live(made)
    feeds = {
        k: draw(batch, *s) if low is None else RNG.uniform(low, 3, (batch, *s)).astype(np.float32) for k, s in shapes.items()
    }
    for got, right in zip(evaluate(graph, feeds), wanted(made, feeds), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-5, atol=1e-5)
    return graph


def mean(made, feeds):
    """Of all operands of the first node; onnx's own evaluator adds in place, which fails where operands broadcast."""
    constants = {t.name: numpy_helper.to_array(t) for t in made.graph.initializer}
    values = [{**constants, **feeds}[n] for n in made.graph.node[0].input]
    total = sum(v.astype(np.float64) for v in values) / len(values)
    return [-total if len(made.graph.node) == 2 else total]


def kinds(graph):
    return [type(n.op).__name__ for n in graph][1:]


__all__ = ["RNG", "TensorProto", "check", "draw", "evaluate", "helper", "kinds", "mean", "model", "reference"]
