"""Train a U-Net of two levels with Keras that finds where a jet is, prune it to 30 %, and write unet.h5."""

from __future__ import annotations

from particles import noisy
from training import SEED, make, pixel_loss, save_keras

PIXELS, FILTERS, KEEP = 8, 2, 0.5


def network(pixels: int = PIXELS, filters: int = FILTERS):
    """Down by a maximum of 2 x 2, up by repeating, with the upper level beside it; a probability for each pixel."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)

    def convolution(name: str, count: int):
        return layers.Conv2D(count, 3, padding="same", activation="relu", name=name)

    image = keras.Input((pixels, pixels, 1), name="image")
    above = convolution("down", filters)(image)
    below = convolution("bottom", 2 * filters)(layers.MaxPooling2D(2, name="pool")(above))
    joined = layers.Concatenate(name="skip")([layers.UpSampling2D(2, name="up_sampling")(below), above])
    answer = layers.Conv2D(1, 1, activation="sigmoid", name="mask")(convolution("up", filters)(joined))
    return keras.Model(image, answer, name="unet")


def main() -> None:
    """Train and write."""
    make(__doc__, network, lambda events, seed: noisy(events, seed, PIXELS), pixel_loss, KEEP, save_keras, "unet.h5")


if __name__ == "__main__":
    main()
