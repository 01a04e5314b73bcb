"""Brevitas: raw exports answer as its modules do, in every bit where scales are powers of two; live modules are refused."""

import numpy as np
import pytest
import torch
from torch import nn

import nn2hls
from nn2hls.errors import UnsupportedError
from tests.fixtures.brevitas.record import drawn
from tests.kit.answers import converted, names, recorded

# Scales, or factors of BatchNormalization, that are no powers of two: answers are a step of the last cast apart at most, and
# this share of them is. The factors of other networks change no answer.
BOUNDED = {"scaled_qonnx": (0.0126, 0.1), "sequence_trace": (0.125, 0.01), "shifted_trace": (0.0418, 0.02)}


@pytest.mark.parametrize("name", names("brevitas"))
def test_a_raw_export_answers_as_the_module(name):
    held_to(*recorded("brevitas", name), *BOUNDED.get(name, (0.0, 0.0)))


@pytest.mark.long
@pytest.mark.parametrize("name", {name.rpartition("_")[0]: name for name in reversed(names("brevitas"))}.values())
def test_networks_with_new_weights_answer_as_the_module(name):
    for package in ("brevitas", "onnxoptimizer"):
        pytest.importorskip(package, reason=f"{package} is not installed; answers of Brevitas are recorded in tests/fixtures")
    model, x, want = drawn(name, 11, np.random.default_rng(11))
    step = np.diff(np.unique(want)).min() * 1.001 if name in BOUNDED else 0.0
    held_to(model, x, want, step, BOUNDED.get(name, (0.0, 0.0))[1])


def held_to(model, x, want, step, share):
    """Equal in every bit without a ``step``; else but for a share of the answers, and those are a step apart."""
    design = converted(model)
    assert len(np.unique(want)) > 4
    apart = np.abs(design.predict(x) - want)
    assert apart.max() <= step
    assert np.mean(apart > step / 2) <= share
    assert np.abs(design.predict_float(x) - want).max() <= (1e-6 if step else 0.0)


def test_the_compiled_design_gives_the_same():
    model, x, want = recorded("brevitas", "mlp_qonnx")
    assert np.array_equal(converted(model).csim(x), want)


@pytest.mark.parametrize("name", ["bipolar_qonnx", "ternary_qonnx", "mlp_qonnx"])
def test_products_with_few_bits_are_no_multipliers(name):
    assert converted(recorded("brevitas", name)[0]).estimate().dsp == 0


class QuantLinear(nn.Linear):
    """What a layer of Brevitas is to one who does not import it."""


QuantLinear.__module__ = "brevitas.nn.quant_linear"


@pytest.mark.parametrize("exported", [False, True], ids=["live", "program"])
def test_modules_are_refused_by_name_with_the_way_out(exported):
    module = nn.Sequential(nn.ReLU(), nn.Sequential(QuantLinear(3, 2)), QuantLinear(2, 2)).eval()
    example = torch.zeros(2, 3)
    model = torch.export.export(module, (example,)) if exported else module
    with pytest.raises(UnsupportedError, match="modules of Brevitas") as caught:
        nn2hls.load(model, **({} if exported else {"example": example}))
    text = str(caught.value)
    assert "\n  1.0 (QuantLinear)\n  2 (QuantLinear)\n" in text
    assert "brevitas.export.export_qonnx" in text


class PQEmbedding(nn.Linear):
    """What a layer of PQuantML is to one who does not import it."""


PQEmbedding.__module__ = "pquant.core.torch.layers"


@pytest.mark.parametrize("exported", [False, True], ids=["live", "program"])
def test_modules_of_pquantml_that_are_not_read_are_refused_with_their_own_export(exported):
    module, example = nn.Sequential(PQEmbedding(3, 2)).eval(), torch.zeros(2, 3)
    model = torch.export.export(module, (example,)) if exported else module
    with pytest.raises(UnsupportedError, match="modules of PQuantML") as caught:
        nn2hls.load(model, **({} if exported else {"example": example}))
    assert "\n  0 (PQEmbedding)\n" in str(caught.value)
    assert "use_qonnx=True" in str(caught.value)
