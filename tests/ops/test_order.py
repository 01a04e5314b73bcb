"""TopK and Embedding: emulator == fractions == net, their bounds, ties, channels."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.design.design import convert
from nn2hls.errors import ModelError, OverflowWarning
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints
from nn2hls.hardware.operators import operators
from nn2hls.hardware.witness import run
from nn2hls.ops import Embedding, Input, TopK
from nn2hls.ops.order import _exchanges
from tests.kit.witness import Case, hardware_equals_emulated, types
from tests.slow.order import embedding, top


@settings(max_examples=80, deadline=None)
@given(
    kind=types((1, 40)),
    result=types(),
    where=st.sampled_from([((1,), 0), ((5,), 0), ((7, 2), 0), ((2, 4), 1)]),
    k=st.integers(1, 7),
    places=st.booleans(),
    smallest=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_largest(kind, result, where, k, places, smallest, seed):
    shape, axis = where
    case = Case(TopK(axis, min(k, shape[axis]), places, smallest), [kind], [shape], result)
    case.check(case.draw(np.random.default_rng(seed), 4), lambda op, xs: top(op, xs[0], case.shape))
    hardware_equals_emulated([case], seed, events=4)


@pytest.mark.parametrize("smallest", [False, True])
def test_the_place_of_an_only_element_is_zero(smallest):
    """Also of one that is never zero itself."""
    x = Range(np.array([5]), np.array([9]), 3)
    (loop,) = TopK(0, 1, places=True, smallest=smallest).hardware([x], FixedType(8, 8)).loops
    assert [a.tolist() for a in run(loop.body, [np.arange(5, 10)])] == [[0] * 5]


def test_wide_values_are_ordered():
    case = Case(TopK(0, 2, places=True), [FixedType(90, 40)], [(4,)], FixedType(4, 4, False))
    case.check(case.draw(np.random.default_rng(0), 4), lambda op, xs: top(op, xs[0], case.shape))


@pytest.mark.parametrize("n", range(1, 10))
def test_every_order_is_sorted(n):
    """A network that sorts all zeros and ones sorts everything (Knuth)."""
    pairs = list(_exchanges(n))
    for bits in itertools.product((0, 1), repeat=n):
        x = list(bits)
        for a, b in pairs:
            x[a], x[b] = max(x[a], x[b]), min(x[a], x[b])
        assert x == sorted(bits, reverse=True)


def test_bounds_of_the_second_largest():
    case = Case(TopK(0, 3), [FixedType(2, 2)], [(3,)], FixedType(4, 4))
    assert case.op.exact(case.xs).lo.tolist() == [-2] * 3
    assert TopK(0, 1, places=True).exact(case.xs).hi.tolist() == [2]


def test_one_of_many_is_a_tree():
    case = Case(TopK(0, 1), [FixedType(8, 8)], [(16,)], FixedType(8, 8))
    (loop,) = case.op.hardware(case.xs, case.result).loops
    assert sum(operators(loop.body).values()) == 2 * 15


def test_floats_are_those_of_numpy():
    x = np.random.default_rng(0).integers(0, 4, size=(6, 3, 5)).astype(float)
    assert np.array_equal(TopK(1, 1, places=True).evaluate_float(x)[..., 0], x.argmax(axis=2))
    assert np.array_equal(TopK(1, 5, smallest=True).evaluate_float(x), np.sort(x, axis=2))


def test_channels_beside_the_axis_pass():
    assert TopK(0, 1).channels([(4, 3)])[0].tolist() == [[0, 1, 2]]
    assert TopK(1, 1).channels([(4, 3)]) is None
    needed = np.array([[True, False]])
    assert TopK(0, 1).demand(needed, [(3, 2)])[0].tolist() == [[True, False]] * 3


@settings(max_examples=60, deadline=None)
@given(
    kind=types((1, 12), (-2, 12)),
    result=types(),
    table=st.none() | types((1, 20)),
    rows=st.integers(1, 9),
    shape=st.sampled_from([(), (3,), (2, 2)]),
    seed=st.integers(0, 99),
)
def test_rows_of_a_table(kind, result, table, rows, shape, seed):
    rng = np.random.default_rng(seed)
    hints = Hints(noise=2.0**-6, given={} if table is None else {"table": table})
    case = Case(Embedding(Const(rng.normal(size=(rows, 3)))), [kind], [shape], result, hints)
    case.check(case.draw(rng, 6), lambda op, xs: embedding(op, xs[0], case.shape))
    hardware_equals_emulated([case], seed, events=4)


def graph_of(rows):
    b = Builder()
    x = b.add("x", Input((2,)))
    return b.build([b.add("e", Embedding(Const(np.random.default_rng(0).normal(size=(rows, 3)))), [x])])


@pytest.mark.parametrize(("row", "count"), [(4, 0), (5, 1), (7, 1), (-1, 1)])
def test_a_row_that_is_not_there_is_told(row, count):
    design = convert(graph_of(5), {"LayerName": {"x": {"Precision": "ap_int<5>"}}})
    x = np.array([[1.0, row]])
    if count:
        with pytest.warns(OverflowWarning, match=rf"e\.rows: {count} of 2"):
            found = design.predict(x)
    else:
        found = design.predict(x)
    assert np.abs(found - design.predict_float(np.clip(x, 0, 4))).max() < 0.01


def test_what_an_unknown_number_chooses_is_unknown():
    """As a quotient by zero is in the float reference; infinite ones choose the ends."""
    found = Embedding(Const(np.arange(4.0).reshape(4, 1))).evaluate_float(np.array([[np.nan, np.inf, -np.inf, 1.4]]))
    assert np.array_equal(found[..., 0], [[np.nan, 3, 0, 1]], equal_nan=True)


def test_columns_are_channels():
    op = Embedding(Const(np.arange(12.0).reshape(4, 3)))
    assert op.channels([(2,)]) == [None]
    assert op.take(np.array([0, 2])).evaluate_float(np.array([[3.0]])).tolist() == [[[9, 11]]]
    assert op.demand(np.array([[True, False], [False, False]]), [(2,)])[0].tolist() == [True, False]


@pytest.mark.parametrize(("op", "words"), [
    (TopK(1, 1), "Axis 1"), (TopK(0, 0), "takes 0 of 3"), (TopK(0, 4), "takes 4 of 3"),
    (Embedding(Const(np.ones(3))), "no rows"),
])  # fmt: skip
def test_what_cannot_be_is_refused(op, words):
    with pytest.raises(ModelError, match=f"here.*{words}"):
        op.infer([(3,)], "here")
