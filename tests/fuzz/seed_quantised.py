"""Seeds of the files fuzzer that other packages quantised: what the fixtures hold of each family, by file name."""

from tests.kit.answers import archive, names, recorded, recorded_arrays
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
            found[f"{folder}_{name}.keras"] = archive(*recorded_arrays(folder, name))
    return found
