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
from nn2hls.ops import Dense, Input, Quantize, Relu, Reshape, Scale

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


def test_the_users_max_width_is_kept():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (ConversionWarning, OverflowWarning))
        design = nn2hls.convert(network(), {"Model": {"MaxWidth": 6}})
    assert design.graph["fc1"].type.width == 6
