"""Graph networks of the field in PyTorch: floats are the module's own, and every witness gives the same mantissas."""

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.errors import UnsupportedError

torch = pytest.importorskip("torch")
nn = torch.nn


class EdgeConvolution(nn.Module):
    """Dynamic edges: the k nearest in the space of the features (DGCNN)."""

    def __init__(self, n_in, n_out, k):
        super().__init__()
        self.k, self.mlp = k, nn.Sequential(nn.Linear(2 * n_in, n_out), nn.ReLU())

    def forward(self, x):
        n, square = x.shape[1], (x**2).sum(-1, keepdim=True)
        away = square - 2 * x @ x.transpose(1, 2) + square.transpose(1, 2)
        found = torch.topk(-away, self.k, dim=-1).indices
        rows = x.unsqueeze(1).expand(-1, n, -1, -1)
        near = torch.gather(rows, 2, found.unsqueeze(-1).expand(-1, -1, -1, x.shape[-1]))
        own = x.unsqueeze(2).expand(-1, -1, self.k, -1)
        return self.mlp(torch.cat([own, near - own], -1)).max(2).values


class Dgcnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.edges, self.head = EdgeConvolution(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.edges(x).mean(1))


class Interaction(nn.Module):
    """All pairs of particles; what each receives is a sum over constant places."""

    def __init__(self, particles=4, features=2, effects=3):
        super().__init__()
        pairs = [(i, j) for i in range(particles) for j in range(particles) if i != j]
        self.register_buffer("receivers", torch.tensor([i for i, _ in pairs]))
        self.register_buffer("senders", torch.tensor([j for _, j in pairs]))
        self.particles, self.effects = particles, effects
        self.relation = nn.Sequential(nn.Linear(2 * features, effects), nn.ReLU())
        self.object = nn.Sequential(nn.Linear(features + effects, 4), nn.ReLU())
        self.head = nn.Linear(4, 2)
        for name, places in (("receiving", self.receivers), ("sending", self.senders)):
            self.register_buffer(name, torch.eye(particles)[places].T)

    def forward(self, x):
        edges = self.relation(torch.cat([x[:, self.receivers], x[:, self.senders]], -1))
        received = torch.zeros(x.shape[0], self.particles, self.effects).index_add(1, self.receivers, edges)
        return self.head(self.object(torch.cat([x, received], -1)).sum(1))


class Matrices(Interaction):
    """The same with receiving and sending matrices, particles last, as JEDI-net has them."""

    def forward(self, x):
        x = x.transpose(1, 2)
        edges = self.relation(torch.cat([x @ self.receiving, x @ self.sending], 1).transpose(1, 2)).transpose(1, 2)
        received = edges @ self.receiving.T
        return self.head(self.object(torch.cat([x, received], 1).transpose(1, 2)).sum(1))


class Gated(nn.Module):
    """Messages and a GRU cell at every vertex over fixed steps (GGNN)."""

    def __init__(self, vertices=3, features=2, steps=2):
        super().__init__()
        self.message, self.cell, self.head = (
            nn.Linear(features, features),
            nn.GRUCell(features, features),
            nn.Linear(features, 2),
        )
        self.steps = steps
        self.register_buffer("adjacency", torch.tensor([[0.0, 1, 1], [1, 0, 0], [1, 0, 0]])[:vertices, :vertices])

    def forward(self, x):
        for _ in range(self.steps):
            heard = self.adjacency @ self.message(x)
            x = self.cell(heard.reshape(-1, x.shape[-1]), x.reshape(-1, x.shape[-1])).reshape(x.shape)
        return self.head(x.sum(1))


class DeepSets(nn.Module):
    def __init__(self):
        super().__init__()
        self.each, self.all = (
            nn.Sequential(nn.Linear(3, 4), nn.ReLU()),
            nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)),
        )

    def forward(self, x):
        return self.all(self.each(x).mean(1))


NETWORKS = {
    "DGCNN": (Dgcnn, (5, 3)),
    "interaction network": (Interaction, (4, 2)),
    "interaction network of matrices": (Matrices, (4, 2)),
    "GGNN": (Gated, (3, 2)),
    "Deep Sets": (DeepSets, (4, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_floats_are_the_modules_own(name):
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    module = make().eval()
    x = np.random.default_rng(1).normal(size=(64, *shape)).astype(np.float32)
    design = convert(module, {}, calibration=x, example=torch.zeros(2, *shape))
    wanted = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(design.predict_float(x), wanted, rtol=1e-4, atol=1e-5)
    if name != "DGCNN":  # whose neighbours may be others where they are equally far but for rounding
        assert np.abs(design.predict(x) - wanted).max() < 0.02 * np.abs(wanted).max()


@pytest.mark.long
def test_the_witnesses_agree_on_computed_neighbours(tmp_path):
    torch.manual_seed(0)
    x = np.random.default_rng(1).normal(size=(12, 5, 3))
    config = {"Backend": "Verilog", "HLSConfig": {"Model": {"Precision": "ap_fixed<10,4>"}}}
    design = convert(Dgcnn().eval(), config, calibration=x, example=torch.zeros(2, 5, 3))
    assert design.verify(x).equal
    assert design.verify(x, "rtl").equal


class Means(nn.Module):
    def __init__(self, reduce, index):
        super().__init__()
        self.reduce = reduce
        self.register_buffer("index", torch.tensor(index))

    def forward(self, x):
        index = self.index.view(1, -1, 1).expand(x.shape[0], -1, x.shape[2])
        return x.scatter_reduce(1, index, x, self.reduce)


def test_a_mean_counts_the_element_itself():
    module = Means("mean", [0, 0, 2]).eval()
    x = np.random.default_rng(0).normal(size=(7, 3, 2)).astype(np.float32)
    design = convert(module, {}, example=torch.zeros(2, 3, 2))
    np.testing.assert_allclose(design.predict_float(x), module(torch.tensor(x)).numpy(), rtol=1e-6)


class Computed(nn.Module):
    def forward(self, x):
        return x[torch.arange(x.shape[0]).view(-1, 1), x.argmax(1)]


class Twice(nn.Module):
    def forward(self, x):
        return x.scatter(1, torch.tensor([[[0, 1], [0, 0]]]).expand(x.shape[0], -1, -1), x)


@pytest.mark.parametrize(
    ("module", "shape", "words"),
    [
        (Means("amax", [0, 0, 2]), (3, 2), "'amax'"),
        (Twice(), (2, 2), "go to one place"),
        (Computed(), (3, 2), "torch.gather"),
    ],
)
def test_what_is_not_offered_is_named(module, shape, words):
    with pytest.raises(UnsupportedError) as error:
        convert(module.eval(), {}, example=torch.zeros(2, *shape))
    assert words in str(error.value)
