"""Train an interaction network (JEDI-net) with PyTorch, prune it to 40 %, and write interaction_network.onnx.

After Moreno et al., "JEDI-net: a jet identification algorithm based on interaction networks", arXiv:1908.05318.
"""

from __future__ import annotations

import itertools

import torch
from particles import CLASSES, particles
from torch import nn
from training import class_loss, export_onnx, make

PARTICLES, EFFECTS, KEEP = 6, 4, 0.4


class InteractionNetwork(nn.Module):
    """Every ordered pair of particles has an effect; each particle sums those upon it; the jet sums its particles."""

    def __init__(self, particles: int = PARTICLES, effects: int = EFFECTS) -> None:
        super().__init__()
        pairs = list(itertools.permutations(range(particles), 2))
        receivers, senders = torch.zeros(2, len(pairs), particles)
        for edge, (receiver, sender) in enumerate(pairs):
            receivers[edge, receiver] = senders[edge, sender] = 1
        self.register_buffer("receivers", receivers)  # (pairs, particles), one 1 in each row
        self.register_buffer("senders", senders)
        self.effect1, self.effect2 = nn.Linear(6, 8), nn.Linear(8, effects)
        self.object1, self.object2 = nn.Linear(3 + effects, 8), nn.Linear(8, 6)
        self.output = nn.Linear(6, len(CLASSES))

    def forward(self, particles: torch.Tensor) -> torch.Tensor:
        """Class probabilities (events, 5) of particles (events, particles, 3)."""
        pairs = torch.cat([self.receivers @ particles, self.senders @ particles], dim=2)
        effects = torch.relu(self.effect2(torch.relu(self.effect1(pairs))))
        upon = self.receivers.T @ effects
        objects = torch.relu(self.object2(torch.relu(self.object1(torch.cat([particles, upon], dim=2)))))
        return torch.softmax(self.output(objects.sum(dim=1)), dim=-1)


def main() -> None:
    """Train and write."""
    make(
        __doc__,
        InteractionNetwork,
        lambda events, seed: particles(events, seed, PARTICLES),
        class_loss,
        KEEP,
        export_onnx,
        "interaction_network.onnx",
    )


if __name__ == "__main__":
    main()
