"""Keras models that the tests make, and an evaluator of graphs that shares no table code with nn2hls."""

from __future__ import annotations

import math

import numpy as np

from nn2hls.ops import Constant, Function, Input, Table

_erf = np.vectorize(math.erf, otypes=[float])


def _softplus(x):
    return np.logaddexp(x, 0)


FUNCTIONS = {
    Function.SIGMOID: lambda x, a: 1 / (1 + np.exp(-x)),
    Function.TANH: lambda x, a: np.tanh(x),
    Function.SOFTPLUS: lambda x, a: _softplus(x),
    Function.SOFTSIGN: lambda x, a: x / (1 + abs(x)),
    Function.ELU: lambda x, a: np.where(x > 0, x, a * np.expm1(x)),
    Function.SELU: lambda x, a: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    Function.CELU: lambda x, a: np.where(x > 0, x, a * np.expm1(x / a)),
    Function.GELU: lambda x, a: x * (1 + _erf(x / math.sqrt(2))) / 2,
    Function.GELU_TANH: lambda x, a: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    Function.SILU: lambda x, a: x / (1 + np.exp(-x)),
    Function.EXP: lambda x, a: np.exp(x),
    Function.MISH: lambda x, a: x * np.tanh(_softplus(x)),
    Function.LOG: lambda x, a: np.log(x),
    Function.SQRT: lambda x, a: np.sqrt(x),
    Function.RSQRT: lambda x, a: 1 / np.sqrt(x),
    Function.RECIPROCAL: lambda x, a: 1 / x,
    Function.ERF: lambda x, a: _erf(x),
    Function.SIN: lambda x, a: np.sin(x),
    Function.COS: lambda x, a: np.cos(x),
    Function.LOG_SIGMOID: lambda x, a: -_softplus(-x),
    Function.TANH_SHRINK: lambda x, a: x - np.tanh(x),
}


def evaluate(graph, inputs):
    """The graph's outputs in float64, in a list."""
    fed, values = iter(inputs), {}
    for node in graph:
        xs = [values[i] for i in node.inputs]
        if isinstance(node.op, Input):
            values[node.name] = np.asarray(next(fed), np.float64)
        elif isinstance(node.op, Constant):
            values[node.name] = np.broadcast_to(node.op.value.array, (len(inputs[0]), *node.shape))
        elif isinstance(node.op, Table):
            values[node.name] = FUNCTIONS[node.op.function](xs[0], node.op.alpha)
        else:
            values[node.name] = node.op.evaluate_float(*xs)
        assert values[node.name].shape[1:] == node.shape
    return [values[o] for o in graph.outputs]


def draw(graph, seed=0, events=50):
    """Random inputs for a graph, float32 values."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 2, (events, *n.shape)).astype(np.float32) for n in graph.inputs]


def randomise(model, seed=0):
    """Give every weight a random value, positive where it must be, so that no two layers agree by accident."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        if "seed_generator" in w.path:
            continue
        draws = rng.normal(0, 0.7, w.shape)
        if "int" in str(w.dtype):
            w.assign(np.ones(w.shape, np.int32))
            continue
        w.assign((abs(draws) + 0.2 if "variance" in w.name else draws).astype(np.float32))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization keeps what it derives from its weights
            layer.finalize_state()
    return model


def agrees(graph, model, seed=0):
    """Compare a graph with the framework, to 1e-5 of the largest output."""
    xs = draw(graph, seed)
    want = model(xs if len(xs) > 1 else xs[0], training=False)
    if isinstance(want, dict):
        want = [want[k] for k in sorted(want)]
    want = [
        np.asarray(w.cpu().detach() if hasattr(w, "detach") else w)
        for w in (want if isinstance(want, (list, tuple)) else [want])
    ]
    got = evaluate(graph, xs)
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(w).max())))


def sequential(keras):
    """A dense network with most of the simple layers."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16,), name="x"),
            layers.Dense(12, activation="relu", name="fc1"),
            layers.BatchNormalization(name="bn"),
            layers.Dropout(0.3, name="drop"),
            layers.Dense(10, use_bias=False, activation="tanh", name="fc2"),
            layers.LeakyReLU(negative_slope=0.1, name="leaky"),
            layers.Reshape((5, -1), name="rs"),
            layers.PReLU(shared_axes=[1], name="prelu"),
            layers.Dense(3, name="fc3"),
            layers.Permute((2, 1), name="permute"),
            layers.Flatten(name="flat"),
            layers.Dense(5, activation="softmax", name="out"),
            layers.GaussianNoise(0.1, name="noise"),
        ],
        name="tagger",
    )


def functional(keras, *, across=False):
    """Two inputs, two outputs in a dictionary, nested and shared layers, operators.

    ``across``: one inner model is held by the outer model and by another inner one. Keras' own ``to_json`` loses that.
    """
    layers, ops = keras.layers, keras.ops
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, activation="relu", name="d"), layers.BatchNormalization(name="bn")], name="sub"
    )
    i = keras.Input((4,), name="i")
    j = keras.Input((4,), name="j")
    hidden = layers.Dense(3, activation="tanh", name="h")(
        layers.Concatenate(name="cat")([i, inner(j) if across else layers.Dense(4, name="d2")(j)])
    )
    two = keras.Model([i, j], [hidden, layers.Dense(4, name="d")(i)], name="two")
    shared = layers.Dense(4, activation="gelu", name="d")
    x, y = shared(a), shared(b)
    z = 3 - (inner(x) * 2 + 1)
    left, right = two([z, y])
    again, _ = two([y, right])
    w = layers.Average(name="avg")([z, right, y])
    w = ops.concatenate([abs(-w) ** 2 / 4, left, again], axis=-1)
    return keras.Model([a, b], {"q": layers.Dense(2, name="last")(w), "p": ops.maximum(right, 0.5)})
