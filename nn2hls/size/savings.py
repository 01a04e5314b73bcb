"""What pruning and constant weights saved before any synthesis, read from the schedules that C++ and estimate follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nn2hls.graph.graph import Graph, Node
from nn2hls.size.choices import Sizer
from nn2hls.size.streams import StreamSizer
from nn2hls.text import table


@dataclass(frozen=True)
class Saving:
    """One layer, all its positions.

    Args:
        layer: Its name.
        reuse: Its reuse factor.
        products: Of the user's full matrix.
        nonzero: Of the weights that are not zero.
        multipliers: What is left at the same time: without reuse the distinct products of an input with a constant of three
            or more signed digits, with reuse R the non-zero products of one position by R.
        rom_bits: Packed words of weight, input index and segment.
        neurons: Of the user's outputs those that need no product: constant, read by nobody, or a copy of another.
        inputs: Of the user's operand elements those that no product reads.
    """

    layer: str
    reuse: int
    products: int
    nonzero: int
    multipliers: int
    rom_bits: int
    neurons: int
    inputs: int


def savings(sizer: Sizer, network: Graph) -> tuple[Saving, ...]:
    """Every layer with weights, against the same layer of the user's network (the float graph).

    Raises:
        LimitError: A layer cannot be built with its settings.
    """
    found = list[Saving]()
    users = {n.origin.part: n for n in network if n.origin.part}  # by the name without a step
    for name, node in sizer.nodes.items():
        if node.op.repeats:
            found += savings(sizer.steps_of(name), network)
        user = network.by_name.get(name) or users.get(node.origin.part)
        if user is not None and user.op.products(zeros=True):
            choice = sizer.choice(name)
            done = choice.layer.products
            found.append(_saving(network, user, sizer.graph, node, done, choice.multipliers, choice.rom_bits))
    return tuple(found)


def stream_savings(sizer: StreamSizer, network: Graph) -> tuple[Saving, ...]:
    """The same of a design in streams: multipliers are those of the positions that a layer computes side by side.

    Raises:
        LimitError: As :func:`savings`.
    """
    found = list[Saving]()
    for process in sizer.network.processes:
        name = process.name
        if process.op.repeats is not None:
            found += savings(sizer.steps_of(process), network)
        if name in network.by_name and name in sizer.graph.by_name and network[name].op.products(zeros=True):
            done = sizer.graph[name].op.products() * math.prod(process.lead)
            read = {s.value for s in process.front.sources}
            sums = (p for p in sizer.network.processes if p.join is not None and p.name in read)  # its own, added up before it
            sized = (sum(n) for n in zip(*(sizer.multipliers(p) for p in (process, *sums)), strict=True))
            found.append(_saving(network, network[name], sizer.graph, sizer.graph[name], done, *sized))
    return tuple(found)


def _saving(network: Graph, user: Node, graph: Graph, node: Node, done: int, multipliers: int, rom_bits: int) -> Saving:
    """``user``: the node of the network; ``done``: non-zero products of all positions."""
    full = user.op.products(zeros=True)
    positions = done // max(1, node.op.products()) or 1
    (gone_in, gone_out), idle = _removed(network, user, graph, node), node.op.idle()
    kept = multipliers if done else 0
    return Saving(node.name, node.op.reuse, full * positions, done, kept, rom_bits, gone_out + idle[0], gone_in + idle[1])


def _removed(network: Graph, before: Node, graph: Graph, after: Node) -> tuple[int, int]:
    """Operand elements and outputs of a position that the fixed graph does not have any more."""
    operands = [g[n.inputs[0]].shape[-1] for g, n in ((network, before), (graph, after))]
    return operands[0] - operands[1], before.shape[-1] - after.shape[-1]


def document(found: Sequence[Saving]) -> dict[str, Any]:
    """Plain data: the layers and their totals."""
    return {"layers": [asdict(s) for s in found], "total": _total(found)}


def _total(found: Sequence[Saving]) -> dict[str, int]:
    return {
        k: sum(getattr(s, k) for s in found) for k in ("products", "nonzero", "multipliers", "rom_bits", "neurons", "inputs")
    }


def text(found: Sequence[Saving]) -> str:
    """For people; empty when no layer has weights."""
    if not found:
        return ""
    head = ["layer", "products", "non-zero", "reuse", "multipliers", "ROM bits", "idle neurons", "idle inputs"]
    total = _total(found)
    rows = [(s.layer, str(s.reuse), asdict(s)) for s in found] + [("total", "", total)]
    cells = [
        [
            n,
            f"{v['products']:,}",
            f"{v['nonzero']:,}",
            r,
            *(f"{v[k]:,}" for k in ("multipliers", "rom_bits", "neurons", "inputs")),
        ]
        for n, r, v in rows
    ]
    zeros = 100 * (1 - total["nonzero"] / max(1, total["products"]))
    return table(head, cells) + f"{zeros:.1f}% of the products are with zero and cost nothing\n"
