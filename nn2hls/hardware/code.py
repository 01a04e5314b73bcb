"""The C++ of one layer: statements, constants and pragmas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

MAX_ROM_WORD = 64  # bits of a word of packed steps, which is written as a C++ integer literal
MAX_ARRAY = 4_096  # elements of an array that the tools partition completely, and turns of a loop that they unroll
# The way for a layer with many positions, wherever side by side they are too many.
STREAM = "Set IOType: io_stream, in which tensors of any size travel piece by piece."


@dataclass(frozen=True)
class Rom:
    """A constant array in the generated code: integer literals, row-major; ``width`` 0 stands for a C++ int.

    Args:
        lookups: How many run side by side at addresses that depend on data, each by its number (``nn2hls::lookup``).
        banks: The array is rows of so many words that are read side by side (``nn2hls::banked``).
        written: The array is a memory, these are what it holds at first; zeros follow up to ``size`` words.
        size: Words of such a memory.
    """

    values: np.ndarray
    width: int
    signed: bool
    lookups: int = 0
    banks: int = 0
    written: bool = False
    size: int = 0


class Pragma:
    """A hint for HLS tools in the code of a layer; each tool's description (``nn2hls.emit.tool``) says how it is written.

    Args:
        word: ``partition`` (array), ``banks`` and ``wide`` (array, number of elements side by side), ``block_rom`` (array),
            ``ports`` (names), ``pipeline`` (interval), ``unroll``, ``dataflow``, ``fifo`` (stream, tokens), ``axis`` (port)
            or ``free`` (of any start signal).
        arguments: What the word asks for.
    """

    def __init__(self, word: str, *arguments: str) -> None:
        self.word, self.arguments = word, arguments


@dataclass(frozen=True)
class Code:
    """The C++ of one layer as statements.

    Args:
        body: Lines of a function with operands ``x0``, ``x1`` .. and result ``y``, flat arrays of ap_[u]fixed.
        helpers: Whole functions before it, as lines. ``@T0``, ``@T1`` .. and ``@TY`` stand for the types of the operands and
            the result, any other ``@`` for the layer's identifier.
        headers: File names of the headers it needs.
        roms: Constant arrays, by the name the code uses after ``@_``.
        ports: Further parameters of the function that are ports of the design, with their types.
    """

    body: Sequence[str | Pragma]
    helpers: Sequence[str | Pragma] = ()
    headers: Sequence[str] = ()
    roms: Mapping[str, Rom] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)
