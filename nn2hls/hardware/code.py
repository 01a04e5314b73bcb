"""The C++ of one layer: calls into the firmware library, or statements, constants and pragmas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Rom:
    """A constant array in the generated code: integer literals, row-major; ``width`` 0 stands for a C++ int.

    Args:
        lookups: How many run side by side at addresses that depend on data, each by its number (``nn2hls::lookup``).
        banks: The array is rows of so many words that are read side by side (``nn2hls::banked``).
    """

    values: np.ndarray
    width: int
    signed: bool
    lookups: int = 0
    banks: int = 0


@dataclass(frozen=True)
class Call:
    """The C++ of one layer: ``nn2hls::function<config>(x0, x1, .., y, rom0, rom1, ..)`` from ``firmware_lib/nn2hls/header``.

    Args:
        header: File name of the header.
        function: Template function in namespace nn2hls; operands and result are arrays of ap_[u]fixed, flat, row-major.
        config: Members of the config struct, all integers or bools; there are no defaults on the C++ side.
        roms: Constant arrays, by a short name; passed after the result in this order.
        values: Numbers that the layer computes with, of any size: functions of the config struct.
    """

    header: str
    function: str
    config: Mapping[str, int]
    roms: Mapping[str, Rom] = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)


class Pragma:
    """A hint for HLS tools in the code of a layer; each tool's description (``nn2hls.emit.tool``) says how it is written.

    Args:
        word: ``partition`` (array), ``banks`` and ``wide`` (array, number of elements side by side), ``block_rom`` (array),
            ``ports`` (names), ``pipeline`` (interval), ``unroll`` or ``dataflow``.
        arguments: What the word asks for.
    """

    def __init__(self, word: str, *arguments: str) -> None:
        self.word, self.arguments = word, arguments


@dataclass(frozen=True)
class Code:
    """The C++ of one layer as statements, where a header's template would hide what the schedule says.

    Args:
        body: Lines of a function with operands ``x0``, ``x1`` .. and result ``y``, flat arrays of ap_[u]fixed.
        helpers: Whole functions before it, as lines. ``@T0``, ``@T1`` .. and ``@TY`` stand for the types of the operands and
            the result, any other ``@`` for the layer's identifier.
        headers: File names of the headers it needs.
        roms: Constant arrays, by the name the code uses after ``@_``.
    """

    body: Sequence[str | Pragma]
    helpers: Sequence[str | Pragma] = ()
    headers: Sequence[str] = ()
    roms: Mapping[str, Rom] = field(default_factory=dict)
