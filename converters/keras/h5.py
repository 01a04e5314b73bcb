"""The arrays of a Keras weight file (HDF5), and nothing else: no links, no data kept elsewhere, no absurd sizes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn2hls.converters import apart
from nn2hls.errors import ModelError
from nn2hls.extras import missing
from nn2hls.guard import MAX_LAYERS, MAX_VALUES, Guard

MAX_GROUPS = 100_000  # groups and lists of weights of a file
MAX_DEPTH = 64
_GUARD = Guard(ModelError, "The file", "Is the file complete? Save or copy it again.")

Arrays = Sequence[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Weights:
    """Arrays as a file or a live model groups them.

    Args:
        groups: Arrays in their order, with the names they have there. The key is the layer's name (Keras 2 and Keras 3
            ``.h5``), its place such as ``layers/dense_1`` (``.weights.h5``) or its path in the model (live models).
        layout: Which of the three it is: ``named``, ``numbered`` or ``live``.
        version: Keras' version as the file states it, or empty.
        where: The file, for messages.
    """

    groups: Mapping[str, Arrays]
    layout: str
    version: str
    where: str


def read_h5(source: Path | bytes, where: str) -> tuple[str | None, Weights]:
    """The text of ``model_config``, None where there is none, and the weights of an HDF5 file.

    The HDF5 library trusts what it reads: a damaged file can make it loop or crash. It works in a process of its own.

    Raises:
        ModelError: h5py is missing, the file is damaged, or holds something that is not accepted from a file.
    """
    try:
        import h5py  # type: ignore[import-untyped] # noqa: F401
    except ImportError:
        what = "Keras weights are HDF5, which needs the package h5py."
        raise ModelError(what, where=where, fix=missing("keras")) from None
    if isinstance(source, bytes):
        size = len(source)
    else:
        with _GUARD.open(source) as file:
            size = os.fstat(file.fileno()).st_size
    (config, layout, version, groups), arrays = apart.run(lambda keep: _read(source, where, keep), size, where)
    return config, Weights({k: [(n, arrays[i]) for n, i in own] for k, own in groups}, layout, version, where)


def _read(source: Path | bytes, where: str, keep: apart.Keep) -> tuple[Any, ...]:
    """Config, layout, version, and for each group its arrays' names and places."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_open(source, where))
        config = attribute(file, "model_config")
        if config is not None and not isinstance(config, str):
            raise ModelError("Its model_config is a list, not one text.", where=where, fix="Save the model again with Keras.")
        return config, *_weights(file, where, keep)


@contextlib.contextmanager
def _open(source: Path | bytes, where: str) -> Iterator[Any]:
    """An HDF5 file; damage is an error, also when that shows while it is read."""
    import h5py

    try:
        image = h5py.h5f.open_file_image(source) if isinstance(source, bytes) else source
        with h5py.File(image, "r") as file:
            yield file
    except (
        *(OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, OverflowError, MemoryError),
        *(RecursionError, NotImplementedError, IndexError, AssertionError),
    ) as error:
        fix = "Is the file complete? Save or copy it again."
        raise ModelError(f"The HDF5 data is damaged ({error}).", where=where, fix=fix) from None


def attribute(group: Any, name: str) -> Any:
    """A string or list of strings from the attributes, or None; long lists are kept in parts ``name0``, ``name1`` ..."""
    if name in group.attrs:
        value = group.attrs[name]
        return [_text(v) for v in value] if isinstance(value, np.ndarray) else _text(value)
    parts: list[str] = []
    while f"{name}{len(parts)}" in group.attrs:
        parts.append(f"{name}{len(parts)}")
    return [_text(v) for part in parts for v in group.attrs[part]] if parts else None


def _weights(file: Any, where: str, keep: apart.Keep) -> tuple[str, str, list[Any]]:
    """Layout, version and groups of an open file."""
    reader = _Reader(where, keep)
    root = reader.child(file, "model_weights") if "model_weights" in file else file
    version = str(attribute(file, "keras_version") or attribute(root, "keras_version") or "")
    names = attribute(root, "layer_names")
    if isinstance(names, list):
        if len(set(names)) < len(names) or len(names) > MAX_LAYERS:
            raise reader.refuse("layer_names", f"names a layer twice, or more than {MAX_LAYERS} layers")
        return "named", version, [(name, reader.named(reader.child(root, name))) for name in names]
    if names is not None or not {"layers", "_layer_checkpoint_dependencies", "vars"} & set(root):
        raise ModelError("It holds no Keras weights (neither 'layer_names' nor 'layers').", where=where)
    return "numbered", version, list(reader.numbered(root, "", 0))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, str):
        return value.encode("utf-8").decode("utf-8")  # h5py lets through what is not UTF-8
    raise ValueError(f"an attribute holds {type(value).__name__}, not text")


class _Reader:
    """Reads groups and arrays; counts both, and the values, over the whole file."""

    def __init__(self, where: str, keep: apart.Keep) -> None:
        self.where, self.keep = where, keep
        self.values, self.arrays, self.seen = 0, 0, set[Any]()

    def refuse(self, place: str, what: str) -> ModelError:
        return ModelError(f"'{place}' {what}.", where=self.where, fix="Save the model again with Keras.")

    def child(self, group: Any, path: str) -> Any:
        """The member at ``path``, every step a hard link."""
        import h5py

        for part in path.split("/"):
            if not part:
                continue
            links, name = group.id.links, part.encode("utf-8")
            if not links.exists(name):
                raise self.refuse(f"{group.name.rstrip('/')}/{part}", "is missing from the file")
            if links.get_info(name).type != h5py.h5l.TYPE_HARD:
                raise self.refuse(f"{group.name.rstrip('/')}/{part}", "is a link out of its place, which is not followed")
            group = group[part]
        return group

    def named(self, group: Any) -> list[tuple[str, int]]:
        """The arrays that the attribute ``weight_names`` lists."""
        names = attribute(group, "weight_names") or []
        return [(name, self.array(self.child(group, name))) for name in names]

    def numbered(self, group: Any, path: str, depth: int) -> Iterator[tuple[str, list[tuple[str, int]]]]:
        """The arrays ``vars/0``, ``vars/1`` ... of this group and of all below."""
        import h5py

        self.seen.add(h5py.h5o.get_info(group.id).addr)
        if depth > MAX_DEPTH or len(self.seen) > MAX_GROUPS:
            raise self.refuse(path, "nests more groups than a model has")
        for name in group:
            if not path and name == "optimizer":
                continue
            member = self.child(group, name)
            if not isinstance(member, h5py.Group):
                continue
            if name == "vars":
                order = sorted((k for k in member if k.isdecimal()), key=int)
                yield path, [(k, self.array(self.child(member, k))) for k in order]
            elif h5py.h5o.get_info(member.id).addr in self.seen:
                raise self.refuse(member.name, "is linked in a circle or twice")
            else:
                yield from self.numbered(member, f"{path}/{name}" if path else name, depth + 1)

    def array(self, data: Any) -> int:
        """The place of a dataset's values, which are kept as float64 without loss."""
        import h5py

        if not isinstance(data, h5py.Dataset):
            raise self.refuse(data.name, "is not an array")
        if data.is_virtual or data.external:
            raise self.refuse(data.name, "keeps its values in another file, which is not followed")
        self.values += int(data.size or 0)
        self.arrays += 1
        if self.values > MAX_VALUES or self.arrays > MAX_GROUPS:
            raise self.refuse(data.name, f"brings the weights beyond {MAX_VALUES} values or {MAX_GROUPS} arrays")
        stored = data.id.get_storage_size()
        if stored < (data.nbytes if data.chunks is None else min(1, data.nbytes)):
            raise self.refuse(data.name, f"claims {data.nbytes} bytes and stores {stored}")
        values = np.asarray(data[()])
        if attribute(data, "dtype") == "bfloat16" and values.dtype.itemsize == 2:
            values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        if values.dtype.kind not in "fiub":
            raise self.refuse(data.name, f"holds {data.dtype}, not numbers")
        return self.keep(values.astype(np.float64))
