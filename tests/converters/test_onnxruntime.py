"""Networks quantised by onnxruntime in both of its forms, judged by its own answers; scales are no powers of two."""

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import UnsupportedError
from tests.kit.answers import converted, names, recorded

onnx = pytest.importorskip("onnx")
NETWORKS = [name for name in names("onnxruntime") if name != "dynamic"]
SHARE = 0.08  # of the answers that may be another number near by, where some value in between lay in the middle of two
STEPS = 2
TIES = {"qdq_mixed": 0.25}  # means of four whole numbers lie in the middle, and rounding errors of float32 decide there


def step_of(model):
    """Of the last cast: the scale behind it."""
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load_from_string(model).graph.initializer}
    return float(constants["y_scale"])


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_those_of_onnxruntime(name):
    model, x, want = recorded("onnxruntime", name)
    design, step, share = converted(model), step_of(model), TIES.get(name, SHARE)
    assert len(np.unique(want)) > 10
    for found in (design.predict(x), design.predict_float(x)):
        apart = np.abs(found - want)
        assert apart.max() <= STEPS * step * 1.001
        assert np.mean(apart > step / 2) <= share
        assert np.quantile(apart, 1 - share) < 1e-5


@pytest.mark.parametrize("name", ["qdq_uint8", "qdq_int4", "qop_channels"])
def test_products_are_those_of_whole_numbers_and_every_factor_tells_its_error(name):
    design = converted(recorded("onnxruntime", name)[0])
    sums = [n for n in design.graph if n.op.linear is not None]
    assert len(sums) == 2
    assert all(kind.fraction == 0 for n in sums for kind in (n.op.types()["weight"], n.type))
    told = {note.partition(":")[0] for note in design.notes if "its factors are multipliers of" in note}
    for node in design.graph:
        if node.op.affine is not None and node.op.types()["scale"].width > 1:
            assert node.name in told or node.name in design.graph.outputs


def test_the_compiled_design_gives_the_same():
    model, x, _ = recorded("onnxruntime", "qdq_int4")
    design = converted(model)
    assert np.array_equal(design.csim(x), design.predict(x))


def test_scales_of_each_event_are_refused_with_the_way_out():
    with pytest.raises(UnsupportedError, match="DynamicQuantizeLinear") as caught:
        nn2hls.load(recorded("onnxruntime", "dynamic")[0])
    assert "onnxruntime.quantization.quantize_static" in str(caught.value)
    assert "x_QuantizeLinear (DynamicQuantizeLinear)" in str(caught.value)
