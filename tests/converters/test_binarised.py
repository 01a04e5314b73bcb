"""BinaryNet's layers by the definition that people's classes share, evaluated here in NumPy as they write it in float32."""

import json
import warnings

import h5py
import numpy as np
import pytest

import nn2hls
from nn2hls.errors import UnsupportedError

RNG = np.random.default_rng(3)
F = np.float32


def hard_sigmoid(x):
    return np.clip(F(0.5) * x + F(0.5), 0, 1)


def binary_tanh(x):
    return 2 * np.rint(hard_sigmoid(F(x))) - 1


def binarize(w, size):
    return size * binary_tanh(w / size)


def ternarize(w, size=1):
    w = w / size
    return np.where(w > 0.5, F(1), np.where(w <= -0.5, F(-1), F(0))) * size


def ternary_tanh(x):
    return ternarize(np.clip(F(x), -1, 1))


QUANTISED = {"Binary": (binarize, binary_tanh), "Ternary": (ternarize, ternary_tanh)}


def layer(kind, name, **config):
    return {"class_name": kind, "config": {"name": name, "trainable": True, "activation": "linear", **config}}


def saved(folder, specs, shape, weights):
    """JSON and weights, as Keras 2 saves them."""
    specs[0]["config"]["batch_input_shape"] = [None, *shape]
    model = folder / "m.json"
    config = {"name": "s", "layers": specs}
    model.write_text(json.dumps({"class_name": "Sequential", "config": config, "keras_version": "2.2.4"}))
    with h5py.File(folder / "w.h5", "w") as file:
        file.attrs["layer_names"] = list(weights)
        file.attrs["keras_version"] = "2.2.4"
        for name, arrays in weights.items():
            file.create_group(name).attrs["weight_names"] = [f"{name}/{word}:0" for word in arrays]
            for word, array in arrays.items():
                file[name].create_dataset(f"{name}/{word}:0", data=array)
    return model, folder / "w.h5"


def drawn_weights(shape, size):
    """Random ones, among them those where the definition turns."""
    w = RNG.uniform(-size, size, shape).astype(F)
    edges = F(size) * np.array([0, 0.5, -0.5, 1, -1, 1e-9, -1e-9, np.nextafter(F(0.5), F(1))], F)
    w.reshape(-1)[: len(edges)] = edges
    return w


def converted(files, kind):
    with pytest.warns(UserWarning, match=f"a {kind} as BinaryNet has it, whose weights are"):
        graph = nn2hls.load(files[0], weights=files[1])
    names = {n.name: {"Precision": {"result": "ap_fixed<12,4>"}} for n in graph.inputs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn2hls.convert(graph, {"Model": {}, "LayerName": names})


@pytest.mark.parametrize("word", QUANTISED)
@pytest.mark.parametrize("given", [1, 0.25, 0.7, "Glorot"])
def test_dense_layers_and_their_functions(word, given, tmp_path):
    weights_of, function = QUANTISED[word]
    sizes = [F(np.sqrt(1.5 / (n + m))) if given == "Glorot" else F(given) for n, m in ((6, 8), (8, 3))]
    kernels = [drawn_weights(shape, size) for shape, size in zip(((6, 8), (8, 3)), sizes, strict=True)]
    rates = {"H": given, "kernel_lr_multiplier": 7.3, "bias_lr_multiplier": None, "use_bias": False}
    specs = [
        layer(f"{word}Dense", "fc1", units=8, **rates),
        {"class_name": "Activation", "config": {"name": "act", "activation": f"{word.lower()}_tanh"}},
        layer(f"{word}Dense", "fc2", units=3, **rates),
    ]
    design = converted(
        saved(tmp_path, specs, (6,), {"fc1": {"kernel": kernels[0]}, "fc2": {"kernel": kernels[1]}}), f"{word}Dense"
    )
    x = np.round(RNG.normal(size=(300, 6)) * 256) / 256
    hidden = function(x @ weights_of(kernels[0], sizes[0]).astype(np.float64))
    want = hidden @ weights_of(kernels[1], sizes[1]).astype(np.float64)
    assert set(np.unique(hidden)) == ({-1, 1} if word == "Binary" else {-1, 0, 1})
    assert np.array_equal(design.predict(x), want if given in (1, 0.25) else design.predict_float(x))
    assert np.abs(design.predict_float(x) - want).max() < 1e-6
    products = [n.op.weight.array for n in design.graph if n.op.linear is not None]
    assert len(products) == 2
    assert given == 0.25 or all(np.isin(array, (-1, 0, 1)).all() for array in products)


def test_a_convolution_with_a_bias(tmp_path):
    kernel, bias = drawn_weights((2, 2, 2, 3), F(1)), np.array([0.5, -1.25, 0], F)
    rates = {"H": 1.0, "kernel_lr_multiplier": "Glorot", "bias_lr_multiplier": None}
    spec = layer("BinaryConv2D", "c", filters=3, kernel_size=[2, 2], strides=[1, 1], padding="valid", use_bias=True, **rates)
    design = converted(saved(tmp_path, [spec], (3, 3, 2), {"c": {"kernel": kernel, "bias": bias}}), "BinaryConv2D")
    x = np.round(RNG.normal(size=(20, 3, 3, 2)) * 64) / 64
    w = binarize(kernel, F(1))
    places = [x[:, i : i + 2, j : j + 2] for i in range(2) for j in range(2)]
    want = np.stack([np.einsum("nijc,ijcd->nd", p, w) + bias for p in places], 1).reshape(20, 2, 2, 3)
    assert np.array_equal(design.predict(x), want)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"H": 0}, "'H' = 0 must be a finite number above zero, or 'Glorot'"),
        ({"H": "He"}, "'H' = 'He' must be a finite number"),
        ({"H": True}, "'H' = True must be"),
        ({"dither": 2}, "its option 'dither' = 2 is not understood"),
        ({"activation": "softmaxx"}, "is not an activation of Keras"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change, message, tmp_path):
    config = {"units": 3, "H": 1.0, "kernel_lr_multiplier": 1.0, "bias_lr_multiplier": None, "use_bias": False, **change}
    files = saved(tmp_path, [layer("TernaryDense", "fc", **config)], (4,), {"fc": {"kernel": np.ones((4, 3), F)}})
    with pytest.raises(UnsupportedError, match=rf"fc \(TernaryDense\): .*{message}"):
        nn2hls.load(files[0], weights=files[1])


def test_a_class_of_another_config_is_not_taken_for_one(tmp_path):
    spec = layer("BinaryDense", "fc", units=3, use_bias=False)
    files = saved(tmp_path, [spec], (4,), {"fc": {"kernel": np.ones((4, 3), F)}})
    with pytest.raises(UnsupportedError, match="its file does not say what its code makes of a weight, as those with H"):
        nn2hls.load(files[0], weights=files[1])
