"""An autoencoder and a variational one that look for what is not usual in 21 raw words of a detector.

**The data are synthetic**: four hidden quantities make 21 correlated features of usual events; in an unusual event a third of
the features do not follow. No figure obtained with them is a physics result.
"""

from __future__ import annotations

import numpy as np
import torch

FEATURES, LATENT, WIDTH = 21, 4, 12
BITS = 12  # of a raw word


def words(events: int, seed: int, unusual: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Raw words (events, 21), whole numbers of 12 bits, and which events are unusual (events,)."""
    fixed, rng = np.random.default_rng(21), np.random.default_rng(seed)
    mixing = fixed.normal(size=(LATENT, FEATURES)) / LATENT**0.5
    offset, gain = fixed.uniform(800, 2400, FEATURES), fixed.uniform(100, 320, FEATURES)
    strange = rng.random(events) < unusual
    usual = np.tanh(rng.normal(size=(events, LATENT)) @ mixing) + 0.1 * rng.normal(size=(events, FEATURES))
    other = np.where(rng.random((events, FEATURES)) < 1 / 3, 3 * rng.normal(size=(events, FEATURES)), usual)
    values = offset + gain * np.where(strange[:, None], other, usual)
    return np.clip(np.round(values), 0, 2**BITS - 1), strange


def autoencoder():
    """21 features through 4 and back; the score is how far what comes back is from what went in."""
    import keras
    from keras import layers

    x = keras.Input((FEATURES,), name="features")
    y = layers.Dense(WIDTH, activation="relu", name="encoder")(x)
    y = layers.Dense(LATENT, name="latent")(y)
    y = layers.Dense(WIDTH, activation="relu", name="decoder")(y)
    return keras.Model(x, layers.Dense(FEATURES, name="reconstruction")(y))


def encoder():
    """The half of a variational autoencoder that a trigger needs: mean, logarithm of the variance, and a sample."""
    import keras
    from keras import layers
    from layers import Sampling

    x = keras.Input((FEATURES,), name="features")
    y = layers.Dense(WIDTH, activation="relu", name="encoder")(x)
    mean, log_variance = layers.Dense(LATENT, name="z_mean")(y), layers.Dense(LATENT, name="z_log_var")(y)
    return keras.Model(x, [mean, log_variance, Sampling(name="z")([mean, log_variance])])


def train(model, x: np.ndarray, loss, epochs: int, others=()) -> None:
    """Adam on usual events; ``loss`` of a batch."""
    data = torch.from_numpy(x.astype(np.float32))
    weights = [p for part in (model, *others) for p in part.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(weights, lr=4e-3)
    for _ in range(epochs):
        for part in torch.randperm(len(data)).split(200):
            optimiser.zero_grad()
            loss(data[part]).backward()
            optimiser.step()


def train_variational(model, x: np.ndarray, epochs: int) -> None:
    """With a decoder that only training needs."""
    decoder = torch.nn.Sequential(torch.nn.Linear(LATENT, WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, FEATURES))

    def loss(batch: torch.Tensor) -> torch.Tensor:
        mean, log_variance, sample = model(batch)
        apart = ((decoder(sample) - batch) ** 2).mean()
        divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1).mean()
        return apart + 0.05 * divergence

    train(model, x, loss, epochs, [decoder])
