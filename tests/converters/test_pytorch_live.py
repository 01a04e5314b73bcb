"""Live modules: pruning masks, modes, names, and the same network from ONNX."""

import functools
import json
import random

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from nn2hls.converters import onnx as onnx_converter
from nn2hls.converters.pytorch import load_file, load_live, pt2_file
from nn2hls.converters.pytorch.lower import lower
from nn2hls.converters.pytorch.pt2_program import decode
from nn2hls.errors import ModelError
from nn2hls.ops import Dense
from tests.kit.onnx_tools import evaluate
from tests.kit.torch_zoo import Functional, jet_tagger


def pruned(kind):
    torch.manual_seed(11)
    model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 5))
    first, last = model[0], model[2]
    if kind == "unstructured":
        prune.l1_unstructured(first, "weight", 0.5)
    elif kind == "structured":
        prune.ln_structured(first, "weight", 0.5, n=2, dim=0)
        prune.random_structured(last, "weight", 0.4, dim=1)
    elif kind == "random":
        prune.random_unstructured(first, "weight", 0.3)
        prune.random_unstructured(first, "bias", 0.4)
    elif kind == "global":
        prune.global_unstructured([(first, "weight"), (last, "weight")], pruning_method=prune.L1Unstructured, amount=0.7)
    elif kind == "custom":
        prune.custom_from_mask(last, "weight", torch.arange(40).reshape(5, 8) % 3 == 0)
    elif kind == "nested":
        for share in (0.3, 0.4, 0.5):
            prune.l1_unstructured(first, "weight", share)
            prune.random_unstructured(last, "weight", share)
    return model


@pytest.mark.parametrize("kind", ["unstructured", "structured", "random", "global", "custom", "nested"])
def test_masks_lie_in_the_weights_before_and_after_remove(kind, tmp_path):
    model = pruned(kind)
    torch.export.save(torch.export.export(model.eval(), (torch.zeros(2, 16),)), tmp_path / "masked.pt2")
    masked = load_live(model, torch.zeros(2, 16))
    masks = [k for k, _ in model.named_buffers()]
    for name in masks:
        module, _, parameter = name.removesuffix("_mask").rpartition(".")
        prune.remove(model.get_submodule(module), parameter)
    removed = load_live(model, torch.zeros(2, 16))
    assert masks
    assert masked.text() == removed.text() == load_file(tmp_path / "masked.pt2").text()
    for node, layer in zip((n for n in removed if isinstance(n.op, Dense)), (model[0], model[2]), strict=True):
        np.testing.assert_array_equal(node.op.weight.array, layer.weight.detach().numpy().T)
    assert sum((n.op.weight.array == 0).sum() + (n.op.bias.array == 0).sum() for n in removed if isinstance(n.op, Dense)) > 0


def state(model):
    return [(id(m), m.training, [(k, id(v)) for d in (m.__dict__, m._parameters, m._buffers) for k, v in d.items()
             if k != "training"]) for m in model.modules()]  # fmt: skip


def test_module_is_not_changed():
    model = pruned("nested").train()
    model[1].eval()
    before = state(model)
    load_live(model, torch.zeros(2, 16))
    assert state(model) == before
    assert (model.training, model[0].training, model[1].training) == (True, True, False)


def test_module_is_not_changed_by_a_failure():
    model = Functional(lambda m, x: x.flatten())
    with pytest.raises(ModelError):
        load_live(model, torch.zeros(2, 8))
    assert model.training


def test_untraceable_module_says_so():
    model = Functional(lambda m, x: x * 2 if x.sum() > 0 else x)
    with pytest.raises(ModelError, match=r"torch\.export cannot trace it"):
        load_live(model, torch.zeros(2, 8))


def test_live_module_and_file_give_the_same_graph(tmp_path):
    model = jet_tagger()
    torch.export.save(torch.export.export(model, (torch.zeros(7, 16),)), tmp_path / "m.pt2")
    assert load_live(model.train(), input_shape=(16,)).text() == load_file(tmp_path / "m.pt2").text()


def test_names_of_nested_and_functional_layers():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])

        def forward(self, x):
            return torch.relu(self.layers[1](torch.relu(self.layers[0](x)))) + x

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self.act = nn.Sequential(nn.Tanh(), nn.Softsign())

        def forward(self, features):
            return torch.cat([self.act(self.block(features)), -features], dim=1) * 0.5

    graph = load_live(Net(), torch.zeros(2, 8))
    assert [(n.name, n.origin.kind) for n in graph] == [
        ("features", "Input"),
        ("block.layers.0", "Linear"),
        ("block.relu", "relu"),
        ("block.layers.1", "Linear"),
        ("block.relu_1", "relu"),
        ("block.add", "add"),
        ("act.0", "Tanh"),
        ("act.1", "Softsign"),
        ("neg", "neg"),
        ("cat", "cat"),
        ("mul", "mul"),
    ]


class Mixed(nn.Module):
    """Layers and functional style, for the comparison with ONNX."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(16, 8)
        self.fc2 = nn.Linear(8, 8, bias=False)
        self.slope = nn.PReLU()
        self.fc3 = nn.Linear(16, 5)
        self.register_buffer("shift", torch.linspace(-1, 1, 8))

    def forward(self, x):
        h = torch.relu(self.fc1(x))
        g = self.slope(self.fc2(h)) * 2 + self.shift
        g = nn.functional.hardtanh(torch.maximum(g, -h), -2, 2)
        return torch.softmax(self.fc3(torch.cat([1 - g, h / 4], dim=1)), dim=1)


# The exporter's optimiser folds BatchNorm into the layer before it; without it, the exporter casts constants one by one.
@pytest.mark.parametrize(("make", "optimize"), [(jet_tagger, False), (Mixed, True)])
@pytest.mark.long
def test_onnx_export_gives_the_same_graph(make, optimize, tmp_path):
    torch.manual_seed(5)
    model = make().eval()
    torch.onnx.export(model, (torch.zeros(2, 16),), tmp_path / "m.onnx", dynamo=True, optimize=optimize, verbose=False)
    ours, theirs = load_live(model, torch.zeros(2, 16)), onnx_converter.load_live(onnx.load(tmp_path / "m.onnx"))
    x = np.random.default_rng(3).normal(size=(20, 16))
    np.testing.assert_allclose(
        evaluate(ours, {ours.inputs[0].name: x})[0], evaluate(theirs, {theirs.inputs[0].name: x})[0], rtol=1e-6, atol=1e-9
    )
    assert ours.text(names=False) == theirs.text(names=False)


def _paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


STRANGE = [0, -1, 1, 7, "x", "", None, True, [], {}, 1e308, "NaN", 2**40, [1, 2], {"as_int": 3}, {"as_tensor": {"name": "x"}}]


@pytest.mark.long
def test_malformed_graphs_are_model_errors(tmp_path, monkeypatch):
    """Thousands of damaged graph JSONs: each is read, or refused as a ModelError, never anything else."""
    model = nn.Sequential(
        nn.Unflatten(1, (2, 8)), nn.Linear(8, 4), nn.ReLU(inplace=True), nn.Flatten(), nn.BatchNorm1d(8), nn.PReLU(8)
    )
    program = torch.export.export(model.eval(), (torch.zeros(3, 16),), dynamic_shapes=({0: torch.export.Dim("b")},))
    torch.export.save(program.run_decompositions(), tmp_path / "m.pt2")
    seen = []
    monkeypatch.setattr(pt2_file, "decode", lambda *args: seen.append(args) or decode(*args))
    load_file(tmp_path / "m.pt2")
    ((graph, arrays, where),) = seen
    text = json.dumps(graph)
    paths = [p for p in _paths(graph) if p and p[0] == "graph_module" and "metadata" not in p]
    rng, refused = random.Random(8), 0
    for _ in range(1500):
        broken = json.loads(text)
        *head, last = rng.choice(paths)
        inner = functools.reduce(lambda value, key: value[key], head, broken)
        if rng.random() < 0.3:
            inner.pop(last)
        else:
            inner[last] = rng.choice(STRANGE)
        try:
            lower(decode(broken, arrays, where))
        except ModelError:
            refused += 1
    assert refused > 300
