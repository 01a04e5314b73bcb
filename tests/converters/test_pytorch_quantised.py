"""Programs of PyTorch that torchao quantised: their own answers; scales that no type can have are refused by name."""

import numpy as np
import pytest
import torch

import nn2hls
from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.pytorch.context import Args
from nn2hls.converters.pytorch.pt2_program import Call
from nn2hls.converters.pytorch.quantised import LIBRARY, QUANTISED, VALUES
from tests.fixtures.torchao.record import drawn
from tests.kit.answers import converted, names, recorded

SHARE = 0.08  # of the answers that may be the next number, where some value in between lay in the middle of two
STEPS = 2
# Its last layer reads four means of four whole numbers each, which lie in the middle; rounding errors of float32 decide there.
TIES = {"cnn_channels": (0.25, 4)}


@pytest.mark.parametrize("name", names("torchao"))
def test_answers_are_those_of_the_program(name, tmp_path):
    held_to(*recorded("torchao", name), name, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", names("torchao"))
def test_programs_with_new_weights_answer_the_same(name, tmp_path):
    pytest.importorskip("torchao", reason="torchao is not installed; its answers are recorded in tests/fixtures")
    torch.manual_seed(8)
    held_to(*drawn(name, np.random.default_rng(8)), name, tmp_path, *TIES.get(name, (SHARE, STEPS)))


def held_to(model, x, want, name, tmp_path, share=SHARE, steps=STEPS):
    """Emulated and in float: nearly all answers are equal, and the others a few steps apart."""
    (tmp_path / "model.pt2").write_bytes(model)
    design = converted(nn2hls.load(tmp_path / "model.pt2"))
    values = np.unique(want)
    step = np.diff(values).min()
    assert len(values) > 20
    for found in (design.predict(x), design.predict_float(x)):
        apart = np.abs(found - want)
        assert np.mean(apart > step / 2) <= share
        assert np.quantile(apart, 1 - share) < 1e-5
        assert apart.max() <= 1.001 * steps * step
    sums = [n for n in design.graph if n.op.linear is not None]
    assert len(sums) == (3 if "cnn" in name else 2)
    assert all(n.op.types()["weight"].fraction == 0 for n in sums), "weights are whole numbers"


def folded(form, **arguments):
    call = Call(f"{LIBRARY}dequantize_{form}", {"dtype": "int8", **arguments}, ("y",), "y", "dequantize")
    return VALUES[call.target](Args(call, {}))


def test_constants_are_what_pytorch_makes_of_them():
    x = np.array([[-3, 5], [127, 0]], np.int8)
    ends = {"quant_min": -127, "quant_max": 127}
    assert np.array_equal(folded("per_tensor.default", input=x, scale=0.25, zero_point=1, **ends), (x - 1.0) * 0.25)
    each = {"scales": np.array([0.5, 2.0]), "zero_points": np.array([0, 3])}
    found = folded("per_channel.default", input=x, axis=1, **each, **ends)
    assert np.array_equal(found, (x - np.array([0.0, 3.0])) * np.array([0.5, 2.0]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scale": 0.0}, "its scale 0 must be a finite number above zero"),
        ({"scale": -1.0}, "its scale -1 must be"),
        ({"scale": float("nan")}, "holds no finite numbers"),
        ({"scale": np.ones(2)}, "its scale is no single number"),
        ({"quant_min": 0.5}, "its whole numbers from 0.5 to 127 are not offered"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_bad_quantisers_are_refused(change, reason):
    given = {"input": np.zeros(3, np.int8), "scale": 0.5, "zero_point": 0, "quant_min": -127, "quant_max": 127, **change}
    with pytest.raises(Refusal, match=reason):
        folded("per_tensor.default", **given)


def test_scales_of_each_event_are_refused_with_the_way_out():
    with pytest.raises(Refusal, match="quantise with calibration data"):
        QUANTISED[f"{LIBRARY}choose_qparams_per_token.default"](None, None)
