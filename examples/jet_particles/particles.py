"""Jets as particles, and as images: the simulation of examples/jet_tagging before its observables.

**The data are synthetic**, as ../jet_tagging/dataset.py says of its own; no figure obtained with them is a physics result.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "jet_tagging"))
from dataset import CLASSES, RADIUS, clusters, hard_process


def particles(jets: int, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` hardest particles of each jet, hardest first: float32 (jets, count, 3), and class numbers (jets,).

    Features are the root of the momentum fraction and the angles to the jet axis over the radius, so all are within -1..1; a
    particle that is not there is zero.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(jets) % len(CLASSES))
    found = np.zeros((jets, count, 3))
    for number, name in enumerate(CLASSES):
        mine = np.flatnonzero(labels == number)
        pt = 1000.0 * (1 - 0.6 * rng.random(len(mine))) ** (-1 / 4)
        z, u, v, _ = clusters(pt, hard_process(name, pt, rng), rng)
        hardest = np.argsort(-z, axis=1, kind="stable")[:, :count]
        z, u, v = (np.take_along_axis(a, hardest, axis=1) for a in (z, u, v))
        there = z > 0
        rows = np.stack([np.sqrt(z), *(np.clip(a / RADIUS, -1, 1) * there for a in (u, v))], axis=2)
        found[mine] = rows
    return found.astype(np.float32), labels


def lists(jets: int, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` hardest particles of each jet, hardest last, (jets, count, 6) in 1/256, and class numbers (jets,).

    Features are the three of :func:`particles`, the distance to the jet axis, and the angles weighted by the momentum's root.
    """
    found, labels = particles(jets, seed, count)
    share, u, v = np.moveaxis(found[:, ::-1].astype(float), 2, 0)
    rows = np.stack([share, u, v, np.minimum(np.hypot(u, v), 1), share * u, share * v], axis=2)
    return (np.clip(np.round(rows * 256), -256, 255) / 256).astype(np.float32), labels


def images(jets: int, seed: int, pixels: int, count: int = 22) -> tuple[np.ndarray, np.ndarray]:
    """Roots of the momentum fractions in squares of equal angles, (jets, pixels, pixels, 1) in 1/256, and class numbers.

    A jet is turned so that its second hardest particle lies above the hardest one: what is left to learn is its shape.
    """
    found, labels = particles(jets, seed, count)
    share, place = found[..., 0] ** 2, found[..., 1:] - found[:, :1, 1:]
    angle = np.arctan2(place[:, 1, 1], place[:, 1, 0])[:, None]
    u = place[..., 0] * np.sin(angle) - place[..., 1] * np.cos(angle)
    v = place[..., 0] * np.cos(angle) + place[..., 1] * np.sin(angle)
    square = [np.clip(((a + 1) * pixels / 2).astype(int), 0, pixels - 1) for a in (v, u)]
    image = np.zeros((jets, pixels, pixels))
    np.add.at(image, (np.arange(jets)[:, None], *square), share)
    return steps(np.sqrt(image))[..., None], labels


def noisy(jets: int, seed: int, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images with soft deposits of other collisions on them, and where the jet is: (jets, pixels, pixels, 1) both.

    The jet is where it has deposits, and around those; half of all pixels hold something of other collisions.
    """
    clean, _ = images(jets, seed, pixels)
    rng = np.random.default_rng([seed, 1])
    other = rng.exponential(0.004, clean.shape) * (rng.random(clean.shape) < 0.5)
    framed = np.pad(clean[..., 0] > 0, [(0, 0), (1, 1), (1, 1)])
    near = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), axis=(1, 2)).any(axis=(3, 4))
    return steps(np.sqrt(clean.astype(float) ** 2 + other)), near[..., None].astype(np.float32)


def steps(x: np.ndarray) -> np.ndarray:
    """To 1/256, at most 255/256, float32: what a detector's link would carry."""
    return (np.minimum(np.round(x * 256), 255) / 256).astype(np.float32)
