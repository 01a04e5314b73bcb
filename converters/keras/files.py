"""Keras model files as plain data: the config as JSON, the weights as arrays. No framework is needed, nothing is run."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn2hls.converters.keras.h5 import Weights, read_h5
from nn2hls.errors import ModelError
from nn2hls.guard import MAX_FILE, MAX_JSON, Guard

_GUARD = Guard(ModelError, "The file", "Is the file complete? Save or copy it again.")
_SAVE = "Save the model with model.save('model.keras')."


@dataclass(frozen=True)
class Saved:
    """A model as it was saved.

    Args:
        config: What Keras calls the model's config, with ``class_name`` and ``config``.
        weights: Its arrays.
        version: Keras' major version, which decides what ``hard_sigmoid`` means.
        where: The file, for messages.
    """

    config: dict[str, Any]
    weights: Weights
    version: int
    where: str


@dataclass(frozen=True)
class _Parts:
    config: dict[str, Any] | None
    weights: Weights | None
    version: str


def read(path: str | os.PathLike[str], weights: str | os.PathLike[str] | None = None) -> Saved:
    """Read a ``.keras``, ``.h5`` or ``.json`` file; weights come from the file itself or from ``weights``.

    Raises:
        ModelError: A file is missing, damaged, not a Keras model, or has no config or no weights.
    """
    main = _read_any(Path(path))
    if main.config is None:
        fix = "Name the model's .json file as the model, and this one as its weights: KerasJson and KerasH5 in a config."
        raise ModelError("The file holds weights and no model.", where=str(path), fix=fix)
    arrays = _read_any(Path(weights)).weights if weights is not None else main.weights
    if arrays is None:
        place = str(weights if weights is not None else path)
        fix = "Name the file with its weights as well: KerasH5 in a config."
        raise ModelError("The file holds no weights.", where=place, fix=fix)
    version = (
        main.version or str(main.config.get("keras_version") or "") or ("3" if "module" in main.config else arrays.version)
    )
    return Saved(main.config, arrays, major(version, str(path)), str(path))


def major(version: str, where: str) -> int:
    """The first number of a version; models older than Keras 2 are refused."""
    head = version.partition(".")[0]
    if not head.isdecimal() or int(head) < 2:
        fix = "Load the model with Keras 2 or 3 and save it again."
        raise ModelError(f"It was saved by Keras '{version}'; versions from 2 on can be read.", where=where, fix=fix)
    return int(head)


def _read_any(path: Path) -> _Parts:
    if path.is_dir():
        raise ModelError("It is a directory (a SavedModel?), not a model file.", where=str(path), fix=_SAVE)
    if _GUARD.status(path) is None:
        raise ModelError("There is no such file.", where=str(path), fix=_nearby(path))
    with _GUARD.open(path) as file:
        head = file.read(8)
    for magic, reader in _READERS.items():
        if head.startswith(magic):
            return reader(path)
    if path.suffix.lower() == ".json" or head.lstrip()[:1] == b"{":
        return _Parts(parse_json(_GUARD.read(path, MAX_JSON), str(path)), None, "")
    what = "The file is empty." if not head else "It is neither a .keras archive nor HDF5 nor JSON, or it is damaged."
    raise ModelError(what, where=str(path), fix=_SAVE)


def _nearby(path: Path) -> str:
    from nn2hls.errors import suggest

    return suggest(path.name, (p.name for p in path.parent.iterdir())) if path.parent.is_dir() else ""


def _read_hdf5(path: Path) -> _Parts:
    text, weights = read_h5(path, str(path))
    config = None if text is None else parse_json(text, f"{path}: model_config")
    return _Parts(config, weights, weights.version)


def _read_archive(path: Path) -> _Parts:
    where = str(path)
    with _GUARD.archive(path, where) as archive:
        config = parse_json(_member(archive, "config.json", MAX_JSON, where), f"{where}: config.json")
        meta = parse_json(_member(archive, "metadata.json", MAX_JSON, where), f"{where}: metadata.json")
        data = _member(archive, "model.weights.h5", MAX_FILE, where)
    _, weights = read_h5(data, f"{where}: model.weights.h5")
    return _Parts(config, weights, str(meta.get("keras_version") or ""))


def _member(archive: zipfile.ZipFile, name: str, limit: int, where: str) -> bytes:
    """One file of the archive, by its exact name; nothing is unpacked to disk."""
    found = [i for i in archive.infolist() if i.filename == name]
    if len(found) != 1:
        what = f"The archive holds {len(found) or 'no'} '{name}'"
        hint = ", its weights are in NumPy's format" if "model.weights.npz" in archive.namelist() else ""
        raise ModelError(f"{what}{hint}.", where=where, fix=_SAVE)
    return _GUARD.member(archive, found[0], limit, where)


def parse_json(text: str | bytes, where: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ModelError: The text is not one.
    """
    value = _GUARD.json(text, where)
    if not isinstance(value, dict):
        raise ModelError("The JSON must be an object with 'class_name' and 'config'.", where=where, fix=_SAVE)
    return value


_READERS: dict[bytes, Callable[[Path], _Parts]] = {b"PK": _read_archive, b"\x89HDF": _read_hdf5}
