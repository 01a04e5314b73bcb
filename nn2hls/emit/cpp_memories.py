"""The C++ of weights and biases that can be written: arrays that stay from event to event, and ports that change a word.

A word is written with an event, by the call that brings it, and is in force from that event on. So no event ever meets weights
of two models half and half, as long as what answers while words are written is thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nn2hls.errors import LimitError
from nn2hls.hardware.code import Pragma, Rom
from nn2hls.hardware.reload import WRITE, Bank

MOST_BITS = 64  # of a word, which the test bench and the bridge hold as C++ integers


def port_types(sizes: tuple[int, int]) -> Mapping[str, str]:
    """The C++ type of each port through which words are written; ``sizes``: bits of an address and of a word.

    Raises:
        LimitError: A word is too wide.
    """
    if sizes[1] > MOST_BITS:
        what = f"A weight or a bias of {sizes[1]} bits is wider than the {MOST_BITS} that a word of the memories has."
        raise LimitError(what, fix="Give it a narrower type.")
    return dict(zip(WRITE, (f"ap_uint<{n}>" for n in (1, *sizes)), strict=True))


class Written:
    """The memories of one layer.

    Args:
        held: A bank for each multiplier, then one for each bias.
        sizes: Bits of an address and of a word of the ports.
    """

    def __init__(self, held: Sequence[Bank], sizes: tuple[int, int]) -> None:
        self.weights, self.biases = ([b for b in held if b.single is single] for single in (False, True))
        self.ports = port_types(sizes)

    def arrays(self) -> Mapping[str, Rom]:
        """What they hold at first: the weights step by step, a word of each multiplier; the biases."""
        words = np.array([b.words for b in self.weights], dtype=object)
        biases = np.array([b.words[0] for b in self.biases], dtype=object)
        size = len(words) << self.weights[0].bits
        return {
            "weights": _memory(words.T.reshape(-1), self.weights[0], size),
            "biases": _memory(biases, self.biases[0], len(biases)),
        }

    def load(self) -> Iterator[str | Pragma]:
        """The statements that write the word at the ports; each multiplier has a memory of its own, each bias a register."""
        write, address, data = WRITE
        count, (bank, *_), (bias, *_) = len(self.weights), self.weights, self.biases
        if count > 1:  # a factor of 1 is refused
            yield Pragma("banks", "@_weights", str(count))
        yield Pragma("partition", "@_biases")
        yield f"if ({write} == 1) {{"
        yield f"const int at = {address}.to_int();"
        word = f"@_weights[{count} * (at & {(1 << bank.bits) - 1}) + i]"
        yield from _each(count, f"if (at >> {bank.bits} == {bank.first >> bank.bits} + i) {word} = {data};")
        yield from _each(len(self.biases), f"if (at == {bias.first} + i) @_biases[i] = {data};")
        yield "}"


def _memory(words: np.ndarray, bank: Bank, size: int) -> Rom:
    return Rom(words, bank.width, bank.signed, written=True, size=size)


def _each(count: int, statement: str) -> Iterator[str | Pragma]:
    """Side by side for each number."""
    yield from ("NN2HLS_UNROLL", f"for (int i = 0; i < {count}; i++) {{")
    yield Pragma("unroll")
    yield from (statement, "}")
