"""Types that a quantised model brings along: exact throughout, below the user's words for a layer, above all others."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import nn2hls
from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.errors import ConversionWarning, OverflowWarning
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph
from nn2hls.graph.reference import run_float
from nn2hls.ops import Clip, Dense, Elementwise, Input, Merge, Quantize, Relu, Reshape, Scale
from nn2hls.passes.model_types import rounded_up

SIGNED = FixedType(6, 2, True, Rounding.RND_CONV, Overflow.SAT)
POSITIVE = FixedType(4, 1, False, Rounding.RND_CONV, Overflow.SAT)
WEIGHT = FixedType(9, 4)


def network(first=SIGNED, between=POSITIVE, twice=None, scale=None):
    """An input that is quantised, two Dense layers with a cast between them; ``twice`` a second cast behind it."""
    rng, b = np.random.default_rng(3), Builder()

    def dense(name, n_in, n_out, x):
        weight, bias = (np.round(rng.normal(size=s) * 16) / 16 for s in ((n_in, n_out), n_out))
        b.give(b.add(name, Dense(Const(weight), Const(bias)), [x]), {"weight": WEIGHT, "bias": WEIGHT})
        return name

    def quantize(name, kind, x):
        b.give(b.add(name, Quantize(kind), [x]), {"result": kind})
        return name

    b.add("x", Input((2, 4)))
    b.add("flat", Reshape((8,)), ["x"])
    hidden = dense("fc1", 8, 6, quantize("q", first, "flat"))
    if scale is not None:
        hidden = b.add("scale", Scale(Const(np.array(scale)), Const(np.array(0.0))), [hidden])
    hidden = quantize("act", between, b.add("relu", Relu(), [hidden]))
    hidden = quantize("again", twice, hidden) if twice else hidden
    return b.build([dense("fc2", 6, 3, hidden)])


X = np.random.default_rng(4).normal(size=(500, 2, 4)) * 3


def test_answers_are_the_models_own_in_every_bit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is lost, and what the model saturates is no overflow
        design = nn2hls.convert(network())
        assert np.array_equal(design.predict(X), design.predict_float(X))
    assert np.array_equal(design.csim(X), design.predict(X))
    assert design.graph["x"].type == SIGNED, "the input is cast once, as it enters"
    assert "q" not in design.graph.by_name
    assert "exact, as in the model" in design.types["fc1"][0].why
    assert [p.level for p in design.types["fc1"]] == ["sound", "given", "given", "sound"]


@pytest.mark.parametrize(
    ("twice", "left"),
    [(FixedType(8, 2, False), ["act"]), (FixedType(3, 1, False, Rounding.RND, Overflow.SAT), ["act", "again"])],
    ids=["wider", "narrower"],
)
def test_two_casts_are_one_where_the_second_changes_nothing(twice, left):
    design = nn2hls.convert(network(twice=twice))
    assert [n.name for n in design.graph if isinstance(n.op, Quantize)] == left
    assert np.array_equal(design.predict(X), design.predict_float(X))


def test_a_cast_that_a_level_above_the_layer_narrows_stays():
    b = Builder()
    b.add("x", Input((3,)))
    b.add("q", Quantize(FixedType(13, 9)), ["x"])  # holds every value of x; the type of all layers does not
    b.add("y", Relu(), ["q"])
    levels = {
        "Model": {"Precision": "ap_ufixed<2,1>"},
        "LayerName": {n: {"Precision": {"result": "ap_fixed<8,4>"}} for n in "xy"},
    }
    design = nn2hls.convert(b.build(["y"]), {"HLSConfig": levels})
    assert design.predict(np.array([[0.75, 1.5, 2.5]])).tolist() == [[0.5, 1.5, 0.5]]


def test_a_type_of_the_layer_comes_before_the_models_with_a_warning():
    config = {
        "Model": {},
        "LayerName": {"act": {"Precision": {"result": "ap_ufixed<3,1>"}}, "fc1": {"Precision": "ap_fixed<4,2>"}},
    }
    with pytest.warns(ConversionWarning) as caught:
        design = nn2hls.convert(network(), config)
    text = str(caught[0].message)
    assert f"act has ap_ufixed<3,1> for 'result' in place of the model's own {POSITIVE}" in text
    assert f"fc1 has ap_fixed<4,2> for 'weight' in place of the model's own {WEIGHT}" in text
    assert str(design.graph["act"].type) == "ap_ufixed<3,1>"
    assert str(design.graph["fc1"].op.weight_t) == "ap_fixed<4,2>"


def test_a_type_for_all_layers_leaves_the_models_own():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = nn2hls.convert(network(), {"Model": {"Precision": "ap_fixed<16,6>"}})
    assert design.graph["act"].type == POSITIVE
    assert design.graph["fc1"].op.weight_t == WEIGHT
    assert str(design.graph["fc1"].type) == "ap_fixed<16,6>", "the model says nothing of this one"


def test_an_input_that_its_readers_cast_differently_has_no_type_of_the_model():
    graph = network()
    b = [*graph.nodes]
    other = replace(graph["relu"], name="other", inputs=("flat",), shape=(8,))
    graph = type(graph)((*b[:2], other, *b[2:]), (*graph.outputs, "other"))
    design = nn2hls.convert(graph)
    assert design.types["x"][0].level == "default"
    assert "q" in design.graph.by_name


def test_a_scale_that_no_type_holds_is_a_multiplier_with_a_bound_that_is_told():
    design = nn2hls.convert(network(scale=0.3))
    (note,) = [n for n in design.notes if n.startswith("scale:")]
    assert "multipliers of" in note
    bound = float(note.rpartition("more than ")[2].rstrip("."))
    fc1 = design.trace(X)["fc1"]
    apart = np.abs(design.trace(X)["scale"] - fc1 * 0.3).max()
    assert 0 < apart <= bound
    assert np.array_equal(nn2hls.convert(network(scale=0.25)).predict(X), nn2hls.convert(network(scale=0.25)).predict_float(X))


@pytest.mark.parametrize("factor", [0.3, 0.37, 0.0313, 1.7, 0.0045])
def test_the_bound_that_is_told_is_no_smaller_than_what_can_happen(factor):
    whole = FixedType(8, 8, True, Rounding.RND_CONV, Overflow.SAT)
    for shift in (0.0, 1.0, 3.0):
        b = Builder()
        b.add("x", Input((4,)))
        b.give(b.add("q", Quantize(whole), ["x"]), {"result": whole})
        b.add("scale", Scale(Const(np.array(factor)), Const(np.array(shift))), ["q"])
        design = nn2hls.convert(b.build([b.add("clip", Clip(-1000.0, 1000.0), ["scale"])]))
        (note,) = [n for n in design.notes if n.startswith("scale:")]
        bound = float(note.rpartition("more than ")[2].rstrip("."))
        found = np.ldexp(design.graph["scale"].op.scale.array.astype(float), -design.graph["scale"].op.scale_t.fraction)
        assert abs(found - factor) * 128 <= bound <= abs(found - factor) * 128 * 1.2


def test_a_result_beyond_the_room_for_exact_ones_is_rounded_by_no_more_than_is_told():
    """A factor of a wide value; a cast that rounds down comes behind it and would show any coarser rounding."""
    b, whole = Builder(), FixedType(9, 9, True, Rounding.TRN, Overflow.SAT)
    b.add("x", Input((4,)))
    b.add("scale", Scale(Const(np.array(1 / 3)), Const(np.array(0.0))), ["x"])
    b.give(b.add("q", Quantize(whole), ["scale"]), {"result": whole})
    given = {"Model": {}, "LayerName": {"x": {"Precision": {"result": "ap_fixed<48,8>"}}}}
    design = nn2hls.convert(b.build([b.add("clip", Clip(-100.0, 100.0), ["q"])]), given)
    scale, (note,) = design.graph["scale"], [n for n in design.notes if n.startswith("scale:")]
    assert "its results are rounded" in note
    assert scale.type.width == 53
    bound = float(note.rpartition("more than ")[2].rstrip("."))
    x = np.random.default_rng(4).uniform(-128, 128, (1000, 4))
    assert scale.type.step / 2 <= bound
    assert np.abs(design.trace(x)["scale"] - np.floor(x * 2.0**40) / 2.0**40 / 3).max() <= bound < 1e-3


def test_bounds_are_told_in_two_digits_that_make_none_smaller():
    for bound in (
        9.94e-5,
        9.951e-5,
        1.449e-5,
        1.05e-7,
        1e-4,
        0.5,
        3.04e-12,
        *10.0 ** np.random.default_rng(2).uniform(-40, 3, 500),
    ):
        assert bound <= float(rounded_up(bound)) <= bound * 1.1001


def test_the_users_max_width_is_kept():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (ConversionWarning, OverflowWarning))
        design = nn2hls.convert(network(), {"Model": {"MaxWidth": 6}})
    assert design.graph["fc1"].type.width == 6


def scaled_network(factor, **given):
    """Whole numbers times a factor, read by a sum of whole products and by a Relu and an Add, then scaled for the next cast."""
    rng, b = np.random.default_rng(3), Builder()
    whole = FixedType(5, 5, True, Rounding.RND_CONV, Overflow.SAT)

    def scale(name, x, number, shift=0.0):
        return b.add(name, Scale(Const(np.asarray(number)), Const(np.asarray(shift))), [x])

    b.add("x", Input((4,)))
    b.give(b.add("q", Quantize(whole), [scale("in", "x", 1 / factor)]), {"result": whole})
    value = scale("value", "q", factor)
    sums = b.add("fc", Dense(Const(rng.integers(-7, 8, (4, 3)).astype(float)), Const(np.array([0.3, 0.0, -0.7]))), [value])
    b.give(sums, {"weight": FixedType(4, 4), "bias": FixedType(20, 2)})
    relu = b.add("relu", Relu(), [scale("scaled", sums, 0.21)])
    b.give(b.add("again", Quantize(whole), [scale("last", relu, 1 / 0.37)]), {"result": whole})
    other = b.add("other", Relu(), [value])
    return b.build([scale("y", "again", 0.37), other])


@pytest.mark.parametrize("factor", [0.23, 0.25])
def test_layers_read_whole_numbers_and_factors_meet_before_the_next_cast(factor):
    graph = scaled_network(factor)
    design = nn2hls.convert(graph, {"Model": {}, "LayerName": {"x": {"Precision": {"result": "ap_fixed<20,6>"}}}})
    x = np.random.default_rng(1).normal(size=(300, 4)) * 2
    x = np.round(x * 4096) / 4096
    found = run_float(graph, [x])
    want = [found[name] for name in graph.outputs]
    for got, right in zip(design.predict_float(x), want, strict=True):
        assert np.allclose(got, right, rtol=0, atol=1e-12)
    for got, right, step in zip(design.predict(x), want, (0.37, factor), strict=True):
        assert np.mean(np.abs(got - right) > step / 2) <= 0.002
    sums = design.graph["fc_whole" if factor == 0.23 else "fc"]
    assert design.graph[sums.inputs[0]].type == FixedType(5, 5, True, Rounding.RND_CONV, Overflow.SAT) or factor == 0.25
    between = [n.name for n in design.graph if n.op.affine is not None]
    assert "last" not in between, "the inverse of the next scale is part of the factor before the Relu"
    trace, floats = design.trace(x), design.trace_float(x)
    assert trace.keys() == floats.keys() == {n.name for n in graph}
    for key, values in floats.items():
        right = run_float(Graph(graph.nodes, (key,)).needed(), [x])[key]
        assert np.allclose(values, right, rtol=0, atol=1e-12), key


def test_a_layer_with_a_type_of_the_users_keeps_its_factor_before_it():
    config = {"Model": {}, "LayerName": {"fc": {"Precision": {"result": "ap_fixed<20,8>"}}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = nn2hls.convert(scaled_network(0.23), config)
    assert "fc_whole" not in design.graph.by_name
    assert str(design.graph["fc"].type) == "ap_fixed<20,8>"


def test_a_factor_does_not_enter_a_scale_that_another_layer_reads_too():
    """Where a shift and a scale became one node, its readers are those of the second."""
    b, whole = Builder(), FixedType(6, 6, True, Rounding.RND_CONV, Overflow.SAT)
    b.add("x", Input((4,)))
    b.give(b.add("q", Quantize(whole), ["x"]), {"result": whole})
    b.add("shift", Scale(Const(np.array(2.0)), Const(np.array(3.0))), ["q"])
    b.add("value", Scale(Const(np.array(0.3)), Const(np.array(0.0))), ["shift"])
    b.add("other", Scale(Const(np.array(0.7)), Const(np.array(0.1))), ["q"])
    b.add("sum", Elementwise(Merge.MAX), ["value", "other"])
    b.add("scaled", Scale(Const(np.array(1 / 0.45)), Const(np.array(0.0))), ["sum"])
    b.give(b.add("again", Quantize(whole), ["scaled"]), {"result": whole})
    graph = b.build(["again", b.add("tanh", Clip(-1.0, 2.0), ["value"])])
    x = np.random.default_rng(1).normal(size=(100, 4)) * 9
    design = nn2hls.convert(graph, {"Model": {}})
    for found, name in zip(design.predict_float(x), graph.outputs, strict=True):
        assert np.allclose(found, run_float(graph, [x])[name], rtol=0, atol=1e-12)


def test_a_number_times_its_inverse_is_one():
    for scale in np.random.default_rng(8).uniform(1e-4, 10, 200):
        op = Scale(Const(np.array(scale)), Const(np.array(0.0))).folded(np.array(1 / scale), np.array(0.0))
        assert op.identity([(3,)])


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_factor_goes_behind_a_move_to_another_shape(per_channel):
    """A sum without biases, and a number written for each channel, must not bring their shape along."""
    rng, b = np.random.default_rng(5), Builder()
    whole = FixedType(5, 5, True, Rounding.RND_CONV, Overflow.SAT)
    b.add("x", Input((4,)))
    b.give(b.add("q", Quantize(whole), ["x"]), {"result": whole})
    value = b.add("value", Scale(Const(np.full(4, 0.3) if per_channel else np.array(0.3)), Const(np.array(0.0))), ["q"])
    sums = b.add("fc", Dense(Const(rng.integers(-7, 8, (4, 4)).astype(float)), Const(np.zeros(4))), [value])
    b.give(sums, {"weight": FixedType(4, 4)})
    moved = b.add("moved", Reshape((2, 2)), [value if per_channel else sums])
    graph = b.build([b.add("relu", Relu(), [moved]), sums])
    design, x = nn2hls.convert(graph, {"Model": {}}), rng.normal(size=(50, 4)) * 9
    for found, name in zip(design.predict_float(x), graph.outputs, strict=True):
        assert np.allclose(found, run_float(graph, [x])[name], rtol=0, atol=1e-12)
    assert design.graph["moved_whole"].type.fraction == 0


def test_a_sum_along_an_axis_is_one_of_whole_numbers():
    """Its weights are ones, which no model gives; the factor behind it meets the next one before any rounding."""
    rng, b = np.random.default_rng(6), Builder()
    whole = FixedType(6, 6, True, Rounding.RND_CONV, Overflow.SAT)
    b.add("x", Input((5,)))
    b.give(b.add("q", Quantize(whole), ["x"]), {"result": whole})
    value = b.add("value", Scale(Const(np.array(0.05)), Const(np.array(0.0))), ["q"])
    sums = b.add("sums", Dense(Const(np.triu(np.ones((5, 5)))), Const(np.zeros(5))), [value])
    scaled = b.add("scaled", Scale(Const(np.array(1 / 0.043)), Const(np.array(0.0))), [sums])
    b.give(b.add("again", Quantize(whole), [scaled]), {"result": whole})
    graph, x = b.build([b.add("clip", Clip(-100.0, 100.0), ["again"])]), rng.normal(size=(300, 5)) * 8
    design = nn2hls.convert(graph, {"Model": {}})
    assert design.graph["sums_whole"].type.fraction == 0
    assert np.array_equal(design.predict(x), run_float(graph, [x])["clip"])
