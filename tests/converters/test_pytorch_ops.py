"""Every operator of the PyTorch frontend against PyTorch itself: as exported, decomposed, and with a symbolic batch."""

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nn2hls.converters.pytorch import load_live
from nn2hls.converters.pytorch.lower import lower
from nn2hls.converters.pytorch.pt2_file import read_stream
from nn2hls.converters.pytorch.pt2_program import Call, Meta, Program, Ref
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.graph.reference import run_float
from nn2hls.ops import Dense, Reshape, Scale, Table
from tests.kit.onnx_tools import evaluate
from tests.kit.torch_zoo import FUNCTIONS, LAYERS, Everything, Functional


def graph_of(program):
    stream = io.BytesIO()
    torch.export.save(program, stream)
    stream.seek(0)
    return lower(read_stream(stream, "test"))


@pytest.fixture(scope="module")
def everything():
    model = Everything().eval()
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(1)) * 1.5
    fixed = torch.export.export(model, (x,))
    free = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    programs = {"fixed": fixed, "decomposed": fixed.run_decompositions(), "symbolic": free}
    programs["symbolic, decomposed"] = free.run_decompositions()
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(2)) * 3
    with torch.no_grad():
        wanted = dict(zip([*LAYERS, *FUNCTIONS], model(x), strict=True))
    graphs = {k: graph_of(p) for k, p in programs.items()}
    values = {k: dict(zip(wanted, evaluate(g, {"x": x.numpy()}), strict=True)) for k, g in graphs.items()}
    return wanted, values, graphs


@pytest.mark.parametrize("name", [*LAYERS, *FUNCTIONS])
def test_answers_like_pytorch(everything, name):
    wanted, values, _ = everything
    for form, value in values.items():
        np.testing.assert_allclose(value[name], wanted[name].numpy(), rtol=2e-5, atol=1e-5, err_msg=form)


def test_every_form_of_export_gives_the_same_graph(everything):
    _, _, graphs = everything
    for graph in graphs.values():
        assert graph.text(names=False) == graphs["fixed"].text(names=False)


def ops(module, *examples):
    return [type(n.op).__name__ for n in load_live(module, examples)][len(examples) :]


def test_flatten_of_vectors_and_dropout_leave_nothing():
    assert ops(nn.Sequential(nn.Linear(8, 4), nn.Dropout(), nn.Flatten(), nn.Identity()), torch.zeros(2, 8)) == ["Dense"]


@pytest.mark.parametrize(
    "name", ["softsign", "silu", "mish", "celu", "softplus", "hardswish", "log_sigmoid", "tanhshrink", "selu"]
)
def test_decomposed_activation_is_one_node(name):
    program = torch.export.export(LAYERS[name](), (torch.zeros(2, 8),)).run_decompositions()
    assert len(graph_of(program).nodes) == 2


def test_batch_norm_is_folded_in_float64():
    norm = nn.BatchNorm1d(4, eps=1e-3).eval()
    with torch.no_grad():
        norm.running_var.copy_(torch.tensor([0.1, 0.7, 3.0, 1e-6]))
        norm.running_mean.copy_(torch.tensor([0.3, -2.0, 0.0, 1.0]))
        norm.weight.copy_(torch.tensor([1.1, 0.9, -0.3, 2.0]))
    op = load_live(norm, torch.zeros(2, 4)).nodes[1].op
    var, mean, gamma = (t.detach().numpy().astype(np.float64) for t in (norm.running_var, norm.running_mean, norm.weight))
    assert isinstance(op, Scale)
    np.testing.assert_array_equal(op.scale.array, gamma / np.sqrt(var + 1e-3))
    np.testing.assert_array_equal(op.bias.array, 0 - mean * (gamma / np.sqrt(var + 1e-3)))


def test_half_precision_masks_round_like_pytorch():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.linspace(0.1, 3.3, 12).reshape(3, 4).bfloat16())
            self.s = nn.Parameter(torch.tensor([0.7, 1.3, 0.2, 5.1]).bfloat16())

        def forward(self, x):
            return F.linear(x, self.w * self.s)

    module = Scaled()
    wanted = (module.w * module.s).detach().double().numpy().T
    (dense,) = (n.op for n in load_live(module, torch.zeros(2, 4).bfloat16()) if isinstance(n.op, Dense))
    np.testing.assert_array_equal(dense.weight.array, wanted)


REFUSED = {
    "flatten_batch": (lambda m, x: x.flatten(), "the batch"),
    "softmax_batch": (lambda m, x: F.softmax(x, 0), "the batch"),
    "cat_batch": (lambda m, x: torch.cat([x, x], 0), "the batch"),
    "transposed": (lambda m, x: x.t(), "the batch"),
    "mixed_batch": (lambda m, x: (x.view(-1, 2, 4) + 1).transpose(0, 1), "the batch"),
    "rank_mismatch": (lambda m, x: x.view(-1, 1, 8) + x, "unsqueeze"),
    "batch_constant": (lambda m, x: x + torch.arange(24.0).view(3, 8), "the batch"),
    "product_over_the_batch": (lambda m, x: x.t() @ x, "the batch|for each event"),
    "constant_left": (lambda m, x: m.w.t() @ x.t(), "the batch"),
    "odd_power": (lambda m, x: x**5, "powers of 5"),
    "softplus_threshold": (lambda m, x: F.softplus(x, threshold=3), "threshold"),
    "integer": (lambda m, x: x.to(torch.int32) * 2, "int32"),
    "zero_divisor": (lambda m, x: x / torch.tensor([0.0, 1, 2, 3, 4, 5, 6, 7]), "zeros"),
    "buffer_state": (lambda m, x: x + m.c.add_(1), "keeps no state"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_the_reason(name):
    function, reason = REFUSED[name]
    with pytest.raises(UnsupportedError, match=reason):
        load_live(Functional(function), torch.zeros(3, 8))


def test_a_mask_of_constants_chooses_elements():
    """The file leaves their number open, and the operators know it."""
    mask, x = torch.arange(8) % 3 == 0, torch.linspace(-1, 1, 24).reshape(3, 8)
    graph = load_live(Functional(lambda m, x: F.relu(x[:, mask])), x)
    assert np.array_equal(run_float(graph, [x.numpy()])[graph.outputs[0]], F.relu(x[:, mask]).numpy())


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda m, x: x.mean(), "works along all axes"),
        (lambda m, x: x.max(), "works along all axes"),
        (lambda m, x: torch.clamp(x, min=m.c), r"clamp\.Tensor is not offered; clamp\.default is"),
        (lambda m, x: torch.div(x, 0.3, rounding_mode="floor"), r"Tensor_mode is not offered; div\.Scalar, div\.Tensor are"),
    ],
)
def test_another_form_of_an_operator_is_named(function, reason):
    with pytest.raises(UnsupportedError, match=reason):
        load_live(Functional(function), torch.zeros(3, 8))


def test_stale_view_is_refused():
    def function(m, x):
        y = m.fc(x)
        z = y.view(-1, 2, 4)
        y.relu_()
        return z + 1

    with pytest.raises(UnsupportedError, match="changed in place"):
        load_live(Functional(function), torch.zeros(3, 8))


def test_names_written_in_place_mean_the_new_value():
    """Export mostly names the result itself; a file may still read the old name, which then holds the new value."""
    x = Ref("x")
    calls = (
        Call("mul.Tensor", {"self": x, "other": 2}, ("y",), "y", "mul"),
        Call("relu_.default", {"self": Ref("y")}, ("r",), "r", "relu"),
        Call("add_.Tensor", {"self": Ref("r"), "other": 1}, ("a",), "a", "add"),
        Call("sub.Tensor", {"self": Ref("y"), "other": x}, ("z",), "z", "sub"),
    )
    metas = {name: Meta("float32", (3, 4)) for name in ("x", "y", "r", "a", "z")}
    values = np.linspace(-2, 2, 8).reshape(2, 4).astype(np.float32)
    (got,) = evaluate(lower(Program(("x",), {}, {}, calls, ("z",), metas)), {"x": values})
    np.testing.assert_allclose(got, np.maximum(values * 2, 0) + 1 - values)


def test_all_unsupported_operators_are_listed_at_once():
    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.LSTM(8, 12)  # it would run along the batch
            self.fc = nn.Linear(12, 3)

        def forward(self, x):
            return torch.logcumsumexp(self.fc(F.relu(torch.cumprod(self.conv(x)[0], 1))), 1)

    with pytest.raises(UnsupportedError) as error:
        load_live(Many(), torch.zeros(2, 8))
    text = str(error.value)
    assert text.startswith("3 operators are not supported:")
    for line in ("conv (aten.lstm.input): ", "cumprod (aten.cumprod.default): ", "logcumsumexp (aten.logcumsumexp.default): "):
        assert line in text


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(8), nn.Dropout()])
def test_training_mode_is_refused(layer):
    program = torch.export.export(nn.Sequential(layer).train(), (torch.zeros(3, 8),))
    with pytest.raises(UnsupportedError, match=r"model\.eval\(\)"):
        graph_of(program)


def test_unused_operators_do_not_count():
    def function(m, x):
        torch.cumsum(x, 1)
        return m.fc(x)

    assert ops(Functional(function), torch.zeros(2, 8)) == ["Dense"]


def test_softplus_with_beta_has_one_result():
    graph = load_live(nn.Sequential(nn.Linear(8, 4), nn.Softplus(beta=2)), torch.zeros(2, 8))
    assert [(n.name, n.origin.layer, n.origin.is_result) for n in graph][2:] == [
        ("1_beta", "1", False),
        ("1_softplus", "1", False),
        ("1", "1", True),
    ]
    assert isinstance(graph["1_softplus"].op, Table)


def test_decomposed_linear_on_three_axes_needs_no_reshape():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False)).eval()
    program = torch.export.export(model, (torch.zeros(2, 5, 4),)).run_decompositions()
    assert not any(isinstance(n.op, Reshape) for n in graph_of(program))


@pytest.mark.parametrize("shape", [(8,), (None, 8)])
def test_input_shape_instead_of_examples(shape):
    module = nn.Linear(8, 2)
    assert load_live(module, input_shape=shape).text() == load_live(module, np.zeros((4, 8))).text()


def test_missing_example_is_an_error():
    with pytest.raises(ModelError, match="input_shape"):
        load_live(nn.Linear(8, 2))
