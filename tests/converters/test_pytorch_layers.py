"""Modules of PyTorch, live and from a file, against PyTorch itself: attention, decoders, masks of pruning, moves."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.utils import parametrizations, prune  # noqa: E402

from nn2hls.converters.pytorch import load_file, load_live  # noqa: E402
from nn2hls.errors import UnsupportedError  # noqa: E402
from tests.kit.keras_zoo import evaluate  # noqa: E402


class Of(nn.Module):
    """A function of a module, or of buffers, and the inputs."""

    def __init__(self, function, held=None, **buffers):
        super().__init__()
        self.function, self.held = function, held
        for name, array in buffers.items():
            self.register_buffer(name, array)

    def forward(self, *x):
        return self.function(self, *x)


IMAGE, ROWS, SHORT = (4, 6, 6), (5, 6), (3, 6)
CAUSAL = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)


def heads(**options):
    return nn.MultiheadAttention(6, 2, batch_first=True, **options)


def _across(m, x, y):
    return m.held(x, y, y)[0]


def _hidden_keys(m, x):
    return m.held(x, x, x, key_padding_mask=m.mask.expand(x.shape[0], 5))[0]


ATTENTION = {
    "across": (_across, lambda: heads(), [ROWS, SHORT]),
    "across, keys of another width": (_across, lambda: heads(kdim=4, vdim=4), [ROWS, (3, 4)]),
    "a bias of keys": (_across, lambda: heads(add_bias_kv=True), [ROWS, SHORT]),
    "a zero key": (_across, lambda: heads(add_zero_attn=True), [ROWS, SHORT]),
    "the weights": (lambda m, x: m.held(x, x, x), lambda: heads(), [ROWS]),
    "the weights of each head": (lambda m, x: m.held(x, x, x, average_attn_weights=False), lambda: heads(), [ROWS]),
    "decoder": (lambda m, x, y: m.held(x, y), lambda: nn.TransformerDecoderLayer(6, 2, 8, batch_first=True), [ROWS, SHORT]),
    "transformer": (lambda m, x, y: m.held(x, y), lambda: nn.Transformer(6, 2, 1, 1, 8, batch_first=True), [ROWS, SHORT]),
    "batch second": (
        lambda m, x: m.held(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1), lambda: nn.MultiheadAttention(6, 2), [ROWS],
    ),
}  # fmt: skip


def checked(module, shapes, tmp_path):
    """The graph, the same from memory and from a file, with PyTorch's answers."""
    rng = np.random.default_rng(2)
    xs = [rng.normal(size=(5, *s)).astype(np.float32) for s in shapes]
    examples = tuple(torch.zeros(2, *s) for s in shapes)
    module.eval()
    graph = load_live(module, examples)
    torch.export.save(torch.export.export(module, examples), tmp_path / "m.pt2")
    assert load_file(tmp_path / "m.pt2").text() == graph.text()
    with torch.no_grad():
        want = module(*[torch.tensor(x) for x in xs])
    want = want if isinstance(want, tuple) else (want,)
    for got, right in zip(evaluate(graph, xs), want, strict=True):
        assert got.shape == tuple(right.shape)
        np.testing.assert_allclose(got, right.numpy(), rtol=1e-4, atol=1e-5 * max(1.0, float(right.abs().max())))
    return graph


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name, tmp_path):
    function, make, shapes = ATTENTION[name]
    torch.manual_seed(0)
    checked(Of(function, make()), shapes, tmp_path)


@pytest.mark.parametrize("hidden", [[4], [0, 2]])
def test_a_constant_mask_of_keys(hidden, tmp_path):
    mask = torch.zeros(1, 5, dtype=torch.bool)
    mask[0, hidden] = True
    checked(Of(_hidden_keys, heads(), mask=mask), [ROWS], tmp_path)


WEIGHTED = {
    "linear": (lambda: nn.Linear(6, 5), ROWS),
    "conv 1d": (lambda: nn.Conv1d(5, 4, 3), ROWS),
    "conv 2d": (lambda: nn.Conv2d(4, 5, 3, groups=1), IMAGE),
    "conv 3d": (lambda: nn.Conv3d(2, 3, 2), (2, 3, 4, 3)),
    "transposed 1d": (lambda: nn.ConvTranspose1d(5, 4, 3), ROWS),
    "transposed 2d": (lambda: nn.ConvTranspose2d(4, 5, 3), IMAGE),
    "transposed 3d": (lambda: nn.ConvTranspose3d(2, 3, 2), (2, 3, 4, 3)),
    "batch norm": (lambda: nn.BatchNorm2d(4), IMAGE),
    "layer norm": (lambda: nn.LayerNorm(6), ROWS),
    "group norm": (lambda: nn.GroupNorm(2, 4), IMAGE),
    "instance norm": (lambda: nn.InstanceNorm2d(4, affine=True), IMAGE),
    "rms norm": (lambda: nn.RMSNorm(6), ROWS),
    "prelu": (lambda: nn.PReLU(4), IMAGE),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_masks_of_pruning_on_every_layer_that_has_weights(name, tmp_path):
    make, shape = WEIGHTED[name]
    torch.manual_seed(1)
    module = make()
    parameters = [k for k, v in module.named_parameters()]
    for parameter in parameters:
        prune.l1_unstructured(module, parameter, 0.5)
    masked = checked(nn.Sequential(module), [shape], tmp_path)
    for parameter in parameters:
        prune.remove(module, parameter)
    assert masked.text() == load_live(nn.Sequential(module), torch.zeros(2, *shape)).text()


def test_masks_of_the_projections_of_attention(tmp_path):
    module = heads()
    prune.l1_unstructured(module, "in_proj_weight", 0.5)
    prune.l1_unstructured(module.out_proj, "weight", 0.5)
    checked(Of(lambda m, x: m.held(x, x, x)[0], module), [ROWS], tmp_path)


@pytest.mark.parametrize("wrap", [parametrizations.spectral_norm, nn.utils.spectral_norm, parametrizations.weight_norm])
@pytest.mark.parametrize("name", ["linear", "conv 2d", "transposed 2d"])
def test_weights_that_are_computed_from_others(wrap, name, tmp_path):
    make, shape = WEIGHTED[name]
    torch.manual_seed(2)
    checked(nn.Sequential(wrap(make())), [shape], tmp_path)


MOVES = {
    "tensor_split": lambda m, x: x.tensor_split(4, 1)[1],
    "tensor_split at places": lambda m, x: x.tensor_split((1, -1), 1)[1],
    "hsplit": lambda m, x: x.transpose(1, 2).hsplit(2)[1],
    "hstack": lambda m, x: torch.hstack([x, x * 2]),
    "dstack": lambda m, x: torch.dstack([x, x * 2]),
    "concatenate": lambda m, x: torch.concatenate([x, x * 2], -1),
    "take_along_dim": lambda m, x: torch.take_along_dim(x, torch.tensor([[[1, 0, 2, 4, 3, 0]]]), 1),
    "tile of fewer axes": lambda m, x: x.tile(2, 1),
    "broadcast_to": lambda m, x: x[:, :1].broadcast_to(x.shape),
    "fliplr": lambda m, x: x.fliplr(),
    "moveaxis": lambda m, x: x.moveaxis(1, 2),
    "adjoint": lambda m, x: x.adjoint(),
    "reshape_as": lambda m, x: x.permute(0, 2, 1).reshape_as(x),
    "new rows": lambda m, x: torch.cat([x, x.new_zeros(x.shape[0], 1, 6), x.new_full((x.shape[0], 1, 6), 2.0)], 1),
    "eye": lambda m, x: x.masked_fill(torch.eye(5, 6) > 0, 2.0),
    "nearest-exact": lambda m, x: functional.interpolate(x, scale_factor=1.5, mode="nearest-exact"),
    "nearest-exact to a size": lambda m, x: functional.interpolate(x[:, None], size=(3, 8), mode="nearest-exact"),
    "unfold": lambda m, x: functional.unfold(x[:, None], 2, dilation=2, padding=1, stride=2),
    "an embedding of constants": lambda m, x: x + functional.embedding(torch.arange(6), m.table).T[:5],
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name, tmp_path):
    checked(Of(MOVES[name], table=torch.linspace(-1, 1, 48).reshape(6, 8)), [ROWS], tmp_path)


@pytest.mark.parametrize(("module", "match"), [
    (nn.LocalResponseNorm(2), r"0 \(LocalResponseNorm\): local response normalisation is not offered; use BatchNorm2d"),
    (nn.CrossMapLRN2d(2), r"0 \(CrossMapLRN2d\): local response normalisation is not offered"),
    (nn.MaxPool2d(2, return_indices=True), r"0 \(aten.max_pool2d.*its further result .*is an output and not offered"),
])  # fmt: skip
def test_layers_that_are_refused_as_such(module, match):
    with pytest.raises(UnsupportedError, match=match) as caught:
        load_live(nn.Sequential(module), torch.zeros(2, *IMAGE))
    assert str(caught.value).count("\n") == 1
