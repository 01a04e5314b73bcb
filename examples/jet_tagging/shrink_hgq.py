"""Go on training the tagger of ``train_hgq.py`` until it fits the smallest boards: ``board_tagger.keras``.

    python examples/jet_tagging/shrink_hgq.py --out mine   # needs hgq2 and a back end of Keras; three minutes on two cores

Each round starts with a high learning rate, at which the price of a bit takes weights and widths away, and ends with a low one,
at which those that are left get their accuracy back. Inputs are standardised as for ``train_hgq.py``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from train_hgq import BATCH, EVENTS, HERE, jets

ROUNDS = ((60, 3e-3, 1e-5), (80, 4e-3, 3e-5))  # epochs, learning rate at the start, price of an effective bit operation
JUDGED = 20_000  # further jets, while it trains


def main() -> None:
    """Train, trace the ranges, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--model", type=Path, default=HERE / "hgq_tagger.keras", help="the tagger to start from")
    given = parser.parse_args()

    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import hgq.layers  # noqa: F401  # tells Keras of them
    import keras
    from hgq.utils import trace_minmax

    scale = np.load(HERE / "hgq_scale.npy")
    (x, y), (held_out, classes) = (((x - scale[0]) / scale[1], y) for x, y in (jets(EVENTS, 11), jets(JUDGED, 12)))
    model = keras.models.load_model(given.model)
    quantised = [layer for layer in model.layers if hasattr(layer, "ebops")]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for number, (epochs, rate, price) in enumerate(ROUNDS):
        keras.utils.set_random_seed(7 + number)
        slower = keras.optimizers.schedules.CosineDecay(rate, epochs * EVENTS // BATCH)
        model.compile(keras.optimizers.Adam(slower), loss, metrics=["accuracy"])
        for layer in quantised:
            layer._beta.assign(price)
        model.fit(x.astype(np.float32), y, batch_size=BATCH, epochs=epochs, verbose=0)
        ebops = trace_minmax(model, x.astype(np.float32))
        right = model.predict(held_out.astype(np.float32), batch_size=2000, verbose=0).argmax(axis=1) == classes
        print(
            f"round {number + 1}, price {price:.0e}: EBOPs {ebops:,}, accuracy on {JUDGED:,} further jets {right.mean():.4f}",
            flush=True,
        )
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "board_tagger.keras"
    model.save(path)
    keras.models.load_model(path, compile=False).save(path)  # without the optimiser


if __name__ == "__main__":
    main()
