"""Networks with the answers that the packages they come from gave, in ``tests/fixtures/*/answers.npz``."""

import io
import json
import warnings
import zipfile
from functools import cache

import h5py
import numpy as np

import nn2hls
from tests.kit.paths import ROOT


@cache
def entries(folder):
    """All arrays that a folder holds, by their names."""
    with np.load(ROOT / "tests" / "fixtures" / folder / "answers.npz") as file:
        return {key: file[key] for key in file.files}


def names(folder):
    """The networks of a folder."""
    return sorted({key.partition("|")[0] for key in entries(folder)})


def recorded(folder, name):
    """(bytes of the file, events, answers)."""
    model, x, y = (entries(folder)[f"{name}|{part}"] for part in ("model", "x", "y"))
    return model.tobytes(), x, y


def recorded_arrays(folder, name):
    """(config, arrays by their place) of a network of Keras that is kept without its file."""
    start = f"{name}|w|"
    arrays = {key.removeprefix(start): array for key, array in entries(folder).items() if key.startswith(start)}
    return str(entries(folder)[f"{name}|config"]), arrays


def archive(config, arrays):
    """A .keras file as Keras lays it out, of the text of its config and arrays by their place."""
    weights, stream = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as file:
        for place, array in arrays.items():
            file[place] = array
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("config.json", config)
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        file.writestr("model.weights.h5", weights.getvalue())
    return stream.getvalue()


def saved(folder, config, arrays):
    """The same in a file, of a config that is no text yet."""
    path = folder / "model.keras"
    path.write_bytes(archive(json.dumps(config), arrays))
    return path


def converted(graph, word="ap_fixed<24,12>", **config):
    """The design of a graph, or of what gives one, whose inputs have a type."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = graph if hasattr(graph, "inputs") else nn2hls.load(graph)
        types = {node.name: {"Precision": {"result": word}} for node in graph.inputs}
        return nn2hls.convert(graph, {"Model": {}, "LayerName": types, **config})


def equals_the_record(folder, name, path=None):
    """The design of an .h5 file beside the answers, or of another one, held to them in every value, emulated and in float."""
    design = nn2hls.convert(path or ROOT / "tests" / "fixtures" / folder / f"{name}.h5")
    x, want = (entries(folder)[f"{name}|{part}"] for part in "xy")
    assert len(np.unique(want)) > 20
    assert np.array_equal(design.predict(x), want)
    assert np.array_equal(design.predict_float(x), want)
    return design


def near_but_for_steps(design, x, want):
    """Answers by scales of each event: few floats are a step apart, and what is emulated is as near as its types."""
    found, apart = design.predict(x), np.abs(design.predict_float(x) - want)
    assert np.median(apart) < 1e-6
    assert np.mean(apart > 1e-5) < 0.1
    assert apart.max() < 0.02
    assert np.abs(found - want).max() < 0.1
    assert np.mean(np.abs(found - want)) < 0.01
