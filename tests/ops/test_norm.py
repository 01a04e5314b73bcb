"""Norm: emulator == fractions == net; floats are the frameworks' equations; the printed bound holds and is close."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.errors import ConversionWarning, ModelError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints
from nn2hls.ops import Input, Norm
from tests.kit.witness import Case, hardware_equals_emulated, types
from tests.slow.relative import normalise

AXES = [((4,), (0,)), ((2, 3), (1,)), ((2, 3), (0,)), ((2, 2, 3), (0, 2)), ((1,), (0,))]


def drawn(rng, shape, axes, center, epsilon):
    fitting = [n if rng.integers(2) else 1 for n in shape] if rng.integers(4) else ()
    return Norm(axes, epsilon, Const(rng.normal(size=fitting)), Const(rng.normal(size=fitting) * rng.integers(2)), center)


@settings(max_examples=60, deadline=None)
@given(
    kind=types((2, 18), (-3, 12)),
    result=types(),
    where=st.sampled_from(AXES),
    center=st.booleans(),
    epsilon=st.sampled_from([0.0, 1e-12, 1e-5, 1e-3, 1.0]),
    noise=st.sampled_from([2.0**-4, 2.0**-9, 2.0**-18]),
    seed=st.integers(0, 99),
)
def test_emulator_is_the_equation(kind, result, where, center, epsilon, noise, seed):
    rng, (shape, axes) = np.random.default_rng(seed), where
    case = Case(drawn(rng, shape, axes, center, epsilon), [kind], [shape], result, Hints(noise=noise))
    case.check(case.draw(rng, 3), lambda op, xs: normalise(op, xs, shape))
    hardware_equals_emulated([case], seed, events=3)


@settings(max_examples=15, deadline=None)
@given(kind=types((18, 50)), result=types((40, 90)), center=st.booleans())
def test_wide_values(kind, result, center):
    case = Case(drawn(np.random.default_rng(0), (3,), (0,), center, 1e-3), [kind], [(3,)], result, Hints(noise=2.0**-9))
    case.check(case.draw(np.random.default_rng(0), 3), lambda op, xs: normalise(op, xs, (3,)))
    hardware_equals_emulated([case], 0, events=3)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
@pytest.mark.parametrize("noise", [2.0**-5, 2.0**-10, 2.0**-15])
def test_the_bound_is_true_and_close(center, epsilon, noise):
    """All pairs of values and many triples; rounding is not counted."""
    rng = np.random.default_rng(0)
    kind = FixedType(7, 3)
    scale, bias = rng.normal(size=3), rng.normal(size=3)
    case = Case(Norm((0,), epsilon, Const(scale), Const(bias), center), [kind], [(3,)], FixedType(40, 10), Hints(noise=noise))
    m = rng.integers(-64, 64, size=(60_000, 3))
    m[:20_000] //= 16
    exact, bounds = case.exact_mantissas([m])
    x = m * kind.step
    mean = x.mean(axis=1, keepdims=True) if center else 0
    want = (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=1, keepdims=True) + epsilon) * scale + bias
    error = np.abs(exact.astype(float) * 2.0**-bounds.fraction - want).max()
    assert error <= case.op.error(case.xs) <= 8 * error
    assert case.op.notes(case.xs, case.hints)[0].startswith("within ")


@pytest.mark.parametrize("target", [30, 60])
@pytest.mark.parametrize("center", [True, False])
def test_the_error_is_as_small_as_is_asked_for(target, center):
    rng = np.random.default_rng(0)
    b = Builder()
    x = b.add("x", Input((4, 16)))
    op = Norm((1,), 1e-5, Const(rng.uniform(0.5, 2, size=16)), Const(rng.normal(size=16)), center)
    graph = b.build([b.add("y", op, [x])])
    data = rng.normal(size=(300, 4, 16)) * rng.choice([0.3, 1, 3], size=(300, 4, 1))
    fine = {"LayerName": {"x": {"Precision": "ap_fixed<20,6>"}}, "Model": {"TargetSQNR": target}}
    design = convert(graph, fine, calibration=data)
    want, got = design.predict_float(data), design.predict(data)
    assert 10 * np.log10(np.var(want) / np.mean((got - want) ** 2)) > target - 1


def test_a_target_beyond_the_largest_tables_is_told():
    b = Builder()
    x = b.add("x", Input((8,)))
    graph = b.build([b.add("y", Norm((0,), 1e-5, Const(np.ones(1)), Const(np.zeros(1))), [x])])
    layers = {"LayerName": {"x": {"Precision": "ap_fixed<30,4>"}}}
    assert not convert(graph, {"Model": {"TargetSQNR": 90, "MaxWidth": 53}, **layers}).warnings
    with pytest.warns(ConversionWarning, match=r"y: its tables of 1024 words miss TargetSQNR by \d+ dB"):
        convert(graph, {"Model": {"TargetSQNR": 150, "MaxWidth": 53}, **layers})


def test_floats_are_those_of_torch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(5, 4, 6))
    w, b = np.random.default_rng(1).normal(size=(2, 6))
    t = torch.tensor
    layer = torch.nn.functional.layer_norm(t(x), (6,), t(w), t(b), 1e-3).numpy()
    assert np.allclose(Norm((1,), 1e-3, Const(w), Const(b)).evaluate_float(x), layer)
    rms = torch.nn.functional.rms_norm(t(x), (6,), t(w), 1e-3).numpy()
    assert np.allclose(Norm((1,), 1e-3, Const(w), Const(np.zeros(1)), center=False).evaluate_float(x), rms)
    grouped = torch.nn.functional.group_norm(t(x.transpose(0, 2, 1)), 3, t(w), t(b), 1e-3).numpy().transpose(0, 2, 1)
    op = Norm((0, 2), 1e-3, Const(w.reshape(3, 2)), Const(b.reshape(3, 2)))
    assert np.allclose(op.evaluate_float(x.reshape(5, 4, 3, 2)).reshape(x.shape), grouped)


def test_floats_beyond_the_largest_are_no_warning():
    x = np.array([[1.7e308, 1.7e308, -1.0]])
    with np.errstate(all="raise"):
        found = Norm((0,), 0.001, Const(np.ones(1)), Const(np.array([0.5]))).evaluate_float(x)
    assert found.tolist() == [[0.5, 0.5, 0.5]]


def test_equal_values_give_the_bias():
    op = Norm((0,), 0.0, Const(np.ones(1)), Const(np.array([0.5, -1, 2])))
    case = Case(op, [FixedType(8, 4)], [(3,)], FixedType(12, 4))
    assert (case.emulate([np.full((1, 3), 77)]) / 256).tolist() == [[0.5, -1, 2]]
    assert op.evaluate_float(np.full((1, 3), 0.3)).tolist() == [[0.5, -1, 2]]


@pytest.mark.parametrize("center", [True, False])
def test_bounds_are_near_what_is_reached(center):
    """A large epsilon keeps the results small."""
    case = Case(Norm((0,), 1.0, Const(np.ones(1)), Const(np.zeros(1)), center), [FixedType(4, 0)], [(2,)], FixedType(12, 4))
    exact, bounds = case.exact_mantissas([np.array([[7, -8], [-8, 7], [-8, -8], [7, 7]])])
    assert bounds.low <= exact.min() < bounds.low * 0.6
    assert bounds.high * 0.5 < exact.max() <= bounds.high


@pytest.mark.parametrize("center", [True, False])
def test_a_scale_that_saturates_is_told(center):
    b = Builder()
    x = b.add("x", Input((16,)))
    graph = b.build([b.add("y", Norm((0,), 1e-3, Const(np.array([1.5])), Const(np.zeros(1)), center), [x])])
    holds, ends = ({"LayerName": {"y": {"Precision": {"scale": f"ap_ufixed<8,{k}>"}}}} for k in (1, 0))
    assert not convert(graph, holds).warnings
    with pytest.warns(ConversionWarning, match=r"y: constants beyond ap_ufixed<8,0> are saturated: scale\[0\] = 1.5"):
        convert(graph, ends)


def test_demand_is_all_that_is_normalised_together():
    op = Norm((1,), 0.1, Const(np.ones(1)), Const(np.ones(1)))
    assert op.demand(np.array([[True, False], [False, False]]), [(2, 2)])[0].tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(("axes", "epsilon", "size", "words"), [
    ((), 0.1, 1, "not axes"), ((2,), 0.1, 1, "not axes"), ((1, 1), 0.1, 1, "not axes"), ((1,), -0.1, 1, "epsilon is -0.1"),
    ((1,), 0.1, 2, "do not fit"),
])  # fmt: skip
def test_what_cannot_be_is_refused(axes, epsilon, size, words):
    with pytest.raises(ModelError, match=f"here.*{words}"):
        Norm(axes, epsilon, Const(np.ones(size)), Const(np.zeros(1))).infer([(2, 3)], "here")
