"""Scales before few levels become thresholds: the exact constants decide on every value, and who has a say keeps the scale."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nn2hls
from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.functions import Function
from nn2hls.arith.ranges import Range
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Marks, Places
from nn2hls.graph.leaves import Input
from nn2hls.graph.op import Hints
from nn2hls.graph.reference import run_float
from nn2hls.ops import Clip, Dense, Quantize, Relu, Scale, Simple, Steps, Table, Unary
from tests.slow.fixed import cast_slow

FREE = (-math.inf, math.inf)
SIGN = Steps.of([0.0], [-1.0, 1.0])
ROWS = Steps(
    Marks(np.array([[-0.5, 0.5], [0.0, 0.25]])), Const(np.array([[-1.0, 0, 1], [2, -1, 0]])), Places(np.array([0, 1, 1]))
)
NUMBERS = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 0.5, -0.25, 1e-9]), st.integers(-4000, 4000).map(lambda n: n / 999))

SPREAD = [0.07, -0.11, 0.23, 0.31, -0.2, 0.13, 0.29, 0.17]
THREE = st.lists(NUMBERS, min_size=3, max_size=3)
ENDS = st.sampled_from([FREE, (0.0, math.inf), (-math.inf, 0.5), (-0.5, 1.0), (0.1, 0.2), (0.5, 0.5), (1.0, -1.0)])


def clamped(y, low, high):
    y = max(y, Fraction(low)) if math.isfinite(low) else y
    return min(y, Fraction(high)) if math.isfinite(high) else y


def few(kind):
    return Quantize(kind), lambda y, channel: Fraction(cast_slow(y, kind)) / Fraction(2) ** kind.fraction


@st.composite
def readers(draw):
    """(op, the function of a scaled value and its channel, from the definition)."""
    saturating = st.sampled_from([Overflow.SAT, Overflow.SAT_SYM])
    which = draw(st.integers(0, 4))
    if which > 1:
        width, signed = draw(st.integers(1, 4)), draw(st.booleans())
        integer, mode, end = draw(st.integers(-2, 5)), draw(st.sampled_from(Rounding)), draw(saturating)
        if width == 1 and signed and end is Overflow.SAT_SYM:
            end = Overflow.SAT
        return few(FixedType(width, integer, signed, mode, end))
    if which:
        return Unary(Simple.SIGN), lambda y, channel: Fraction((y > 0) - (y < 0))

    return ROWS, rows


def rows(y, channel):
    """ROWS from its definition."""
    row = ROWS.which.array[channel]
    count = sum(y >= Fraction(t) for t in ROWS.thresholds.array[row].tolist())
    return Fraction(ROWS.levels.array[row][count])


THREE = st.lists(NUMBERS, min_size=3, max_size=3)


@settings(max_examples=40, deadline=None)
@example((ROWS, rows), (0.5, 0.5), [1.0, 0.0, -1.0], [0.0, 0.25, 0.0], 0)
@example((ROWS, rows), (-math.inf, 0.5), [1.0, 1.0, -1.0], [0.0, 0.0, 0.0], 2)
@given(readers(), ENDS, THREE, THREE, st.integers(-2, 6))
def test_every_value_meets_the_exact_constants(reader, ends, scale, shift, fraction):
    op, function = reader
    found = op.unscaled(np.array(scale), np.array(shift), ends)
    kind = FixedType(5, 5 - fraction)
    x = Range.of_type(kind).broadcast((3,))
    resolved = found.resolve([x], Hints(given={"level": FixedType(12, 6)}))
    mantissas = np.arange(kind.min_mantissa, kind.max_mantissa + 1)
    got = resolved.kernel([x])([np.repeat(mantissas[:, None], 3, axis=1).astype(np.float32)], None)
    for k in range(3):
        values = [Fraction(int(m)) / Fraction(2) ** fraction for m in mantissas]
        want = [function(clamped(v * Fraction(scale[k]) + Fraction(shift[k]), *ends), k) for v in values]
        assert [Fraction(int(v)) / 64 for v in got[:, k]] == want
        floats = np.array([[float(v)] * 3 for v in values])
        assert found.evaluate_float(floats)[:, k].tolist() == [float(v) for v in want]


def test_ties_that_no_scale_moves_are_told_apart():
    """Between floats, too: half up to the even one, above the odd one; a threshold is the least float that is enough."""
    op = Quantize(FixedType(2, 2, False, Rounding.RND_CONV, Overflow.SAT)).unscaled(np.array(1.0), np.array(0.0), FREE)
    at = np.array([0.5, 1.5, 2.5])
    assert op.evaluate_float(at).tolist() == [0, 2, 2]
    assert op.evaluate_float(np.nextafter(at, np.inf)).tolist() == [1, 2, 3]
    assert op.evaluate_float(np.nextafter(at, -np.inf)).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "op",
    [
        Quantize(FixedType(2, 2, False, Rounding.RND, Overflow.WRAP)),
        Quantize(FixedType(2, 2, False, Rounding.RND, Overflow.SAT_ZERO)),
        Quantize(FixedType(8, 2, True, Rounding.RND, Overflow.SAT)),
        Unary(Simple.ABS),
        Clip(0.0, 1.0),
    ],
    ids=["wraps", "zero beyond", "wide", "abs", "clip"],
)
def test_what_is_no_few_rising_levels_keeps_its_scale(op):
    assert op.unscaled(np.array(0.3), np.array(0.1), FREE) is None
    assert SIGN.unscaled(np.array(1e-320), np.array(1.0), FREE) is None, "no float64 is that threshold"


def network(op, scale=None, shift=None, *, between=(), type_given=None, spare=False, twice=False):
    """Whole numbers, a sum of products with weights of the model, a normalisation, levels."""
    rng, b = np.random.default_rng(1), Builder()
    x = b.add("x", Input((6,)))
    y = b.add("sum", Dense(Const(rng.choice([-1.0, 1.0], (6, 8))), Const(np.zeros(8))), [x])
    b.give(y, {"weight": FixedType(2, 2)})
    scale = rng.normal(size=8) if scale is None else np.asarray(scale)
    z = b.add("norm", Scale(Const(scale), Const(rng.normal(size=8) if shift is None else np.asarray(shift))), [y])
    if type_given is not None:
        b.give(z, type_given)
    others = [b.add("other", Relu(), [z])] if twice else []
    for k, clamp in enumerate(between):
        z = b.add(f"clamp{k}", clamp, [z])
    out = b.add("act", op, [z])
    return b.build([out, *others, *[z] * spare])


def config(**layers):
    return {"Model": {"Precision": "ap_fixed<8,8>"}, "LayerName": {"x": {"Precision": "ap_fixed<5,5>"}} | layers}


def names(graph, **layers):
    return [node.name for node in nn2hls.convert(graph, config(**layers)).graph]


def test_a_normalisation_is_no_layer_of_its_own_any_more():
    design = nn2hls.convert(network(SIGN), config())
    assert [node.name for node in design.graph] == ["x", "sum", "act"]
    assert design.estimate().report.dsp == 0
    x = np.random.default_rng(2).integers(-16, 16, (50, 6)).astype(float)
    weights, norm = design.source["sum"].op.weight.array, design.source["norm"].op
    sums = [[sum(Fraction(v) * Fraction(w) for v, w in zip(row, column, strict=True)) for column in weights.T] for row in x]
    affine = list(zip(norm.scale.array, norm.bias.array, strict=True))
    want = [[1 if v * Fraction(s) + Fraction(b) >= 0 else -1 for v, (s, b) in zip(row, affine, strict=True)] for row in sums]
    assert design.predict(x).tolist() == want
    assert design.predict_float(x).tolist() == want


def test_traces_show_it_all_the_same():
    graph = network(SIGN)
    design, x = nn2hls.convert(graph, config()), np.random.default_rng(2).integers(-16, 16, (20, 6)).astype(float)
    fixed, reference = design.trace(x), design.trace_float(x)
    assert list(fixed) == list(reference) == ["x", "sum", "norm", "act"]
    norm = graph["norm"].op
    assert np.array_equal(fixed["norm"], fixed["sum"] * norm.scale.array + norm.bias.array)
    assert np.array_equal(fixed["act"], np.where(fixed["norm"] >= 0, 1, -1))
    assert design.compare(x).layers[-1].sqnr is None, "no error"


def test_who_has_a_say_keeps_it():
    """Its own type, another reader, a type of the model; not the type of the levels, which they have in any case."""
    kept = ["x", "sum", "norm", "act"]
    assert names(network(SIGN), norm={"Precision": {"result": "ap_fixed<9,5>"}}) == kept
    assert names(network(SIGN), norm={"Precision": {"scale": "ap_fixed<9,5>"}}) == kept
    assert names(network(SIGN, spare=True)) == kept
    assert names(network(SIGN, twice=True)) == ["x", "sum", "norm", "other", "act"]
    assert names(network(SIGN, type_given={"result": FixedType(8, 4)})) == kept
    assert names(network(SIGN, [0.3] * 8, type_given={"scale": FixedType(4, 2)})) == kept, "0.3 is not what the model has"
    assert names(network(SIGN, [0.25] * 8, type_given={"scale": FixedType(4, 2)})) == ["x", "sum", "act"]
    design = nn2hls.convert(network(SIGN), config(act={"Precision": {"result": "ap_fixed<6,4>"}}))
    assert (len(design.graph.nodes), str(design.graph["act"].type)) == (3, "ap_fixed<6,4>")


def test_what_clamps_between_them_goes_with_the_scale():
    two = Quantize(FixedType(2, 1, False, Rounding.RND_CONV, Overflow.SAT))
    graph = network(two, between=[Relu(), Clip(-1.0, 0.8)])
    design = nn2hls.convert(graph, config(act={"Precision": {"result": "ap_fixed<6,4>"}}))
    assert [node.name for node in design.graph] == ["x", "sum", "act"]
    x = np.random.default_rng(2).integers(-16, 16, (200, 6)).astype(float)
    trace, plain = design.trace(x), run_float(graph, [x], [node.name for node in graph])
    assert all(np.array_equal(trace[name], plain[name]) for name in plain)
    assert set(np.unique(trace["act"])) == {0.0, 0.5, 1.0}, "the end of the clip is 1 after rounding"
    ternary = Steps.of([-0.5, 0.5], [-1.0, 0.0, 1.0])
    found = nn2hls.convert(network(ternary, between=[Relu()]), config()).predict(x)
    assert set(np.unique(found)) == {0.0, 1.0}, "never below zero"
    assert names(graph, clamp0={"Precision": {"result": "ap_fixed<9,5>"}}) == ["x", "sum", "norm", "clamp0", "clamp1", "act"]
    assert names(network(SIGN, between=[Unary(Simple.ABS)])) == ["x", "sum", "norm", "clamp0", "act"]


def test_comparisons_that_would_take_more_logic_are_not_made():
    """A shift is no logic before a cast; three comparisons are less than a product, fifteen are not."""
    two, four = (Quantize(FixedType(n, 1, False, Rounding.RND_CONV, Overflow.SAT)) for n in (2, 4))
    assert names(network(two)) == ["x", "sum", "act"]
    assert names(network(four)) == ["x", "sum", "norm", "act"]
    assert names(network(two, 0.5, 0.0)) == ["x", "sum", "norm", "act"]
    assert names(network(two, 0.3, 0.0)) == ["x", "sum", "act"]


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_thresholds_take_no_more_than_what_they_replace(bits):
    """By the estimate of our own Verilog; the scale stays where its result has a type of the user."""
    graph = network(Quantize(FixedType(bits, 1, False, Rounding.RND_CONV, Overflow.SAT)), SPREAD)
    layers, kept = {"x": {"Precision": "ap_fixed<5,5>"}}, {"norm": {"Precision": {"result": "ap_fixed<16,8>"}}}
    configs = [{"Backend": "Verilog", "HLSConfig": {"Model": {}, "LayerName": layers | more}} for more in ({}, kept)]
    found = [nn2hls.convert(graph, chosen).estimate().report.lut for chosen in configs]
    assert 0 < found[0] < found[1]


def test_levels_are_the_model_s_own_numbers():
    """Whatever the config says of constants in general, and whatever rounding the operand had: what follows is exact."""
    kind, b = FixedType(2, 1, False, Rounding.RND_CONV, Overflow.SAT), Builder()
    x = b.add("table", Table(Function.TANH), [b.add("x", Input((3,)))])
    y = b.add("act", Quantize(kind), [b.add("norm", Scale(Const(np.array([0.3, -0.7, 1.9])), Const(np.zeros(()))), [x])])
    b.give(y, {"result": kind})
    weight = FixedType(20, 1)
    z = b.add("dense", Dense(Const(np.rint(np.array([[0.123456], [-0.3], [0.7]]) * 2**19) / 2**19), Const(np.zeros(1))), [y])
    b.give(z, {"weight": weight})
    layers = {"x": {"Precision": "ap_fixed<8,3>"}}
    design = nn2hls.convert(b.build([z]), {"Model": {"Precision": {"param": "ap_fixed<3,3>"}}, "LayerName": layers})
    assert [node.name for node in design.graph] == ["x", "table", "act", "dense"]
    assert design.graph["act"].op.levels.array.tolist()[0] == [0, 1, 2, 3]
    assert design.graph["act"].type.fraction == 1
    assert design.graph["dense"].type.fraction == weight.fraction + 1


@pytest.mark.long
def test_all_witnesses_agree():
    for op in (SIGN, Quantize(FixedType(2, 1, False, Rounding.RND_CONV, Overflow.SAT))):
        design = nn2hls.convert(network(op), config())
        x = np.random.default_rng(3).integers(-16, 16, (60, 6)).astype(float)
        design.compile()
        assert np.array_equal(design.csim(x), design.predict(x))
