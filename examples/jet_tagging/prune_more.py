"""Go on pruning the tagger of ``train.py`` until it is small enough for a board: ``jet_tagger_small.keras``.

    python examples/jet_tagging/prune_more.py --out mine   # needs torch, keras, onnx and onnxscript, as train.py

Each round takes a fifth of the weights that are left, the smallest of the whole network, and trains the others again; the last
round trains as long as ``train.py`` does at first. Neurons that nothing leads to or from are left out by nn2hls.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from torch.nn.utils import prune
from train import EPOCHS, RETRAIN_EPOCHS, SEED, JetTagger, assess, data_sets, fit, prune_to

HERE = Path(__file__).parent
BEFORE, KEEP, ROUNDS = 0.30, 0.06, 7  # share of the weights that are left: where train.py ends, and here


def main() -> None:
    """Prune, train again, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="public data set on disk (.arff, .csv, .npy); default: synthetic jets")
    parser.add_argument("--labels", type=Path, help="labels of a .npy file")
    parser.add_argument("--model", type=Path, default=HERE / "jet_tagger_pruned.pt2", help="the tagger to start from")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported
    from export import export_keras

    sets = {name: tuple(map(torch.from_numpy, arrays)) for name, arrays in data_sets(arguments).items()}
    torch.set_num_threads(1)  # it is too small for more, and the result is the same on any number of cores
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    model = JetTagger()
    model.load_state_dict(torch.export.load(arguments.model).state_dict)
    for i in range(1, ROUNDS + 1):
        prune_to(model, BEFORE * (KEEP / BEFORE) ** (i / ROUNDS))
        assess(f"round {i}, pruned", model, *sets["validation"])
        fit(model, *sets["train"], EPOCHS if i == ROUNDS else RETRAIN_EPOCHS)
        assess(f"round {i}, retrained", model, *sets["validation"])
    for layer in model.dense().values():
        prune.remove(layer, "weight")
    assess("test set", model, *sets["test"])
    arguments.out.mkdir(parents=True, exist_ok=True)
    export_keras(model.eval(), arguments.out / "jet_tagger_small")
    (arguments.out / "jet_tagger_small.h5").unlink()  # one form is enough


if __name__ == "__main__":
    main()
