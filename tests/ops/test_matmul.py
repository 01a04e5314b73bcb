"""MatMul: emulator == fractions == net, bounds, demand, channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.errors import ModelError
from nn2hls.ops import MatMul
from tests.kit.core_cases import MATRICES
from tests.kit.witness import Case, hardware_equals_emulated, types
from tests.slow.matmul import matmul


def slow(shape):
    return lambda op, xs: matmul(xs, shape)


@settings(max_examples=40, deadline=None)
@given(a=types((1, 30)), b=types((1, 30)), result=types(), shapes=st.sampled_from(MATRICES), seed=st.integers(0, 99))
def test_emulator_is_the_equation(a, b, result, shapes, seed):
    case = Case(MatMul(), [a, b], shapes, result)
    case.check(case.draw(np.random.default_rng(seed), 3), slow(case.shape))
    hardware_equals_emulated([case], seed, events=3)


@settings(max_examples=8, deadline=None)
@given(a=types((30, 70)), b=types((30, 70)), result=types((40, 90)))
def test_wide_values_are_exact(a, b, result):
    case = Case(MatMul(), [a, b], MATRICES[0], result)
    case.check(case.draw(np.random.default_rng(0), 3), slow(case.shape))


@pytest.mark.parametrize("kinds", [(FixedType(2, 2), FixedType(2, 2)), (FixedType(2, 2, False), FixedType(2, 2))])
def test_bounds_are_reached(kinds):
    case = Case(MatMul(), list(kinds), [(1, 2), (2, 1)], FixedType(9, 9))
    values = [np.arange(k.min_mantissa, k.max_mantissa + 1) for k in kinds]
    every = np.stack([g.ravel() for g in np.meshgrid(values[0], values[0], values[1], values[1])], axis=1)
    exact, bounds = case.exact_mantissas([every[:, None, :2], every[:, 2:, None]])
    assert (exact.min(), exact.max()) == (bounds.low, bounds.high)


def test_sums_leave_the_array_type_of_their_operands():
    kind = FixedType(12, 12, False)
    case = Case(MatMul(), [kind, kind], [(1, 5), (5, 1)], FixedType(30, 30, False))
    x = np.full((1, 1, 5), kind.max_mantissa)
    assert case.emulate([x, x.reshape(1, 5, 1)]).item() == 5 * kind.max_mantissa**2


def test_floats_are_those_of_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3, 2, 5)), rng.normal(size=(4, 5, 6))
    assert np.allclose(MatMul().evaluate_float(a, b), np.einsum("ehik,ekj->ehij", a, b))
    c = rng.normal(size=(4, 3, 6, 2))
    assert np.allclose(MatMul().evaluate_float(b, c), np.einsum("ekj,ehji->ehki", b, c))


@pytest.mark.parametrize("shapes", MATRICES)
def test_demand_is_what_is_read(shapes):
    rng = np.random.default_rng(0)
    shape = MatMul().infer(shapes, "")
    a, b = (rng.normal(size=(1, *s)) for s in shapes)
    whole = MatMul().evaluate_float(a, b)[0]
    for index in np.ndindex(shape):
        needed = np.zeros(shape, dtype=bool)
        needed[index] = True
        masks = MatMul().demand(needed, shapes)
        assert [m.shape for m in masks] == list(shapes)
        assert MatMul().evaluate_float(np.where(masks[0], a, 9), np.where(masks[1], b, 9))[0][index] == whole[index]
        assert sum(int(m.sum()) for m in masks) == 2 * shapes[0][-1]


def test_columns_of_the_right_operand_are_those_of_the_result():
    rng = np.random.default_rng(0)
    a, b, kept = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 4, 5)), np.array([0, 3])
    left, right = MatMul().channels([(3, 4), (4, 5)])
    assert left is None
    assert right.tolist() == [[0, 1, 2, 3, 4]]
    assert np.allclose(MatMul().take(kept).evaluate_float(a, b[..., kept]), MatMul().evaluate_float(a, b)[..., kept])


@pytest.mark.parametrize(("a", "b", "words"), [
    ((2, 3), (2, 3), "no product"), ((3,), (3, 2), "no product"), ((2, 2, 3), (3, 3, 2), "do not broadcast"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(a, b, words):
    with pytest.raises(ModelError, match=f"here.*{words}"):
        MatMul().infer([a, b], "here")
