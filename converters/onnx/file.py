"""ONNX files to plain data: protobuf, tensors and external data, all of it untrusted."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn2hls.converters.onnx.wire import structure
from nn2hls.errors import ModelError, Nn2hlsError
from nn2hls.extras import missing
from nn2hls.guard import MAX_VALUES, Guard, shortened

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

ML = "ai.onnx.ml"  # the domain of scikit-learn's operators
ELEMENT_LIMIT = 2**24  # of one tensor that a file asks for without holding its data
MAX_RANK = 32
_GUARD = Guard(ModelError, "The model", "Export or copy it again.")


@dataclass(frozen=True, eq=False)
class FileNode:
    """A node of the file, or the one that stands for several of them.

    Args:
        name: As in the file; the first output's name when the node has none.
        op: Operator type; ``domain.op`` outside the standard domain.
        inputs: Tensor names; the empty string is an operand left out.
        outputs: Tensor names.
        attrs: int, float, str, list or array; floats as :func:`attribute_float` gives them.
        trouble: Why the node cannot be used, found while reading; empty when nothing is wrong.
        kind: Operator type for messages and settings when it is not ``op``.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""
    kind: str = ""


def require_onnx() -> Any:
    """The onnx package.

    Raises:
        ModelError: It is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ModelError(f"Reading ONNX models needs the package onnx ({error}).", fix=missing("onnx")) from None
    return onnx


def read_model(path: Path) -> ModelProto:
    """The protobuf message in a file; nothing in it is trusted or run.

    Raises:
        ModelError: The file is empty, too large, or no ONNX model.
    """
    where = str(path)
    data = _GUARD.read(path)
    if reason := structure(data):
        raise ModelError(reason, where=where, fix="Store its weights as initialisers, or make the network smaller.")
    return parse_model(data, where)


def parse_model(data: bytes, where: str) -> ModelProto:
    """The protobuf message that bytes hold; errors as for :func:`read_model`."""
    onnx = require_onnx()
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    model: ModelProto = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise ModelError("It is damaged or no ONNX model.", where=where, fix="Export or copy it again.") from None
    return model


def check_names(model: ModelProto, where: str) -> None:
    """Refuse strings that are no UTF-8, which protobuf gives as bytes.

    Raises:
        ModelError: There is one.
    """
    if (name := next(_undecoded(model), None)) is not None:
        raise ModelError(f"A name in it is no text: {shortened(name)}.", where=where, fix="Export or copy it again.")


def _undecoded(message: Any) -> Iterator[bytes]:
    for known in message.DESCRIPTOR.fields:
        if known.type not in (known.TYPE_STRING, known.TYPE_MESSAGE):  # not the weights
            continue
        value = getattr(message, known.name)
        single = isinstance(value, str | bytes) or hasattr(value, "DESCRIPTOR")
        if single and not message.HasField(known.name):
            continue
        for item in (value,) if single else value:
            if isinstance(item, bytes):
                yield item
            elif not isinstance(item, str):
                yield from _undecoded(item)


def attribute_float(value: float) -> float:
    """The number an author wrote, from the float32 in the file, so that Keras and PyTorch give the same one.

    A decimal of up to six digits (0.01, 1e-05) or a fraction with a denominator up to 12 (1/6) that rounds to the float32;
    the float32 itself when there is neither.
    """
    single = np.float32(value)
    if not math.isfinite(value) or float(single) != value:
        return float(value)
    decimal = float(f"{value:.6g}")
    candidates = [decimal, *(round(value * d) / d for d in range(1, 13))]
    return next((c for c in candidates if np.float32(c) == single), float(value))


class Tensors:
    """Turns the file's tensors into NumPy arrays of the file's own type.

    Args:
        folder: Where external data may lie; None for a live model, which has none.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder, self._values = folder, 0

    def array(self, tensor: TensorProto, name: str) -> np.ndarray:
        """The array of a tensor; bfloat16 becomes float32.

        Raises:
            ModelError: Names the tensor and what is wrong with its type, size or data.
        """
        onnx = require_onnx()
        where = f"Tensor '{name}'"
        dims = tuple(tensor.dims)
        if tensor.data_type not in _item_types(onnx):
            kinds = {v: k for k, v in onnx.TensorProto.DataType.items()}
            raise ModelError(
                f"It holds {kinds.get(tensor.data_type, tensor.data_type)} values.",
                where=where,
                fix="Only float, bfloat16, integer and bool constants are read.",
            )
        if any(d < 0 for d in dims) or len(dims) > MAX_RANK:
            raise ModelError(f"Its shape {shortened(dims)} has a negative size or too many axes.", where=where)
        kind = _item_types(onnx)[tensor.data_type]
        count = math.prod(dims)
        if tensor.data_type in _packed_types(onnx):
            return self._packed(tensor, _packed_types(onnx)[tensor.data_type], dims, where)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            self._add(count, where)
            return _widen(self._external(tensor, kind, count, where).reshape(dims), onnx, tensor.data_type)
        stored = _stored(tensor, kind, onnx)
        if stored != count:
            raise ModelError(f"Its shape {dims} asks for {count} values, the file holds {stored}.", where=where)
        self._add(count, where)
        array = np.asarray(onnx.numpy_helper.to_array(tensor))
        return array.astype(np.float32) if tensor.data_type == onnx.TensorProto.BFLOAT16 else array

    def _packed(self, tensor: TensorProto, bits: int, dims: tuple[int, ...], where: str) -> np.ndarray:
        """Whole numbers of a few bits, several in a byte, in a type of that name."""
        count = math.prod(dims)
        stored = len(tensor.raw_data) if tensor.HasField("raw_data") else len(tensor.int32_data)
        if tensor.data_location == require_onnx().TensorProto.EXTERNAL or stored != -(-count * bits // 8):
            raise ModelError(f"Its shape {dims} asks for {count} values of {bits} bits in the file itself.", where=where)
        self._add(count, where)
        return np.asarray(require_onnx().numpy_helper.to_array(tensor))

    def _add(self, count: int, where: str) -> None:
        self._values += count
        if self._values > MAX_VALUES:
            raise ModelError(f"The constants up to it hold more than {MAX_VALUES} values.", where=where)

    def _external(self, tensor: TensorProto, kind: np.dtype[Any], count: int, where: str) -> np.ndarray:
        entries = {e.key: e.value for e in tensor.external_data}
        path = self._inside(entries.get("location", ""), where)
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", count * kind.itemsize))
        except ValueError:
            raise ModelError("Offset and length of its external data must be numbers.", where=where) from None
        if length != count * kind.itemsize or offset < 0:
            raise ModelError(
                f"Its external data has offset {offset} and {length} bytes, its shape asks for {count * kind.itemsize} bytes.",
                where=where,
            )
        with _GUARD.open(path) as file:
            size = os.fstat(file.fileno()).st_size
            if offset + length > size:
                what = f"Its external data ends at byte {offset + length} of '{path.name}', which has {size}."
                raise ModelError(what, where=where)
            file.seek(offset)
            data = file.read(length)
        return np.frombuffer(data, dtype=kind.newbyteorder("<"))

    def _inside(self, location: str, where: str) -> Path:
        """The external file, links resolved; it must be a regular file below the model's folder."""
        if self.folder is None:
            raise ModelError("It has external data, but the model is not a file.", where=where, fix="Pass the file's path.")
        root = self.folder.resolve()
        if not location or "\0" in location:
            raise ModelError("Its external data names no file.", where=where)
        try:
            path = (root / location).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a circle of links, before Python 3.13
            raise ModelError(f"Its external data {shortened(location)} cannot be reached ({error}).", where=where) from None
        if not path.is_relative_to(root) or Path(location).is_absolute():
            raise ModelError(
                f"Its external data '{location}' lies outside the model's folder.",
                where=where,
                fix="Put the data next to the model and save it with a plain file name.",
            )
        found = _GUARD.status(path)
        if found is None:
            raise ModelError(f"Its external data '{location}' is missing.", where=where, fix="Put it next to the model.")
        if not stat.S_ISREG(found.st_mode):
            raise ModelError(f"Its external data '{location}' is no regular file.", where=where)
        return path


def _item_types(onnx: Any) -> dict[int, np.dtype[Any]]:
    t = onnx.TensorProto
    names = ("FLOAT16", "FLOAT", "DOUBLE", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL")
    plain = {"FLOAT": "float32", "DOUBLE": "float64"}
    types = {getattr(t, n): np.dtype(plain.get(n, n.lower())) for n in names}
    return {**types, t.BFLOAT16: np.dtype("uint16"), **dict.fromkeys(_packed_types(onnx), np.dtype("int8"))}


def _packed_types(onnx: Any) -> dict[int, int]:
    """Types of whole numbers of less than a byte that the installed package knows -> their bits."""
    names = {"INT4": 4, "UINT4": 4, "INT2": 2, "UINT2": 2}
    return {getattr(onnx.TensorProto, n): bits for n, bits in names.items() if hasattr(onnx.TensorProto, n)}


def _widen(array: np.ndarray, onnx: Any, data_type: int) -> np.ndarray:
    if data_type != onnx.TensorProto.BFLOAT16:
        return array
    return (array.astype(np.uint32) << 16).view(np.float32)


def _stored(tensor: TensorProto, kind: np.dtype[Any], onnx: Any) -> int:
    """How many values the tensor's own fields hold."""
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) // kind.itemsize if len(tensor.raw_data) % kind.itemsize == 0 else -1
    t = onnx.TensorProto
    wide = {t.FLOAT: tensor.float_data, t.DOUBLE: tensor.double_data, t.INT64: tensor.int64_data}
    unsigned = {t.UINT32: tensor.uint64_data, t.UINT64: tensor.uint64_data}
    return len({**wide, **unsigned}.get(tensor.data_type, tensor.int32_data))


def file_node(proto: NodeProto, tensors: Tensors) -> FileNode:
    """A node as plain data; what cannot be used is noted in ``trouble`` and refused when the node is needed."""
    onnx = require_onnx()
    for text in (proto.name, proto.op_type, proto.domain, *proto.input, *proto.output):
        if not isinstance(text, str):
            raise ModelError(f"A node holds the name {text!r}, which is no text.", fix="Export or copy the model again.")
    name = proto.name or next((o for o in proto.output if o), proto.op_type)
    domain = "" if proto.domain in ("", "ai.onnx") else proto.domain
    attrs: dict[str, Any] = {}
    trouble = ""
    for attribute in proto.attribute:
        try:
            attrs[attribute.name] = _attribute(attribute, name, tensors, onnx)
        except Nn2hlsError as error:
            trouble = str(error)
    op = f"{domain}.{proto.op_type}" if domain else proto.op_type
    return FileNode(name, op, tuple(proto.input), tuple(proto.output), attrs, trouble)


def _attribute(attribute: Any, name: str, tensors: Tensors, onnx: Any) -> Any:
    kinds = onnx.AttributeProto
    kind = attribute.type
    if kind == kinds.FLOAT:
        return attribute_float(attribute.f)
    if kind == kinds.INT:
        return attribute.i
    if kind == kinds.STRING:
        return attribute.s.decode("utf-8", "replace")
    if kind == kinds.STRINGS:
        return [text.decode("utf-8", "replace") for text in attribute.strings]
    if kind == kinds.TENSOR:
        return tensors.array(attribute.t, name)
    if kind == kinds.INTS:
        return list(attribute.ints)
    if kind == kinds.FLOATS:
        return [attribute_float(f) for f in attribute.floats]
    label = {kinds.GRAPH: "a subgraph", kinds.GRAPHS: "subgraphs", kinds.SPARSE_TENSOR: "a sparse tensor"}.get(kind, "a value")
    raise ModelError(f"Its attribute '{attribute.name}' holds {label}, which is not supported.")
