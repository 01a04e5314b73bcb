"""What the scripts share: training, pruning by magnitude, and the files beside a model."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")
import torch
from torch import nn

SEED, TRAIN, TEST, CALIBRATION, BENCH = 20180413, 20_000, 400, 200, 16
BATCH, RATE, FEW = 200, 4e-3, 32

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Events = tuple[np.ndarray, np.ndarray]  # inputs and labels


def make(
    about: str,
    network: Callable[[], nn.Module],
    data: Callable[[int, int], Events],
    loss: Loss,
    keep: float,
    write: Callable[[nn.Module, np.ndarray, Path], object],
    name: str,
    epochs: int = 8,
) -> None:
    """Train and prune a network, print how good it is, and write its file ``name`` and the data beside it.

    Args:
        about: For ``--help``.
        network: Makes it, after PyTorch is seeded.
        data: Events by their number and a seed.
        loss: Of answers and labels.
        keep: The share of weights that pruning leaves.
        write: Writes the network, with inputs as an example, to a path.
        name: Of its file; data are named after it.
        epochs: Before pruning, and again after it, where the command line names none.
    """
    given = arguments(about, epochs)
    model = network()
    train, test = data(TRAIN, SEED), data(TEST, SEED + 1)
    fit(model, *train, loss, given.epochs, keep)
    tell(model, *test)
    write(model, test[0], given.out / name)
    keep_data(given.out, Path(name).stem, train, test)


def arguments(about: str, epochs: int) -> argparse.Namespace:
    """Of the command line; seeds PyTorch."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    parser.add_argument("--epochs", type=int, default=epochs, help="before pruning, and again after it")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    return given


def class_loss(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross entropy of class probabilities (events, classes)."""
    return nn.functional.nll_loss(torch.log(p + 1e-7), y)


def pixel_loss(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross entropy of a probability for each pixel."""
    return nn.functional.binary_cross_entropy(p, y)


def fit(model: nn.Module, x: np.ndarray, y: np.ndarray, loss: Loss, epochs: int, keep: float = 1.0) -> None:
    """Train; where ``keep`` is less than 1, set the smallest weights to zero, that share of each layer left, and train on.

    Layers of a few weights keep them all: they are no cost, and to lose one is to lose what a whole channel says.
    """
    data, goal = torch.from_numpy(x), torch.from_numpy(y)
    _descend(model, data, goal, loss, epochs, {})
    if keep < 1:
        weights = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2 and p.numel() >= FEW]
        _descend(model, data, goal, loss, epochs, {p: p.abs() > p.abs().flatten().quantile(1 - keep) for p in weights})
    model.eval()


def _descend(model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: Loss, epochs: int, masks: dict) -> None:
    batches = len(x) // BATCH
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * batches)
    model.train()
    for _ in range(epochs):
        for part in torch.randperm(len(x))[: batches * BATCH].view(batches, BATCH):
            optimiser.zero_grad()
            loss(model(x[part]), y[part]).backward()
            optimiser.step()
            rate.step()
            with torch.no_grad():
                for weight, mask in masks.items():
                    weight *= mask


def save_keras(model: nn.Module, x: np.ndarray, path: Path) -> None:
    """Write a Keras model in the format that the path's ending names."""
    model.save(path)


def export_pt2(model: nn.Module, x: np.ndarray, path: Path) -> torch.export.ExportedProgram:
    """Write a ``.pt2`` of any batch, without what it says of the machine, unless the path is that of an ONNX file."""
    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (torch.from_numpy(x[:2]),), dynamic_shapes=({0: batch},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    if path.suffix == ".pt2":
        torch.export.save(program, path)
    return program


def export_onnx(model: nn.Module, x: np.ndarray, path: Path) -> None:
    """The file of PyTorch's own exporter, without what it says of the machine."""
    import onnx

    program = export_pt2(model, x, path)
    torch.onnx.export(program, input_names=["inputs"], output_names=["answer"], external_data=False, verbose=False).save(path)
    written = onnx.load(path)
    for node in written.graph.node:
        del node.metadata_props[:]
    onnx.checker.check_model(written, full_check=True)
    onnx.save(written, path)


def keep_data(out: Path, name: str, train: Events, test: Events) -> None:
    """NAME_test.npy with labels, NAME_calibration.npy of the training set, and NAME_bench.npy, a few events to simulate."""
    (x, y), half = test, test[0].astype(np.float16)
    kind = np.float16 if np.array_equal(half, x) else np.float32  # steps of 1/256 are exact in float16
    np.save(out / f"{name}_test.npy", x.astype(kind))
    np.save(out / f"{name}_test_labels.npy", y.astype(np.uint8))
    np.save(out / f"{name}_calibration.npy", train[0][:CALIBRATION].astype(kind))
    np.save(out / f"{name}_bench.npy", x[:BENCH].astype(kind))


def tell(model: nn.Module, x: np.ndarray, y: np.ndarray) -> None:
    """Print the share of right answers, and of weights that are zero."""
    with torch.no_grad():
        p = model(torch.from_numpy(x)).numpy()
    right = (p > 0.5) == (y > 0.5) if p.shape == y.shape else p.argmax(axis=1) == y
    weights = np.concatenate([w.detach().numpy().ravel() for w in model.parameters() if w.requires_grad and w.ndim >= 2])
    print(f"{len(weights):,} weights, {np.mean(weights == 0):.1%} zero; right on {len(x)} test events: {right.mean():.4f}")
