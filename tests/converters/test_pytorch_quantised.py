"""Programs of PyTorch that torchao quantised: their own answers; scales that no type can have are refused by name."""

import warnings

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # the operators of the programs

import nn2hls
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.pytorch.context import Args, Lowering
from nn2hls.converters.pytorch.pt2_program import Call, Ref
from nn2hls.converters.pytorch.quantised import LIBRARY, QUANTISED, VALUES
from nn2hls.ops import Input
from tests.fixtures.torchao.record import drawn
from tests.kit.answers import converted, names, near_but_for_steps, recorded

SHARE = 0.08  # of the answers that may be the next number, where some value in between lay in the middle of two
STEPS = 2
# Its last layer reads four means of four whole numbers each, which lie in the middle; rounding errors of float32 decide there.
TIES = {"cnn_channels": (0.25, 4)}


NETWORKS = [name for name in names("torchao") if not name.startswith("dynamic")]
DYNAMIC = sorted({*names("torchao")} - {*NETWORKS})


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_those_of_the_program(name, tmp_path):
    held_to(*recorded("torchao", name), name, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
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


def held_to_one_event(model, x, want, tmp_path):
    """By a scale of each event: in float nearly all answers are equal, emulated they are as near as their types."""
    (tmp_path / "model.pt2").write_bytes(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it was exported for one event
        graph = nn2hls.load(tmp_path / "model.pt2")
    sums = [n for n in graph if n.op.linear is not None]
    assert all((np.rint(n.op.linear[0]) == n.op.linear[0]).all() for n in sums), "weights are whole numbers"
    assert sum(n.op.measures for n in graph) >= 2 * len(sums)
    near_but_for_steps(nn2hls.convert(graph), x, want)


@pytest.mark.parametrize("name", DYNAMIC)
def test_answers_by_scales_of_each_event_are_those_of_the_program(name, tmp_path):
    held_to_one_event(*recorded("torchao", name), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", DYNAMIC)
def test_programs_with_new_weights_and_scales_of_each_event_answer_the_same(name, tmp_path):
    pytest.importorskip("torchao", reason="torchao is not installed; its answers are recorded in tests/fixtures")
    torch.manual_seed(9)
    held_to_one_event(*drawn(name, np.random.default_rng(9)), tmp_path)


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


def test_steps_of_small_events_are_no_smaller_than_epsilon(tmp_path):
    model, x, _ = recorded("torchao", "dynamic_dense")
    (tmp_path / "model.pt2").write_bytes(model)
    small = np.sign(x) * 2.0**-9 * np.arange(1, 7)
    program = torch.export.load(tmp_path / "model.pt2").module()
    want = np.concatenate([program(torch.tensor(event[None], dtype=torch.float32)).detach().numpy() for event in small])
    assert np.median(np.abs(nn2hls.convert(nn2hls.load(tmp_path / "model.pt2")).predict_float(small) - want)) < 1e-6


def call_of(name, **arguments):
    return Call(f"{LIBRARY}{name}", {"quant_min": 0, "quant_max": 255, "dtype": "uint8", **arguments}, ("y",), "y", "quantiser")


def test_scales_of_a_batch_are_told_and_those_of_other_tensors_refused():
    context = Lowering(2)
    values = {name: Tensor(context.builder.add(name, Input((6,))), (6,)) for name in ("x", "other")}
    choose = call_of("choose_qparams.tensor", input=Ref("x"), eps=2.0**-12)
    context.start(choose, None)
    with pytest.warns(UserWarning, match="one scale for all events of a batch.*batches of one"):
        scale, zero = QUANTISED[choose.target](context, Args(choose, values))
    values |= {"s": scale, "z": zero}
    quantise, back = (f"{word}_per_tensor.tensor" for word in ("quantize", "dequantize"))
    given = {"scale": Ref("s"), "zero_point": Ref("z")}
    whole = QUANTISED[f"{LIBRARY}{quantise}"](context, Args(call_of(quantise, input=Ref("x"), **given), values))
    values["q"] = whole
    assert QUANTISED[f"{LIBRARY}{back}"](context, Args(call_of(back, input=Ref("q"), **given), values)) is scale
    for name, changed, reason in (
        (quantise, {"input": Ref("other")}, "its scale is that of another tensor"),
        (quantise, {"quant_max": 127}, "are not those of one choose_qparams"),
        (quantise, {"zero_point": 3}, "are not those of one choose_qparams"),
        (back, {"input": Ref("other")}, "its scale is not the one that it was quantised by"),
    ):
        with pytest.raises(Refusal, match=reason):
            QUANTISED[f"{LIBRARY}{name}"](context, Args(call_of(name, **{"input": Ref("x"), **given, **changed}), values))
    with pytest.raises(Refusal, match=r"from 1 to 255 and scales from .* are not offered"):
        QUANTISED[choose.target](
            context, Args(call_of("choose_qparams.tensor", input=Ref("x"), eps=2.0**-12, quant_min=1), values)
        )
