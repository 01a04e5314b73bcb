"""The generator of a GAN for fast simulation: noise to a shower of 8 x 8 cells, as an HDF5 file of Keras 2.

Its weights are drawn from a seed, not trained: what the example shows is that the layers of such generators are built. Keras 3
has no locally connected layers, so the file is written here as Keras 2 writes it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

NOISE, CHANNELS = 8, 4


def layers() -> list[tuple[str, str, dict, dict[str, tuple[int, ...]]]]:
    """(class, name, options, shapes of the weights), in their order."""
    size = {"data_format": "channels_last", "activation": "linear", "use_bias": True}
    local = {**size, "filters": CHANNELS, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid", "implementation": 1}
    up = {**size, "filters": 1, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid"}
    return [
        ("Dense", "dense", {"units": 16 * CHANNELS, "activation": "linear", "use_bias": True},
         {"kernel": (NOISE, 16 * CHANNELS), "bias": (16 * CHANNELS,)}),
        ("LeakyReLU", "leaky1", {"alpha": 0.25}, {}),
        ("Reshape", "reshape", {"target_shape": [4, 4, CHANNELS]}, {}),
        ("UpSampling2D", "up", {"size": [2, 2], "data_format": "channels_last", "interpolation": "nearest"}, {}),
        ("LocallyConnected2D", "local", local, {"kernel": (36, 9 * CHANNELS, CHANNELS), "bias": (6, 6, CHANNELS)}),
        ("LeakyReLU", "leaky2", {"alpha": 0.25}, {}),
        ("Conv2DTranspose", "shower", up, {"kernel": (3, 3, 1, CHANNELS), "bias": (1,)}),
        ("ReLU", "energy", {}, {}),
    ]  # fmt: skip


def write(path: Path, seed: int) -> None:
    """The file."""
    import h5py

    rng = np.random.default_rng(seed)
    specs, arrays = [], {}
    for kind, name, options, shapes in layers():
        first = {"batch_input_shape": [None, NOISE]} if not specs else {}
        config = {"name": name, "trainable": True, "dtype": "float32", **first, **options}
        specs.append({"class_name": kind, "config": config})
        arrays[name] = {
            w: rng.normal(size=s) / max(np.sqrt(np.prod(s[:-1]) / (s[0] if name == "local" else 1)), 4)
            for w, s in shapes.items()
        }
    model = {"class_name": "Sequential", "config": {"name": "generator", "layers": specs}}
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs["model_config"], file.attrs["keras_version"], file.attrs["backend"] = (
            json.dumps(model),
            "2.4.0",
            "tensorflow",
        )
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([name.encode() for name in arrays])
        for name, own in arrays.items():
            part = group.create_group(name)
            part.attrs["weight_names"] = np.array([f"{name}/{w}:0".encode() for w in own], dtype="S32")
            for word, array in own.items():
                part.create_dataset(f"{name}/{word}:0", data=array.astype(np.float32))
