"""Seeds of the files fuzzer that other packages quantised: what the fixtures hold of each family, by file name."""

import io
import json
import zipfile

import h5py

from tests.kit.answers import names, recorded, recorded_arrays
from tests.kit.paths import ROOT

SUFFIXES = {"brevitas": ".onnx", "onnxruntime": ".onnx", "quantised_onnx": ".onnx", "torchao": ".pt2"}
KEPT = ("hgq2", "pquant")  # folders with configs and arrays
WHOLE = ("hgq1", "qkeras_recurrent")  # folders with the files themselves
REFUSED = ("dynamic",)  # which no mutation makes worse


def quantised_files():
    """Content by file name; every one is answered as it is."""
    found = {
        f"{folder}_{name}{suffix}": recorded(folder, name)[0]
        for folder, suffix in SUFFIXES.items()
        for name in names(folder)
        if name not in REFUSED
    }
    for folder in WHOLE:
        for path in sorted((ROOT / "tests" / "fixtures" / folder).glob("*.h5")):
            found[f"{folder}_{path.name}"] = path.read_bytes()
    for folder in KEPT:
        for name in names(folder):
            found[f"{folder}_{name}.keras"] = _archive(*recorded_arrays(folder, name))
    return found


def _archive(config, arrays):
    """A .keras file."""
    weights, stream = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as file:
        for place, array in arrays.items():
            file[place] = array
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("model.weights.h5", weights.getvalue())
    return stream.getvalue()
