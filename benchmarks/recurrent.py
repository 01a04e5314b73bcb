"""Taggers over lists of 20 particles: emulating recurrent layers against PyTorch, and how often both answer the same."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Row, measured_apart, pairs

EVENTS, PARTICLES, FEATURES, UNITS = 10_000, 20, 6, 20
SEED = 5


def prepared(kind: str):
    """(PyTorch module with seeded weights, its design, events as float32)."""
    import torch
    from torch import nn

    import nn2hls

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells, self.output = getattr(nn, kind)(FEATURES, UNITS, batch_first=True), nn.Linear(UNITS, 5)

        def forward(self, particles):
            return torch.softmax(self.output(self.cells(particles)[0][:, -1]), dim=-1)

    torch.manual_seed(SEED)
    module = Tagger().eval()
    x = np.random.default_rng(SEED).normal(0, 1, (EVENTS, PARTICLES, FEATURES)).astype(np.float32)
    return module, nn2hls.convert(module, example=torch.from_numpy(x[:2]), calibration=x[:1000]), x


def times(kind: str) -> tuple[float, float, float, float]:
    """(time of ``predict`` / PyTorch's, the seconds of each, share of events with one largest class), in this process."""
    import torch

    module, design, x = prepared(kind)
    given = torch.from_numpy(x)

    def theirs():
        with torch.inference_mode():
            return module(given).numpy()

    same = float(np.mean(design.predict(x).argmax(axis=1) == theirs().argmax(axis=1)))
    return *pairs(lambda: design.predict(x), theirs, times=5), same


def rows() -> list[Row]:
    """GRU and LSTM."""
    found = []
    for kind in ("GRU", "LSTM"):
        ratio, ours, theirs, same = measured_apart("recurrent:times", kind)
        note = f"{ours:.3f} s against {theirs:.3f} s, medians; {same:.2%} of the classes are the same"
        found.append(Row(f"predict, {EVENTS:,} events, {kind} tagger: time / PyTorch", ratio, 4, note=note))
        found.append(Row(f"classes of it that differ from float, {kind}", 100 * (1 - same), 0.5, "%"))
    return found
