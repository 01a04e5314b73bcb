"""Types wider than 63 bits: the emulator holds them exactly, the C++ ports refuse them by name."""

from fractions import Fraction

import numpy as np
import pytest
from networks import hls_config, mlp
from slow.fixed import cast_slow

from nn2hls.design import convert
from nn2hls.errors import LimitError, TypeResolutionError
from nn2hls.fixed import FixedType


@pytest.mark.parametrize("kind", ["ap_fixed<64,20>", "ap_ufixed<64,20>", "ap_fixed<80,40,AP_RND,AP_SAT>", "ap_fixed<200,100>"])
def test_wide_types_run_exactly(kind):
    design = convert(mlp(np.random.default_rng(0), (3, 2)), hls_config({"Precision": kind, "ReuseFactor": 2}))
    x = np.random.default_rng(1).normal(size=(20, 3)) * 5
    raw = design.predict_raw(x)
    target, op = FixedType.parse(kind), design.layer("fc0").op
    inputs = [[cast_slow(Fraction(v), target) for v in row] for row in x.tolist()]
    weight, bias, step = op.weight.array.tolist(), op.bias.array.tolist(), Fraction(2) ** -target.fraction
    for row, answer in zip(inputs, raw.mantissas.tolist(), strict=True):
        for j, mantissa in enumerate(answer):
            total = sum(Fraction(v * weight[i][j]) for i, v in enumerate(row)) * step * step + bias[j] * step
            assert mantissa == cast_slow(total, target)
    assert design.predict(x).tolist() == [[float(m * step) for m in row] for row in raw.mantissas.tolist()]
    assert convert(design.float_graph, hls_config({"Precision": kind})).estimate().dsp > 0
    with pytest.raises(LimitError, match=r"fc0: A ROM word of \d+ bits .* wider than 64"):
        design.estimate()
    with pytest.raises(LimitError, match="wider than 63 bits"):
        design.verify()


@pytest.mark.parametrize("kind", ["ap_fixed<16,1000>", "ap_fixed<16,-1000>"])
def test_types_that_nothing_can_be_derived_from_name_the_layer(kind):
    with pytest.raises(TypeResolutionError, match=r"fc0: .*out of reach"):
        convert(mlp(np.random.default_rng(0), (3, 2)), hls_config({"Precision": kind}))
