"""Train an LSTM over lists of 20 particles with Keras, prune it to 40 %, and write lstm_tagger.keras."""

from __future__ import annotations

from functools import partial

from particles import CLASSES, lists
from training import SEED, class_loss, make, save_keras

PARTICLES, FEATURES, UNITS, KEEP, EPOCHS = 20, 6, 20, 0.4, 10


def network():
    """Twenty particles of six features, hardest last, through an LSTM of 20 units; its last state gives the classes."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)
    stack = [keras.Input((PARTICLES, FEATURES), name="particles"), layers.LSTM(UNITS, name="lstm")]
    return keras.Sequential([*stack, layers.Dense(len(CLASSES), activation="softmax", name="output")], name="lstm_tagger")


def main() -> None:
    """Train and write."""
    data = partial(lists, count=PARTICLES)
    make(__doc__, network, data, class_loss, KEEP, save_keras, "lstm_tagger.keras", EPOCHS)


if __name__ == "__main__":
    main()
