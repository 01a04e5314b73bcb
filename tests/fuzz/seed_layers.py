"""Seeds of the files fuzzer that hold one layer each: a case of every lowering, in every format that has such a layer.

A process of its own writes them, this module as a program, on Keras' PyTorch backend.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

from tests.kit import lowerings
from tests.kit.paths import ROOT


def layer_files(folder, suffixes):
    """Content by file name, as a process of its own writes it; empty where a framework is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("keras", "torch", "onnx")):
        return {}
    made = Path(folder) / "layers"
    made.mkdir()
    command = [sys.executable, "-m", "tests.fuzz.seed_layers", str(made), *suffixes]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "KERAS_BACKEND": "torch"})
    files = {path.name: path.read_bytes() for path in sorted(made.iterdir())}
    shutil.rmtree(made)
    return files


def _write_keras(case, path):
    lowerings.keras_model(case).save(path)


def _write_torch(case, path):
    import torch

    example = torch.zeros((2, *case.shape), dtype=torch.int64 if case.whole else torch.float32)
    torch.export.save(torch.export.export(lowerings.torch_module(case), (example,)), path)


def _write_onnx(case, path):
    path.write_bytes(lowerings.onnx_graph(case)[0].SerializeToString())


WRITERS = {
    ".onnx": (lambda case: case.onnx, _write_onnx),
    ".keras": (lambda case: case.keras, _write_keras),
    ".h5": (lambda case: case.keras, _write_keras),
    ".pt2": (lambda case: case.torch, _write_torch),
}


def main(folder, suffixes):
    """Write the files of every lowering in the formats of these suffixes."""
    from tests.kit.lowering_rooms import CASES

    cases = list(CASES.values())
    for suffix in suffixes:
        has, write = WRITERS[suffix]
        for name, case in {case.lowering: case for case in reversed(cases) if has(case)}.items():
            write(case, folder / f"{name}{suffix}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), sys.argv[2:])
