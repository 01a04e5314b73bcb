"""Divide: emulator == fractions == net; its bound holds and is close."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.errors import ModelError
from nn2hls.graph.builder import Builder
from nn2hls.graph.op import Hints
from nn2hls.ops import Divide, Input
from tests.kit.witness import Case, hardware_equals_emulated, types
from tests.slow.relative import divide

SHAPES = [[(2, 3), (2, 3)], [(2, 3), (3,)], [(3,), (2, 1)], [(), (4,)]]


@settings(max_examples=40, deadline=None)
@given(
    a=types((1, 24)),
    b=types((1, 24), (-3, 24)),
    result=types(),
    shapes=st.sampled_from(SHAPES),
    noise=st.sampled_from([2.0**-3, 2.0**-9, 2.0**-20]),
    seed=st.integers(0, 99),
)
def test_emulator_is_the_equation(a, b, result, shapes, noise, seed):
    case = Case(Divide(), [a, b], shapes, result, Hints(noise=noise, operand_rms=(1.0, 1.0)))
    case.check(case.draw(np.random.default_rng(seed), 3), lambda op, xs: divide(op, xs, case.shape))
    hardware_equals_emulated([case], seed, events=3)
    assert max(len(case.op.value.array), len(case.op.slope.array)) <= 1024


@settings(max_examples=6, deadline=None)
@given(a=types((30, 70)), b=types((30, 70)), result=types((40, 90)))
def test_wide_values(a, b, result):
    case = Case(Divide(), [a, b], [(2,), (2,)], result, Hints(noise=2.0**-9))
    case.check(case.draw(np.random.default_rng(0), 3), lambda op, xs: divide(op, xs, case.shape))
    hardware_equals_emulated([case], 0, events=3)


@pytest.mark.parametrize("noise", [2.0**-4, 2.0**-9, 2.0**-14, 2.0**-19])
@pytest.mark.parametrize("kind", [FixedType(3, 2), FixedType(12, 5), FixedType(16, 6, False)], ids=str)
def test_the_bound_is_true_and_close(noise, kind):
    case = Case(Divide(), [FixedType(8, 8), kind], [(1,), (1,)], FixedType(30, 15), Hints(noise=noise, operand_rms=(1.0, 1.0)))
    b = np.arange(kind.min_mantissa, kind.max_mantissa + 1)
    b = b[b != 0]
    exact, bounds = case.exact_mantissas([np.full((len(b), 1), 99), b[:, None]])
    want = 99 / (b * kind.step)
    error = np.abs(exact[:, 0].astype(float) * 2.0**-bounds.fraction / want - 1).max()
    assert error <= case.op.error(case.xs) <= 4 * error + 2.0**-20
    assert case.op.notes(case.xs, case.hints)[0].startswith("within ")


def test_the_error_is_as_small_as_is_asked_for():
    b = Builder()
    x, y = (b.add(n, Input((6,))) for n in "xy")
    graph = b.build([b.add("q", Divide(), [x, y])])
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(500, 6)), rng.uniform(0.5, 2, size=(500, 6)) * rng.choice([-1, 1], size=(500, 6))]
    for target in (30, 60):
        fine = {"Precision": "ap_fixed<30,6>"}
        design = convert(graph, {"Model": {"TargetSQNR": target}, "LayerName": {"x": fine, "y": fine}}, calibration=data)
        want, got = data[0] / data[1], design.predict(data)
        assert 10 * np.log10(np.mean(want**2) / np.mean((got - want) ** 2)) > target - 1
        assert np.allclose(design.predict_float(data), want)


def test_a_pole_says_nothing_of_the_size_of_others():
    b = Builder()
    x, y = (b.add(n, Input((2,))) for n in "xy")
    design = convert(
        b.build([b.add("q", Divide(), [x, y])]), calibration=[np.ones((3, 2)), np.array([[0, 1.0], [2, 0], [1, 1]])]
    )
    assert design.graph["q"].type.integer <= 3


def test_a_quotient_that_is_no_number_is_compared_to_nothing():
    b = Builder()
    x = b.add("x", Input((2,)))
    design = convert(b.build([b.add("q", Divide(), [x, x])]), calibration=[np.ones((3, 2))])
    for x in (0.0, 1e-12):  # the second rounds to the pole
        assert design.compare([np.full((4, 2), x)]).outputs is not None


def test_what_does_not_broadcast_is_refused():
    with pytest.raises(ModelError, match=r"here.*do not broadcast"):
        Divide().infer([(2,), (3,)], "here")
