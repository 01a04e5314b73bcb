"""Train a particle transformer of one attention block with PyTorch, prune it to 40 %, and write particle_transformer.pt2."""

from __future__ import annotations

import torch
from particles import CLASSES, particles
from torch import nn
from training import class_loss, export_pt2, make

PARTICLES, WIDTH, HEADS, KEEP = 8, 8, 2, 0.4


class ParticleTransformer(nn.Module):
    """Particles, each of three features: embedding, attention, a dense block, the mean over particles, the classes."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.output = nn.Linear(width, len(CLASSES))

    def forward(self, particles: torch.Tensor) -> torch.Tensor:
        """Class probabilities (events, 5) of particles (events, particles, 3)."""
        x = torch.relu(self.embed(particles))
        x = self.norm1(x + self.attention(x, x, x, need_weights=False)[0])
        x = self.norm2(x + self.fc2(torch.relu(self.fc1(x))))
        return torch.softmax(self.output(x.mean(dim=1)), dim=-1)


def main() -> None:
    """Train and write."""
    make(
        __doc__,
        ParticleTransformer,
        lambda events, seed: particles(events, seed, PARTICLES),
        class_loss,
        KEEP,
        export_pt2,
        "particle_transformer.pt2",
    )


if __name__ == "__main__":
    main()
