"""What a design says of the weights that can be written into it: where each word lies, and what else must be the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from nn2hls.emit.rtl import layer_texts
from nn2hls.graph.graph import Graph
from nn2hls.hardware.pipeline import Pipeline
from nn2hls.hardware.reload import Bank, banks, widths

FILE = "weights.json"  # beside the Verilog
_FIRST = "    initial "  # how lines begin that say what a memory holds at first


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
        digests: Of the Verilog of each layer, without what its memories hold at first; of the top module under no name.
    """

    project: str
    address_bits: int
    word_bits: int
    layers: tuple[Reloaded, ...]
    digests: Mapping[str, str]

    def text(self) -> str:
        """For FILE."""
        return json.dumps(asdict(self), indent=1) + "\n"


def memories(graph: Graph, name: str, placed: Pipeline) -> Memories | None:
    """What can be written into the Verilog of a fixed graph; None where nothing can.

    Args:
        graph: With types.
        name: Of the top module.
        placed: Its layers in time.
    """
    found = banks(placed.layers)
    if not found:
        return None
    texts = layer_texts(graph, name, placed)
    layers = [_reloaded(graph, layer.name, [b for b in found if b.layer == layer.name]) for layer in placed.layers]
    held = tuple(layer for layer in layers if layer.banks)
    return Memories(name, *widths(found), held, {layer: _digest(text) for layer, text in texts.items()})


def _reloaded(graph: Graph, name: str, found: list[Bank]) -> Reloaded:
    about = graph[name].op.memory()
    return Reloaded(name, *(about or ((), "", "")), tuple((b.first, len(b.words), b.width) for b in found))


def _digest(text: str) -> str:
    kept = [line for line in text.splitlines() if not line.startswith(_FIRST)]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()
