"""Table entries are correctly rounded: against mpmath, at hard points, and fast."""

import time
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow import table as slow

from nn2hls.fixed import FixedType
from nn2hls.functions import SPLITS, Fold, Function, entries, evaluate_float, part_float


def addresses_of(function, count, rng, top):
    low = 0 if SPLITS[function].fold is not Fold.NONE else -top
    return sorted({0, low, top, *rng.integers(low, top, count, endpoint=True).tolist()})


@pytest.mark.parametrize("function", Function)
@settings(max_examples=12, deadline=None)
@given(
    address_fraction=st.integers(-1, 12),
    fraction=st.integers(-2, 24),
    seed=st.integers(0, 999),
    alpha=st.sampled_from([1.0, 0.3, 2.5]),
)
def test_entries_are_correctly_rounded(function, address_fraction, fraction, seed, alpha):
    addresses = addresses_of(function, 12, np.random.default_rng(seed), 40 * 2 ** max(address_fraction, 0))
    kind = FixedType(50, 50 - fraction)
    low, high = kind.min_mantissa, kind.max_mantissa
    found = entries(function, alpha, addresses, address_fraction, fraction, low, high)
    step = 1 / Fraction(2) ** address_fraction
    want = [slow.rounded_part(function.value, a * step, alpha, step, kind) for a in addresses]
    assert found == want


def test_ties_and_exact_values():
    assert entries(Function.SIGMOID, 1.0, [0], 3, 0, -9, 9) == [0]  # 0.5, half to even
    assert entries(Function.SOFTSIGN, 1.0, [1, 3, -1], 0, 1, -9, 9) == [1, 2, -1]  # 0.5, 0.75 * 2 = 1.5, -0.5
    assert entries(Function.SQRT, 1.0, [4, 16, 9], 2, 0, 0, 99) == [1, 2, 2]  # sqrt(2.25) = 1.5 is a tie
    assert entries(Function.RECIPROCAL, 1.0, [4, -8, 3], 1, 1, -99, 99) == [1, 0, 1]  # 0.25 * 2 = 0.5 is a tie
    assert entries(Function.EXP, 1.0, [0], 0, -1, 0, 9) == [0]  # 1 / 2 is a tie
    assert entries(Function.COS, 1.0, [0], 0, -1, 0, 9) == [0]


def test_a_value_that_is_nearly_a_tie_takes_more_digits():
    """elu(-a) with alpha 0.5 is -0.5 plus exp(-a) / 2: far out, many digits decide that it rounds to 0, not to -0.5."""
    a = 200
    assert entries(Function.ELU, 0.5, [a], 0, 0, -9, 9) == [0]
    assert entries(Function.ELU, 1.5, [a], 0, 0, -9, 9) == [-1]
    assert entries(Function.ELU, 2.5, [a], 0, 0, -9, 9) == [-2]


@pytest.mark.parametrize("function", Function)
def test_float_reference(function):
    x = np.concatenate([np.linspace(-30, 30, 301), [0.0, 1e-3, -1e-3]])
    if SPLITS[function].domain != "all":
        x = x[x > 0] if SPLITS[function].domain == "positive" else x[x != 0]
    want = np.array([float(slow.FUNCTIONS[function.value](mpmath.mpf(v), mpmath.mpf(1.25))) for v in x])
    assert np.allclose(evaluate_float(function, x, 1.25), want, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("function", [f for f in Function if SPLITS[f].domain == "all"])
def test_table_parts_are_smooth_enough_for_their_bound(function):
    """Monotonic where no curvature is given, and else not more curved than said."""
    x = np.linspace(0 if SPLITS[function].fold is not Fold.NONE else -12, 12, 20001)
    part = part_float(function, x, 1.0)
    if SPLITS[function].curvature == 0:
        steps = np.diff(part)
        assert np.all(steps >= -1e-14) or np.all(steps <= 1e-14)
    else:
        h = x[1] - x[0]
        second = np.abs(np.diff(part, 2))[np.abs(x[1:-1]) > h] / h**2  # mish has its corner at zero
        assert second.max() <= SPLITS[function].curvature + 1e-3


def test_a_table_of_1024_entries_is_quick():
    seconds = []
    for _ in range(3):
        start = time.process_time()
        entries(Function.SIGMOID, 1.0, range(-512, 512), 6, 12, -(2**14), 2**14)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05
