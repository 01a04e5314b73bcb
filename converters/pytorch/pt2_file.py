"""Reader of the archive that ``torch.export.save`` writes, without PyTorch: a zip of JSON and raw weights.

Only the graph, the tables of weights and constants and the raw arrays are read. Nothing is unpickled: ``sample_inputs`` is
never opened, and a weight or constant that is stored as a pickle is refused.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nn2hls.converters.pytorch.pt2_program import DTYPES, Program, decode
from nn2hls.errors import ModelError
from nn2hls.guard import MAX_FILE, MAX_VALUES, Guard

EXPORT = "torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')"
AGAIN = f"Save it with {EXPORT}, in PyTorch 2.8 or newer; 2.13 is tested."
_ENTRY = re.compile(r"[A-Za-z0-9_.-]+")
_GUARD = Guard(ModelError, "The model", AGAIN)


def read_file(path: Path) -> Program:
    """The program in a ``.pt2`` file.

    Raises:
        ModelError: The file is missing, damaged, pickled, or of another version; the message says how to export it.
    """
    with _GUARD.open(path) as stream:
        return read_stream(stream, str(path))


def read_stream(stream: BinaryIO, where: str) -> Program:
    """Like :func:`read_file`, from an open binary file."""
    head = stream.read(4)
    if head[:1] == b"\x80":
        raise ModelError("It is a pickle; loading one would run code from the file.", where=where, fix=AGAIN)
    if head[:2] != b"PK":
        raise ModelError("It is not a .pt2 file (a zip archive).", where=where, fix=AGAIN)
    with _GUARD.archive(stream, where) as archive:
        return _Archive(archive, stream.seek(0, 2), where).program()


class _Archive:
    """One open archive: its entries, checked, below the root folder."""

    def __init__(self, archive: zipfile.ZipFile, size: int, where: str) -> None:
        self.zip, self.where, self.values = archive, where, 0
        entries = archive.infolist()
        names = [e.filename for e in entries]
        self._check(entries, names, size)
        if any(n.endswith("data.pkl") for n in names):
            raise ModelError("It holds a pickle (a module, state_dict or TorchScript).", where=where, fix=AGAIN)
        if any(n.endswith("serialized_state_dict.pt") for n in names):
            raise ModelError(
                "It was saved by PyTorch before 2.8, which pickled the weights; no pickle is opened.", where=where, fix=AGAIN
            )
        roots = [n[: -len("archive_format")] for n in names if n.count("/") == 1 and n.endswith("/archive_format")]
        if len(roots) != 1:
            raise ModelError("It is a zip archive, but not one that torch.export.save writes.", where=where, fix=AGAIN)
        self.entries = {e.filename.removeprefix(roots[0]): e for e in entries if e.filename.startswith(roots[0])}

    def _check(self, entries: list[zipfile.ZipInfo], names: list[str], size: int) -> None:
        """Sizes are those of the file itself, and no name can mean a place outside it."""
        bad = [n for n in names if n.startswith("/") or "\\" in n or ".." in n.split("/") or ":" in n]
        if bad:
            raise ModelError(f"Its entry {bad[0]!r} points outside the archive.", where=self.where, fix=AGAIN)
        if len(set(names)) != len(names):
            raise ModelError("Two of its entries have the same name.", where=self.where, fix=AGAIN)
        if any(e.compress_type != zipfile.ZIP_STORED or e.flag_bits & 1 for e in entries):
            raise ModelError("Its entries are compressed or encrypted.", where=self.where, fix=AGAIN)
        if sum(e.file_size for e in entries) > size:
            raise ModelError("Its entries are larger than the file.", where=self.where, fix=AGAIN)

    def program(self) -> Program:
        """The one program of the archive."""
        for name, known in (("archive_format", "pt2"), ("archive_version", "0")):
            found = self.read(name).decode("utf-8", "replace").strip()
            if found != known:
                raise ModelError(f"Its {name} is {found!r}; {known!r} is known.", where=self.where, fix=AGAIN)
        models = [n for n in self.entries if n.startswith("models/") and n.endswith(".json")]
        if len(models) != 1:
            what = f"It holds {len(models)} programs" + (f" ({', '.join(models)})." if models else ".")
            raise ModelError(what, where=self.where, fix=f"One is expected. {AGAIN}")
        model = Path(models[0]).stem
        order = self.read("byteorder").decode("utf-8", "replace").strip()
        if order not in ("little", "big"):
            raise ModelError(f"Its byte order is {order!r}; little and big are known.", where=self.where, fix=AGAIN)
        arrays: dict[str, np.ndarray] = {}
        for folder, table in (("weights", "weights"), ("constants", "constants")):
            config = self.json(f"data/{folder}/{model}_{table}_config.json")
            arrays.update(self.arrays(config, folder, "<" if order == "little" else ">"))
        return decode(self.json(models[0]), arrays, self.where)

    def read(self, name: str) -> bytes:
        """The bytes of an entry."""
        if name not in self.entries:
            raise ModelError(f"Its entry '{name}' is missing.", where=self.where, fix=AGAIN)
        return _GUARD.member(self.zip, self.entries[name], MAX_FILE, f"{self.where}: {name}")

    def json(self, name: str) -> Any:
        """An entry as JSON."""
        return _GUARD.json(self.read(name), f"{self.where}: {name}")

    def arrays(self, config: Any, folder: str, order: str) -> Mapping[str, np.ndarray]:
        """All tensors of a table of weights or constants, by the user's names."""
        arrays: dict[str, np.ndarray] = {}
        storages: dict[str, bytes] = {}
        try:
            for title, entry in config["config"].items():
                if entry["use_pickle"]:
                    raise ModelError(
                        f"'{title}' is stored as a pickle, which is never opened.",
                        where=self.where,
                        fix="Replace tensor subclasses and custom objects by plain tensors. " + AGAIN,
                    )
                path = entry["path_name"]
                if not _ENTRY.fullmatch(path) or path.startswith("."):
                    raise ModelError(f"'{title}' is stored under the name {path!r}.", where=self.where, fix=AGAIN)
                if path not in storages:
                    storages[path] = self.read(f"data/{folder}/{path}")
                arrays[title] = _array(storages[path], entry["tensor_meta"], order, f"{self.where}: {title}")
                _check_finite(arrays[title], f"{self.where}: {title}", mask=not entry.get("is_param", True))
                self.values += arrays[title].size
                if self.values > MAX_VALUES:
                    raise ModelError(
                        f"It holds more than {MAX_VALUES} weights.", where=self.where, fix="Export a smaller model."
                    )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            what = f"Its table of {folder} is malformed ({type(error).__name__}: {error})."
            raise ModelError(what, where=self.where, fix=AGAIN) from None
        return arrays


def _array(data: bytes, meta: Any, order: str, where: str) -> np.ndarray:
    """The tensor that ``meta`` describes in raw storage; bfloat16 becomes float32, exactly."""
    dtype = DTYPES.get(meta["dtype"])
    if dtype is None or meta["layout"] != 7:
        raise ModelError("Its element type or layout is not supported.", where=where, fix="Store it as float32, dense.")
    sizes: list[int] = [int(s["as_int"]) for s in meta["sizes"]]
    strides: list[int] = [int(s["as_int"]) for s in meta["strides"]]
    start = int(meta["storage_offset"]["as_int"])
    count = math.prod(sizes)
    stored = np.dtype(order + ("u2" if dtype == "bfloat16" else np.dtype(dtype).str[1:]))
    storage = np.frombuffer(data[: len(data) // stored.itemsize * stored.itemsize], stored)
    fits = len(sizes) == len(strides) and min([start, *sizes, *strides]) >= 0 and count <= max(storage.size, 1)
    last = start + sum((n - 1) * s for n, s in zip(sizes, strides, strict=False))
    if not fits or (count and last >= storage.size):
        raise ModelError(f"Its size {sizes} does not fit the {len(data)} bytes stored.", where=where, fix=AGAIN)
    steps = [s * stored.itemsize for s in strides]
    view = np.ndarray(sizes, stored, data, start * stored.itemsize, steps) if count else np.empty(sizes)
    array = view.astype(stored.newbyteorder("="))
    if dtype == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array


def _check_finite(array: np.ndarray, where: str, *, mask: bool) -> None:
    """Refuse NaN and infinite values; constants that are no parameters may hold minus infinity, as masks do."""
    bad = 0 if array.dtype.kind != "f" else int(np.count_nonzero(~(np.isfinite(array) | (np.isneginf(array) & mask))))
    if bad:
        raise ModelError(f"{bad} of its {array.size} values are NaN or infinite.", where=where, fix="Train or load it again.")
