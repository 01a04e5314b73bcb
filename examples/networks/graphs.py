"""Networks over lists of particles: GarNet and GravNet in Keras, DGCNN, GGNN and Deep Sets in PyTorch."""

from __future__ import annotations

import torch
from particles import CLASSES
from torch import nn

PARTICLES = 8


def gravnet():
    """A GravNet layer, the mean over the particles, and the classes."""
    import keras
    from layers import GravNet

    x = keras.Input((PARTICLES, 3), name="particles")
    y = keras.layers.GlobalAveragePooling1D(name="mean")(GravNet(4, 2, 8, 4, name="gravnet")(x))
    return keras.Model(x, keras.layers.Dense(len(CLASSES), activation="softmax", name="output")(y))


def garnet():
    """A GarNet layer that ends in means, and the classes; the fourth feature says whether a particle is there."""
    import keras
    from layers import GarNet

    x = keras.Input((PARTICLES, 4), name="particles")
    y = keras.layers.Activation("relu", name="relu")(GarNet(6, 12, 4, collapse="mean", name="garnet")(x))
    return keras.Model(x, keras.layers.Dense(len(CLASSES), activation="softmax", name="output")(y))


class Dgcnn(nn.Module):
    """Edge convolution over the nearest particles, found anew in each event (Wang et al., arXiv:1801.07829)."""

    def __init__(self, neighbours: int = 4, width: int = 8) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.edge, self.output = nn.Linear(6, width), nn.Linear(width, len(CLASSES))

    def forward(self, particles: torch.Tensor) -> torch.Tensor:
        """Class probabilities (events, 5) of particles (events, 8, 3)."""
        apart = particles.unsqueeze(2) - particles.unsqueeze(1)
        nearest = torch.topk((apart**2).sum(-1), self.neighbours, dim=-1, largest=False).indices
        rows = particles.unsqueeze(1).expand(-1, PARTICLES, -1, -1)
        near = torch.gather(rows, 2, nearest.unsqueeze(-1).expand(-1, -1, -1, 3))
        own = particles.unsqueeze(2).expand(-1, -1, self.neighbours, -1)
        edges = torch.relu(self.edge(torch.cat([own, near - own], -1)))
        return torch.softmax(self.output(edges.max(2).values.mean(1)), dim=-1)


class Ggnn(nn.Module):
    """Two rounds of messages to the next harder and softer particle and a GRU cell (Li et al., arXiv:1511.05493)."""

    def __init__(self, width: int = 6, rounds: int = 2) -> None:
        super().__init__()
        self.rounds = rounds
        chain = torch.diag(torch.ones(PARTICLES - 1), 1)
        self.register_buffer("adjacency", chain + chain.T)
        self.embedding, self.message = nn.Linear(3, width), nn.Linear(width, width)
        self.cell, self.output = nn.GRUCell(width, width), nn.Linear(width, len(CLASSES))

    def forward(self, particles: torch.Tensor) -> torch.Tensor:
        """Class probabilities (events, 5) of particles (events, 8, 3)."""
        state = self.embedding(particles)
        for _ in range(self.rounds):
            heard = self.adjacency @ self.message(state)
            flat = self.cell(heard.reshape(-1, heard.shape[-1]), state.reshape(-1, state.shape[-1]))
            state = flat.reshape(state.shape)
        return torch.softmax(self.output(state.mean(1)), dim=-1)


class DeepSets(nn.Module):
    """A sum over particles, each by itself (Zaheer et al., arXiv:1703.06114)."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.each, self.event = nn.Linear(3, width), nn.Linear(width, width)
        self.output = nn.Linear(width, len(CLASSES))

    def forward(self, particles: torch.Tensor) -> torch.Tensor:
        """Class probabilities (events, 5) of particles (events, 8, 3)."""
        event = torch.relu(self.event(torch.relu(self.each(particles)).mean(1)))
        return torch.softmax(self.output(event), dim=-1)
