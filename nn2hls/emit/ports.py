"""The ports of the top function as hls4ml has them, for who has a wrapper around such a design already."""

from __future__ import annotations

from dataclasses import dataclass

from nn2hls.errors import LimitError
from nn2hls.graph.graph import Graph, Node

WIDEST = 65536  # bits of one port that HLS tools take


@dataclass(frozen=True)
class Interface:
    """hls4ml's names: inputs are called as their layers, outputs by the number of theirs.

    Args:
        outputs: Of the ports, in order: ``layer5_out``.
        input_types: C++ names of the inputs' types, in order: ``input_t``.
    """

    outputs: tuple[str, ...]
    input_types: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What no layer may be called."""
        return (*self.outputs, *self.input_types, "result_t")

    def check(self, inputs: tuple[Node, ...]) -> None:
        """Raise when an input, all of whose elements are one port here, is too wide.

        Raises:
            LimitError: Names it.
        """
        for node in inputs:
            bits = node.result_type.width
            for n in node.shape:
                bits *= n
            if bits > WIDEST:
                what = f"With Interface hls4ml it is one port of {bits:,} bits, more than the {WIDEST:,} that HLS tools take."
                raise LimitError(what, where=node.name, fix="Leave Interface out: then it has a port per element.")


def hls4ml_interface(graph: Graph) -> Interface:
    """The interface that hls4ml 1.3.0 gives to a network.

    It numbers layers in the model's order from 1 on: an activation inside a layer counts, one that is linear does not. Of
    Keras' layers those that change nothing count, too, such as Dropout; of PyTorch's modules they do not. The output of a
    reshape at the end is that of the layer before it.

    Args:
        graph: As it was loaded, before any pass.
    """
    skipped = [place for gone in graph.absent for place in gone.places]
    number = {node.name: k + 1 + sum(place <= k for place in skipped) for k, node in enumerate(graph)}
    outputs: list[str] = []
    for name in graph.outputs:
        node = graph[name]
        while node.op.reshapes:
            node = graph[node.inputs[0]]
        port = f"layer{number[node.name]}_out"
        outputs.append(port if port not in outputs else f"{port}_{len(outputs)}")
    types = tuple("input_t" if number[n.name] == 1 else f"input{number[n.name]}_t" for n in graph.inputs)
    return Interface(tuple(outputs), types)
