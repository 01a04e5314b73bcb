"""A layer that becomes several nodes is one layer for settings, traces and folding."""

import numpy as np
import pytest

import nn2hls

torch = pytest.importorskip("torch")
nn = torch.nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(64, 3)
        rng = np.random.default_rng(2)
        for value in (self.bn.weight, self.bn.bias, self.bn.running_mean, self.bn.running_var):
            value.data = torch.tensor(rng.uniform(0.5, 1.5, 4), dtype=torch.float32)

    def forward(self, x):
        return self.fc(self.pool(torch.relu(self.bn(self.conv(x)))).flatten(1))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(4)
    return Net().eval()


@pytest.fixture(scope="module")
def graph(net):
    return nn2hls.load(net, input_shape=(1, 8, 8))


X = np.random.default_rng(5).normal(0, 1, (40, 1, 8, 8))


def test_settings_of_a_convolution_are_those_of_its_product(graph):
    """What it reads keeps its own type, and nothing is said about steps that have no use for a setting."""
    own = {"Precision": {"result": "ap_fixed<9,3>", "weight": "ap_fixed<7,2>"}, "ReuseFactor": 4}
    design = nn2hls.convert(graph, {"Model": {"Precision": "ap_fixed<16,6>"}, "LayerName": {"conv": own}})
    patches, product = design.graph["conv_product_patches"], design.graph["conv_product"]
    assert str(patches.type) == "ap_fixed<16,6>"
    assert (str(product.type), str(product.op.weight_t), product.op.reuse) == ("ap_fixed<9,3>", "ap_fixed<7,2>", 4)
    assert not [note for note in design.notes if "no use for" in note]


def test_batch_norm_folds_through_the_channels_first(graph, net):
    design = nn2hls.convert(graph, calibration=X)
    assert "bn" not in design.graph.by_name
    assert design.graph["conv"].origin.shows == "bn"
    np.testing.assert_allclose(design.predict_float(X), net(torch.tensor(X).float()).detach(), rtol=1e-5, atol=1e-6)
    errors = np.abs(design.predict(X) - design.predict_float(X))
    assert errors.max() < 1e-2


def test_batch_norm_stays_where_another_reads_the_convolution(net):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            y = self.net.conv(x)
            return self.net.bn(y) + y

    design = nn2hls.convert(nn2hls.load(Both().eval(), input_shape=(1, 8, 8)), calibration=X)
    assert "net.bn" in design.graph.by_name
    np.testing.assert_allclose(design.predict_float(X), Both().eval()(torch.tensor(X).float()).detach(), rtol=1e-5, atol=1e-5)


def test_a_scale_that_changes_over_the_space_stays(net):
    class Spots(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = net.conv
            self.register_buffer("spots", torch.linspace(0.5, 1.5, 256).reshape(4, 8, 8))

        def forward(self, x):
            return self.conv(x) * self.spots

    module = Spots().eval()
    design = nn2hls.convert(nn2hls.load(module, input_shape=(1, 8, 8)), calibration=X)
    np.testing.assert_allclose(design.predict_float(X), module(torch.tensor(X).float()).detach(), rtol=1e-5, atol=1e-6)


class Normalised(nn.Module):
    """A BatchNorm that folds through a permutation, and layers without a node."""

    def __init__(self, net):
        super().__init__()
        self.fc, self.bn, self.drop, self.flat = nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Flatten()
        self.bn.load_state_dict(net.bn.state_dict())

    def forward(self, x):
        return self.flat(self.drop(self.bn(self.fc(x).permute(0, 2, 1))))


@pytest.mark.parametrize(("kind", "shape"), [(lambda net: net, (1, 8, 8)), (Normalised, (3, 5))], ids=["conv", "permuted"])
def test_traces_are_what_the_model_says_of_each_layer(net, kind, shape):
    module = kind(net).eval()
    x = np.random.default_rng(6).normal(0, 1, (5, *shape))
    design = nn2hls.convert(nn2hls.load(module, input_shape=shape), calibration=x)
    said = {}
    hooks = [
        m.register_forward_hook(lambda _, x, y, n=n: said.update({n: y.detach().numpy()})) for n, m in module.named_children()
    ]
    module(torch.tensor(x).float())
    for hook in hooks:
        hook.remove()
    fixed, exact = design.trace(x), design.trace_float(x)
    assert list(fixed) == list(exact)
    assert set(said) <= set(exact)
    for name, want in said.items():
        np.testing.assert_allclose(exact[name], want, rtol=1e-5, atol=1e-6)
        assert 0 < np.abs(fixed[name] - exact[name]).max() < 0.02


def test_traces_have_the_shapes_of_the_model(graph, net):
    design = nn2hls.convert(graph, calibration=X)
    trace, exact = design.trace(X[:5]), design.trace_float(X[:5])
    assert trace.keys() == exact.keys()
    assert {k: v.shape[1:] for k, v in trace.items()} == {
        "x": (1, 8, 8), "conv": (4, 8, 8), "bn": (4, 8, 8), "relu": (4, 8, 8), "pool": (4, 4, 4), "flatten": (64,), "fc": (3,)
    }  # fmt: skip
    x = torch.tensor(X[:5]).float()
    for name, want in {"bn": net.bn(net.conv(x)), "pool": net.pool(torch.relu(net.bn(net.conv(x))))}.items():
        np.testing.assert_allclose(exact[name], want.detach(), rtol=1e-5, atol=1e-6)
