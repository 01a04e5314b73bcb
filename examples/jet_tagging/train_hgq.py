"""Train the jet tagger with HGQ2: a width for every weight and every value, found while it trains.

    python examples/jet_tagging/train_hgq.py --out mine   # needs hgq2 and a back end of Keras

Inputs are the 16 features of ``dataset.py``, standardised with the mean and the deviation of the training jets, which
``hgq_scale.npy`` holds. The price of a bit grows until the network has at most ``--ebops`` effective bit operations.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
WIDTHS = (64, 32, 32)
EVENTS, TEST, BATCH, EPOCHS = 60_000, 500, 1024, 170
FIRST, LAST = 3e-7, 1e-4  # price of an effective bit operation, at the start and at the end


def jets(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and class numbers."""
    sys.path.insert(0, str(HERE))
    from dataset import simulate

    return simulate(n, seed)


def network(keras, layers, scope):
    """The tagger of the hls4ml papers; the network gives logits."""
    with scope(place="datalane", i0=2, f0=5, default_q_type="kif"), scope(place="weight", b0=6):
        x = given = keras.Input((16,), name="jets")
        for k, width in enumerate(WIDTHS):
            x = layers.QDense(width, activation="relu", name=f"fc{k + 1}")(x)
        return keras.Model(given, layers.QDense(5, name="logits")(x))


def main() -> None:
    """Train, trace the ranges, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--ebops", type=int, default=12_000, help="effective bit operations to reach")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="passes through the jets at most")
    given = parser.parse_args()

    import keras
    from hgq import layers
    from hgq.config import QuantizerConfigScope
    from hgq.utils import trace_minmax

    keras.utils.set_random_seed(5)
    x, y = jets(EVENTS, 11)
    scale = np.stack([x.mean(axis=0), x.std(axis=0)]).astype(np.float32)
    x = ((x - scale[0]) / scale[1]).astype(np.float32)
    model = network(keras, layers, QuantizerConfigScope)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    quantised = [layer for layer in model.layers if hasattr(layer, "ebops")]
    for epoch in range(given.epochs):
        price = FIRST * (LAST / FIRST) ** (epoch / (given.epochs - 1))
        for layer in quantised:
            layer._beta.assign(price)
        found = model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0).history
        ebops = sum(int(layer.ebops) for layer in quantised)
        print(f"epoch {epoch + 1:3}  price {price:.1e}  EBOPs {ebops:7,}  accuracy {found['accuracy'][0]:.4f}", flush=True)
        if ebops <= given.ebops * 0.97:
            break
    print(f"EBOPs with traced ranges: {trace_minmax(model, x):,}")
    given.out.mkdir(parents=True, exist_ok=True)
    model.save(given.out / "hgq_tagger.keras")
    np.save(given.out / "hgq_scale.npy", scale)
    write_test(model, scale, given.out)


def write_test(model, scale: np.ndarray, out: Path) -> None:
    """Standardised jets that the training never saw, their class numbers, and what HGQ2 itself answers."""
    x, y = jets(TEST, 77)
    x = ((x - scale[0]) / scale[1]).astype(np.float32)
    answers = model.predict(x, batch_size=2000, verbose=0)
    for name, array in (("jets", x), ("labels", y), ("answers", answers)):
        np.save(out / f"hgq_{name}.npy", array)
    print(f"accuracy on {TEST:,} further jets: {np.mean(answers.argmax(axis=1) == y):.4f}")


if __name__ == "__main__":
    main()
