"""Bounds go from pass to pass: those that hold of the graph, and none is computed twice of one node and its operands."""

import dataclasses

import numpy as np
import pytest

from nn2hls.arith.ranges import Range
from nn2hls.design.design import convert
from nn2hls.graph import analysis
from nn2hls.graph.analysis import KnownRanges, graph_ranges
from tests.kit.networks import hls_config, mlp


@pytest.fixture
def graph():
    """Types that saturate, so that bounds behind a layer may stay as they are where its weights change."""
    graph = mlp(np.random.default_rng(3), (6, 8, 5, 4), scale=4.0)
    return convert(graph, hls_config({"Precision": {"result": "ap_fixed<8,3,AP_RND,AP_SAT>"}})).graph


def told(ranges):
    return {name: (x.fraction, x.lo.tolist(), x.hi.tolist()) for name, x in ranges.items()}


def changed(graph, name, **fields):
    return graph.map(lambda n: dataclasses.replace(n, **fields) if n.name == name else n)


@pytest.mark.parametrize("factor", [1, 2, 0])
def test_bounds_of_changed_graphs_are_their_own(graph, factor):
    known, op = KnownRanges(), graph["fc1"].op
    before = known.of(graph)
    other = op.replace(weight=type(op.weight)(op.weight.array * factor)).widened([before["fc0_relu"]])
    after = changed(graph, "fc1", op=other)
    found = known.of(after)
    assert told(found) == told(graph_ranges(after))
    assert all(found[name] is before[name] for name in ("x", "fc0", "fc0_relu"))
    assert (found["fc2"] is before["fc2"]) == (factor != 0), "saturated all the same"
    narrow = changed(after, "fc0", type=dataclasses.replace(graph["fc0"].result_type, width=3, integer=0))
    assert told(known.of(narrow)) == told(graph_ranges(narrow))
    wired = changed(graph, "fc2", inputs=("fc1",))
    assert told(known.of(wired)) == told(graph_ranges(wired))


@pytest.mark.parametrize(
    ("least", "most", "fraction", "zeros"),
    [
        ([0, 1], [2, 4], 1, None),
        ([1, 1], [2, 3], 1, None),
        (0, 3, 1, None),
        ([0, 1], [2, 3], 2, None),
        ([0, 1], [2, 3], 1, [0, 1]),
    ],
    ids=["most", "least", "shape", "fraction", "zeros"],
)
def test_ranges_are_alike_where_nothing_differs(least, most, fraction, zeros):
    other = Range(np.array(least), np.array(most), fraction, None if zeros is None else np.array(zeros))
    x = Range(np.array([0, 1]), np.array([2, 3]), 1)
    assert x.alike(Range(np.array([0, 1], dtype=object), np.array([2, 3]), 1, np.array([0, 0])))
    assert not x.alike(other)
    assert not other.alike(x)
    assert other.alike(other)


def test_no_bounds_are_computed_twice(monkeypatch):
    asked, real = [], analysis.node_range

    def counted(node, xs):
        asked.append((node.name, node.op, str(node.type)))
        return real(node, xs)

    monkeypatch.setattr(analysis, "node_range", counted)
    convert(mlp(np.random.default_rng(1), (6, 8, 5, 4)))
    assert not asked, "resolving types has them, and no pass changed anything"
