"""Networks of thousands of layers: no recursion, and work that grows as the network does, counted rather than timed."""

import sys
from itertools import pairwise

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Origin
from nn2hls.ops import Dense, Elementwise, Input, LeakyRelu, Merge, Relu, Reshape
from nn2hls.passes import shrink as shrink_pass

shrink_module = sys.modules[shrink_pass.__module__]
HALF = LeakyRelu(Const(np.array(0.5)))
LAYERS = 1100  # more than Python's limit of nested calls


def chain(step, n=LAYERS):
    b = Builder()
    name = b.add("x", Input((3,)))
    for k in range(n):
        name = step(b, name, k)
    return b.build([name])


STEPS = {
    "activations": lambda b, x, k: b.add("act", HALF if k % 2 else Relu(), [x]),
    "what changes nothing": lambda b, x, k: b.add("flat", Reshape((3,)), [x]),
    "dense": lambda b, x, k: b.add("fc", Dense(Const(np.eye(3)[:, ::-1]), Const(np.full(3, 0.25))), [x]),
    "diamonds": lambda b, x, k: b.add("max", Elementwise(Merge.MAX), [x, b.add("act", HALF, [x])]),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.long
def test_a_long_network_converts_and_answers(name):
    graph = chain(STEPS[name])
    design = convert(graph)
    x = np.random.default_rng(0).normal(size=(3, 3))
    assert np.abs(design.predict(x) - design.predict_float(x)).max() < 1
    assert list(design.trace_float(x)) == [n.name for n in graph]


def ladder(n):
    """Rungs that tell each other, one after the other and against the order of the nodes, which channels differ."""
    b, rng = Builder(), np.random.default_rng(0)
    x = b.add("x", Input((4,)))
    rails = []
    for k in range(n):
        weight = rng.normal(size=(4, 3))
        if k:
            weight[:, 1] = weight[:, 0]
        rails.append(b.add(f"p{k}", Dense(Const(weight), Const(np.zeros(3))), [x]))
    rungs = [b.add(f"s{k}", Elementwise(Merge.MAX), pair) for k, pair in reversed([*enumerate(pairwise(rails))])]
    return b.build(
        [b.add(f"o{k}", Dense(Const(rng.normal(size=(3, 2))), Const(np.zeros(2))), [s]) for k, s in enumerate(rungs)]
    )


def test_what_shrinks_is_found_in_a_few_visits_of_each_layer(monkeypatch):
    visits = 0
    first = shrink_module._first

    def counted(keys):
        nonlocal visits
        visits += 1
        return first(keys)

    monkeypatch.setattr(shrink_module, "_first", counted)
    for n in (20, 80):
        visits = 0
        graph = ladder(n)
        design = convert(graph)
        assert visits < 8 * len(graph.nodes)
        # p0 tells its first two channels apart, and the rungs pass that on, one to the next.
        assert {design.graph[f"{rail}{k}"].shape for rail in "ps" for k in range(n - 1)} == {(3,)}


def test_names_that_repeat_are_numbered_past_those_that_are_taken():
    b = Builder()
    x = b.add("a", Input((2,)))
    names = [b.add(name, Relu(), [x], Origin("layer")) for name in ("a", "a_4", "a", "a", "a", "a_2", "a_4")]
    assert names == ["a_2", "a_4", "a_3", "a_5", "a_6", "a_2_2", "a_4_2"]
    keys = convert(b.build(names)).trace_float(np.ones((1, 2)))
    assert list(keys) == ["a", "layer", *(f"layer_{k}" for k in range(2, 8))]
