"""Small random networks for tests: floats, types and settings drawn from a seed."""

import dataclasses
from itertools import pairwise

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.config.read import read_config
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Origin
from nn2hls.ops import Concatenate, Dense, Elementwise, Input, Merge, Relu, Softmax


def mlp(rng, sizes=(16, 64, 32, 32, 5), density=1.0, scale=1.0, relu=True) -> Graph:
    """Dense layers fc0, fc1 .. with ReLU between them."""
    builder = Builder()
    name = builder.add("x", Input((sizes[0],)))
    for k, (n_in, n_out) in enumerate(pairwise(sizes)):
        weight = rng.normal(size=(n_in, n_out)) * scale / np.sqrt(n_in * density)
        weight *= rng.random((n_in, n_out)) < density
        name = builder.add(f"fc{k}", Dense(Const(weight), Const(rng.normal(size=n_out) * 0.2)), [name])
        if relu and k < len(sizes) - 2:
            name = builder.add(f"fc{k}_relu", Relu(), [name])
    return builder.build([name])


def draw_type(rng, most=20, modes=True, signed=None) -> FixedType:
    """Any type of up to ``most`` bits, its binary point inside, left or right of its bits."""
    width = int(rng.integers(1, most + 1))
    integer = int(rng.integers(-2, width + 3))
    sign = bool(rng.random() < 0.7) if signed is None else signed
    if not modes:
        return FixedType(width, integer, sign)
    rounding = list(Rounding)[rng.integers(len(Rounding))]
    overflow = list(Overflow)[rng.integers(len(Overflow))]
    return FixedType(width, integer, sign, rounding, overflow)


def hls_config(model=None, **layers):
    """A config from the Model level and settings by layer name."""
    return read_config({"Model": model or {}, "LayerName": layers})


def side_by_side(graphs) -> Graph:
    """One graph with all of them as separate parts, named g0_.., so that one compilation serves many cases."""
    nodes, outputs = [], []
    for k, graph in enumerate(graphs):
        rename = {n.name: f"g{k}_{n.name}" for n in graph}
        for n in graph:
            name = rename[n.name]
            inputs = tuple(rename[i] for i in n.inputs)
            turn = n.turn and dataclasses.replace(n.turn, layer=f"g{k}_{n.turn.layer}")
            own = {"tied": n.tied and f"g{k}_{n.tied}", "turn": turn, "origin": Origin(name, n.origin.kind)}
            nodes.append(dataclasses.replace(n, name=name, inputs=inputs, **own))
        outputs += [rename[o] for o in graph.outputs]
    return Graph(tuple(nodes), tuple(outputs))


def random_dense(rng):
    """A small network and settings by layer: types of any kind, reuse, narrowed accumulators, leading axes."""
    n_in, n_mid, n_out = (int(n) for n in rng.integers(1, 9, size=3))
    lead = tuple(int(n) for n in rng.integers(1, 4, size=rng.integers(0, 3))) if rng.random() < 0.3 else ()
    b = Builder()
    x = b.add("x", Input((*lead, n_in)))
    first = rng.normal(size=(n_in, n_mid)) * 2.0 ** rng.integers(-2, 3) * (rng.random((n_in, n_mid)) < 0.7)
    h = b.add("a", Dense(Const(first), Const(rng.normal(size=n_mid) * (rng.random() < 0.7))), [x])
    if rng.random() < 0.5:
        h = b.add("r", Relu(), [h])
    last = rng.normal(size=(n_mid, n_out)) * (rng.random((n_mid, n_out)) < 0.7)
    graph = b.build([b.add("b", Dense(Const(last), Const(rng.normal(size=n_out))), [h])])
    layers = {}
    for node in graph:
        types = {}
        if rng.random() < 0.8:
            types["result"] = str(draw_type(rng, 24))
        if isinstance(node.op, Dense):
            for word in ("weight", "bias"):
                if rng.random() < 0.5:
                    types[word] = str(draw_type(rng, 18))
            if rng.random() < 0.25:
                types["accum"] = str(draw_type(rng, 30))
        layers[node.name] = {"Precision": types} if types else {}
        if isinstance(node.op, Dense) and "accum" not in types and rng.random() < 0.5:
            layers[node.name]["ReuseFactor"] = int(rng.integers(2, 20))
    return graph, layers


def two_in_two_out(rng):
    """Two inputs of several axes, one read late; two outputs, one of them read by the other; a layer with leading axes."""
    b = Builder()
    x, z = b.add("x", Input((2, 3))), b.add("z", Input((2, 4)))
    h = b.add("output", Dense(Const(rng.normal(size=(3, 4))), Const(rng.normal(size=4))), [x])  # a word of Verilog
    r = b.add("module", Relu(), [h])
    s = b.add("s", Elementwise(Merge.ADD), [r, z])
    p = b.add("p", Softmax(1), [s])
    c = b.add("c", Concatenate(1), [r, z])
    d = b.add("d", Dense(Const(rng.normal(size=(8, 2))), Const(rng.normal(size=2))), [c])
    return b.build([p, d])
