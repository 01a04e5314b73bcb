"""Table entries are correctly rounded: against mpmath, at hard points, and fast."""

import itertools
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.functions import SPLITS, Fold, Function, entries
from nn2hls.arith.functions_float import evaluate_float, part_float, turns
from tests.slow import table as slow


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
def test_table_parts_are_monotonic_between_their_turns(function):
    low = 0 if SPLITS[function].fold is not Fold.NONE else -12
    ends = [low, *(t for t in turns(function, low, 12, 100) if low < t < 12), 12]
    for first, last in itertools.pairwise(ends):
        steps = np.diff(part_float(function, np.linspace(first, last, 2001), 1.0))
        assert np.all(steps >= -1e-14) or np.all(steps <= 1e-14)


@pytest.mark.parametrize("function", Function)
def test_float_table_parts(function):
    """Far from zero, too, where the function less its linear part has no digits left."""
    x = np.concatenate([np.geomspace(1e-6, 600, 60), [0.0], -np.geomspace(1e-6, 600, 60)])
    x = x[x > 0] if SPLITS[function].domain == "positive" or SPLITS[function].fold is not Fold.NONE else x
    x = x[x != 0] if SPLITS[function].domain == "nonzero" else x
    want = [float(slow.part(function.value, Fraction(v), 1.25, Fraction(1, 8))) for v in x.tolist()]
    assert np.allclose(part_float(function, x, 1.25), want, rtol=2e-13, atol=2e-16)


LIMITS = [
    (Function.ERF, 1, [10**9, -(10**9)], [0, 0]),  # +-1 at a step of 2: just inside a tie
    (Function.TANH, 1, [10**9, -(10**9)], [0, 0]),
    (Function.SIGMOID, 1, [10**20, -(10**20)], [0, 0]),
    (Function.TANH_SHRINK, 1, [10**9], [0]),
    (Function.ELU, 1, [10**9], [0]),
    (Function.CELU, 1, [10**9], [0]),
    (Function.SIGMOID, 0, [10**20, -(10**20)], [1, 0]),
    (Function.SILU, -4, [10**20], [0]),
    (Function.MISH, -4, [10**20, -(10**20)], [0, 0]),
    (Function.SOFTPLUS, -4, [10**20], [0]),
    (Function.EXP, -4, [10**20, -(10**20)], [99, 0]),
    (Function.GELU, -4, [10**20], [0]),
    (Function.GELU_TANH, -4, [10**20], [0]),
]


@pytest.mark.parametrize(("function", "up", "points", "want"), LIMITS)
def test_limits_are_reached_without_digits(function, up, points, want):
    """A value beside a tie that it never reaches, and operands whose exponential no Decimal holds."""
    with evaluations(function, 4 * len(points)):
        assert entries(function, 1.0, points, 0, -up, -99, 99) == want


def test_an_alpha_whose_limit_is_a_tie():
    for alpha, want in ((1.5, -1), (-1.5, 1), (2.5, -2), (0.0, 0)):
        with evaluations(Function.ELU, 4):
            assert entries(Function.ELU, alpha, [10**9], 0, 0, -9, 9) == [want]


@pytest.mark.parametrize("function", [Function.SIN, Function.COS])
def test_many_turns_are_subtracted_with_enough_digits(function):
    points = [2**67, 2**67 + 1, -(2**66) - 5, 3 * 2**500]
    with mpmath.workdps(400):
        want = [int(mpmath.nint(getattr(mpmath, function.value)(mpmath.mpf(p)) * 2**20)) for p in points]
    assert entries(function, 1.0, points, 0, 20, -(2**21), 2**21) == want


def test_an_entry_is_evaluated_once_or_little_more():
    with evaluations(Function.SIGMOID, 1100) as count:
        entries(Function.SIGMOID, 1.0, range(-512, 512), 6, 12, -(2**14), 2**14)
    assert count[0] >= 1000


@contextmanager
def evaluations(function, most):
    """Counts how often the table part is evaluated; more than ``most`` is an error, for it might never end."""
    split, count = SPLITS[function], [0]

    def part(x, alpha):
        count[0] += 1
        assert count[0] <= most
        return split.part(x, alpha)

    SPLITS[function] = replace(split, part=part)
    try:
        yield count
    finally:
        SPLITS[function] = split
