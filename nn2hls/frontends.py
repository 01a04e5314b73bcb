"""Picks the converter for a model: by the content and suffix of a file, or by the class of a live object.

No framework is imported to find out what a model is.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from nn2hls.errors import ModelError
from nn2hls.graph.graph import Graph
from nn2hls.guard import Guard

_KERAS, _ONNX, _PT2, _JSON = "Keras", "ONNX", "PyTorch", "Keras JSON"
_SUFFIXES = {".keras": _KERAS, ".h5": _KERAS, ".hdf5": _KERAS, ".json": _JSON, ".onnx": _ONNX, ".pt2": _PT2}
_GUARD = Guard(ModelError, "The model")
_OFFERED = ".keras, .h5, .hdf5, .json with weights, .onnx and .pt2 files are read"

_TO_PT2 = (
    "Load it where it was trained and save torch.export.export(model.eval(), (example,)) with torch.export.save to a .pt2 file."
)
_TO_KERAS = "Load it in TensorFlow and save it as a .keras file: model.save('model.keras')."
_TO_ONNX = "Export it to ONNX with the framework that wrote it."
# Formats that are known and not read: what they are and the way out.
_REFUSED = {
    ".pt": ("a pickled PyTorch file, which runs code when it is loaded", _TO_PT2),
    ".pth": ("a pickled PyTorch file, which runs code when it is loaded", _TO_PT2),
    ".ckpt": ("a training checkpoint without the network's structure", _TO_PT2),
    ".pkl": ("a pickle, which runs code when it is loaded", _TO_ONNX),
    ".joblib": ("a pickle, which runs code when it is loaded", _TO_ONNX),
    ".pb": ("a TensorFlow graph", _TO_KERAS),
    ".tflite": ("a TensorFlow Lite file", "Load the model it was made from, or convert it with tf2onnx."),
    ".safetensors": ("weights without the network's structure", _TO_PT2),
    ".npz": ("weights without the network's structure", _TO_ONNX),
}


def load(
    model: Any,
    weights: str | os.PathLike[str] | None = None,
    example: Any = None,
    input_shape: Sequence[Any] | None = None,
) -> Graph:
    """The graph of a model; a graph is returned as it is.

    Args:
        model: Path of a ``.keras``, ``.h5``, ``.hdf5``, ``.json``, ``.onnx`` or ``.pt2`` file, a live Keras model, PyTorch
            module, ``torch.export.ExportedProgram`` or ONNX ``ModelProto``, or the bytes of an ONNX model.
        weights: Path of the weights when ``model`` is a Keras ``.json`` file.
        example: An example input, or a tuple of them, when ``model`` is a PyTorch module; the first axis is the batch.
        input_shape: Instead of an example the shape without batch axis, or a list of such shapes; of no effect on others.

    Raises:
        ModelError: The file is missing, damaged or of an unknown kind; the message says what to do.
        UnsupportedError: Lists all layers that are not supported.
    """
    if isinstance(model, Graph):
        return model
    if not isinstance(model, (str, os.PathLike)):
        if weights is not None:
            raise ModelError("Weights are only given with a Keras .json file.", where=type(model).__name__)
        return _load_live(model, example, input_shape)
    path = Path(model)
    kind = _kind(path)
    if example is not None:
        raise ModelError("An example input is only needed for a live PyTorch module.", where=str(path), fix="Leave it out.")
    if (weights is None) == (kind == _JSON):
        if weights is None:
            fix = f"Name the weights too: load('{path.name}', weights='{path.stem}_weights.h5')."
            raise ModelError("A .json file holds no weights.", where=str(path), fix=fix)
        raise ModelError(f"Weights are given, but this {kind} file holds its own.", where=str(path), fix="Leave them out.")
    return _load_file(path, kind, None if weights is None else _existing(Path(weights)))


def _load_file(path: Path, kind: str, weights: Path | None) -> Graph:
    if kind == _ONNX:
        from nn2hls.converters import onnx

        return onnx.load_file(path)
    if kind == _PT2:
        from nn2hls.converters import pytorch

        return pytorch.load_file(path)
    from nn2hls.converters import keras

    return keras.load_file(path, weights=weights)


def _load_live(model: Any, example: Any, input_shape: Sequence[Any] | None) -> Graph:
    """Dispatch on the names of the classes an object derives from, so that no framework is imported here.

    Keras comes first: on the torch back end its models are PyTorch modules as well.
    """
    classes = {f"{c.__module__.split('.')[0]}.{c.__name__}" for c in type(model).__mro__}
    keras_model = classes & {"keras.Model", "tf_keras.Model", "tensorflow.Model", "keras.Layer"}
    if "torch.Module" in classes and not keras_model:
        from nn2hls.converters import pytorch

        if example is None and input_shape is None:
            fix = "Pass one with the batch as first axis: example=torch.zeros(1, 16)."
            raise ModelError("A PyTorch module needs an example input.", where=type(model).__name__, fix=fix)
        return pytorch.load_live(model, example, None if example is not None else input_shape)
    if example is not None:
        raise ModelError(
            "An example input is only needed for a PyTorch module.", where=type(model).__name__, fix="Leave it out."
        )
    if keras_model:
        from nn2hls.converters import keras

        return keras.load_live(model)
    if "torch.ExportedProgram" in classes:
        from nn2hls.converters import pytorch

        return pytorch.load_program(model)
    if isinstance(model, bytes) or classes & {"onnx.ModelProto", "torch.ONNXProgram"}:
        from nn2hls.converters import onnx

        return onnx.load_live(model.model_proto if "torch.ONNXProgram" in classes else model)
    raise ModelError(
        f"A model must be a path, a Keras model, a PyTorch module or an ONNX ModelProto, not {type(model).__name__}.",
        fix=f"Of files, {_OFFERED}.",
    )


def _kind(path: Path) -> str:
    """What a file holds: its first bytes decide, its suffix where they are common to several kinds.

    Raises:
        ModelError: It is missing, a folder, or of a kind that is not read.
    """
    _existing(path)
    where = str(path)
    with _GUARD.open(path) as file:
        head = file.read(64)
    if not head:
        raise ModelError("It is empty.", where=where, fix="Save or copy the model again.")
    if head.startswith(b"version https://git-lfs"):
        raise ModelError("It is a Git LFS pointer, not the model.", where=where, fix="Fetch the file: git lfs pull.")
    suffix = path.suffix.lower()
    found = next((kind(path, suffix) for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if found is not None:
        return found
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if suffix in _REFUSED:
        what, fix = _REFUSED[suffix]
        raise ModelError(f"It is {what}.", where=where, fix=fix)
    what = f"The suffix '{suffix}' is of no known model format" if suffix else "It has no suffix that tells its format"
    raise ModelError(f"{what}; {_OFFERED}.", where=where, fix="Rename the file, or export the model again.")


def _zip_kind(path: Path, suffix: str) -> str | None:
    """Keras 3 and PyTorch both write zip files; a damaged one is left to the converter of its suffix."""
    try:
        with _GUARD.archive(path, path) as archive:
            names = {n.rsplit("/", 1)[-1] for n in archive.namelist()}
    except ModelError:
        return None
    if {"config.json", "metadata.json"} <= names:
        return _KERAS
    if "archive_format" in names or suffix == ".pt2":
        return _PT2
    if "data.pkl" in names:
        what, fix = _REFUSED[".pt"]
        raise ModelError(f"It is {what}.", where=str(path), fix=fix)
    return None


def _pickle_kind(path: Path, suffix: str) -> str | None:
    what, fix = _REFUSED[".pt" if suffix in (".pt", ".pth", ".pt2") else ".pkl"]
    raise ModelError(f"It is {what}.", where=str(path), fix=fix)


_MAGIC: dict[bytes, Callable[[Path, str], str | None]] = {
    b"\x89HDF\r\n\x1a\n": lambda path, suffix: _KERAS,
    b"PK\x03\x04": _zip_kind,
    b"\x80\x02": _pickle_kind,
    b"\x80\x03": _pickle_kind,
    b"\x80\x04": _pickle_kind,
    b"\x80\x05": _pickle_kind,
}


def _existing(path: Path) -> Path:
    """The path of a file; a missing one or a folder gets an error that names what may be meant."""
    where = str(path)
    found = _GUARD.status(path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        if (path / "saved_model.pb").exists() or (path / "keras_metadata.pb").exists():
            raise ModelError("It is a TensorFlow SavedModel.", where=where, fix=_TO_KERAS)
        raise ModelError("It is a folder, not a model file.", where=where, fix=_models_in(path))
    if found is not None:
        return path
    folder = path.parent
    if not folder.is_dir():
        raise ModelError("It does not exist, nor does its folder.", where=where, fix=f"The current folder is '{Path.cwd()}'.")
    names = [p.name for p in _listed(folder)]
    close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    fix = f"Did you mean {' or '.join(repr(str(folder / n)) for n in close)}?" if close else _models_in(folder)
    raise ModelError("It does not exist.", where=where, fix=fix)


def _models_in(folder: Path) -> str:
    names = sorted(p.name for p in _listed(folder) if p.suffix.lower() in _SUFFIXES)
    return f"Models in '{folder}': {', '.join(names[:8])}." if names else f"Name a file; {_OFFERED}."


def _listed(folder: Path) -> list[Path]:
    """What a folder holds, for hints; nothing where it may not be looked into."""
    try:
        return list(islice(folder.iterdir(), 10_000))
    except OSError:
        return []
