"""Whole Keras archives with one word or one weight changed: refused by the layer's name."""

import io
import json
import zipfile

import numpy as np
import pytest

from nn2hls.converters.keras import load_file
from nn2hls.errors import ModelError

h5py = pytest.importorskip("h5py")
keras = pytest.importorskip("keras")


def saved(tmp_path, call, shape, change):
    """The archive of a model of one call, its config and its weights (an h5 file) changed by ``change``."""
    x = keras.Input(shape)
    keras.Model(x, call(x)).save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config, weights = json.loads(members["config.json"]), io.BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        change(config["config"]["layers"][-1], file)
    members |= {"config.json": json.dumps(config).encode(), "model.weights.h5": weights.getvalue()}
    with zipfile.ZipFile(tmp_path / "damaged.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return tmp_path / "damaged.keras"


@pytest.mark.parametrize("widths", [["k", [1, 2]], [[0, 0], ["1", 2]], [[0, 0], [True, 1]], [[0, 0], []], [[0, 0], [1, 2, 3]]])
def test_widths_of_a_pad_that_are_no_pairs(tmp_path, widths):
    def change(layer, file):
        layer["config"]["pad_width"] = widths

    path = saved(tmp_path, lambda x: keras.ops.pad(x, [[0, 0], [1, 2]]), (3,), change)
    with pytest.raises(ModelError, match=r"pad.*'pad_width' must be a pair of integers for each axis"):
        load_file(path)


def test_a_pointwise_kernel_of_another_rank(tmp_path):
    def change(layer, file):
        (name,) = (k for k in found(file) if file[k].shape == (1, 4, 5))
        del file[name]
        file[name] = np.ones((5, 4, 5), "f4")

    path = saved(tmp_path, keras.layers.SeparableConv1D(5, 2, depth_multiplier=2, name="both"), (6, 2), change)
    with pytest.raises(ModelError, match=r"both.*pointwise kernel \(5, 4, 5\) does not fit its depthwise kernel \(2, 2, 2\)"):
        load_file(path)


def found(file):
    """The names of all arrays."""
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda x: keras.layers.Attention(use_scale=True, name="both")([x, x]), ()),
        (lambda x: keras.layers.Attention(score_mode="concat", name="both")([x, x]), ()),
        (lambda x: keras.layers.AdditiveAttention(name="both")([x, x]), (4,)),
    ],
)
def test_weights_of_attention_of_another_shape(tmp_path, layer, shape):
    def change(_, file):
        (name,) = (k for k in found(file) if file[k].shape == shape)
        del file[name]
        file[name] = np.ones((3, 1), "f4")  # what would stretch over the scores in silence

    with pytest.raises(ModelError, match=r"both.*has shape \[3, 1\], which must be \[" + ", ".join(map(str, shape))):
        load_file(saved(tmp_path, layer, (3, 4), change))
