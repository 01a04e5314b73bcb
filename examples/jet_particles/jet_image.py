"""Train a convolutional network on jet images of 16 x 16 with Keras, prune it to 30 %, and write jet_image.keras."""

from __future__ import annotations

from particles import CLASSES, images
from training import SEED, class_loss, make, save_keras

PIXELS, FILTERS, KEEP = 16, (4, 8), 0.3


def network(pixels: int = PIXELS, filters: tuple[int, int] = FILTERS):
    """Two convolutions of 3 x 3, each with ReLU and a maximum of 2 x 2, then the classes."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)
    stack = [keras.Input((pixels, pixels, 1), name="image")]
    for number, count in enumerate(filters, start=1):
        stack.append(layers.Conv2D(count, 3, padding="same", activation="relu", name=f"conv{number}"))
        stack.append(layers.MaxPooling2D(2, name=f"pool{number}"))
    stack += [layers.Flatten(name="flatten"), layers.Dense(len(CLASSES), activation="softmax", name="output")]
    return keras.Sequential(stack, name="jet_image")


def main() -> None:
    """Train and write."""
    make(__doc__, network, lambda events, seed: images(events, seed, PIXELS), class_loss, KEEP, save_keras, "jet_image.keras")


if __name__ == "__main__":
    main()
