"""A layer means one thing: the same one from Keras, PyTorch and ONNX gives one graph, and it answers as the framework does."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

from nn2hls.converters import lower
from tests.kit import onnx_tools
from tests.kit.keras_zoo import evaluate
from tests.kit.lowering_rooms import CASES
from tests.kit.lowerings import keras_graph, onnx_graph, torch_graph

for framework in ("keras", "torch", "onnx"):
    pytest.importorskip(framework)

HELPERS = {
    *{
        f"each_event.{name}" for name in ("by_range", "dense", "einsum_constant", "scaled", "scaled_dense", "whole_numbers")
    },  # test_each_event.py
    *{f"graphs.{name}" for name in ("garnet", "garnet_simplified", "gravnet", "nearest", "potential", "squared_distances")},
    "integers.dequantized",  # of quantised files alone: test_onnxruntime.py, test_pytorch_quantised.py
    "integers.quantized",
    "layout.meeting",
    "linear.along_axis",
    "quantised.levels",  # what only quantised files have: test_qkeras.py, test_onnx_quantisers.py, test_hgq.py
    "quantised.levels_along",
    "quantised.quantize",
    "quantised.quantize_each",
    "quantised.table",
    "reductions.divergence",  # of the config, and of custom Keras layers, as those of graphs: test_graph_layers.py
    "shape.move",
    "shape.unsqueeze",
    "tables.cast",  # test_hgq.py, test_pquant.py
    "window.channels_first",
    "window.locally_connected",  # in files of Keras 2 alone: tests/converters/test_keras2_local.py
}  # steps of several lowerings, no layers
MAKERS = {"keras": keras_graph, "torch": torch_graph, "onnx": onnx_graph}


def lowerings():
    """``module.function`` of every public function of the room that works at a site."""
    for found in pkgutil.iter_modules(lower.__path__):
        module = importlib.import_module(f"nn2hls.converters.lower.{found.name}")
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
            if own and next(iter(inspect.signature(function).parameters), "") == "site":
                yield f"{found.name}.{name}"


def test_every_lowering_has_a_case():
    assert sorted((set(lowerings()) - HELPERS) ^ {case.lowering for case in CASES.values()}) == []


def answer(framework, model, x, whole):
    if framework == "torch":
        import torch

        return model(torch.tensor(x.astype(np.int64) if whole else x)).detach().numpy()
    if framework == "onnx":
        return onnx_tools.reference(model, {"x": x})[0]
    return np.asarray(model(x, training=False))


def inputs(case):
    rng, size = np.random.default_rng(3), (5, *case.shape)
    if case.whole:
        return rng.integers(0, case.whole, size).astype(np.float32)
    return (rng.normal(0, 1, size) if case.low is None else rng.uniform(case.low, 2, size)).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_one_graph_from_all_frameworks(name):
    case = CASES[name]
    frameworks = [f for f in MAKERS if getattr(case, f)]
    assert frameworks
    texts = {}
    for framework in frameworks:
        model, graph = MAKERS[framework](case)
        texts[framework] = graph.needed().text(names=False)  # a part that nothing reads is no difference
        if framework in case.cannot_run:
            continue
        x = inputs(case)
        want = answer(framework, model, x, bool(case.whole))
        (got,) = evaluate(graph, [x])
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(want).max())))
    assert len(set(texts.values())) < 2, "\n".join(f"{k}:\n{v}" for k, v in texts.items())
