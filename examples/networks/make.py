"""Make networks of this folder and their data again: ``python examples/networks/make.py [NAME ..]``; a minute or two each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "jet_particles"))
import torch
from particles import CLASSES, particles
from training import SEED, class_loss, export_pt2, fit

HERE = Path(__file__).parent
TRAIN, TEST, CALIBRATION, BENCH = 10_000, 400, 200, 16
EPOCHS, UNUSUAL = 15, 0.3


def keep(out: Path, name: str, x: np.ndarray, train: np.ndarray, labels: np.ndarray | None) -> None:
    """NAME_test.npy, its labels, NAME_calibration.npy and NAME_bench.npy, small: 1/256 of a unit, or whole words."""
    kind = np.uint16 if np.array_equal(x, np.round(x)) and x.min() >= 0 else np.float32
    np.save(out / f"{name}_test.npy", x.astype(kind))
    np.save(out / f"{name}_calibration.npy", train[:CALIBRATION].astype(kind))
    np.save(out / f"{name}_bench.npy", x[:BENCH].astype(kind))
    if labels is not None:
        np.save(out / f"{name}_labels.npy", labels.astype(np.uint8))


def over_particles(name: str, out: Path, epochs: int) -> None:
    """A network over particle lists, trained to tell five classes of jet."""
    import graphs

    train, test = (particles(n, seed, graphs.PARTICLES) for n, seed in ((TRAIN, SEED), (TEST, SEED + 1)))
    if name == "garnet":
        train, test = ((np.concatenate([x, np.float32(x[..., :1] > 0)], axis=2), y) for x, y in (train, test))
    if name in ("garnet", "gravnet"):
        import keras

        keras.utils.set_random_seed(SEED)
        model = getattr(graphs, name)()
        fit(model, *train, class_loss, epochs)
        model.save(out / f"{name}.keras")
    else:
        torch.manual_seed(SEED)
        model = {"dgcnn": graphs.Dgcnn, "ggnn": graphs.Ggnn, "deep_sets": graphs.DeepSets}[name]()
        fit(model, *train, class_loss, epochs)
        export_pt2(model, test[0], out / f"{name}.pt2")
    with torch.no_grad():
        found = model(torch.from_numpy(test[0])).numpy().argmax(axis=1)
    print(f"{name}: right on {len(found)} test events: {np.mean(found == test[1]):.4f} of {len(CLASSES)} classes")
    keep(out, name, *(test[0], train[0]), test[1])


def trigger(name: str, out: Path, epochs: int) -> None:
    """A trigger of what is not usual; prints a threshold that one in twenty usual events reaches."""
    import keras
    import triggers

    keras.utils.set_random_seed(SEED)
    raw, _ = triggers.words(TRAIN, SEED)
    mean, std = raw.mean(axis=0).round(), raw.std(axis=0).round()
    x = (raw - mean) / std
    if name == "autoencoder_trigger":
        model = triggers.autoencoder()
        triggers.train(model, x, lambda batch: ((model(batch) - batch) ** 2).mean(), epochs)
    else:
        model = triggers.encoder()
        triggers.train_variational(model, x, epochs)
    with torch.no_grad():
        found = model(torch.from_numpy(x.astype(np.float32)))
    if name == "autoencoder_trigger":
        scores = np.mean((found.numpy() - x) ** 2, axis=1)
    else:
        m, v = (a.numpy() for a in found[:2])
        scores = 0.5 * (m**2 + np.exp(v) - v - 1).sum(axis=1)
    print(f"{name}: one in twenty usual events reaches {np.quantile(scores, 0.95):.4g}")
    model.save(out / f"{name}.keras")
    np.savez(out / f"{name}_scaling.npz", mean=mean, std=std)
    test, labels = triggers.words(TEST, SEED + 1, UNUSUAL)
    both, _ = triggers.words(CALIBRATION, SEED + 2, UNUSUAL)  # types hold what is unusual, too
    keep(out, name, test, both, labels)


def gan(name: str, out: Path, epochs: int) -> None:
    """The generator, and noise for it."""
    import generator

    generator.write(out / f"{name}.h5", SEED)
    rng = np.random.default_rng(SEED)
    noise = [(np.round(rng.normal(size=(n, generator.NOISE)) * 256) / 256).astype(np.float32) for n in (TEST, CALIBRATION)]
    keep(out, name, *noise, None)


MAKERS = {
    **dict.fromkeys(("garnet", "gravnet", "dgcnn", "ggnn", "deep_sets"), over_particles),
    **dict.fromkeys(("autoencoder_trigger", "vae_trigger"), trigger),
    "gan_generator": gan,
}


def main() -> None:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MAKERS)}; all by default")
    parser.add_argument("--out", type=Path, default=HERE, help="folder (default: this one)")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args()
    unknown = set(given.names) - set(MAKERS)
    if unknown:
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(MAKERS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or MAKERS:
        MAKERS[name](name, given.out, given.epochs)


if __name__ == "__main__":
    main()
