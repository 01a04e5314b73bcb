"""Small random networks for tests: floats, types and settings drawn from a seed."""

import dataclasses
from itertools import pairwise

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.config.read import read_config
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Origin
from nn2hls.ops import Dense, Input, Relu


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
            nodes.append(dataclasses.replace(n, name=name, inputs=inputs, origin=Origin(name, n.origin.kind)))
        outputs += [rename[o] for o in graph.outputs]
    return Graph(tuple(nodes), tuple(outputs))
