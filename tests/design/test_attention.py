"""An attention block made of ops: heads by Moves, products of computed tensors, a mask, a residual sum and a norm."""

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.emulate.emulator import Emulator
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.ops import Dense, Elementwise, Input, MatMul, Merge, Move, Norm, Scale, Softmax
from tests.slow.graph import graph_slow

LENGTH, WIDTH, HEADS = 3, 4, 2
CAUSAL = np.tril(np.ones((1, LENGTH, LENGTH), dtype=int))


def heads(a):
    """(length, width) as (heads, length, width / heads)."""
    return a.reshape(LENGTH, HEADS, WIDTH // HEADS).transpose(1, 0, 2)


def block(rng):
    """(graph, what it computes in floats)."""
    b = Builder()
    w = {name: (rng.normal(size=(WIDTH, WIDTH)) * 0.5, rng.normal(size=WIDTH) * 0.1) for name in "qkvo"}
    gamma, beta = rng.uniform(0.5, 1.5, size=WIDTH), rng.normal(size=WIDTH)
    x = b.add("x", Input((LENGTH, WIDTH)))
    shape = (LENGTH, WIDTH)
    dense = {n: b.add(n, Dense(Const(w[n][0]), Const(w[n][1])), [x]) for n in "qkv"}
    q, v = (b.add(f"{n}_heads", Move.of(heads, shape), [dense[n]]) for n in "qv")
    k = b.add("k_heads", Move.of(lambda a: heads(a).transpose(0, 2, 1), shape), [dense["k"]])
    scores = b.add("scores", MatMul(), [q, k])
    scaled = b.add("scaled", Scale(Const(np.array((WIDTH / HEADS) ** -0.5)), Const(np.zeros(1))), [scores])
    weights = b.add("weights", Softmax(2, present=Places(CAUSAL)), [scaled])
    seen = b.add("seen", MatMul(), [weights, v])
    joined = b.add("joined", Move.of(lambda a: a.transpose(1, 0, 2).reshape(shape), b.shape(seen)), [seen])
    out = b.add("o", Dense(Const(w["o"][0]), Const(w["o"][1])), [joined])
    total = b.add("sum", Elementwise(Merge.ADD), [x, out])
    graph = b.build([b.add("norm", Norm((1,), 1e-3, Const(gamma), Const(beta)), [total])])

    def floats(x):
        q, k, v = (np.stack([heads(e @ w[n][0] + w[n][1]) for e in x]) for n in "qkv")
        s = np.where(CAUSAL, np.einsum("ehic,ehjc->ehij", q, k) * (WIDTH / HEADS) ** -0.5, -np.inf)
        p = np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True)
        y = x + np.einsum("ehij,ehjc->eihc", p, v).reshape(x.shape) @ w["o"][0] + w["o"][1]
        return (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-3) * gamma + beta

    return graph, floats


def test_floats_are_attention():
    graph, floats = block(np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(20, LENGTH, WIDTH))
    design = convert(graph, calibration=x)
    assert np.allclose(design.predict_float(x), floats(x))
    assert np.abs(design.predict(x) - floats(x)).max() < 0.05


def test_every_value_is_that_of_fractions():
    design = convert(block(np.random.default_rng(0))[0], {"Model": {"Precision": "ap_fixed<10,4,AP_RND,AP_SAT>"}})
    graph, found = design.graph, {}
    x = np.random.default_rng(2).integers(-512, 512, size=(3, LENGTH, WIDTH))
    Emulator(graph).run([x], lambda name, start, v: found.setdefault(name, v.copy()), keep=graph.by_name, raw=True)
    for event in range(len(x)):
        for name, want in graph_slow(graph, [x[event].astype(object)]).items():
            assert found[name][event].astype(object).tolist() == want.tolist(), name


@pytest.mark.parametrize("backend", ["Vitis", "Bambu"])
def test_the_cpp_is_the_emulator(backend):
    hls = {"Model": {"Precision": "ap_fixed<10,4,AP_RND,AP_SAT>"}}
    part = "xc7vx690tffg1930-3"
    design = convert(block(np.random.default_rng(0))[0], {"Backend": backend, "Part": part, "HLSConfig": hls})
    assert design.verify(tool="csim").equal
