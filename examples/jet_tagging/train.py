"""Train the 16-64-32-32-5 jet tagger, prune it in seven steps to 70 % with retraining, and write the files of this folder.

    python train.py            # synthetic jets, a few minutes on two cores
    python train.py --data hls4ml_lhc_jets_hlf.arff --out mine

Needs torch, keras, onnx and onnxscript (the extra ``nn2hls[test]`` has them all).
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
from dataset import CLASSES, FEATURES, Standardiser, simulate
from public import load_public
from torch import nn
from torch.nn.utils import prune

SEED = 20180413
TRAIN, VALIDATION, TEST, CALIBRATION = 120_000, 20_000, 5_000, 1_000
ITERATIONS, KEEP = 7, 0.30
EPOCHS, RETRAIN_EPOCHS, BATCH, LEARNING_RATE, L1 = 30, 10, 512, 2e-3, 2e-5


class JetTagger(nn.Module):
    """16 features -> 64 -> 32 -> 32 (ReLU) -> 5 classes (softmax)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.relu1 = nn.Linear(16, 64), nn.ReLU()
        self.fc2, self.relu2 = nn.Linear(64, 32), nn.ReLU()
        self.fc3, self.relu3 = nn.Linear(32, 32), nn.ReLU()
        self.output, self.softmax = nn.Linear(32, 5), nn.Softmax(dim=-1)

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """What the softmax takes."""
        return self.output(self.relu3(self.fc3(self.relu2(self.fc2(self.relu1(self.fc1(inputs)))))))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Class probabilities."""
        return self.softmax(self.logits(inputs))

    def dense(self) -> dict[str, nn.Linear]:
        """The four layers with weights, by name."""
        return {name: layer for name, layer in self.named_children() if isinstance(layer, nn.Linear)}


def fit(model: JetTagger, x: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
    """Adam with a one-cycle learning rate on cross entropy plus L1 times the sum of absolute weights."""
    batches = len(x) // BATCH
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=epochs * batches)
    model.train()
    for _ in range(epochs):
        for part in torch.randperm(len(x))[: batches * BATCH].view(batches, BATCH):
            loss = nn.functional.cross_entropy(model.logits(x[part]), y[part])
            # After the forward pass: only then a masked weight is the current one.
            loss = loss + L1 * sum(layer.weight.abs().sum() for layer in model.dense().values())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()


def prune_to(model: JetTagger, keep: float) -> None:
    """Mask the smallest weights of the whole network, so that the share ``keep`` of all is left."""
    layers = list(model.dense().values())
    total = sum(layer.weight.numel() for layer in layers)
    alive = sum(int(getattr(layer, "weight_mask", torch.ones_like(layer.weight)).sum()) for layer in layers)
    parameters = [(layer, "weight") for layer in layers]
    prune.global_unstructured(parameters, pruning_method=prune.L1Unstructured, amount=alive - round(keep * total))


@torch.no_grad()
def assess(step: str, model: JetTagger, x: torch.Tensor, y: torch.Tensor) -> dict:
    """Print and return the accuracy, in all and per class, and the share of weights that are zero, per layer."""
    model.eval()
    right = (model.logits(x).argmax(dim=1) == y).double()
    layers = {name: layer.weight for name, layer in model.dense().items()}
    zeros = sum(int((w == 0).sum()) for w in layers.values()) / sum(w.numel() for w in layers.values())
    record = {
        "step": step,
        "zeros": round(zeros, 4),
        "zeros_per_layer": {name: round(float((w == 0).double().mean()), 4) for name, w in layers.items()},
        "accuracy": round(float(right.mean()), 4),
        "accuracy_per_class": {name: round(float(right[y == i].mean()), 4) for i, name in enumerate(CLASSES)},
    }
    per_class = "  ".join(f"{name} {value:.3f}" for name, value in record["accuracy_per_class"].items())
    print(f"{step:22s} {zeros:6.1%} zero   accuracy {record['accuracy']:.4f}   {per_class}", flush=True)
    return record


def train(x: np.ndarray, y: np.ndarray, held_x: np.ndarray, held_y: np.ndarray) -> tuple[JetTagger, JetTagger, list[dict]]:
    """The float tagger, the pruned one (masks made permanent) and the record of every step on the held-out jets."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    data = torch.from_numpy(x), torch.from_numpy(y)
    held = torch.from_numpy(held_x), torch.from_numpy(held_y)
    model = JetTagger()
    fit(model, *data, EPOCHS)
    records = [assess("trained with L1", model, *held)]
    original = JetTagger()
    original.load_state_dict(model.state_dict())
    for i in range(1, ITERATIONS + 1):
        prune_to(model, KEEP ** (i / ITERATIONS))
        records.append(assess(f"iteration {i}, pruned", model, *held))
        fit(model, *data, RETRAIN_EPOCHS)
        records.append(assess(f"iteration {i}, retrained", model, *held))
    for layer in model.dense().values():
        prune.remove(layer, "weight")
    return original.eval(), model.eval(), records


def data_sets(arguments: argparse.Namespace) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Standardised ``train``, ``validation`` and ``test`` jets with class numbers; synthetic unless --data is given."""
    total = TRAIN + VALIDATION + TEST
    x, y = load_public(arguments.data, arguments.labels) if arguments.data else simulate(total, SEED)
    order = np.random.default_rng(SEED).permutation(len(x))
    x, y = x[order], y[order]
    inputs = Standardiser.fit(x[: -VALIDATION - TEST])(x)
    cuts = np.split(np.arange(len(x)), [len(x) - VALIDATION - TEST, len(x) - TEST])
    return {name: (inputs[part], y[part]) for name, part in zip(("train", "validation", "test"), cuts, strict=True)}


def main() -> None:
    """Train, prune, write."""
    parser = argparse.ArgumentParser(description="Train and prune the jet tagger.")
    parser.add_argument("--data", type=Path, help="public data set on disk (.arff, .csv, .npy); default: synthetic jets")
    parser.add_argument("--labels", type=Path, help="labels of a .npy file")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for the files (default: this one)")
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported
    from export import export_all

    sets = data_sets(arguments)
    model, pruned, records = train(*sets["train"], *sets["validation"])
    records += [assess("test set, float", model, *map(torch.from_numpy, sets["test"]))]
    records += [assess("test set, pruned", pruned, *map(torch.from_numpy, sets["test"]))]
    arguments.out.mkdir(parents=True, exist_ok=True)
    export_all(model, arguments.out / "jet_tagger")
    export_all(pruned, arguments.out / "jet_tagger_pruned")
    (arguments.out / "pruning.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    np.save(arguments.out / "jets_test.npy", sets["test"][0])
    np.save(arguments.out / "jets_test_labels.npy", sets["test"][1].astype(np.uint8))
    np.save(arguments.out / "jets_calibration.npy", sets["train"][0][:CALIBRATION])
    print(f"{len(FEATURES)} features, classes {', '.join(CLASSES)}; files written to {arguments.out.resolve()}")


if __name__ == "__main__":
    main()
