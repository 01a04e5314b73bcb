"""What a design says of the weights that can be written into it: where each word lies, and what else must be the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from nn2hls.graph.graph import Graph
from nn2hls.hardware.reload import Bank, widths

FILE = "weights.json"  # beside the Verilog, or in FIRMWARE
FIRMWARE = "firmware"  # of a project in C++
# What a memory holds at first: lines of Verilog, arrays of C++.
_FIRST = re.compile(r"^    initial .*\n|^static [^\n{]+ \w+_(?:weights|biases)\[\d+\] = \{[^}]*\};\n", re.M)


@dataclass(frozen=True)
class Reloaded:
    """A layer whose weights can be written.

    Args:
        name: The user's.
        shape: Of its weights.
        weight, bias: Types of a weight and of a bias.
        banks: (first address, words, bits of a word) of each multiplier's weights, then of each bias.
    """

    name: str
    shape: tuple[int, ...]
    weight: str
    bias: str
    banks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Memories:
    """All that can be written into a design.

    Args:
        project: Its name.
        address_bits, word_bits: Of the ports.
        layers: Those with such weights.
        digests: Of the code of each layer, without what its memories hold at first; of the top under no name.
    """

    project: str
    address_bits: int
    word_bits: int
    layers: tuple[Reloaded, ...]
    digests: Mapping[str, str]

    def text(self) -> str:
        """For FILE."""
        return json.dumps(asdict(self), indent=1) + "\n"


def memories(graph: Graph, name: str, found: Sequence[Bank], texts: Mapping[str, str]) -> Memories:
    """What can be written into a fixed graph.

    Args:
        graph: With types.
        name: Of the top module or function.
        found: All banks.
        texts: The code of each layer by its name, and that of the top under no name.
    """
    names = dict.fromkeys(b.layer for b in found)
    held = tuple(_reloaded(graph, layer, [b for b in found if b.layer == layer]) for layer in names)
    return Memories(name, *widths(found), held, {layer: _digest(text) for layer, text in texts.items()})


def _reloaded(graph: Graph, name: str, found: Sequence[Bank]) -> Reloaded:
    about = graph[name].op.memory()
    return Reloaded(name, *(about or ((), "", "")), tuple((b.first, len(b.words), b.width) for b in found))


def _digest(text: str) -> str:
    return hashlib.sha256(_FIRST.sub("", text).encode()).hexdigest()
