"""Small networks with what streams have to join: skips, strides, gates, upsampling, attention, several inputs and outputs."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Branches(nn.Module):
    """A skip, a concatenation of types that differ, a slice of channels, strides, padding after pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.c, self.f = nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.Linear(5 * 3 * 3, 6)

    def forward(self, x):
        x = F.relu(self.a(x))
        y = torch.cat([F.relu(x + self.b(x)), x], 1)[:, 1:5]
        y = F.pad(F.max_pool2d(self.c(y), 2, 1), (0, 1, 0, 1))
        return F.softmax(self.f(y.flatten(1)), 1)


class Gate(nn.Module):
    """Channels scaled by what the whole picture says, then upsampled by nearest neighbours and by a transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.f, self.t = nn.Conv2d(2, 3, 3), nn.Linear(3, 3), nn.ConvTranspose2d(3, 2, 3, stride=2)

    def forward(self, x):
        x = F.relu(self.a(x))
        x = x * torch.sigmoid(self.f(x.mean((2, 3))))[:, :, None, None]
        return self.t(F.interpolate(x, scale_factor=2))


class Attention(nn.Module):
    """With positions added, and a normalisation over each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.e, self.m = nn.Linear(3, 4), nn.MultiheadAttention(4, 2, batch_first=True)
        self.n, self.p, self.o = nn.LayerNorm(4), nn.Parameter(torch.randn(4, 4)), nn.Linear(4, 2)

    def forward(self, x):
        x = self.e(x) + self.p
        return self.o(self.n(x + self.m(x, x, x, need_weights=False)[0]).mean(1))


class Two(nn.Module):
    """One-dimensional, dilated, with a second output from the middle and a scale for each position."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(2, 3, 3, dilation=2, padding=2), nn.Conv1d(3, 2, 2, stride=2)
        self.scale = nn.Parameter(torch.rand(1, 8) + 0.5)

    def forward(self, x):
        middle = F.relu(self.a(x)) * self.scale
        return self.b(middle).flip(2), middle.amax(1)


NETWORKS = {
    "branches": (Branches, (3, 6, 6)),
    "gate": (Gate, (2, 5, 5)),
    "attention": (Attention, (4, 3)),
    "two": (Two, (2, 8)),
}


def network(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A seeded one, in evaluation mode."""
    torch.manual_seed(7)
    make, shape = NETWORKS[name]
    return make().eval(), shape
