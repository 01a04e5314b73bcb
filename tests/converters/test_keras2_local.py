"""Locally connected layers, which Keras 2 stores in three forms: each gives the numbers of plain loops."""

import itertools
import json

import numpy as np
import pytest

from nn2hls.converters.keras import load_file
from nn2hls.errors import ModelError, UnsupportedError
from tests.kit.keras_zoo import evaluate

h5py = pytest.importorskip("h5py")
RNG = np.random.default_rng(4)
CHANNELS, FILTERS = 2, 3


def seen(space, size, strides, padding):
    """For each position, what it sees along each axis; the middle of 'same' lies k // 2 behind the start."""
    found = []
    for n, k, s in zip(space, size, strides, strict=True):
        count = (n - k) // s + 1 if padding == "valid" else -(-n // s)
        starts = [p * s - (0 if padding == "valid" else k // 2) for p in range(count)]
        found.append([[i for i in range(a, a + k) if 0 <= i < n] for a in starts])
    return found


def drawn(space, size, strides, padding):
    """Weight by (position, place, channel, filter), and the number of positions along each axis."""
    axes = seen(space, size, strides, padding)
    weight = {}
    for position in itertools.product(*(range(len(a)) for a in axes)):
        for place in itertools.product(*(a[p] for a, p in zip(axes, position, strict=True))):
            weight[position, place] = RNG.normal(size=(CHANNELS, FILTERS))
    return weight, tuple(len(a) for a in axes)


def answer(x, weight, bias, at):
    """Channels last."""
    y = np.broadcast_to(bias, (len(x), *at, FILTERS)).copy()
    for (position, place), w in weight.items():
        y[(slice(None), *position)] += x[(slice(None), *place)] @ w
    return y


def stored(weight, space, size, at, form, first):
    """The kernel as Keras lays it out."""
    if form == 1:
        rows = {p: [] for p, _ in weight}
        for position, place in sorted(weight):
            rows[position].append(weight[position, place])
        array = np.array([np.array(rows[p]) for p in sorted(rows)])  # (positions, places, channels, filters)
        array = np.moveaxis(array, 2, 1) if first else array
        return array.reshape(len(rows), -1, FILTERS)
    rank = len(space)
    full = np.zeros((*space, CHANNELS, *at, FILTERS))
    for (position, place), w in weight.items():
        full[(*place, slice(None), *position)] = w
    wide = np.moveaxis(full, (rank, -1), (0, rank + 1)) if first else full
    if form == 2:
        mask = np.zeros_like(full)
        for position, place in weight:
            mask[(*place, slice(None), *position)] = 1
        noise = RNG.normal(size=full.shape) * (1 - mask)  # what Keras multiplies by zero
        return np.moveaxis(full + noise, (rank, -1), (0, rank + 1)) if first else full + noise
    inputs, outputs = np.prod(wide.shape[: rank + 1]), np.prod(wide.shape[rank + 1 :])
    matrix = wide.reshape(inputs, outputs).T
    return matrix[matrix != 0]  # in the order of (result, operand)


def model(path, space, first, kernel, bias, rank, **config):
    shape = (CHANNELS, *space) if first else (*space, CHANNELS)
    layer = {
        "name": "local", "trainable": True, "dtype": "float32", "batch_input_shape": [None, *shape], "filters": FILTERS,
        "use_bias": bias is not None, "activation": "linear",
        "data_format": "channels_first" if first else "channels_last", **config,
    }  # fmt: skip
    spec = {"class_name": f"LocallyConnected{rank}D", "config": layer}
    arrays = {"local/kernel:0": kernel} | ({} if bias is None else {"local/bias:0": bias})
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": {"name": "s", "layers": [spec]}}
        ).encode()
        root = file.create_group("model_weights")
        for place in (file, root):
            place.attrs["keras_version"], place.attrs["backend"] = b"2.12.0", b"tensorflow"
        root.attrs["layer_names"] = np.array([b"local"])
        group = root.create_group("local")
        group.attrs["weight_names"] = np.array([n.encode() for n in arrays])
        for name, array in arrays.items():
            group[name] = array
    return path


SHAPES = {
    "1d": ((7,), (3,), (2,), "valid"),
    "1d even same": ((6,), (2,), (1,), "same"),
    "2d": ((4, 5), (2, 3), (1, 2), "valid"),
    "2d same": ((4, 5), (3, 2), (2, 1), "same"),
}


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(
    ("name", "form"), [(name, k) for name in SHAPES for k in (1, 2, 3) if k > 1 or "same" not in name]
)  # Keras offers the first form for 'valid' alone
def test_the_numbers_of_loops(tmp_path, name, form, first):
    space, size, strides, padding = SHAPES[name]
    weight, at = drawn(space, size, strides, padding)
    bias = RNG.normal(size=(*at, FILTERS))
    kernel = stored(weight, space, size, at, form, first)
    path = model(
        tmp_path / "m.h5", space, first, kernel, np.moveaxis(bias, -1, 0) if first else bias, len(space),
        kernel_size=list(size), strides=list(strides), padding=padding, implementation=form,
    )  # fmt: skip
    graph = load_file(path)
    x = RNG.normal(size=(5, *space, CHANNELS))
    want = answer(x, weight, bias, at)
    (got,) = evaluate(graph, [np.moveaxis(x, -1, 1) if first else x])
    np.testing.assert_allclose(np.moveaxis(got, 1, -1) if first else got, want, rtol=1e-12, atol=1e-12)


def test_what_a_position_does_not_see_costs_nothing(tmp_path):
    space, size, strides, padding = SHAPES["1d"]
    weight, at = drawn(space, size, strides, padding)
    kernel = stored(weight, space, size, at, 1, False)
    options = {"kernel_size": [3], "strides": [2], "padding": "valid"}
    graph = load_file(model(tmp_path / "m.h5", space, False, kernel, None, 1, **options))
    (dense,) = [node for node in graph if hasattr(node.op, "weight")]
    assert np.count_nonzero(dense.op.weight.array) == kernel.size


@pytest.mark.parametrize(("options", "kernel", "match"), [
    ({"implementation": 4}, (3, 6, 3), "'implementation' = 4 is not one of 1, 2, 3"),
    ({}, (3, 5, 3), r"local: Its kernel has shape \(3, 5, 3\); its config asks for \(3, 6, 3\)"),
    ({"kernel_size": [9]}, (3, 6, 3), r"local .*does not fit a space of \(7,\)"),
])  # fmt: skip
def test_what_does_not_fit(tmp_path, options, kernel, match):
    given = {"kernel_size": [3], "strides": [2], "padding": "valid", **options}
    with pytest.raises((ModelError, UnsupportedError), match=match):
        load_file(model(tmp_path / "m.h5", (7,), False, np.ones(kernel), None, 1, **given))
