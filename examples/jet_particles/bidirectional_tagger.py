"""Train an LSTM that reads lists of 10 particles both ways with PyTorch, prune it to 40 %, write bidirectional_tagger.pt2."""

from __future__ import annotations

from functools import partial

import torch
from particles import CLASSES, lists
from torch import nn
from training import class_loss, export_pt2, make

PARTICLES, FEATURES, UNITS, KEEP, EPOCHS = 10, 6, 10, 0.4, 20


class Tagger(nn.Module):
    """Ten particles of six features through an LSTM of 10 units each way; both last states give the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, UNITS, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * UNITS, len(CLASSES))

    def forward(self, particles: torch.Tensor) -> torch.Tensor:
        """Class probabilities (events, 5) of particles (events, 10, 6)."""
        states = self.lstm(particles)[0]
        both = torch.cat([states[:, -1, :UNITS], states[:, 0, UNITS:]], dim=1)
        return torch.softmax(self.output(both), dim=-1)


def main() -> None:
    """Train and write."""
    data = partial(lists, count=PARTICLES)
    make(__doc__, Tagger, data, class_loss, KEEP, export_pt2, "bidirectional_tagger.pt2", EPOCHS)


if __name__ == "__main__":
    main()
