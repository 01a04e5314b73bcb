"""Train a GRU over lists of 20 particles with PyTorch, prune it to 40 %, and write gru_tagger.pt2."""

from __future__ import annotations

import torch
from particles import CLASSES, lists
from torch import nn
from training import SEED, TEST, TRAIN, arguments, class_loss, export_pt2, fit, keep_data, tell

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
    given = arguments(__doc__, EPOCHS)
    model = Tagger()
    train, test = lists(TRAIN, SEED, PARTICLES), lists(TEST, SEED + 1, PARTICLES)
    fit(model, *train, class_loss, given.epochs, KEEP)
    tell(model, *test)
    export_pt2(model, test[0], given.out / "gru_tagger.pt2")
    keep_data(given.out, "gru_tagger", train, test)


if __name__ == "__main__":
    main()
