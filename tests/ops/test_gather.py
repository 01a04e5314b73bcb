"""Gather: emulator == fractions == net, its bounds, numbers that are no places, what broadcasts, what is read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.errors import ModelError, OverflowWarning
from nn2hls.graph.builder import Builder
from nn2hls.hardware.operators import operators
from nn2hls.ops import Gather, Input, TopK
from tests.kit.witness import Case, hardware_equals_emulated, types
from tests.slow.order import gather

SHAPES = [
    ([(5,), (3,)], 0),
    ([(4, 2), (3, 2)], 0),
    ([(3, 4), (3, 2)], 1),
    ([(1, 5, 2), (3, 2, 1)], 1),
    ([(2, 3, 2), (1, 4, 1)], 1),
    ([(2, 1), (2, 3)], 1),
]


@settings(max_examples=60, deadline=None)
@given(kind=types((1, 40)), number=types((1, 9)), result=types(), case=st.sampled_from(SHAPES), seed=st.integers(0, 99))
def test_elements_at_computed_places(kind, number, result, case, seed):
    shapes, axis = case
    made = Case(Gather(axis), [kind, number], shapes, result)
    made.check(made.draw(np.random.default_rng(seed), 3), lambda op, xs: gather(op, *xs, made.shape))
    hardware_equals_emulated([made], seed, events=3)


def test_floats_are_those_of_numpy():
    rng = np.random.default_rng(0)
    x, index = rng.normal(size=(4, 3, 5, 2)), rng.integers(0, 5, size=(4, 3, 2, 2))
    assert np.array_equal(Gather(1).evaluate_float(x, index.astype(float)), np.take_along_axis(x, index, axis=2))


def test_bounds_hold_only_places_that_the_numbers_reach():
    x, index = FixedType(4, 4), FixedType(1, 1, False)
    case = Case(Gather(0), [x, index], [(4,), (1,)], FixedType(8, 8))
    lo = case.xs[0].lo.copy()
    lo[2:] = -100
    xs = [type(case.xs[0])(lo, case.xs[0].hi, 0), case.xs[1]]
    assert case.op.exact(xs).low == -8


def test_a_number_beyond_the_places_is_an_overflow():
    builder = Builder()
    x, index = builder.add("x", Input((3,))), builder.add("index", Input((2,)))
    graph = builder.build([builder.add("taken", Gather(0), [x, index])])
    design = convert(graph, {"Model": {"Precision": "ap_fixed<8,6>"}, "LayerName": {}})
    data = [np.array([[1.0, 2.0, 3.0]]), np.array([[-1.0, 5.0]])]
    with pytest.warns(OverflowWarning, match=r"taken\.rows"):
        assert design.predict(data).tolist() == [[1.0, 3.0]]


def test_choices_share_their_comparisons():
    """Four elements of one number cost the comparisons of one."""
    case = Case(Gather(0), [FixedType(8, 8), FixedType(3, 3, False)], [(8, 4), (1, 1)], FixedType(8, 8))
    (loop,) = case.op.hardware(case.xs, case.result).loops
    counts = operators(loop.body)
    assert {kind: sum(n for o, n in counts.items() if o.kind.value == kind) for kind in ("select", "compare")} == {
        "select": 28,
        "compare": 7,
    }


def test_what_is_read():
    """Of one needed neighbour feature all places along the axis, and its own number."""
    needed = np.zeros((3, 2, 2), dtype=bool)
    needed[1, 0, 1] = True
    of_x, of_index = Gather(1).demand(needed, [(1, 5, 2), (3, 2, 1)])
    assert of_x[..., 1].all()
    assert not of_x[..., 0].any()
    assert np.argwhere(of_index).tolist() == [[1, 0, 0]]


def test_nearest_of_a_row_by_its_own_order():
    """The places that TopK gives choose what TopK gives."""
    builder = Builder()
    x = builder.add("x", Input((6,)))
    places = builder.add("places", TopK(0, 3, True), [x])
    graph = builder.build([builder.add("taken", Gather(0), [x, places]), builder.add("top", TopK(0, 3), [x])])
    design = convert(graph, {"Model": {"Precision": "ap_fixed<10,4>"}, "LayerName": {"places": {"Precision": "ap_uint<3>"}}})
    taken, top = design.predict(np.random.default_rng(0).normal(size=(50, 6)))
    assert (taken == top).all()
    assert design.verify().equal


@pytest.mark.parametrize(("shapes", "axis"), [([(3, 2), (3,)], 0), ([(3, 2), (2, 3)], 0), ([(3,), (2,)], 1)])
def test_shapes_that_do_not_fit_are_refused(shapes, axis):
    with pytest.raises(ModelError):
        Gather(axis).infer(shapes, "layer")
