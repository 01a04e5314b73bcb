"""What is given as data: every value that an array of numbers holds is taken exactly, or refused by name."""

import numpy as np
import pytest
import torch

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.errors import DataError
from nn2hls.graph.builder import Builder
from nn2hls.ops import Input, Relu
from tests.kit.networks import hls_config, mlp


def passes_through(kind):
    """A design whose output is its input, where it is not negative."""
    b = Builder()
    x = b.add("x", Input((2,)))
    return convert(b.build([b.add("y", Relu(), [x])]), hls_config(x={"Precision": kind}, y={"Precision": kind}))


@pytest.mark.parametrize("value", [2**62 - 1, 2**53 + 1, 2**60 + 1, 12345])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.longdouble])
def test_numbers_beyond_float64_are_exact(value, dtype):
    for kind, low in (("ap_int<63>", 0), ("ap_fixed<100,70>", 30), ("ap_fixed<63,65,AP_RND_INF>", -2)):
        raw = passes_through(kind).predict_raw(np.array([[value, 1]], dtype=dtype))
        scaled = value << low if low >= 0 else (value + 2) >> 2
        assert raw.mantissas[0, 0] == min(scaled, FixedType.parse(kind).max_mantissa)


def test_a_tensor_of_pytorch_is_taken_as_it_is():
    design = convert(mlp(np.random.default_rng(0), (4, 3)))
    x = torch.randn(5, 4).to(torch.bfloat16)
    want = design.predict(x.float().numpy())
    np.testing.assert_array_equal(design.predict(x), want)
    np.testing.assert_array_equal(design.predict(x.float().requires_grad_()), want)
    np.testing.assert_array_equal(design.predict_float(x), design.predict_float(x.float().numpy()))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ma.masked_array(np.ones((2, 2)), [[False, True], [False, False]]), r"x: .*masked array with gaps.*x\.filled"),
        ([[1.0, 2.0], [3.0]], r"x: The input is no array: .*one shape"),
        (np.array([[1.0, None]], dtype=object), r"x: The input holds object, not numbers\. .*astype"),
        (np.array([[1j, 2.0]]), "x: The input holds complex128, not numbers"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(data, message):
    design = passes_through("ap_fixed<16,6>")
    for ask in (design.predict, design.predict_float, design.compare):
        with pytest.raises(DataError, match=message):
            ask([data])


def test_a_masked_array_without_gaps_is_an_array():
    design = passes_through("ap_fixed<16,6>")
    np.testing.assert_array_equal(design.predict(np.ma.masked_array(np.ones((2, 2)))), np.ones((2, 2)))
