"""The quantised networks of the examples answer as the packages that quantised them."""

import warnings

import numpy as np

import nn2hls
from tests.kit.paths import ROOT

HERE = ROOT / "examples" / "quantised"


def example(name, data):
    """The design of a config, its events, and the answers that are kept beside its model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = nn2hls.convert(None, ROOT / "example-configs" / f"{name}.yml")
    answers = np.load(HERE / f"{name}_answers.npy", allow_pickle=False)
    return design, np.load(data, allow_pickle=False)[: len(answers)], answers


def test_the_network_of_brevitas_answers_as_brevitas():
    design, images, answers = example("brevitas_cnn", HERE / "brevitas_cnn_images.npy")
    assert np.array_equal(design.predict(images), answers)
    assert np.array_equal(design.predict_float(images), answers)
    assert len(np.unique(answers.argmax(axis=1))) > 3
    assert design.estimate().dsp == 0, "products of four bits are additions"


def test_the_tagger_of_onnxruntime_answers_as_onnxruntime():
    design, jets, answers = example("onnxruntime_mlp", ROOT / "examples" / "jet_tagging" / "jets_test.npy")
    assert np.abs(design.predict_float(jets) - answers).max() < 1e-6
    found = design.predict(jets)
    assert np.mean(found.argmax(axis=1) == answers.argmax(axis=1)) >= 0.99
    assert np.quantile(np.abs(found - answers), 0.9) < 1e-6
