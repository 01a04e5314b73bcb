"""Write further synthetic jets, as the training set was standardised: jets_more.npy and jets_more_labels.npy.

python examples/jet_tagging/more_jets.py --out nn2hls-projects --events 20000
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from dataset import Standardiser, simulate

SEED = 7  # of train.py is another one: these jets are in none of its sets


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description="Write further synthetic jets.")
    parser.add_argument("--events", type=int, default=20_000, help="how many")
    parser.add_argument("--out", type=Path, default=Path(), help="folder (default: the current one)")
    arguments = parser.parse_args()
    from train import SEED as TRAINING
    from train import TEST, TRAIN, VALIDATION

    x, _ = simulate(TRAIN + VALIDATION + TEST, TRAINING)
    order = np.random.default_rng(TRAINING).permutation(len(x))
    standardise = Standardiser.fit(x[order][: -VALIDATION - TEST])
    x, y = simulate(arguments.events, SEED)
    arguments.out.mkdir(parents=True, exist_ok=True)
    np.save(arguments.out / "jets_more.npy", standardise(x).astype(np.float32))
    np.save(arguments.out / "jets_more_labels.npy", y.astype(np.uint8))
    print(f"wrote {arguments.events:,} jets to {arguments.out}")


if __name__ == "__main__":
    main()
