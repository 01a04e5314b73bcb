"""A look at the bytes of an ONNX file before protobuf sees them: a few bytes can ask for a hundred times as much memory."""

from __future__ import annotations

from collections.abc import Iterator

from nn2hls.guard import MAX_LAYERS

MAX_STRUCTURE = 16 << 20  # bytes of all but the data of initialisers
MAX_FIELDS = 16 * MAX_LAYERS  # of the model, its graph and its initialisers
# Numbers of fields in onnx.proto: what is entered, and what holds data at its own size.
_GRAPH, _INITIALISER = 7, 5
_DATA = (4, 9, 10)  # float_data, raw_data, double_data of TensorProto


def structure(data: bytes) -> str:
    """Why a file is too large to be parsed, in words; empty when it is not, or is damaged, which protobuf tells."""
    counts = [0, len(data)]
    try:
        for number, start, end in _fields(data, 0, len(data), counts):
            for inner, first, last in _fields(data, start, end, counts) if number == _GRAPH else ():
                for field, a, b in _fields(data, first, last, counts) if inner == _INITIALISER else ():
                    counts[1] -= b - a if field in _DATA else 0
    except (IndexError, ValueError):
        pass
    if counts[0] > MAX_FIELDS:
        return f"It has more than {MAX_FIELDS} nodes, tensors and values."
    return f"It has {counts[1]} bytes besides its weights; at most {MAX_STRUCTURE} are read." * (counts[1] > MAX_STRUCTURE)


def _fields(data: bytes, at: int, end: int, counts: list[int]) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field that has a length; ValueError where there are no such fields, or too many."""
    while at < end:
        counts[0] += 1
        head, at = _varint(data, at)
        kind = head & 7
        if counts[0] > MAX_FIELDS or kind not in (0, 1, 2, 5):
            raise ValueError
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            if size > end - at:
                raise ValueError
            yield head >> 3, at, at + size
            at += size
        else:
            at += 8 if kind == 1 else 4


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        shift += 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError
