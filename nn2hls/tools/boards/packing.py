"""Mantissas as bits side by side. NumPy is all that this file needs: projects for boards carry a copy of it for their drivers.

The elements of all tensors stand side by side, the first in the low bits, each as wide as its type, in two's complement; zeros
fill the last byte, or the last word where words are wider.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

NARROW = 63  # bits of a mantissa from which on it is a Python integer


class Field(NamedTuple):
    """The elements of a tensor: how many, how wide each, and whether it has a sign."""

    size: int
    width: int
    signed: bool


def bytes_of(fields: Sequence[Field], word: int = 8) -> int:
    """Bytes of an event, in whole words of so many bits."""
    return -(-sum(f.size * f.width for f in fields) // word) * word // 8


def memory_fields(sizes: tuple[int, int] | None) -> list[Field]:
    """What stands behind the inputs of an event where weights can be written: whether one is, its address, and the word.

    ``sizes``: bits of an address and of a word; None where none can.
    """
    return [Field(1, width, False) for width in (1, *sizes)] if sizes else []


def words_of(image: str, address_bits: int, word_bits: int) -> list[tuple[int, int]]:
    """(address, word) of each line of an image of weights, as ``nn2hls weights`` writes it.

    Raises:
        ValueError: A line is none of an image for memories with addresses and words of so many bits.
    """
    found = []
    for line in image.splitlines():
        match = re.fullmatch(r"@([0-9a-f]{1,8}) ([0-9a-f]{1,32})", line)
        address, word = (int(part, 16) for part in match.groups()) if match else (1 << address_bits, 0)
        if address >> address_bits or word >> word_bits:
            raise ValueError(f"this is no word of an image for this design: {line[:60]!r}")
        found.append((address, word))
    return found


def pack(arrays: Sequence[Any], fields: Sequence[Field], word: int = 8) -> Any:
    """Events as bytes.

    Args:
        arrays: Mantissas (events, ...) of each tensor.
        fields: The tensors.
        word: Bits whose multiple an event fills.

    Returns:
        uint8 (events, bytes).
    """
    events = len(arrays[0])
    bits = np.zeros((events, 8 * bytes_of(fields, word)), dtype=np.uint8)
    low = 0
    for array, (size, width, _) in zip(arrays, fields):  # noqa: B905  # Python of old boards has no strict
        mantissas = np.asarray(array).reshape(events, size, 1)
        places = np.arange(width) if width < NARROW else np.arange(width).astype(object)
        kind = np.int64 if width < NARROW else object
        bits[:, low : low + size * width] = ((mantissas.astype(kind) >> places) & 1).reshape(events, size * width)
        low += size * width
    return np.packbits(bits, axis=1, bitorder="little")


def unpack(data: Any, fields: Sequence[Field]) -> list[Any]:
    """Mantissas (events, size) of each tensor from bytes (events, bytes): int64, Python integers from NARROW bits on."""
    bits = np.unpackbits(np.asarray(data, dtype=np.uint8), axis=1, bitorder="little")
    found, low = [], 0
    for size, width, signed in fields:
        part = bits[:, low : low + size * width].reshape(len(bits), size, width)
        weights = [1 << k for k in range(width)]
        weights[-1] *= -1 if signed else 1
        kind = np.int64 if width < NARROW else object
        found.append((part.astype(kind) * np.array(weights, dtype=kind)).sum(axis=2))
        low += size * width
    return found
