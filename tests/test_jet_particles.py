"""The networks of examples/jet_particles: their data, their files against the frameworks, and their configs end to end."""

import json
import shutil
import sys

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from tests.kit.paths import ROOT
from tests.kit.tools import require_tool

HERE = ROOT / "examples" / "jet_particles"
FILES = {
    "jet_image": "jet_image.keras",
    "particle_transformer": "particle_transformer.pt2",
    "interaction_network": "interaction_network.onnx",
    "unet": "unet.h5",
    "bidirectional_tagger": "bidirectional_tagger.pt2",
    "gru_tagger": "gru_tagger.pt2",
    "lstm_tagger": "lstm_tagger.keras",
}
LONG = {"gru_tagger", "lstm_tagger", "bidirectional_tagger"}  # every step has nodes of its own, each of which is judged


def config(name):
    return ROOT / "example-configs" / f"{name}.yml"


def data(name, part="test"):
    return np.load(HERE / f"{name}_{part}.npy", allow_pickle=False)


@pytest.fixture(scope="module", params=[pytest.param(n, marks=[pytest.mark.long] * (n in LONG)) for n in FILES])
def example(request):
    """(name, design of its config)."""
    return request.param, nn2hls.convert(None, config(request.param))


@pytest.fixture(scope="module")
def made():
    """The module that makes the data, imported as the scripts import it."""
    before = list(sys.path)
    sys.path.insert(0, str(HERE))
    try:
        import particles

        yield particles
    finally:
        sys.path[:] = before


def framework_answers(name, x):
    """What the framework that wrote the file makes of it, float32."""
    path = HERE / FILES[name]
    if path.suffix == ".pt2":
        torch = pytest.importorskip("torch")
        with torch.no_grad():
            return torch.export.load(path).module()(torch.from_numpy(x)).numpy()
    if path.suffix == ".onnx":
        onnx = pytest.importorskip("onnx.reference")
        return onnx.ReferenceEvaluator(str(path)).run(None, {"inputs": x})[0]
    keras = pytest.importorskip("keras")
    return np.asarray(keras.saving.load_model(path, compile=False).predict(x, verbose=0))


def test_the_reference_is_what_the_framework_answers(example):
    name, design = example
    x = data(name)[:50].astype(np.float32)
    np.testing.assert_allclose(design.predict_float(x), framework_answers(name, x), atol=2e-5)


def test_it_answers_in_fixed_point_what_it_does_in_float(example):
    name, design = example
    x, labels = data(name), data(name, "test_labels")
    found = design.compare(x, labels).outputs[0]
    assert found.sqnr > 35
    if name == "unet":
        right = (design.predict(x) > 0.5) == labels
        assert right.mean() > 0.95 > 0.9 > 1 - labels.mean()
    else:
        assert found.agreement >= (0.995 if name.endswith("tagger") else 0.97)
        assert found.accuracy_fixed > found.accuracy_float - 0.01
        assert found.accuracy_float > 0.5  # of five classes


# Joined, to the edges of the graph, or by a power of two.
WIRES = {
    "skip",
    "cat",
    "node_cat",
    "node_cat_1",
    "node_matmul_product",
    "node_matmul_1_product",
    "attention_scaled",
    "select",
    "select_1",
}


def test_every_layer_that_computes_has_a_size(example):
    _, design = example
    estimate = design.estimate()
    assert estimate.ii == max([1, *(pace.steps * pace.clocks for pace in estimate.paces)])
    computing = {layer.name for layer in estimate.layers if not design.sizer.graph[layer.name].op.rearranges} - {
        n.name for n in design.graph.inputs
    }
    assert len(computing) > (2 if estimate.paces else 5)
    wired = {layer.name for layer in estimate.layers if not layer.report.lut} & computing
    assert {name for name in wired if not name.endswith("_patches")} <= WIRES  # patches at the border are zeros and wires


def test_matrices_of_receivers_and_senders_are_wires_and_additions():
    rows = {layer.name: layer.report for layer in nn2hls.convert(None, config("interaction_network")).estimate().layers}
    sent = [r for name, r in rows.items() if name.endswith("_product")]
    assert [r.dsp for r in sent] == [0, 0, 0]
    assert [r.lut > 0 for r in sent] == [False, False, True]  # to the edges; back, where effects are added


def test_the_data_are_what_the_scripts_make(made):
    x, labels = made.particles(400, 20180414, 8)
    np.testing.assert_allclose(data("particle_transformer"), x, atol=1e-6)
    assert np.array_equal(data("particle_transformer", "test_labels"), labels)
    assert np.array_equal(data("jet_image"), made.images(400, 20180414, 16)[0])
    for name, count in (("gru_tagger", 20), ("lstm_tagger", 20), ("bidirectional_tagger", 10)):
        x, labels = made.lists(400, 20180414, count)
        assert np.array_equal(data(name), x)
        assert np.array_equal(data(name, "test_labels"), labels)
    both, near = made.noisy(400, 20180414, 8)
    assert np.array_equal(data("unet"), both)
    assert np.array_equal(data("unet", "test_labels"), near)


def test_particles_come_hardest_first_and_images_hold_all_momentum(made):
    x, labels = made.particles(300, 3, 22)
    assert x.shape == (300, 22, 3)
    assert np.bincount(labels).tolist() == [60] * 5
    assert (np.diff(x[..., 0], axis=1) <= 0).all()
    assert np.abs(x).max() <= 1
    assert not x[x[..., 0] == 0].any()
    image, _ = made.images(300, 3, 16)
    share = (x[..., 0] ** 2).sum(axis=1)
    assert np.abs((image**2).sum(axis=(1, 2, 3)) - share).max() < 0.1  # pixels are at most 255/256, and rounded


def run(capsys, *words):
    """A command's exit code and its JSON."""
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.long
def test_the_commands_run(example, capsys, monkeypatch, tmp_path):
    name, design = example
    monkeypatch.chdir(tmp_path)
    x = f"{HERE / name}_test.npy"
    assert run(capsys, "convert", config(name))[0] == 0
    assert run(capsys, "emulate", config(name), "--input", x, "--output", "y.npy")[0] == 0
    assert np.array_equal(np.load("y.npy"), design.predict(data(name)))
    code, compared = run(capsys, "compare", config(name), "--input", x, "--labels", f"{HERE / name}_test_labels.npy")
    assert code == 0
    assert compared
    assert run(capsys, "estimate", config(name))[0] == 0


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*")
def test_the_compiled_cpp_is_the_emulator(example):
    name, design = example
    require_tool("g++", shutil.which("g++"))
    shape = design.graph.inputs[0].shape
    corners = np.random.default_rng(1).choice([-100.0, 100.0], (100, *shape))  # saturate to the ends of the input's type
    for x in (data(name), corners):
        assert np.array_equal(design.csim_raw(x).mantissas, design.predict_raw(x).mantissas)


@pytest.mark.long
def test_the_verilog_is_the_emulator(example):
    name, design = example
    require_tool("verilator", shutil.which("verilator"))
    verdict = design.verify(data(name, "bench"), "rtl")
    assert verdict.equal
    assert (verdict.events, verdict.latency, verdict.interval) == (16, design.estimate().latency_cycles, design.estimate().ii)
