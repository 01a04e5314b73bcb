"""Types without calibration data: never useless in silence, whatever sound bounds do in deep networks and wide inputs."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, Overflow
from nn2hls.design.design import convert
from nn2hls.errors import ConversionWarning, DataError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Concatenate, Dense, Elementwise, Function, Input, Merge, Reshape, Scale, Table, Transpose
from nn2hls.passes.base import Context
from nn2hls.passes.signals import FEWEST, MOST_PRODUCTS, SAMPLES, measure, seeded
from tests.kit.networks import hls_config, mlp


def decibels(design, x):
    floats, fixed = design.predict_float(x), design.predict(x)
    return 10 * np.log10(np.sum(np.square(floats)) / max(np.sum(np.square(floats - fixed)), 1e-300))


def normal(graph, events=1000, seed=9):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(events, *n.shape)) for n in graph.inputs]


def said(convert_it):
    """The design, and the texts of its ConversionWarnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        design = convert_it()
    return design, [str(w.message) for w in found if issubclass(w.category, ConversionWarning)]


def adder_tree(levels):
    b = Builder()
    names = [b.add(f"x{k}", Input((2,))) for k in range(2**levels)]
    while len(names) > 1:
        names = [b.add("sum", Elementwise(Merge.ADD), pair) for pair in zip(names[::2], names[1::2], strict=True)]
    return b.build(names)


DEEP = {
    "six hidden layers": mlp(np.random.default_rng(0), (16, *[64] * 6, 5), scale=1.4),
    "eight hidden layers": mlp(np.random.default_rng(1), (16, *[64] * 8, 5), scale=1.4),
    "an autoencoder": mlp(np.random.default_rng(2), (96, 64, 64, 64, 64, 8, 64, 64, 64, 64, 96)),
    "seven levels of Add": adder_tree(7),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_networks_have_useful_types_without_data(name):
    """Sound bounds alone give 9 to 43 dB here: integer bits that no value needs take the place of fraction bits."""
    graph = DEEP[name]
    design, texts = said(lambda: convert(graph))
    assert decibels(design, normal(graph)) > 50
    assert max(n.type.width for n in design.graph) <= 24
    guessed = {n for n, (result, *_) in design.types.items() if result.level == "guessed"}
    assert bool(guessed) == (name != "seven levels of Add")
    assert len(texts) == bool(guessed)
    if guessed:
        (text,) = texts
        assert text == "\n  ".join(design.warnings)
        assert set(design.warnings) <= set(design.notes)
        assert next(iter(n.name for n in design.graph if n.name in guessed)) in text
        assert "alibration data" in text
        assert "MaxWidth" in text


@pytest.mark.parametrize(
    "kind", ["fixed<32,16>", "fixed<24,12>", "fixed<40,20>", "ap_fixed<8,2>", "ap_ufixed<8,8>", "ap_fixed<16,-2>"]
)
def test_types_follow_an_input_of_any_type(kind):
    graph = mlp(np.random.default_rng(3), (16, 64, 32, 32, 32, 5))
    design, texts = said(lambda: convert(graph, hls_config(x={"Precision": kind})))
    kind = design.graph["x"].type
    spread = kind.max / 4 if kind.width <= 8 or kind.max < 4 else 1.0
    x = np.random.default_rng(4).normal(size=(1000, 16)) * spread
    x = np.clip(np.floor((x if kind.signed else np.abs(x)) / kind.step) * kind.step, kind.min, kind.max)
    kept = decibels(design, x)
    assert kept > 50 or (kind.width == 40 and "fc0: ap_fixed<" in texts[0] and "narrower type of its operand" in texts[0])


def test_a_guess_saturates_two_bits_beyond_what_was_measured_and_says_where_it_comes_from():
    graph = DEEP["eight hidden layers"]
    design = said(lambda: convert(graph))[0]
    signals = measure(graph, Context(hls_config().settings_of))
    guessed = {n: result for n, (result, *_) in design.types.items() if result.level == "guessed"}
    for name, result in guessed.items():
        top = max(-signals[name].low, signals[name].high)
        assert result.type.overflow is Overflow.SAT
        assert 4 * top * 0.99 <= result.type.max <= 8.01 * top
        assert "seeded inputs " in result.why
        assert ", 2 to spare, sound: " in result.why
        assert "fewer by MaxWidth" not in result.why
    sound = convert(graph, {"Model": {"MaxWidth": 53}})
    assert {r[0].level for r in sound.types.values()} == {"default", "sound"}
    assert not sound.warnings


def test_fraction_bits_that_do_not_fit_are_a_warning_with_the_setting():
    graph = mlp(np.random.default_rng(0), (4, 6, 3))
    _, texts = said(
        lambda: convert(graph, {"Model": {"MaxWidth": 8}}, calibration=np.random.default_rng(1).normal(size=(200, 4)))
    )
    assert (
        "x: 4 integer bits leave 4 of the 9 fraction bits wanted within 8 bits; a larger MaxWidth gives them back." in texts[0]
    )
    assert "fc0: ap_fixed<8," in texts[0]
    assert "dB where 60 dB are wanted" in texts[0]
    assert said(lambda: convert(graph))[1] == []


def test_weights_that_vanish_are_a_warning_when_they_count():
    graph = mlp(np.random.default_rng(0), (4, 6, 3))
    assert (
        "non-zero weights become zero in ap_ufixed<8,8>"
        in said(lambda: convert(graph, {"Model": {"Precision": {"weight": "ap_ufixed<8,8>"}}}))[1][0]
    )
    small = hls_config(fc0={"Precision": {"weight": "ap_fixed<9,2>"}})
    design, texts = said(lambda: convert(mlp(np.random.default_rng(5), (40, 60, 3)), small))
    assert any("non-zero weights become zero" in n for n in design.notes)
    assert not any("become zero" in t for t in texts)


# ---- what is measured ----------------------------------------------------------------------------------------------------


def test_statistics_do_not_depend_on_how_the_events_are_cut():
    graph = mlp(np.random.default_rng(0), (700, 300, 40))
    data = np.random.default_rng(1).normal(size=(14_000, 700)) * np.linspace(0.1, 3, 700) + 5
    found = measure(graph, Context(hls_config().settings_of, [data]))["x"]
    assert found.rms == pytest.approx(np.sqrt(np.mean(data**2)), rel=1e-12)
    assert found.spread == pytest.approx(np.sqrt(np.mean(data.var(axis=0))), rel=1e-9)
    assert (found.low, found.high) == (data.min(), data.max())


def test_large_inputs_are_measured_on_fewer_events():
    def events(size):
        b = Builder()
        (array,) = seeded(b.build([b.add("x", Input((size,)))]), Context(hls_config().settings_of))
        return len(array)

    assert events(1000) == SAMPLES
    assert FEWEST == events(1 << 21) < events(1 << 19) < SAMPLES


@given(st.integers(1, 40), st.integers(-30, 60), st.booleans())
@settings(deadline=None)
def test_seeded_events_suit_the_type_of_an_input(width, integer, signed):
    b = Builder()
    graph = b.build([b.add("x", Input((50,)))])
    kind = FixedType(width, integer, signed)
    config = hls_config(x={"Precision": str(kind)})
    (x,) = seeded(graph, Context(config.settings_of))
    assert kind.min <= x.min() <= x.max() <= kind.max
    if width > 8:
        assert np.abs(x).max() > min(kind.max / 2, 8 * kind.step)
        assert kind.max < 4 or kind.step > 1 / 16 or (x[np.abs(x) < kind.max].std() < 1.3)


def test_data_beyond_all_squares_is_refused_and_values_beyond_them_are_told():
    graph = mlp(np.random.default_rng(0), (3, 2), scale=1e180)
    texts = said(lambda: convert(graph, {"Model": {"Precision": "ap_fixed<16,6>"}}))[1]
    assert "fc0: float64 does not hold the squares of its values" in texts[0]
    with pytest.raises(DataError, match=r"x: Its calibration data reaches 1e\+200"):
        convert(graph, calibration=np.full((5, 3), 1e200))


# ---- layers that only move values ----------------------------------------------------------------------------------------


def test_what_only_moves_values_has_the_common_type_of_its_operands():
    b = Builder()
    x, y, z = (b.add(name, Input(shape)) for name, shape in (("x", (2, 3)), ("y", (2, 3)), ("z", (2,))))
    same = b.add("same", Concatenate(1), [x, y])
    both = b.add("both", Concatenate(0), [b.add("turned", Transpose((1, 0)), [x]), b.add("flat", Reshape((1, 2)), [z])])
    graph = b.build([same, both])
    types = {"x": "ap_fixed<16,6,AP_RND,AP_SAT>", "y": "ap_fixed<16,6,AP_RND,AP_SAT>", "z": "ap_ufixed<12,9>"}
    design = convert(graph, hls_config(**{k: {"Precision": v} for k, v in types.items()}))
    assert str(design.graph["same"].type) == types["x"]
    assert design.types["same"][0].why == "that of x and y"
    assert str(design.graph["both"].type) == "ap_fixed<20,10>"  # 9 integer bits and a sign, 10 fraction bits
    rng = np.random.default_rng(0)
    kinds = [n.type for n in design.graph.inputs]
    sizes = [(500, *n.shape) for n in design.graph.inputs]
    data = [rng.integers(k.min_mantissa, k.max_mantissa + 1, size=s) * k.step for k, s in zip(kinds, sizes, strict=True)]
    for fixed, floats in zip(design.predict(data), design.predict_float(data), strict=True):
        np.testing.assert_array_equal(fixed, floats)
    assert design.verify(data).equal


# ---- what is missed all the same -----------------------------------------------------------------------------------------


def test_an_output_that_keeps_too_little_is_a_warning_unless_the_user_named_types():
    b = Builder()
    half = Scale(Const(np.full(4, 0.5)), Const(np.zeros(4)))
    graph = b.build([b.add("log", Table(Function.LOG), [b.add("fc", half, [b.add("x", Input((4,)))])])])
    texts = said(lambda: convert(graph, {"Model": {"TableSize": 8}}))[1]
    assert "log: on seeded inputs it keeps " in texts[0]
    assert "60 dB" in texts[0]
    assert "nn2hls compare" in texts[0]
    data = np.random.default_rng(0).uniform(1, 2, size=(300, 4))
    kept = float(re.search(r"it keeps (-?\d+) dB", texts[0])[1])
    assert kept < 40
    calibrated = said(lambda: convert(graph, {"Model": {"TableSize": 8}}, calibration=data))[1]
    assert "log: on the calibration data it keeps " in calibrated[0]
    named = hls_config({"TableSize": 8}, fc={"Precision": {"result": "ap_fixed<16,6>"}})
    assert said(lambda: convert(graph, named))[1] == []
    assert said(lambda: convert(graph, {"Model": {"TableSize": 8, "TargetSQNR": 15}}, calibration=data))[1] == []


def test_the_type_of_an_input_is_not_what_the_others_are_judged_by():
    graph = mlp(np.random.default_rng(0), (4, 6, 3))
    config = hls_config(x={"Precision": "ap_fixed<6,3>"})
    design, texts = said(lambda: convert(graph, config))
    assert decibels(design, normal(graph)) < 40
    assert texts == []


def test_networks_of_many_products_are_measured_on_fewer_events():
    def events(width, positions):
        b = Builder()
        x = b.add("x", Input((positions, width)))
        dense = b.add("d", Dense(Const(np.ones((width, width))), Const(np.zeros(width))), [x])
        return len(seeded(b.build([dense]), Context(hls_config().settings_of))[0])

    assert events(64, 4) == SAMPLES
    assert events(1024, 16) == MOST_PRODUCTS // (1024 * 1024 * 16)
    assert events(1024, 64 * 4) == FEWEST
