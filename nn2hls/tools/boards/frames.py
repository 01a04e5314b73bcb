"""What goes over the serial port of a board: mantissas as bits, and the frames around them.

A request is ``a5``, the length of the payload (two bytes), the payload and a checksum (two bytes); an answer ``5a``, a status,
the clocks from inputs to outputs (four bytes), the outputs and a checksum. Low bytes come first. The checksum is CRC-16
(polynomial 1021, from ffff, high bits first) over what stands between the first byte and it.

In a payload the elements of all tensors stand side by side, the first in the low bits, each as wide as its type, two's
complement; zeros fill the last byte.
"""

from __future__ import annotations

import binascii
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.errors import DataError, ToolError
from nn2hls.guard import Guard
from nn2hls.tools.boards.packing import Field, bytes_of, pack, unpack, words_of
from nn2hls.tools.record import read_json, record

FILE = "board.json"  # beside the Verilog
REQUEST, LOAD, ANSWER = 0xA5, 0xA6, 0x5A
STATUS = {0: "fine", 1: "a wrong checksum", 2: "a wrong length"}
AROUND = 8  # bytes of an answer beside its outputs
MOST = (1 << 16) - 1  # bytes of a payload
_GUARD = Guard(ToolError, "The file")


@dataclass(frozen=True)
class Tensor:
    """An input or an output.

    Args:
        name: Of the layer.
        shape: Of an event.
        type: Of an element, as ``ap_fixed<...>``.
    """

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def kind(self) -> FixedType:
        """The type of an element."""
        return FixedType.parse(self.type)

    @property
    def field(self) -> Field:
        """As it stands in a payload."""
        kind = self.kind
        return Field(math.prod(self.shape), kind.width, kind.signed)


@dataclass(frozen=True)
class Layout:
    """What a board takes and gives.

    Args:
        project: The name of the core.
        board: The board's name.
        baud: Of the serial port; of SPI the fastest that is meant.
        latency: Clocks from inputs to outputs, as the core was built.
        inputs, outputs: In order.
        port: The kind of the serial port: ``uart`` or ``spi``.
        words: Bytes of a word of its memories; 0 where it has none that can be written.
        address_bits, word_bits: Of an address and of a word of its memories.
    """

    project: str
    board: str
    baud: int
    latency: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    port: str = "uart"
    words: int = 0
    address_bits: int = 0
    word_bits: int = 0

    def text(self) -> str:
        """For FILE."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Layout:
        """That of a project that was built for a board.

        Raises:
            ToolError: There is none, or the file is damaged.
        """
        path = folder / "rtl" / FILE
        if _GUARD.status(path) is None:
            fix = "Build it with: nn2hls build CONFIG --tool rtl --board NAME."
            raise ToolError("This project was not built for a board.", where=str(folder), fix=fix)
        return record(cls, read_json(path), str(path))

    def requests(self, inputs: Sequence[np.ndarray]) -> list[bytes]:
        """The payload of each event.

        Args:
            inputs: Mantissas (events, *shape) of each input.

        Raises:
            DataError: A shape or a mantissa does not fit.
        """
        return packed(self.inputs, inputs)

    def values(self, payloads: Sequence[bytes]) -> list[np.ndarray]:
        """Mantissas (events, *shape) of each output, from the payloads of the answers."""
        return unpacked(self.outputs, payloads)

    @property
    def answer_bytes(self) -> int:
        """Of a whole answer."""
        return AROUND + size(self.outputs)


def image_words(image: str, address_bits: int, word_bits: int) -> list[tuple[int, int]]:
    """(address, word) of each line of an image of weights.

    Raises:
        ToolError: A line is none of an image for memories with addresses and words of so many bits.
    """
    try:
        return words_of(image, address_bits, word_bits)
    except ValueError as error:
        fix = "Make the image with: nn2hls weights DIR MODEL -o FILE, for this design."
        raise ToolError(f"T{str(error)[1:]}.", where="weights", fix=fix) from error


def size(tensors: Sequence[Tensor]) -> int:
    """Bytes of a payload."""
    return bytes_of([t.field for t in tensors])


def packed(tensors: Sequence[Tensor], arrays: Sequence[np.ndarray]) -> list[bytes]:
    """A payload for each event.

    Raises:
        DataError: A shape or a mantissa does not fit.
    """
    if len(arrays) != len(tensors):
        raise DataError(f"{len(arrays)} arrays are given for {len(tensors)} tensors.")
    events = {len(a) for a in arrays}
    for tensor, array in zip(tensors, arrays, strict=True):
        kind = tensor.kind
        if tuple(array.shape[1:]) != tensor.shape or len(events) != 1:
            raise DataError(
                f"The shape must be (events, {', '.join(map(str, tensor.shape))}), not {array.shape}.", where=tensor.name
            )
        if array.size and not kind.min_mantissa <= int(array.min()) <= int(array.max()) <= kind.max_mantissa:
            raise DataError(f"A mantissa does not fit {kind}.", where=tensor.name)
    return [row.tobytes() for row in pack(arrays, [t.field for t in tensors])] if tensors else []


def unpacked(tensors: Sequence[Tensor], payloads: Sequence[bytes]) -> list[np.ndarray]:
    """Mantissas (events, *shape) of each tensor: int64, Python integers beyond 63 bits."""
    data = np.frombuffer(b"".join(payloads), dtype=np.uint8).reshape(len(payloads), size(tensors))
    found = unpack(data, [t.field for t in tensors])
    return [array.reshape(len(payloads), *t.shape) for array, t in zip(found, tensors, strict=True)]


def request(payload: bytes, first: int = REQUEST) -> bytes:
    """The frame of a payload: an event, or with LOAD a word of the memories behind its address of four bytes."""
    inside = struct.pack("<H", len(payload)) + payload
    return bytes([first]) + inside + struct.pack("<H", checksum(inside))


def checksum(data: bytes) -> int:
    """CRC-16 with the polynomial 1021, from ffff, high bits first."""
    return binascii.crc_hqx(data, 0xFFFF)


@dataclass(frozen=True)
class Answer:
    """What a board says.

    Args:
        clocks: From inputs to outputs.
        payload: The outputs.
    """

    clocks: int
    payload: bytes

    @classmethod
    def of(cls, frame: bytes) -> Answer:
        """The answer in a frame.

        Raises:
            ToolError: It was damaged on its way, or the board refuses the request.
        """
        fix = "Check the wiring and the rate of the serial port, and send the event again."
        inside, said = frame[1:-2], frame[-2:]
        if len(frame) < AROUND or frame[0] != ANSWER or struct.pack("<H", checksum(inside)) != said:
            raise ToolError("The answer was damaged on its way.", where="serial port", fix=fix)
        status, clocks = struct.unpack("<BI", inside[:5])
        if status:
            raise ToolError(f"The board has found {STATUS.get(status, 'an error')} in a request.", where="serial port", fix=fix)
        return cls(clocks, inside[5:])


def tensors_of(shapes: Mapping[str, tuple[tuple[int, ...], FixedType]]) -> tuple[Tensor, ...]:
    """Tensors by name, shape and type."""
    return tuple(Tensor(name, tuple(shape), str(kind)) for name, (shape, kind) in shapes.items())
