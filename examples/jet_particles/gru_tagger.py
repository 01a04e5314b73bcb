"""Train a GRU over lists of 20 particles with PyTorch, prune it to 40 %, and write gru_tagger.pt2."""

from __future__ import annotations

from functools import partial

import torch
from particles import CLASSES, lists
from torch import nn
from training import class_loss, export_pt2, make

PARTICLES, FEATURES, UNITS, KEEP, EPOCHS = 20, 6, 20, 0.4, 20


class Tagger(nn.Module):
    """Twenty particles of six features, hardest last, through a GRU of 20 units; its last state gives the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(FEATURES, UNITS, batch_first=True)
        self.output = nn.Linear(UNITS, len(CLASSES))

    def forward(self, particles: torch.Tensor) -> torch.Tensor:
        """Class probabilities (events, 5) of particles (events, 20, 6)."""
        return torch.softmax(self.output(self.gru(particles)[0][:, -1]), dim=-1)


def main() -> None:
    """Train and write."""
    data = partial(lists, count=PARTICLES)
    make(__doc__, Tagger, data, class_loss, KEEP, export_pt2, "gru_tagger.pt2", EPOCHS)


if __name__ == "__main__":
    main()
