"""Additions and adder bits by strategy, and the multipliers beside them, before anything is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import Code, Net
from nn2hls.hardware.operators import adder_bits, additions
from nn2hls.markup import Table, notebook
from nn2hls.size.choices import Sizer
from nn2hls.size.layouts import DISTRIBUTED, LATENCY, SEARCHED, digits
from nn2hls.size.streams import StreamSizer


@dataclass(frozen=True)
class Adders:
    """What one strategy adds.

    Args:
        additions: Sums and differences of two values.
        bits: Of all their adders.
        multipliers: Products with a constant that are left to the tool; none in our own Verilog and for Bambu.
    """

    additions: int
    bits: int
    multipliers: int = 0

    @classmethod
    def of(cls, hardware: Hardware) -> Adders:
        """Those of a layer."""
        loops = hardware.unrolled().loops
        counts = ((len(additions(loop.body)), adder_bits(loop.body), len(_multipliers(loop.body))) for loop in loops)
        columns = ([n * loop.lanes for n in found] for found, loop in zip(counts, loops, strict=True))
        return cls(*(sum(column) for column in zip((0, 0, 0), *columns, strict=True)))

    def __add__(self, other: Adders) -> Adders:
        mine, theirs = ((a.additions, a.bits, a.multipliers) for a in (self, other))
        return Adders(*(m + n for m, n in zip(mine, theirs, strict=True)))


def _multipliers(net: Net) -> list[int]:
    """The wires of products with a constant."""
    return [w for w in net.alive() if net.cells[w].code is Code.MULC]


@dataclass(frozen=True)
class LayerAdders:
    """One layer without reuse.

    Args:
        layer: Its name.
        strategy, depth: What the config says.
        by: Strategy -> what it adds; a strategy that no time was for is left out.
    """

    layer: str
    strategy: str
    depth: int
    by: dict[str, Adders]


@dataclass(frozen=True, repr=False)
class Additions:
    """All layers whose sums a strategy builds."""

    layers: tuple[LayerAdders, ...]

    def total(self, strategy: str) -> Adders | None:
        """Of all layers; None where one was left out."""
        found = [layer.by.get(strategy) for layer in self.layers]
        return None if None in found else sum((x for x in found if x), Adders(0, 0))

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        totals = {s: asdict(found) for s in (LATENCY, DISTRIBUTED) if (found := self.total(s))}
        return {"layers": [asdict(layer) for layer in self.layers], "total": totals}

    def __repr__(self) -> str:
        return f"Additions({', '.join(layer.layer for layer in self.layers)})"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return notebook(repr(self), [self._table()] if self.layers else [])

    def text(self) -> str:
        """For people; empty when no layer has such sums."""
        return self._table().text() if self.layers else ""

    def _table(self) -> Table:
        products = any(found.multipliers for x in self.layers for found in x.by.values())
        rows = [_row(x.layer, x.by, x.strategy + (f" +{x.depth}" if x.depth else ""), products) for x in self.layers]
        rows.append(_row("total", {s: found for s in (LATENCY, DISTRIBUTED) if (found := self.total(s))}, "", products))
        columns = ["bits", *(["products"] if products else [])]
        head = ["layer", "additions: Latency", *columns, DISTRIBUTED, *columns, "the config says"]
        left_out = any(DISTRIBUTED not in x.by for x in self.layers)
        note = f"-: more than {SEARCHED:,} digits of weights are searched only where the config asks for it"
        return Table(head, rows, foot=[note] if left_out else [])


def _row(name: str, by: dict[str, Adders], says: str, products: bool) -> list[str | None]:
    cells: list[str | None] = [name]
    for strategy in (LATENCY, DISTRIBUTED):
        found = by.get(strategy)
        counts = [] if found is None else [found.additions, found.bits, found.multipliers]
        cells += [f"{n:,}" for n in counts[: 2 + products]] or [None] * (2 + products)
    return [*cells, says]


def count_additions(sizer: Sizer | StreamSizer) -> Additions:
    """What each strategy adds, of every layer without reuse: in the C++ for an HLS tool as in the Verilog.

    Distributed arithmetic is searched for where the config asks for it, and elsewhere from the smallest layer on, as long as
    that takes a few seconds.

    Raises:
        LimitError: A layer cannot be built with its settings.
    """
    names = [n for n in sizer.nodes if "strategy" in sizer.nodes[n].op.uses and sizer.now(n).reuse == 1]
    searched = {*_affordable(sizer, names)}
    return Additions(tuple(_layer(sizer, name, name in searched) for name in names))


def _affordable(sizer: Sizer | StreamSizer, names: Iterable[str]) -> Iterable[str]:
    left = SEARCHED
    for name in sorted(names, key=lambda n: digits(sizer.nodes[n].op)):
        if sizer.now(name).strategy == DISTRIBUTED:
            yield name
            continue
        left -= digits(sizer.nodes[name].op)
        if left >= 0:
            yield name


def _layer(sizer: Sizer | StreamSizer, name: str, searched: bool) -> LayerAdders:
    now = sizer.now(name)
    strategies = [LATENCY, *([DISTRIBUTED] if searched else [])]
    by = {s: Adders.of(sizer.hardware(name, now._replace(strategy=s))) for s in strategies}
    return LayerAdders(name, now.strategy, now.depth, by)
