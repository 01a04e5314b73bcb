"""Small networks of many layers, as their users write them, in PyTorch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class UNet(nn.Module):
    """Two levels, joined across."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.deep = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 3, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(3, 2, 2, stride=2), nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x):
        across = F.relu(self.down(x))
        deep = F.relu(self.deep(F.max_pool2d(across, 2)))
        return self.out(torch.cat([across, self.up(deep)], 1))


class ParticleTransformer(nn.Module):
    """One block of attention over three particles."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.attention = nn.Linear(3, 4), nn.MultiheadAttention(4, 2, batch_first=True)
        self.first, self.second = nn.LayerNorm(4), nn.LayerNorm(4)
        self.wide, self.back, self.out = nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(4, 2)

    def forward(self, x):
        x = self.embed(x)
        x = self.first(x + self.attention(x, x, x, need_weights=False)[0])
        x = self.second(x + self.back(F.relu(self.wide(x))))
        return F.softmax(self.out(x.mean(1)), -1)


class InteractionNetwork(nn.Module):
    """JEDI-net: what every pair of particles does to each other, by matrices of zeros and ones."""

    def __init__(self, particles: int = 3, features: int = 2) -> None:
        super().__init__()
        pairs = [(i, j) for i in range(particles) for j in range(particles) if i != j]
        for name, place in (("receives", 0), ("sends", 1)):
            matrix = torch.zeros(particles, len(pairs))
            for k, pair in enumerate(pairs):
                matrix[pair[place], k] = 1
            self.register_buffer(name, matrix)
        self.edge, self.node, self.out = nn.Linear(2 * features, 3), nn.Linear(features + 3, 3), nn.Linear(3, 2)

    def forward(self, x):
        x = x.transpose(1, 2)
        both = torch.cat([x @ self.receives, x @ self.sends], 1)
        effects = F.relu(self.edge(both.transpose(1, 2))).transpose(1, 2) @ self.receives.t()
        return self.out(F.relu(self.node(torch.cat([x, effects], 1).transpose(1, 2))).sum(1))


def jet_images() -> nn.Module:
    """A convolutional classifier, with a normalisation and two kinds of pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2),
    )  # fmt: skip


# By name: the module, and the shape of its input.
NETWORKS = {
    "jet images": (jet_images, (1, 8, 8)),
    "u-net": (UNet, (1, 4, 4)),
    "particle transformer": (ParticleTransformer, (3, 3)),
    "interaction network": (InteractionNetwork, (3, 2)),
}


def network(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A seeded one, in evaluation mode."""
    torch.manual_seed(11)
    make, shape = NETWORKS[name]
    return make().eval(), shape
