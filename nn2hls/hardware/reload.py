"""What can be written into a design while it stands: the weights of its layers, word by word, by address.

Each multiplier of a layer has a bank of its own, as long as the steps, and each bias a word. A bank begins at a multiple of its
length, a power of two, so that the high bits of an address choose the bank and the low ones the word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Cell, Code

WRITE = ("weights_write", "weights_address", "weights_data")  # the ports


class Built(Protocol):
    """A layer: its name, and what it is made of."""

    @property
    def name(self) -> str:
        """Of the layer."""

    @property
    def hardware(self) -> Hardware:
        """Its loops."""


@dataclass(frozen=True, eq=False)
class Held:
    """A layer that is placed nowhere in time.

    Args:
        name: Of the layer.
        hardware: Its loops.
    """

    name: str
    hardware: Hardware


@dataclass(frozen=True)
class Bank:
    """Words that are written alike.

    Args:
        layer: Whose they are.
        number: Of the multiplier, or of the bias.
        single: It is a bias: one word, in a register.
        first: The address of the first word.
        bits: Of an address within the bank.
        width, signed: Of a word.
        words: What it holds at first.
    """

    layer: str
    number: int
    single: bool
    first: int
    bits: int
    width: int
    signed: bool
    words: tuple[int, ...]

    def written(self, address_bits: int) -> str:
        """The Verilog of whether a write is for this bank."""
        high = address_bits - self.bits
        if not high:
            return "weights_write"
        return f"weights_write && weights_address[{address_bits - 1}:{self.bits}] == {high}'d{self.first >> self.bits}"


def banks(layers: Sequence[Built]) -> list[Bank]:
    """All banks of layers, in the order of their addresses."""
    found, free = [], 0
    for layer in layers:
        for number, single, words, cell in _words(layer):
            bits = max(0, (len(words) - 1).bit_length())
            first = -(-free >> bits) << bits
            found.append(Bank(layer.name, number, single, first, bits, cell.width, cell.signed, words))
            free = first + (1 << bits)
    return found


def _words(layer: Built) -> Iterator[tuple[int, bool, tuple[int, ...], Cell]]:
    """(number, whether it is a bias, what it holds, the cell that reads it) of each bank."""
    for loop in (x for x in layer.hardware.loops if x.written):
        if loop.ii:
            ((number, values),) = loop.constants.items()
            for m, words in enumerate(values.T.tolist()):
                yield m, False, tuple(words), source(loop, number)
        else:
            for j, (k, values) in enumerate(sorted(loop.constants.items())):
                yield j, True, (int(values[0, 0]),), source(loop, k)


def source(loop: Loop, number: int) -> Cell:
    """The input of this number of a loop's body."""
    return next(c for c in loop.body.cells if c.code is Code.INPUT and c.k == number)


def widths(found: Sequence[Bank]) -> tuple[int, int]:
    """Bits of an address and of a word of all banks."""
    last = max(bank.first + (1 << bank.bits) for bank in found) - 1
    return max(1, last.bit_length()), max(bank.width for bank in found)


def sizes(layers: Sequence[Built]) -> tuple[int, int] | None:
    """Bits of an address and of a word of all banks of layers; None where nothing can be written."""
    found = banks(layers)
    return widths(found) if found else None


def image(found: Sequence[Bank]) -> str:
    """The words as Verilog's $readmemh reads them: an address and the bits of its word in each line."""
    lines = [f"@{bank.first + k:x} {word & ((1 << bank.width) - 1):x}" for bank in found for k, word in enumerate(bank.words)]
    return "\n".join(lines) + "\n"
