"""Canonical signed digits against their definition."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.arith.csd import digit_count, digits
from tests.slow.products import distinct_products


@given(st.integers(-(1 << 80), 1 << 80))
def test_digits_give_the_value_and_are_never_adjacent(value):
    found = digits(value)
    assert sum(sign << exponent for sign, exponent in found) == value
    exponents = [e for _, e in found]
    assert all(b - a >= 2 for a, b in itertools.pairwise(exponents))
    assert digit_count(np.array([value], dtype=object)).tolist() == [len(found)]


def test_no_shorter_form_exists():
    """Every sum of at most two signed powers of two is found to have at most two digits, and nothing else is."""
    powers = [0] + [s << e for e in range(12) for s in (1, -1)]
    short = {a + b for a in powers for b in powers}
    values = np.arange(-1024, 1025)
    assert set(values[digit_count(values) <= 2].tolist()) == {v for v in short if abs(v) <= 1024}


def test_vectorised_digits_equal_the_scalar_ones():
    rng = np.random.default_rng(1)
    values = np.concatenate([np.arange(-300, 300), rng.integers(-(1 << 62), 1 << 62, 500), [(1 << 61) - 1, -(1 << 63) + 1]])
    assert digit_count(values).tolist() == [len(digits(int(v))) for v in values]
    assert digit_count(np.zeros((0, 3), dtype=np.int64)).shape == (0, 3)


@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=1, max_size=6))
def test_products_are_shared_within_an_input_only(rows):
    weight = np.array(rows)
    expected = {(i, v) for i, row in enumerate(rows) for v in row if v}
    for form in (weight, weight.astype(object)):
        products = distinct_products(form)
        assert list(zip(products.row.tolist(), products.value.tolist(), strict=True)) == sorted(expected)
        assert products.nonzeros == np.count_nonzero(weight)
        assert products.multipliers == sum(len(digits(v)) >= 3 for _, v in expected)
        assert products.adders == sum(len(digits(v)) == 2 for _, v in expected)


def test_pruned_jet_tagger_needs_948_multipliers(shared):
    """The 70 % pruned public model at <16,6>: 948 with weights rounded half to even, 954 (the seeds' figure) when floored."""
    import h5py

    totals = {np.rint: 0, np.floor: 0}
    nonzeros = 0
    with h5py.File(shared / "models/keras/KERAS_3layer_70pruned_retrained_weights.h5") as file:
        kernels = []
        file.visititems(lambda name, item: kernels.append(item[()]) if name.endswith("kernel:0") else None)
    assert len(kernels) == 4
    for kernel in kernels:
        nonzeros += np.count_nonzero(kernel)
        for rounding in totals:
            mantissa = rounding(kernel.astype(np.float64) * 1024).astype(np.int64)
            totals[rounding] += distinct_products(mantissa).multipliers
    assert (totals[np.rint], totals[np.floor], nonzeros) == (948, 954, 1205)
