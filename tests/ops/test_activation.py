"""Exact activations: emulator == Fraction evaluation == compiled C++, and tolerances that follow from the types."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.graph.op import Hints
from nn2hls.hardware.schedule import Kind
from nn2hls.ops import Relu, Threshold
from tests.kit.op_cases import OPS
from tests.kit.witness import Case, compiled_equals_emulated, random_type, types

CONSTANT = {"threshold_far"}  # no operand is above its theta
PARAM = st.none() | types((2, 12), (-2, 6))


def slow_of(name):
    """The function of an element, from its value and the constants that it has."""
    function = OPS[name][1]

    def whole(op, operands):
        (x,) = operands
        own = [np.broadcast_to(getattr(op, constant).array, x.shape).ravel().tolist() for constant in op.per_channel]
        flat = np.empty(x.size, dtype=object)
        flat[:] = [function(op, v, *constants) for v, *constants in zip(x.ravel(), *own, strict=True)]
        return flat.reshape(x.shape)

    return whole


def hints(param):
    return Hints(given={} if param is None else {"param": param}, noise=2.0**-9)


@pytest.mark.parametrize("name", OPS)
@settings(max_examples=25, deadline=None)
@given(kind=types(), result=types(), param=PARAM, seed=st.integers(0, 99))
def test_emulator_is_the_equation(name, kind, result, param, seed):
    case = Case(OPS[name][0], [kind], [(2, 3)], result, hints(param))
    case.check(case.draw(np.random.default_rng(seed), 3), slow_of(name))


@pytest.mark.parametrize("name", OPS)
@settings(max_examples=6, deadline=None)
@given(kind=types((30, 62), (-3, 40)), result=types((20, 60), (-3, 40)))
def test_wide_operands_are_exact(name, kind, result):
    case = Case(OPS[name][0], [kind], [(2, 3)], result, hints(None))
    case.check(case.draw(np.random.default_rng(0), 3), slow_of(name))


@pytest.mark.parametrize("name", OPS)
def test_every_mantissa_and_a_tight_range(name):
    """All values of a small type, and the range of the exact result is attained at both ends."""
    kind, result = FixedType(7, 3), FixedType(12, 6)
    case = Case(OPS[name][0], [kind], [(1, 3)], result, hints(None))
    x = np.repeat(np.arange(-64, 64)[:, None, None], 3, axis=2)
    case.check([x], slow_of(name))
    exact, bounds = case.exact_mantissas([x])
    assert exact.min(axis=0).tolist() == bounds.lo.tolist()
    assert exact.max(axis=0).tolist() == bounds.hi.tolist()


def drawn_cases(count=60):
    rng = np.random.default_rng(5)
    found = []
    for k in range(count):
        name = list(OPS)[k % len(OPS)]
        found.append(Case(OPS[name][0], [random_type(rng)], [(2, 3)], random_type(rng), hints(None)))
    return found


def test_compiled_equals_emulated():
    compiled_equals_emulated(drawn_cases())


@pytest.mark.parametrize("name", [n for n in OPS if not n.startswith("threshold")])
def test_float_and_fixed_differ_by_the_types_alone(name):
    """One step of the result, and the rounding of the constants times what they multiply."""
    kind, result, noise = FixedType(12, 4), FixedType(20, 8), 2.0**-12
    case = Case(OPS[name][0], [kind], [(1, 3)], result, Hints(noise=noise))
    x = np.repeat(np.arange(-2048, 2048)[:, None, None], 3, axis=2)
    got = case.emulate([x]) * result.step
    want = OPS[name][0].evaluate_float(x * kind.step)
    limit = result.step + 2 * noise * 12**0.5 * 8  # x is below 8, rms at least 8 / sqrt(3) / 3
    assert np.abs(got - want).max() <= limit


def test_relu_is_one_pass_and_keeps_the_array_type():
    case = Case(Relu(), [FixedType(16, 6)], [(4,)], FixedType(16, 6))
    x = np.arange(-8, 8, dtype=np.float32).reshape(4, 4)
    found = case.op.kernel(case.xs)([x], lambda *a: None)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.maximum(x, 0))


def test_schedules_name_what_is_built():
    kind, result = FixedType(16, 6), FixedType(16, 6)
    counted = {}
    for name in OPS:
        case = Case(OPS[name][0], [kind], [(2, 3)], result, hints(None))
        schedule = case.op.schedule(case.xs, result, 2)
        assert schedule.results == (0 if name in CONSTANT else 6 * 16)
        counted[name] = Counter()
        for operator in schedule.operators:
            counted[name][operator.kind] += operator.count
    assert counted["relu"] == {Kind.SELECT: 6}
    assert counted["square"] == {Kind.MUL: 6}
    assert counted["hard_swish"][Kind.MUL] == 6


@pytest.mark.parametrize(
    ("theta", "kind", "bound", "x"),
    [
        (2.0, FixedType(8, 0), FixedType(8, 8), 0.25),
        (-1.0, FixedType(16, -1), FixedType(6, 6), -0.2),
        (2.0, FixedType(8, 0), None, 0.25),
        (-1.0, FixedType(40, -1), None, FixedType(40, -1).min),
        (-1e-9, FixedType(8, 4, False), None, 0.0),
    ],
)
def test_a_threshold_beyond_the_values_stays_beyond(theta, kind, bound, x):
    """It was moved to the end of the values and then rounded to the type of constants, back among them."""
    hints = Hints(given={} if bound is None else {"bound": bound}, noise=2.0**-6)
    case = Case(Threshold(theta, -1.0), [kind], [(1,)], FixedType(60, 8), hints)
    (got,) = case.emulate([np.array([[round(x / kind.step)]])])
    assert abs(float(got[0]) * 2.0**-52 - (x if x > theta else -1.0)) <= kind.step / 2
    if bound is None:
        assert case.op.bound_t.width <= 12
