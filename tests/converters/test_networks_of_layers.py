"""Networks of many layers, from the module to the compiled C++: the reference is the framework's, the C++ the emulator's."""

import io
import warnings

import numpy as np
import pytest

import nn2hls
from tests.kit.keras_zoo import evaluate

torch = pytest.importorskip("torch")
networks = pytest.importorskip("tests.kit.networks_of_layers")

EVENTS = 60


@pytest.fixture(scope="module", params=networks.NETWORKS)
def design(request):
    module, shape = networks.network(request.param)
    x = np.random.default_rng(6).normal(0, 1, (EVENTS, *shape))
    graph = nn2hls.load(module, input_shape=shape)
    return nn2hls.convert(graph, calibration=x), x, module(torch.tensor(x).float()).detach().numpy()


def test_the_reference_is_the_framework(design):
    design, x, wanted = design
    np.testing.assert_allclose(design.predict_float(x), wanted, rtol=1e-5, atol=1e-6)


def test_the_types_that_are_derived_keep_the_signal(design):
    design, x, wanted = design
    noise = np.sqrt(np.mean((design.predict(x) - wanted) ** 2))
    assert 20 * np.log10(np.sqrt(np.mean(wanted**2)) / noise) > 35


def test_the_cpp_is_the_emulator(design, tmp_path):
    design, x, _ = design
    design.write(tmp_path)
    np.testing.assert_array_equal(design.csim(x), design.predict(x))


def test_the_net_is_the_emulator(design):
    design, x, _ = design
    assert "equal" in str(design.verify(x[:5], tool="csim"))


def test_the_estimate_has_a_size(design):
    design, _, _ = design
    total = design.estimate()
    assert total.latency_cycles > 0
    assert total.ii >= 1


@pytest.mark.parametrize("name", networks.NETWORKS)
@pytest.mark.parametrize("form", ["one event", "any batch", "decomposed"])
def test_every_form_of_export_is_read(name, form):
    """The batch of one, symbolic, or as a number among other sizes; operators as they are, or taken apart."""
    module, shape = networks.network(name)
    example = torch.zeros(1 if form == "one event" else 4, *shape)
    sizes = ({0: torch.export.Dim("batch", min=2, max=64)},) if form == "any batch" else None
    with torch.no_grad():
        program = torch.export.export(module, (example,), dynamic_shapes=sizes)
        graph = nn2hls.load(program.run_decompositions() if form == "decomposed" else program)
    x = np.random.default_rng(8).normal(0, 1, (5, *shape)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, [x])[0], module(torch.tensor(x)).detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", networks.NETWORKS)
@pytest.mark.parametrize("batch", [None, {"x": {0: "N"}}], ids=["fixed", "symbolic"])
def test_what_pytorch_writes_as_onnx_is_read(name, batch):
    pytest.importorskip("onnx")
    module, shape = networks.network(name)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(4, *shape)
        torch.onnx.export(module, example, file, opset_version=17, dynamo=False, dynamic_axes=batch, input_names=["x"])
    graph = nn2hls.load(file.getvalue())
    x = np.random.default_rng(8).normal(0, 1, (4, *shape)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, [x])[0], module(torch.tensor(x)).detach(), rtol=1e-5, atol=1e-6)


def test_one_public_network_from_two_files(shared):
    """A convolutional one that Keras saved and tf2onnx wrote: transposes around, channels first inside."""
    keras = shared / "models" / "keras"
    first = nn2hls.load(keras / "KERAS_conv1d_small.json", weights=keras / "KERAS_conv1d_small_weights.h5")
    second = nn2hls.load(shared / "models" / "onnx" / "conv1d_small_keras.onnx")
    x = np.random.default_rng(3).normal(0, 1, (20, *first.inputs[0].shape))
    answers = [nn2hls.convert(graph).predict_float(x) for graph in (first, second)]
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-6, atol=1e-7)


def test_a_public_network_of_pictures(shared):
    keras = shared / "models" / "keras"
    graph = nn2hls.load(keras / "jetTagger_Conv2D_Small.json", weights=keras / "jetTagger_Conv2D_Small_weights.h5")
    x = np.random.default_rng(3).uniform(0, 1, (20, *graph.inputs[0].shape))
    design = nn2hls.convert(graph, calibration=x)
    np.testing.assert_allclose(design.predict_float(x).sum(axis=1), 1, rtol=1e-6)
    assert np.abs(design.predict(x) - design.predict_float(x)).max() < 1e-2


def test_receivers_and_senders_cost_no_products():
    """Matrices of zeros and ones are wires and additions."""
    module, shape = networks.network("interaction network")
    design = nn2hls.convert(nn2hls.load(module, input_shape=shape), {"Model": {"Precision": "ap_fixed<12,4>"}})
    costs = {layer.name: layer for layer in design.estimate().layers}
    mixes = [n.name for n in design.graph if n.name.startswith("matmul") and n.op.linear is not None]
    assert mixes
    assert sum(costs[name].report.dsp for name in mixes) == 0
